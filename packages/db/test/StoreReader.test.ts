import { assert, describe, it } from "@effect/vitest"
import type { RecordedEvent } from "@reckon/client/Event"
import { pageEventsMax } from "@reckon/client/StoreRpcs"
import * as Pool from "@reckon/otp/Pool"
import * as Process from "@reckon/otp/Process"
import * as ServiceHandle from "@reckon/otp/ServiceHandle"
import * as RaftError from "@reckon/raft/RaftError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as CommitSignal from "../src/CommitSignal.js"
import { type Service, StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import * as StoreReader from "../src/StoreReader.js"
import { append, applyNext, bytes, event } from "./helpers/events.js"
import { failed, isRunning, processOf, provided, settle } from "./helpers/processes.js"
import { makeRaft, never } from "./helpers/raft.js"

const store = "orders"
const workerName = (partition: number) => `${StoreNames.streamsReader(store)}/${partition}`

/** What breaks the engine below, as a damaged page would. */
const damaged = "damaged"

const breaking = (engine: Service): Service => ({
  ...engine,
  readStream: options => {
    if (options.streamId === damaged) throw new Error("the page is damaged")
    return engine.readStream(options)
  }
})

const makeReaders = (options: { readonly size?: number; readonly readBarrier?: ReaderOptions["readBarrier"] } = {}) =>
  Effect.gen(function* () {
    const engine = breaking(yield* StoreEngine)
    const handle = yield* ServiceHandle.make<Service>("the engine")
    const signal = CommitSignal.make()
    const { raft } = makeRaft(engine, { fate: never, readBarrier: options.readBarrier ?? Effect.void })
    const definition = StoreReader.pool({ store, engine: handle, size: options.size ?? 4, idleStop: "1 minute" })
    const pool = yield* Pool.start(definition, { name: StoreNames.streamsReader(store) })
    const reader = StoreReader.make({ store, readers: pool, raft, engine: handle, signal })
    const write = (streamId: string, ...ns: ReadonlyArray<number>) =>
      Effect.sync(() => {
        applyNext(engine, append(streamId, "any", ...ns.map(n => event(n))))
        signal.notify(engine.lastPosition())
      })
    return { engine, handle, pool, reader, write }
  })
type ReaderOptions = Parameters<typeof makeRaft>[1]

const first = { from: 0, count: 100, direction: "forward", consistency: "local" } as const

const ids = (events: ReadonlyArray<RecordedEvent>) => events.map(({ eventId }) => eventId)
const idsOf = (...ns: ReadonlyArray<number>) => ns.map(n => event(n).eventId)

describe("StoreReader", () => {
  describe("reads", () => {
    it.effect("are what the engine says, of a stream, of all, of versions and of names", () =>
      Effect.gen(function* () {
        const { engine, handle, reader, write } = yield* makeReaders()
        yield* handle.provide(engine)
        yield* write("a", 1, 2)
        yield* write("b", 3)
        const stream = yield* reader.read({ ...first, streamId: "a" })
        assert.deepStrictEqual([ids(stream.events), stream.isEnd], [idsOf(1, 2), true])
        const all = yield* reader.readAll({ ...first, from: 2, count: 2, direction: "backward" })
        assert.deepStrictEqual([ids(all.events), all.isEnd], [idsOf(3, 2), false])
        assert.strictEqual(yield* reader.getVersion({ streamId: "a", consistency: "local" }), 1)
        assert.strictEqual(yield* reader.getVersion({ streamId: "c", consistency: "local" }), -1)
        assert.deepStrictEqual(yield* reader.listStreams({ after: "a", count: 5, consistency: "local" }), {
          streams: [{ streamId: "b", version: 0 }],
          isEnd: true
        })
        assert.deepStrictEqual(yield* failed(reader.read({ ...first, streamId: "c" })), ["StreamNotFound", false])
      }).pipe(provided, Effect.scoped)
    )

    it.effect("take the readers in turn", () =>
      Effect.gen(function* () {
        const { engine, handle, pool, reader } = yield* makeReaders()
        yield* handle.provide(engine)
        for (const running of [1, 2, 3, 4, 4]) {
          yield* reader.readAll(first)
          assert.strictEqual((yield* pool.stats).running, running)
        }
      }).pipe(provided, Effect.scoped)
    )

    it.effect("bring the engine's payloads to the caller as they are: nothing is copied on the way", () =>
      Effect.gen(function* () {
        const { engine, handle, reader } = yield* makeReaders()
        const data = bytes("{}")
        const page = { events: [{ ...event(1, { data }), streamId: "a", version: 0, position: 0, epochUs: 1 }] }
        yield* handle.provide({ ...engine, readAll: () => ({ ...page, isEnd: true }) })
        assert.strictEqual((yield* reader.readAll(first)).events[0]?.data, data)
      }).pipe(provided, Effect.scoped)
    )

    it.effect("that are linearizable wait for the barrier, and no reader waits with them", () =>
      Effect.gen(function* () {
        const confirmed = yield* Deferred.make<void>()
        const { engine, handle, pool, reader, write } = yield* makeReaders({
          size: 1,
          readBarrier: Deferred.await(confirmed)
        })
        yield* handle.provide(engine)
        const fresh = yield* Effect.fork(reader.readAll({ ...first, consistency: "linearizable" }))
        yield* settle
        assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
        assert.strictEqual((yield* pool.stats).inFlight, 0)
        yield* write("a", 1)
        yield* Deferred.succeed(confirmed, undefined)
        assert.deepStrictEqual(ids((yield* Fiber.join(fresh)).events), idsOf(1))
      }).pipe(provided, Effect.scoped)
    )

    it.effect("that are linearizable fail where no majority confirms the leader; local ones do not ask", () =>
      Effect.gen(function* () {
        const { engine, handle, reader } = yield* makeReaders({ readBarrier: Effect.fail(new RaftError.ReadTimeout()) })
        yield* handle.provide(engine)
        const linearizable = { ...first, consistency: "linearizable" } as const
        assert.deepStrictEqual(yield* failed(reader.readAll(linearizable)), ["NoQuorum", true])
        assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
      }).pipe(provided, Effect.scoped)
    )
  })

  describe("a query that the engine breaks on", () => {
    it.effect("ends its reader, its caller may try again, and the other readers go on", () =>
      Effect.gen(function* () {
        const { engine, handle, pool, reader } = yield* makeReaders()
        yield* handle.provide(engine)
        yield* Effect.replicateEffect(reader.readAll(first), 4)
        const before = yield* Effect.forEach([0, 1, 2, 3], partition => processOf(workerName(partition)))
        assert.deepStrictEqual(yield* failed(reader.read({ ...first, streamId: damaged })), ["NoQuorum", true])
        yield* settle
        const after = yield* Effect.forEach([0, 1, 2, 3], partition => processOf(workerName(partition)))
        assert.notStrictEqual(after[0], before[0])
        assert.deepStrictEqual(after.slice(1), before.slice(1))
        assert.strictEqual((yield* pool.stats).starts, 5)
      }).pipe(provided, Effect.scoped)
    )

    for (const size of [1, 4]) {
      it.effect(`is not repeated, and those that wait behind it are served all the same, by ${size} reader(s)`, () =>
        Effect.gen(function* () {
          const { engine, handle, pool, reader } = yield* makeReaders({ size })
          let broken = 0
          yield* handle.provide({
            ...engine,
            readStream: options => {
              if (options.streamId === damaged) broken++
              return engine.readStream(options)
            }
          })
          yield* Effect.replicateEffect(reader.readAll(first), size)
          // All are in the mailboxes before the first is served.
          const [poison, ...others] = yield* Effect.all(
            [
              reader.read({ ...first, streamId: damaged }),
              ...Array.from({ length: 20 }, () => reader.readAll(first))
            ].map(read => Effect.either(read)),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(poison?._tag, "Left")
          assert.deepStrictEqual(
            others.map(({ _tag }) => _tag),
            others.map(() => "Right")
          )
          assert.strictEqual(broken, 1)
          assert.strictEqual((yield* pool.stats).starts, size + 1)
        }).pipe(provided, Effect.scoped)
      )
    }
  })

  describe("what stands behind the readers", () => {
    it.effect("an engine that is down: the caller may try again, and no reader ends over it", () =>
      Effect.gen(function* () {
        const { engine, handle, pool, reader } = yield* makeReaders({ size: 1 })
        assert.deepStrictEqual(yield* failed(reader.readAll(first)), ["NoQuorum", true])
        yield* handle.provide(engine)
        assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
        assert.strictEqual((yield* pool.stats).starts, 1)
      }).pipe(provided, Effect.scoped)
    )

    it.effect("an engine that was replaced: the next query goes to the new one", () =>
      Effect.gen(function* () {
        const { engine, handle, reader } = yield* makeReaders({ size: 1 })
        yield* handle.provide(engine)
        yield* reader.getVersion({ streamId: "a", consistency: "local" })
        yield* handle.provide({ ...engine, getVersion: () => 7 })
        assert.strictEqual(yield* reader.getVersion({ streamId: "a", consistency: "local" }), 7)
      }).pipe(provided, Effect.scoped)
    )

    it.effect("no pool, or a reader that cannot be started: the caller may try again", () =>
      Effect.gen(function* () {
        const { engine, handle, pool, reader } = yield* makeReaders({ size: 1 })
        yield* handle.provide(engine)
        const squatter = yield* Process.spawn(Effect.never, { name: workerName(0) })
        assert.deepStrictEqual(yield* failed(reader.readAll(first)), ["NoQuorum", true])
        yield* Process.exit(squatter, { _tag: "Killed" })
        yield* reader.readAll(first)
        yield* Pool.stop(pool)
        assert.deepStrictEqual(yield* failed(reader.readAll(first)), ["NoQuorum", true])
      }).pipe(provided, Effect.scoped)
    )

    it.effect("readers go after a minute without queries, and come back", () =>
      Effect.gen(function* () {
        const { engine, handle, reader } = yield* makeReaders({ size: 1 })
        yield* handle.provide(engine)
        yield* reader.readAll(first)
        yield* TestClock.adjust("59 seconds")
        assert.isTrue(yield* isRunning(workerName(0)))
        yield* TestClock.adjust("1 second")
        assert.isFalse(yield* isRunning(workerName(0)))
        assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
      }).pipe(provided, Effect.scoped)
    )
  })

  describe("subscriptions", () => {
    const collect = (stream: Stream.Stream<ReadonlyArray<RecordedEvent>, unknown>) =>
      Effect.gen(function* () {
        const got: Array<string> = []
        const fiber = yield* Effect.fork(Stream.runForEach(stream, batch => Effect.sync(() => got.push(...ids(batch)))))
        yield* settle
        return { got, fiber }
      })

    it.effect("read their pages through the readers: history, then what commits, without a gap", () =>
      Effect.gen(function* () {
        const { engine, handle, pool, reader, write } = yield* makeReaders()
        yield* handle.provide(engine)
        const history = Array.from({ length: pageEventsMax + 1 }, (_, n) => n)
        yield* write("a", ...history)
        const { got } = yield* collect(reader.subscribe({ streamId: null, from: "origin" }))
        assert.deepStrictEqual(got, idsOf(...history))
        // Two pages with events, and one that found nothing and waits.
        assert.strictEqual((yield* pool.stats).starts, 3)
        yield* write("b", 5_000)
        yield* write("a", 5_001)
        yield* settle
        assert.deepStrictEqual(got.slice(history.length), idsOf(5_000, 5_001))
      }).pipe(provided, Effect.scoped)
    )

    it.effect("to a stream wait for its first event, and pass over those of others", () =>
      Effect.gen(function* () {
        const { engine, handle, reader, write } = yield* makeReaders()
        yield* handle.provide(engine)
        const { got } = yield* collect(reader.subscribe({ streamId: "a", from: "origin" }))
        yield* write("b", 1)
        yield* settle
        assert.deepStrictEqual(got, [])
        yield* write("a", 2)
        yield* settle
        assert.deepStrictEqual(got, idsOf(2))
      }).pipe(provided, Effect.scoped)
    )

    it.effect("from the current end start behind what was acknowledged anywhere, of all events or of a stream", () =>
      Effect.gen(function* () {
        const confirmed = yield* Deferred.make<void>()
        const { engine, handle, reader, write } = yield* makeReaders({ readBarrier: Deferred.await(confirmed) })
        yield* handle.provide(engine)
        yield* write("a", 1)
        const all = yield* collect(reader.subscribe({ streamId: null, from: "current" }))
        const stream = yield* collect(reader.subscribe({ streamId: "a", from: "current" }))
        yield* write("a", 2)
        yield* Deferred.succeed(confirmed, undefined)
        yield* settle
        yield* write("a", 3)
        yield* settle
        assert.deepStrictEqual([all.got, stream.got], [idsOf(3), idsOf(3)])
      }).pipe(provided, Effect.scoped)
    )

    it.effect("end with an error that may be tried again when their page cannot be read", () =>
      Effect.gen(function* () {
        const { engine, handle, reader } = yield* makeReaders()
        yield* handle.provide(engine)
        const reading = Stream.runDrain(reader.subscribe({ streamId: damaged, from: "origin" }))
        assert.deepStrictEqual(yield* failed(reading), ["NoQuorum", true])
      }).pipe(provided, Effect.scoped)
    )
  })
})
