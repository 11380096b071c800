import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import { unlimited } from "@reckon/client/StreamMetadata"
import * as CallError from "@reckon/otp/CallError"
import * as Pool from "@reckon/otp/Pool"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import * as fc from "fast-check"
import { StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import * as StoreWriter from "../src/StoreWriter.js"
import { append, bytes, event, read, snapshot } from "./helpers/events.js"
import { failed, provided, settle } from "./helpers/processes.js"
import { makeRaft, unchecked } from "./helpers/raft.js"

const streams = ["a", "b", "c", "d"] as const

/** Operations by the streams that they append to, whether anybody has a turn after each is made, and how long each command takes on its way. */
const histories = fc.record({
  made: fc.array(fc.record({ to: fc.subarray([...streams], { minLength: 1 }), turn: fc.boolean() }), { maxLength: 25 }),
  millis: fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 10 })
})

/** A store with so many writers, whose commands wait on their way while the gate is shut, as it is at first. */
const gated = (size = 1) =>
  Effect.gen(function* () {
    let gate = yield* Deferred.make<void>()
    const { proposals, raft } = makeRaft(yield* StoreEngine, {
      fate: (_, apply) => Effect.zipRight(Deferred.await(gate), apply)
    })
    const pool = yield* Pool.start(StoreWriter.pool({ store: "orders", raft, size, idleStop: "1 minute" }), {
      name: StoreNames.streamsWriter("orders")
    })
    const writer = StoreWriter.make({ store: "orders", writers: pool, check: unchecked })
    const open = Effect.suspend(() => Effect.zipRight(Deferred.succeed(gate, undefined), settle))
    const shut = Effect.map(Deferred.make<void>(), made => {
      gate = made
    })
    return { open, pool, proposals, shut, writer }
  })

type Made = (writer: StoreWriter.StoreWriter, streamId: string) => Effect.Effect<unknown, unknown>

const appended: Made = (writer, streamId) => writer.append([append(streamId, "any", event(1))])

/** Operations of every kind, and those with most of their bytes in each place that has some. */
const ofEveryKind: Readonly<Record<string, Made>> = {
  "an append": appended,
  "a batch": (writer, streamId) =>
    writer.appendBatch({ appends: [append(streamId, "any", event(1))], condition: null }),
  "a deletion": (writer, streamId) => writer.deleteStream({ streamId, expectedVersion: "any", tombstone: false }),
  "other metadata": (writer, streamId) => writer.setStreamMetadata({ streamId, metadata: unlimited }),
  "a snapshot": (writer, streamId) => writer.saveSnapshot({ snapshot: snapshot(streamId, 0), keep: null }),
  "a deletion of snapshots": (writer, streamId) => writer.deleteSnapshots({ streamId, version: null })
}

const long = "x".repeat(600 * 1024)

const large: Readonly<Record<"events" | "snapshots" | "conditions", Made>> = {
  events: (writer, streamId) => writer.append([append(streamId, "any", event(1, { data: bytes(long) }))]),
  snapshots: (writer, streamId) =>
    writer.saveSnapshot({ snapshot: snapshot(streamId, 0, { data: bytes(long) }), keep: null }),
  conditions: (writer, streamId) =>
    writer.appendBatch({
      appends: [append(streamId, "any", event(1))],
      condition: { query: Query.anyTag(long), after: -1 }
    })
}

/** What each stream holds after the history, by the numbers of the operations. */
const outcome = (history: {
  made: ReadonlyArray<{ to: ReadonlyArray<string>; turn: boolean }>
  millis: Array<number>
}) =>
  Effect.gen(function* () {
    const engine = yield* StoreEngine
    let commands = 0
    const { raft } = makeRaft(engine, {
      fate: (_, apply) => Effect.delay(apply, history.millis[commands++ % history.millis.length] ?? 0)
    })
    const pool = yield* Pool.start(StoreWriter.pool({ store: "orders", raft, size: 1, idleStop: "1 minute" }), {
      name: StoreNames.streamsWriter("orders")
    })
    const writer = StoreWriter.make({ store: "orders", writers: pool, check: unchecked })
    const answers = []
    for (const [n, { to, turn }] of history.made.entries()) {
      const appends = to.map(stream => append(stream, "any", event(n)))
      answers.push(yield* Effect.fork(writer.appendBatch({ appends, condition: null })))
      if (turn) yield* settle
      else yield* Effect.yieldNow()
    }
    yield* TestClock.adjust("10 seconds")
    yield* Effect.forEach(answers, fiber => Fiber.join(fiber))
    return streams.map(stream => {
      const page = read(engine, stream)
      return typeof page === "string" ? [] : page.events.map(({ eventId }) => eventId)
    })
  }).pipe(provided)

describe("StoreWriter", () => {
  it("with one writer, operations with a stream in common take effect in the order in which they were made", () =>
    fc.assert(
      fc.asyncProperty(histories, async history => {
        const found = await Effect.runPromise(Effect.provide(outcome(history), TestContext.TestContext))
        const expected = streams.map(stream =>
          history.made.flatMap(({ to }, n) => (to.includes(stream) ? [event(n).eventId] : []))
        )
        assert.deepStrictEqual(found, expected)
      }),
      { numRuns: 40 }
    ))

  for (const [kind, make] of Object.entries(ofEveryKind)) {
    it.effect(`${kind} waits for what is on its way to its stream, and is waited for`, () =>
      Effect.gen(function* () {
        for (const made of [
          [appended, make],
          [make, appended]
        ]) {
          const { open, pool, proposals, writer } = yield* gated()
          for (const each of made) {
            yield* Effect.fork(Effect.exit(each(writer, "s")))
            yield* settle
          }
          assert.deepStrictEqual(proposals, [["s"]])
          yield* open
          assert.deepStrictEqual(proposals, [["s"], ["s"]])
          yield* Pool.stop(pool)
        }
      }).pipe(provided)
    )
  }

  for (const [kind, make] of Object.entries(large)) {
    it.effect(`a command has no more than a megabyte of ${kind}, unless a single request has more`, () =>
      Effect.gen(function* () {
        const { open, proposals, writer } = yield* gated()
        const underWay = ["a", "b", "c", "d"]
        for (const streamId of underWay) {
          yield* Effect.fork(writer.append([append(streamId, "any", event(0))]))
          yield* settle
        }
        for (const streamId of ["e", "f"]) yield* Effect.fork(Effect.exit(make(writer, streamId)))
        yield* open
        assert.deepStrictEqual(
          proposals,
          [...underWay, "e", "f"].map(streamId => [streamId])
        )
      }).pipe(provided)
    )
  }

  it.effect("a writer has four commands on their way at most, also where more arrives at once", () =>
    Effect.gen(function* () {
      const { open, proposals, writer } = yield* gated()
      const streamIds = ["a", "b", "c", "d", "e", "f"]
      for (const streamId of streamIds) yield* Effect.fork(large.events(writer, streamId))
      yield* settle
      assert.strictEqual(proposals.length, 4)
      yield* open
      assert.deepStrictEqual(
        proposals,
        streamIds.map(streamId => [streamId])
      )
    }).pipe(provided)
  )

  it.effect(
    "a writer has its share of the bytes waiting, of one request any number, and no more than its share for long",
    () =>
      Effect.gen(function* () {
        // Of 64 MiB for all of them each has 64 KiB.
        const { open, shut, writer } = yield* gated(1024)
        let n = 0
        const kilobytes = (count: number) =>
          Effect.gen(function* () {
            const data = bytes("x".repeat(count * 1024))
            const answer = yield* Effect.fork(
              Effect.match(writer.append([append("s", "any", event(n++, { data }))]), {
                onFailure: ({ _tag }) => _tag,
                onSuccess: () => "written"
              })
            )
            yield* settle
            return answer.unsafePoll() === null ? "waiting" : yield* Fiber.join(answer)
          })
        for (let full = 0; full < 3; full++) {
          // The first is on its way, the others wait for it.
          const answers = yield* Effect.forEach([1, 30, 30, 30, 1], kilobytes)
          assert.deepStrictEqual(answers, ["waiting", "waiting", "waiting", "Overloaded", "waiting"])
          yield* open
          yield* shut
        }
        yield* kilobytes(1)
        assert.deepStrictEqual([yield* kilobytes(100), yield* kilobytes(1)], ["waiting", "Overloaded"])
      }).pipe(provided)
  )

  it.effect("a write for which the writer's mailbox has no room surely had no effect, for want of room", () =>
    Effect.gen(function* () {
      const { pool } = yield* gated()
      const full = new CallError.MailboxFull({ server: "a writer", request: "Write", capacity: 1 })
      const writers = { ...pool, call: () => Effect.fail(full) }
      const writer = StoreWriter.make({ store: "orders", writers, check: unchecked })
      const write = writer.append([append("s", "any", event(1))])
      assert.deepStrictEqual(yield* failed(write), ["Overloaded", true])
    }).pipe(provided)
  )
})
