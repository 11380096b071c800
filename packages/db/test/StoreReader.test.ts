import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import * as Pool from "@reckon/otp/Pool"
import * as Process from "@reckon/otp/Process"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import {
  applyAt,
  bytes,
  deleteStream,
  event,
  saveSnapshot,
  setMetadata,
  snapshot,
  tombstone
} from "./helpers/events.js"
import { failed, isRunning, processOf, provided, settle } from "./helpers/processes.js"
import { damaged, first, ids, idsOf, makeReaders, workerName } from "./helpers/readers.js"

/** A logger, and what it was given. */
const listening = () => {
  const told: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => {
    told.push(String(message))
  })
  const log = Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.Warning))
  return { told, log }
}

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
        assert.deepStrictEqual(
          yield* reader.listStreams({ pattern: null, after: "a", count: 5, consistency: "local" }),
          {
            streams: [{ streamId: "b", version: 0 }],
            isEnd: true,
            next: "b"
          }
        )
        assert.deepStrictEqual(yield* failed(reader.read({ ...first, streamId: "c" })), ["StreamNotFound", false])
      }).pipe(provided, Effect.scoped)
    )

    it.effect("of every other kind are what the engine says as well", () =>
      Effect.gen(function* () {
        const { engine, handle, reader, write } = yield* makeReaders()
        yield* handle.provide(engine)
        yield* write("a", 1, 2)
        yield* write("b", 3)
        applyAt(
          engine,
          2_000,
          setMetadata("b", { maxCount: 5 }),
          saveSnapshot(snapshot("a", 0)),
          saveSnapshot(snapshot("a", 1))
        )
        const local = { consistency: "local" } as const
        const ofB = { ...first, query: Query.streams("b*") }
        assert.deepStrictEqual(ids((yield* reader.query(ofB)).events), idsOf(3))
        assert.deepStrictEqual(ids((yield* reader.query({ ...ofB, asOf: 1 })).events), [])
        assert.deepStrictEqual(ids((yield* reader.readAll({ ...first, asOf: 1 })).events), idsOf(1, 2))
        assert.strictEqual(yield* reader.versionAt({ streamId: "a", epochUs: 1_000, ...local }), 1)
        assert.strictEqual(yield* reader.versionAt({ streamId: "a", epochUs: 999, ...local }), -1)
        assert.strictEqual(yield* reader.positionAt({ epochUs: 1_000, ...local }), 2)
        assert.isTrue(yield* reader.hasEvents(local))
        const { lastVersion, metadata } = yield* reader.streamDetails({ streamId: "b", ...local })
        assert.deepStrictEqual([lastVersion, metadata.maxCount], [0, 5])
        const named = yield* reader.listStreams({ pattern: "?", after: null, count: 1, ...local })
        assert.deepStrictEqual([named.streams.map(({ streamId }) => streamId), named.isEnd], [["a"], false])
        assert.strictEqual((yield* reader.loadSnapshot({ streamId: "a", version: null, ...local })).version, 1)
        assert.strictEqual((yield* reader.loadSnapshot({ streamId: "a", version: 0, ...local })).version, 0)
        const listed = yield* reader.listSnapshots({ streamId: "a", from: 1, count: 9, ...local })
        assert.deepStrictEqual(
          listed.snapshots.map(({ version }) => version),
          [1]
        )
      }).pipe(provided, Effect.scoped)
    )

    for (const [state, make, tag] of [
      ["there is none", [], "StreamNotFound"],
      ["was deleted", [deleteStream("a")], "StreamDeleted"],
      ["was deleted for good", [tombstone("a")], "StreamTombstoned"]
    ] as const) {
      it.effect(`of a stream fail where it ${state === "there is none" ? "never was" : state}: ${tag}`, () =>
        Effect.gen(function* () {
          const { engine, handle, reader, write } = yield* makeReaders()
          yield* handle.provide(engine)
          if (make.length > 0) yield* write("a", 1)
          applyAt(engine, 2_000, ...make)
          const local = { streamId: "a", consistency: "local" } as const
          assert.deepStrictEqual(yield* failed(reader.read({ ...first, streamId: "a" })), [tag, false])
          assert.deepStrictEqual(yield* failed(reader.versionAt({ ...local, epochUs: 5_000 })), [tag, false])
          assert.strictEqual(yield* reader.getVersion(local), -1)
          const details = Effect.either(reader.streamDetails(local))
          assert.strictEqual((yield* details)._tag, make.length > 0 ? "Right" : "Left")
          const snapshots = reader.loadSnapshot({ ...local, version: null })
          assert.deepStrictEqual(yield* failed(snapshots), ["SnapshotNotFound", false])
        }).pipe(provided, Effect.scoped)
      )
    }

    it.effect("leave out what is older than its stream keeps, by the clock of this node", () =>
      Effect.gen(function* () {
        const { engine, handle, reader, write } = yield* makeReaders()
        yield* handle.provide(engine)
        yield* write("a", 1)
        applyAt(engine, 1_000, setMetadata("a", { maxAgeUs: 1_000_000 }))
        yield* TestClock.adjust("1001 millis")
        assert.deepStrictEqual(ids((yield* reader.read({ ...first, streamId: "a" })).events), idsOf(1))
        assert.isTrue(yield* reader.hasEvents({ consistency: "local" }))
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual((yield* reader.read({ ...first, streamId: "a" })).events, [])
        assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
        assert.deepStrictEqual((yield* reader.query({ ...first, query: Query.all })).events, [])
        assert.isFalse(yield* reader.hasEvents({ consistency: "local" }))
      }).pipe(provided, Effect.scoped)
    )

    it.effect(
      "do without what another thread reads ahead where it does not come, or cannot, which is told once",
      () => {
        const { log, told } = listening()
        return Effect.gen(function* () {
          const asked: Array<number> = []
          const { engine, handle, reader, write } = yield* makeReaders({
            readAhead: ({ reads, streamId }) => {
              asked.push(reads)
              if (streamId === null) throw new Error("what it would have to know cannot be read")
              return Effect.never
            }
          })
          yield* handle.provide(engine)
          yield* write("a", 1, 2)
          assert.deepStrictEqual(ids((yield* reader.readAll(first)).events), idsOf(1, 2))
          const read = reader.read({ ...first, streamId: "a" })
          const pages = yield* Effect.fork(Effect.all([read, read], { concurrency: 2 }))
          const lost = yield* Effect.fork(read)
          yield* settle
          assert.isNull(yield* Fiber.poll(pages).pipe(Effect.map(Option.getOrNull)))
          yield* Fiber.interrupt(lost)
          yield* TestClock.adjust("2 seconds")
          for (const { events } of yield* Fiber.join(pages)) assert.deepStrictEqual(ids(events), idsOf(1, 2))
          // Those that are answered, or are not waited for any more, do not count.
          yield* Effect.either(reader.readAll(first))
          assert.deepStrictEqual(asked, [1, 1, 2, 3, 1])
          assert.lengthOf(told, 1)
          assert.match(told.join(), /not read ahead.*what it would have to know cannot be read/)
        }).pipe(Effect.provide(log), provided, Effect.scoped)
      }
    )

    it.effect("tell once of another thread that is late", () => {
      const { log, told } = listening()
      return Effect.gen(function* () {
        const { engine, handle, reader, write } = yield* makeReaders({ readAhead: () => Effect.never })
        yield* handle.provide(engine)
        yield* write("a", 1)
        const pages = yield* Effect.fork(Effect.all([reader.readAll(first), reader.readAll(first)], { concurrency: 2 }))
        yield* TestClock.adjust("2 seconds")
        for (const { events } of yield* Fiber.join(pages)) assert.deepStrictEqual(ids(events), idsOf(1))
        assert.lengthOf(told, 1)
        assert.match(told.join(), /not read ahead.*it took longer than 2s/)
      }).pipe(Effect.provide(log), provided, Effect.scoped)
    })

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
        yield* handle.provide({ ...engine, readAll: () => ({ ...page, isEnd: true, next: 1 }) })
        assert.strictEqual((yield* reader.readAll(first)).events[0]?.data, data)
      }).pipe(provided, Effect.scoped)
    )
  })

  describe("a reader that was busy for a millisecond", () => {
    /** The order of pages and of turns of everything else, where a page takes so long by the clock. */
    const orderWhere = (pageMillis: number) =>
      Effect.gen(function* () {
        const order: Array<string> = []
        const clock = yield* Effect.clock
        let nanos = 0n
        const timed: Clock.Clock = {
          ...clock,
          unsafeCurrentTimeMillis: () => Number(nanos / 1_000_000n),
          unsafeCurrentTimeNanos: () => nanos
        }
        const { engine, handle, reader } = yield* Effect.withClock(makeReaders({ size: 1 }), timed)
        yield* handle.provide({
          ...engine,
          readAll: options => {
            order.push("page")
            setImmediate(() => order.push("turn"))
            nanos += BigInt(pageMillis * 1e6)
            return engine.readAll(options)
          }
        })
        // All are in the mailbox before the first is served.
        yield* Effect.all(
          Array.from({ length: 4 }, () => reader.readAll(first)),
          { concurrency: "unbounded" }
        )
        return order
      })

    it.effect("lets everything else have its turn before it answers, whatever waits for it", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* orderWhere(1), ["page", "turn", "page", "turn", "page", "turn", "page", "turn"])
      }).pipe(provided, Effect.scoped)
    )

    it.effect("counts what it has done since the last turn", () =>
      Effect.gen(function* () {
        const order = yield* orderWhere(0.5)
        assert.deepStrictEqual(order, ["page", "page", "turn", "turn", "page", "page", "turn", "turn"])
      }).pipe(provided, Effect.scoped)
    )

    it.effect("goes on where it was not", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* orderWhere(0.2)).slice(0, 4), ["page", "page", "page", "page"])
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
        const broken = yield* Effect.flip(reader.read({ ...first, streamId: damaged }))
        assert.deepInclude(broken, { _tag: "NoQuorum", retryable: true })
        assert.include(broken.message, "the page is damaged")
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
})
