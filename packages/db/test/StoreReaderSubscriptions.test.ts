import { assert, describe, it } from "@effect/vitest"
import type { RecordedEvent } from "@reckon/client/Event"
import type { SubscribeError } from "@reckon/client/StoreError"
import { pageEventsMax } from "@reckon/client/StoreRpcs"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { applyAt, deleteStream, setMetadata } from "./helpers/events.js"
import { failed, provided, settle } from "./helpers/processes.js"
import { damaged, first, ids, idsOf, makeReaders } from "./helpers/readers.js"

describe("subscriptions of a StoreReader", () => {
  const collect = (stream: Stream.Stream<ReadonlyArray<RecordedEvent>, SubscribeError>) =>
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

  it.effect("pass over what is hidden, and over a stream's deletion", () =>
    Effect.gen(function* () {
      const { engine, handle, reader, signal, write } = yield* makeReaders()
      yield* handle.provide(engine)
      yield* write("a", 1, 2)
      yield* write("b", 3)
      applyAt(engine, 2_000, deleteStream("a"))
      const all = yield* collect(reader.subscribe({ streamId: null, from: "origin" }))
      const stream = yield* collect(reader.subscribe({ streamId: "a", from: "origin" }))
      assert.deepStrictEqual([all.got, stream.got], [idsOf(3), []])
      yield* write("a", 4)
      yield* settle
      applyAt(engine, 2_000, setMetadata("a", { truncateBefore: 3 }))
      signal.notify(() => ["a"])
      yield* write("a", 5)
      yield* settle
      assert.deepStrictEqual([all.got, stream.got], [idsOf(3, 4, 5), idsOf(4, 5)])
    }).pipe(provided, Effect.scoped)
  )

  it.effect("go on behind pages that are empty and not the last, without waiting", () =>
    Effect.gen(function* () {
      const { engine, handle, reader, write } = yield* makeReaders()
      yield* write("a", 1)
      const asked: Array<number> = []
      const seen = engine.readAll({ ...first, bytesMax: 1, nowUs: 0 }).events
      yield* handle.provide({
        ...engine,
        readAll: ({ from }) => {
          asked.push(from)
          if (from < 20) return { events: [], isEnd: false, next: from + 10 }
          return from < 30 ? { events: seen, isEnd: false, next: 30 } : { events: [], isEnd: true, next: from }
        }
      })
      const { got } = yield* collect(reader.subscribe({ streamId: null, from: "origin" }))
      assert.deepStrictEqual([got, asked], [idsOf(1), [0, 10, 20, 30]])
    }).pipe(provided, Effect.scoped)
  )

  it.effect("do not turn in circles over a page that leads nowhere", () =>
    Effect.gen(function* () {
      const { engine, handle, reader } = yield* makeReaders()
      yield* handle.provide({ ...engine, readAll: ({ from }) => ({ events: [], isEnd: false, next: from }) })
      const ended = yield* Effect.exit(Stream.runDrain(reader.subscribe({ streamId: null, from: "origin" })))
      assert.isTrue(Exit.isFailure(ended) && Cause.isDie(ended.cause))
    }).pipe(provided, Effect.scoped)
  )

  it.effect("from a place that is yet to come wait for that place", () =>
    Effect.gen(function* () {
      const { engine, handle, reader, write } = yield* makeReaders()
      yield* handle.provide(engine)
      const all = yield* collect(reader.subscribe({ streamId: null, from: 2 }))
      const stream = yield* collect(reader.subscribe({ streamId: "a", from: 1 }))
      for (const n of [1, 2, 3]) {
        yield* write("a", n)
        yield* settle
      }
      assert.deepStrictEqual([all.got, stream.got], [idsOf(3), idsOf(2, 3)])
    }).pipe(provided, Effect.scoped)
  )

  it.effect("to a stream are not woken by what happens to others", () =>
    Effect.gen(function* () {
      let asked = 0
      const { engine, handle, reader, write } = yield* makeReaders()
      yield* handle.provide({
        ...engine,
        readStream: options => {
          asked++
          return engine.readStream(options)
        }
      })
      const { got } = yield* collect(reader.subscribe({ streamId: "a", from: "origin" }))
      for (let n = 1; n <= 10; n++) {
        yield* write("b", n)
        yield* settle
      }
      assert.strictEqual(asked, 1)
      yield* write("a", 11)
      yield* settle
      assert.deepStrictEqual([got, asked], [idsOf(11), 3])
    }).pipe(provided, Effect.scoped)
  )

  it.effect("do not ask again and again where what was applied is taken back, and miss nothing that comes anew", () =>
    Effect.gen(function* () {
      let asked = 0
      const { engine, handle, reader, signal, write } = yield* makeReaders()
      yield* write("a", 1, 2, 3)
      // Until the log has brought the store back to where it was.
      const back = {
        ...engine,
        appliedIndex: () => 0,
        readStream: (options: Parameters<typeof engine.readStream>[0]) => {
          // Whoever asks for ever would keep the test from its end.
          if (++asked > 3) throw new Error("asked again and again")
          return { events: [], isEnd: true, next: options.from }
        }
      }
      yield* handle.provide(back)
      const { got } = yield* collect(reader.subscribe({ streamId: "a", from: 2 }))
      assert.strictEqual(asked, 1)
      yield* handle.provide(engine)
      signal.wakeAll()
      yield* write("a", 4)
      yield* settle
      assert.deepStrictEqual(got, idsOf(3, 4))
    }).pipe(provided, Effect.scoped)
  )

  it.effect("fail where they wait on a node that knows no leader, after three seconds of it", () =>
    Effect.gen(function* () {
      let led = true
      const { engine, handle, reader, signal, write } = yield* makeReaders({ isLed: () => led })
      yield* handle.provide(engine)
      yield* write("a", 1)
      const here = yield* collect(reader.subscribe({ streamId: null, from: "origin" }))
      yield* TestClock.adjust("1 minute")
      led = false
      signal.wakeAll()
      yield* TestClock.adjust("2 seconds")
      const later = yield* collect(reader.subscribe({ streamId: "b", from: "origin" }))
      // What still comes is told.
      yield* write("a", 2)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([here.got, later.got], [idsOf(1, 2), []])
      yield* TestClock.adjust("1 second")
      const isOver = (fiber: typeof here.fiber) => Effect.map(Fiber.poll(fiber), Option.isSome)
      assert.deepStrictEqual([yield* isOver(here.fiber), yield* isOver(later.fiber)], [true, true])
      assert.deepStrictEqual(yield* failed(Fiber.join(here.fiber)), ["NoQuorum", true])

      const again = yield* collect(reader.subscribe({ streamId: null, from: "origin" }))
      yield* TestClock.adjust("2 seconds")
      led = true
      yield* TestClock.adjust("1 minute")
      yield* write("a", 3)
      yield* settle
      assert.deepStrictEqual(again.got, idsOf(1, 2, 3))
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
