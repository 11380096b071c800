import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import { type RequestError, type StoreError, StreamNotFound } from "@reckon/client/StoreError"
import type { Append } from "@reckon/client/StoreRpcs"
import { unlimited } from "@reckon/client/StreamMetadata"
import * as Pool from "@reckon/otp/Pool"
import * as Process from "@reckon/otp/Process"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Command from "../src/Command.js"
import { streamsOf } from "../src/internal/processes/operation.js"
import { StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import * as StoreWriter from "../src/StoreWriter.js"
import { append, event, eventsOf, read, readAll, versions } from "./helpers/events.js"
import { failed, isRunning, kill, provided, settle } from "./helpers/processes.js"
import { applied, type Fate, lost, makeRaft, never, notLeader, overloaded, unchecked } from "./helpers/raft.js"

const store = "orders"
const workerName = (partition: number) => `${StoreNames.streamsWriter(store)}/${partition}`

/** The writers of a store, of which each proposal has the fate that is set, and a stream for each partition of four. */
const makeWriters = (options: { readonly size?: number } = {}) =>
  Effect.gen(function* () {
    const engine = yield* StoreEngine
    const plan: { fate: Fate } = { fate: applied }
    const { proposals, raft } = makeRaft(engine, plan)
    const definition = StoreWriter.pool({ store, raft, size: options.size ?? 4, idleStop: "1 minute" })
    const pool = yield* Pool.start(definition, { name: StoreNames.streamsWriter(store) })
    const writer = StoreWriter.make({ store, writers: pool, check: unchecked })
    const write = writer.append
    const streams = new Map<number, Array<string>>()
    for (let n = 0; n < 64; n++) {
      const partition = yield* pool.partitionOf(`${store}/s${n}`)
      streams.set(partition, [...(streams.get(partition) ?? []), `s${n}`])
    }
    /** The `n`th stream of a partition. */
    const streamOf = (partition: number, n = 0): string => {
      const stream = streams.get(partition)?.[n]
      if (stream === undefined) throw new Error(`partition ${partition} has no stream ${n} here`)
      return stream
    }
    return { engine, plan, proposals, pool, writer, write, streamOf }
  })

type Writes = ReadonlyArray<Effect.Effect<unknown, StoreError>>

/** An append of one event, with an id of its own for each `n`. */
const one = (streamId: string, n: number, expected: Append["expectedVersion"] = "any") =>
  append(streamId, expected, event(n))

const fateOf =
  (fates: Readonly<Record<string, Fate>>): Fate =>
  (command, apply) =>
    (fates[command.operations.flatMap(streamsOf)[0] ?? ""] ?? applied)(command, apply)

describe("StoreWriter", () => {
  describe("one request, several partitions", () => {
    it.effect("is split by partition and answered in the request's order", () =>
      Effect.gen(function* () {
        const { proposals, write } = yield* makeWriters()
        const appends = Array.from({ length: 40 }, (_, n) => one(`s${n % 25}`, n))
        const answers = yield* write(appends)
        assert.deepStrictEqual(
          answers.map(answer => Either.map(answer, ({ streamId, version }) => [streamId, version])),
          appends.map(({ streamId }, n) => Either.right([streamId, n < 25 ? 0 : 1]))
        )
        assert.strictEqual(proposals.length, 4)
        assert.sameMembers(
          proposals.flat(),
          appends.map(({ streamId }) => streamId)
        )
      }).pipe(provided)
    )

    it.effect("answers each append on its own, the failed ones among the others", () =>
      Effect.gen(function* () {
        const { streamOf, write } = yield* makeWriters()
        const [a, b, c] = [streamOf(0), streamOf(1), streamOf(0, 1)]
        yield* write([one(b, 1)])
        const answers = yield* write([one(a, 2), append(b, "any", event(1, { eventType: "other" })), one(c, 3, 7)])
        assert.deepStrictEqual(
          answers.map(answer => (Either.isLeft(answer) ? answer.left._tag : answer.right.streamId)),
          [a, "EventIdConflict", "WrongExpectedVersion"]
        )
      }).pipe(provided)
    )

    it.effect("of a request without appends nothing is proposed", () =>
      Effect.gen(function* () {
        const { pool, proposals, write } = yield* makeWriters()
        assert.deepStrictEqual(yield* write([]), [])
        assert.deepStrictEqual(proposals, [])
        assert.strictEqual((yield* pool.stats).starts, 0)
      }).pipe(provided)
    )

    it.effect("parts do not wait for each other on their way", () =>
      Effect.gen(function* () {
        const { plan, proposals, streamOf, write } = yield* makeWriters()
        plan.fate = never
        yield* Effect.fork(write([0, 1, 2, 3].map(partition => one(streamOf(partition), partition))))
        yield* settle
        assert.strictEqual(proposals.length, 4)
      }).pipe(provided)
    )
  })

  describe("partial failure", () => {
    const cases: ReadonlyArray<readonly [name: string, fates: readonly [Fate, Fate, Fate], end: RequestError["_tag"]]> =
      [
        ["one part refused, the others carried out: unknown", [applied, notLeader, applied], "OutcomeUnknown"],
        ["one part overloaded, the others carried out: unknown", [applied, applied, overloaded], "OutcomeUnknown"],
        ["one part lost, the others carried out: unknown", [lost, applied, applied], "OutcomeUnknown"],
        ["one part lost, the others refused: unknown", [notLeader, lost, overloaded], "OutcomeUnknown"],
        ["all parts lost: unknown", [lost, lost, lost], "OutcomeUnknown"],
        ["all parts refused: surely not applied", [notLeader, notLeader, notLeader], "NoQuorum"],
        ["all parts overloaded: surely not applied", [overloaded, overloaded, overloaded], "Overloaded"],
        [
          "all parts refused, for different reasons: surely not applied",
          [overloaded, notLeader, notLeader],
          "Overloaded"
        ]
      ]
    for (const [name, [first, second, third], end] of cases) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const { engine, plan, streamOf, write } = yield* makeWriters()
          const [a, b, c] = [streamOf(0), streamOf(1), streamOf(2)]
          plan.fate = fateOf({ [a]: first, [b]: second, [c]: third })
          assert.deepStrictEqual(yield* failed(write([one(a, 1), one(b, 2), one(c, 3)])), [end, true])
          // What "surely not applied" says is true.
          if (end !== "OutcomeUnknown") assert.strictEqual(engine.eventCount(), 0)
        }).pipe(provided)
      )
    }

    it.effect("repeated with the same event ids, the request writes nothing twice and answers every append", () =>
      Effect.gen(function* () {
        const { engine, plan, streamOf, write } = yield* makeWriters()
        const [a, b] = [streamOf(0), streamOf(1)]
        const request = [one(a, 1, "no_stream"), one(b, 2, "no_stream"), one(a, 3, 0)]
        plan.fate = fateOf({ [b]: notLeader })
        assert.deepStrictEqual(yield* failed(write(request)), ["OutcomeUnknown", true])
        assert.strictEqual(engine.eventCount(), 2)
        plan.fate = applied
        const answers = yield* write(request)
        assert.deepStrictEqual(
          answers.map(Either.map(({ alreadyPresent, streamId, version }) => [streamId, version, alreadyPresent])),
          [Either.right([a, 0, 1]), Either.right([b, 0, 0]), Either.right([a, 1, 1])]
        )
        assert.strictEqual(engine.eventCount(), 3)
      }).pipe(provided)
    )

    it.effect("an append that is not answered within 20 seconds has an unknown outcome, alone or as a part", () =>
      Effect.gen(function* () {
        const { plan, streamOf, write } = yield* makeWriters()
        plan.fate = fateOf({ [streamOf(1)]: never })
        const alone = yield* Effect.fork(failed(write([one(streamOf(1), 1)])))
        const part = yield* Effect.fork(failed(write([one(streamOf(0), 2), one(streamOf(1), 3)])))
        yield* TestClock.adjust("19999 millis")
        assert.isNull(alone.unsafePoll())
        assert.isNull(part.unsafePoll())
        yield* TestClock.adjust("1 millis")
        for (const ended of [alone, part]) assert.deepStrictEqual(yield* Fiber.join(ended), ["OutcomeUnknown", true])
      }).pipe(provided)
    )
  })

  describe("order", () => {
    it.effect("no two commands on their way have a stream in common; those of other streams leave meanwhile", () =>
      Effect.gen(function* () {
        const { plan, proposals, streamOf, write } = yield* makeWriters()
        const [s, other] = [streamOf(0), streamOf(0, 1)]
        const gate = yield* Deferred.make<void>()
        plan.fate = (_, apply) => Effect.zipRight(Deferred.await(gate), apply)
        const writing = []
        for (const [n, stream] of [s, other, s, s].entries()) {
          writing.push(yield* Effect.fork(write([one(stream, n)])))
          yield* settle
        }
        assert.deepStrictEqual(proposals, [[s], [other]])
        yield* Deferred.succeed(gate, undefined)
        const answers = (yield* Effect.forEach(writing, fiber => Fiber.join(fiber))).flat()
        assert.deepStrictEqual(proposals, [[s], [other], [s, s]])
        assert.deepStrictEqual(answers.map(Either.map(({ version }) => version)), [0, 0, 1, 2].map(Either.right))
      }).pipe(provided)
    )

    it.effect("appends to a stream keep their order while its leader has to be looked for", () =>
      Effect.gen(function* () {
        const { engine, plan, streamOf, write } = yield* makeWriters()
        const s = streamOf(0)
        let tries = 0
        // The first proposal finds its leader late, the second at once.
        plan.fate = (_, apply) => (++tries === 1 ? Effect.delay(apply, "1 second") : apply)
        const first = yield* Effect.fork(write([one(s, 1)]))
        yield* settle
        const second = yield* Effect.fork(write([one(s, 2)]))
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(Fiber.zip(first, second))
        assert.deepStrictEqual(
          eventsOf(read(engine, s)).map(({ eventId }) => eventId),
          [event(1).eventId, event(2).eventId]
        )
      }).pipe(provided)
    )

    it.effect("a small request behind a large one does not overtake any of its parts", () =>
      Effect.gen(function* () {
        const { engine, streamOf, write } = yield* makeWriters()
        const s = streamOf(3)
        const large = Array.from({ length: 5_000 }, (_, n) => one(n === 4_999 ? s : `x${n}`, n))
        yield* Effect.all([write(large), write([one(s, 5_000)])], { concurrency: "unbounded" })
        assert.deepStrictEqual(
          eventsOf(read(engine, s)).map(({ eventId }) => eventId),
          [event(4_999).eventId, event(5_000).eventId]
        )
      }).pipe(provided)
    )
  })

  describe("gathering", () => {
    it.effect("what arrives while four commands of a writer are on their way leaves as one", () =>
      Effect.gen(function* () {
        const { plan, proposals, streamOf, write } = yield* makeWriters()
        const gate = yield* Deferred.make<void>()
        plan.fate = (_, apply) => Effect.zipRight(Deferred.await(gate), apply)
        for (let n = 0; n < 10; n++) {
          yield* Effect.fork(write([one(streamOf(0, n), n)]))
          yield* settle
        }
        assert.strictEqual(proposals.length, 4)
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(proposals.slice(4), [[4, 5, 6, 7, 8, 9].map(n => streamOf(0, n))])
      }).pipe(provided)
    )

    it.effect("a writer that has its share of requests waiting refuses one more, as surely not applied", () =>
      Effect.gen(function* () {
        const { engine, plan, write } = yield* makeWriters({ size: 16_384 })
        const gate = yield* Deferred.make<void>()
        plan.fate = (_, apply) => Effect.zipRight(Deferred.await(gate), apply)
        const writing = []
        for (const n of [1, 2]) {
          writing.push(yield* Effect.fork(write([one("s", n)])))
          yield* settle
        }
        assert.deepStrictEqual(yield* failed(write([one("s", 3)])), ["Overloaded", true])
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(writing, fiber => Fiber.join(fiber))
        assert.strictEqual(engine.eventCount(), 2)
      }).pipe(provided)
    )
  })

  describe("operations of other kinds", () => {
    const everything = Query.streams("s*")
    const snapshotOf = (streamId: string, version: number) => ({ ...event(0), streamId, version })

    it.effect("are one operation each, and do what they say", () =>
      Effect.gen(function* () {
        const { engine, proposals, writer } = yield* makeWriters()
        const appended = yield* writer.appendBatch({
          appends: [one("s1", 1, "no_stream"), append("s2", "no_stream", event(2), event(3))],
          condition: { query: everything, after: -1 }
        })
        assert.deepStrictEqual(
          appended.map(({ position, streamId, version }) => [streamId, version, position]),
          [
            ["s1", 0, 0],
            ["s2", 1, 2]
          ]
        )
        yield* writer.setStreamMetadata({ streamId: "s2", metadata: { ...unlimited, maxCount: 1 } })
        yield* writer.saveSnapshot({ snapshot: snapshotOf("s2", 1), keep: null })
        yield* writer.deleteStream({ streamId: "s1", expectedVersion: 0, tombstone: false })
        assert.deepStrictEqual(versions(read(engine, "s2")), [1])
        assert.strictEqual(engine.loadSnapshot("s2", null)?.version, 1)
        assert.strictEqual(read(engine, "s1"), "deleted")
        yield* writer.deleteSnapshots({ streamId: "s2", version: null })
        assert.isNull(engine.loadSnapshot("s2", null))
        // A batch is never split, though its streams have writers of their own.
        assert.deepStrictEqual(proposals, [["s1", "s2"], ["s2"], ["s2"], ["s1"], ["s2"]])
      }).pipe(provided)
    )

    it.effect("fail with the errors of their kind, and nothing of them was done", () =>
      Effect.gen(function* () {
        const { engine, writer } = yield* makeWriters()
        yield* writer.append([one("s1", 1)])
        const again = { appends: [one("s1", 2), one("s2", 3)], condition: { query: everything, after: -1 } }
        assert.deepStrictEqual(yield* failed(writer.appendBatch(again)), ["AppendConditionFailed", false])
        const wrong = { appends: [one("s2", 3), one("s1", 2, 7)], condition: null }
        assert.deepStrictEqual(yield* failed(writer.appendBatch(wrong)), ["WrongExpectedVersion", false])
        assert.strictEqual(engine.eventCount(), 1)
        const unexpected = { streamId: "s1", expectedVersion: 3, tombstone: false } as const
        assert.deepStrictEqual(yield* failed(writer.deleteStream(unexpected)), ["WrongExpectedVersion", false])
        const save = (streamId: string, version: number) =>
          failed(writer.saveSnapshot({ snapshot: snapshotOf(streamId, version), keep: null }))
        assert.deepStrictEqual(yield* save("s1", 1), ["SnapshotOutOfRange", false])
        assert.deepStrictEqual(yield* save("s2", 0), ["StreamNotFound", false])
        yield* writer.deleteStream({ streamId: "s1", expectedVersion: "any", tombstone: true })
        assert.deepStrictEqual(yield* save("s1", 0), ["StreamTombstoned", false])
        const metadata = writer.setStreamMetadata({ streamId: "s1", metadata: unlimited })
        assert.deepStrictEqual(yield* failed(metadata), ["StreamTombstoned", false])
      }).pipe(provided)
    )

    it.effect("an answer that no operation of the kind can have is a defect, and no error that one could retry", () =>
      Effect.gen(function* () {
        const { plan, writer } = yield* makeWriters()
        const strange = Command.encodeReply([Either.left(new StreamNotFound({ streamId: "s" }))])
        plan.fate = () => Effect.succeed(strange)
        const ended = yield* Effect.exit(
          writer.deleteStream({ streamId: "s", expectedVersion: "any", tombstone: true })
        )
        assert.isTrue(Exit.isFailure(ended) && Cause.isDie(ended.cause))
      }).pipe(provided)
    )

    it.effect("on one stream take effect in the order in which they were made, whatever their kinds", () =>
      Effect.gen(function* () {
        const { engine, plan, proposals, writer } = yield* makeWriters()
        let tries = 0
        plan.fate = (_, apply) => Effect.delay(apply, `${3 - Math.min(tries++, 2)} seconds`)
        const made: Writes = [
          writer.append([one("s", 1)]),
          writer.deleteStream({ streamId: "s", expectedVersion: 0, tombstone: false }),
          writer.append([one("s", 2, "no_stream")]),
          writer.appendBatch({ appends: [one("s", 3, 1)], condition: null }),
          writer.saveSnapshot({ snapshot: snapshotOf("s", 2), keep: null })
        ]
        const answers = []
        for (const each of made) {
          answers.push(yield* Effect.fork(each))
          yield* settle
        }
        yield* TestClock.adjust("10 seconds")
        yield* Effect.forEach(answers, fiber => Fiber.join(fiber))
        assert.deepStrictEqual(versions(read(engine, "s")), [1, 2])
        assert.strictEqual(engine.loadSnapshot("s", null)?.version, 2)
        // The first left alone; what gathered behind it left together.
        assert.deepStrictEqual(proposals, [["s"], ["s", "s", "s", "s"]])
      }).pipe(provided)
    )

    it.effect("of several streams wait for each of them, and are waited for on each, where there is one writer", () =>
      Effect.gen(function* () {
        const { plan, proposals, writer } = yield* makeWriters({ size: 1 })
        const gate = yield* Deferred.make<void>()
        plan.fate = (_, apply) => Effect.zipRight(Deferred.await(gate), apply)
        const batch = writer.appendBatch({ appends: [one("a", 2), one("b", 3)], condition: null })
        const made: Writes = [writer.append([one("b", 1)]), batch, writer.append([one("a", 4)])]
        for (const each of made) {
          yield* Effect.fork(each)
          yield* settle
        }
        assert.deepStrictEqual(proposals, [["b"]])
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(proposals, [["b"], ["a", "b", "a"]])
      }).pipe(provided)
    )

    it.effect(
      "of several streams go to the writer of the first, and know nothing of what others have on their way",
      () =>
        Effect.gen(function* () {
          const { plan, proposals, streamOf, writer } = yield* makeWriters()
          const [first, other] = [streamOf(0), streamOf(1)]
          plan.fate = never
          const batch = writer.appendBatch({ appends: [one(first, 2), one(other, 3)], condition: null })
          const made: Writes = [writer.append([one(other, 1)]), batch, writer.append([one(first, 4)])]
          for (const each of made) {
            yield* Effect.fork(each)
            yield* settle
          }
          assert.deepStrictEqual(proposals, [[other], [first, other]])
        }).pipe(provided)
    )
  })

  describe("a writer that is stopped", () => {
    it.effect("answers what has left, and refuses what has not: each request once, and truly", () =>
      Effect.gen(function* () {
        const { engine, plan, pool, write } = yield* makeWriters({ size: 1 })
        plan.fate = (_, apply) => Effect.delay(apply, "1 second")
        const answers = []
        for (let n = 0; n < 20; n++) {
          answers.push(yield* Effect.fork(Effect.either(write([one(`s${n}`, n)]))))
          if (n < 4) yield* settle
        }
        yield* settle
        const stopping = yield* Effect.fork(Pool.stop(pool))
        yield* settle
        const waiting = answers.filter(fiber => fiber.unsafePoll() === null)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(stopping)
        const ends = yield* Effect.forEach(answers, fiber => Fiber.join(fiber))
        const written = ends.flatMap((end, n) => (Either.isRight(end) ? [`s${n}`] : []))
        assert.deepStrictEqual(
          ends.filter(Either.isLeft).map(({ left }) => left._tag),
          Array(20 - written.length).fill("NoQuorum")
        )
        assert.deepStrictEqual([waiting.length, written.length], [4, 4])
        assert.sameMembers(
          readAll(engine).events.map(({ streamId }) => streamId),
          written
        )
      }).pipe(provided)
    )

    it.effect("does not wait for ever: what has no answer within 2 seconds has an unknown outcome", () =>
      Effect.gen(function* () {
        const { plan, pool, write } = yield* makeWriters({ size: 1 })
        plan.fate = never
        const lost = yield* Effect.fork(failed(write([one("s", 1)])))
        yield* settle
        const stopping = yield* Effect.fork(Pool.stop(pool))
        yield* TestClock.adjust("1999 millis")
        assert.isNull(stopping.unsafePoll())
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(yield* Fiber.join(lost), ["OutcomeUnknown", true])
      }).pipe(provided)
    )
  })

  describe("the pool", () => {
    it.effect("a writer that dies takes what it had in hand, and nothing of the other partitions", () =>
      Effect.gen(function* () {
        const { plan, streamOf, write } = yield* makeWriters()
        const gate = yield* Deferred.make<void>()
        plan.fate = (_, apply) => Effect.zipRight(Deferred.await(gate), apply)
        const lost = yield* Effect.fork(failed(write([one(streamOf(0), 1)])))
        const kept = yield* Effect.fork(write([one(streamOf(1), 2)]))
        yield* settle
        yield* kill(workerName(0))
        assert.deepStrictEqual(yield* Fiber.join(lost), ["OutcomeUnknown", true])
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual((yield* Fiber.join(kept)).length, 1)
        assert.strictEqual((yield* write([one(streamOf(0), 3)])).length, 1)
      }).pipe(provided)
    )

    it.effect("a writer that cannot be started has surely not applied anything", () =>
      Effect.gen(function* () {
        const { proposals, streamOf, write } = yield* makeWriters()
        yield* Process.spawn(Effect.never, { name: workerName(0) })
        assert.deepStrictEqual(yield* failed(write([one(streamOf(0), 1)])), ["NoQuorum", true])
        assert.deepStrictEqual(proposals, [])
        assert.deepStrictEqual(yield* failed(write([one(streamOf(0), 1), one(streamOf(1), 2)])), [
          "OutcomeUnknown",
          true
        ])
      }).pipe(provided)
    )

    it.effect("while there is no pool, nothing is applied", () =>
      Effect.gen(function* () {
        const { pool, write } = yield* makeWriters()
        yield* Pool.stop(pool)
        assert.deepStrictEqual(yield* failed(write([one("a", 1)])), ["NoQuorum", true])
        assert.deepStrictEqual(yield* failed(write([one("a", 1), one("b", 2), one("c", 3)])), ["NoQuorum", true])
      }).pipe(provided)
    )

    it.effect("a writer goes after a minute without appends, but not with a command on its way, and comes back", () =>
      Effect.gen(function* () {
        const { plan, streamOf, write } = yield* makeWriters()
        yield* write([one(streamOf(0), 1)])
        plan.fate = (_, apply) => Effect.delay(apply, "15 seconds")
        yield* TestClock.adjust("50 seconds")
        const late = yield* Effect.fork(write([one(streamOf(1), 2)]))
        yield* TestClock.adjust("10 seconds")
        assert.isFalse(yield* isRunning(workerName(0)))
        assert.isTrue(yield* isRunning(workerName(1)))
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(late)).length, 1)
        yield* TestClock.adjust("1 minute")
        assert.isFalse(yield* isRunning(workerName(1)))
        plan.fate = applied
        const [answer] = yield* write([one(streamOf(0), 3)])
        assert.deepStrictEqual(answer && Either.map(answer, ({ version }) => version), Either.right(1))
        assert.isTrue(yield* isRunning(workerName(0)))
      }).pipe(provided)
    )
  })
})
