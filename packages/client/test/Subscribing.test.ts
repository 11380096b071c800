import { assert, describe, it } from "@effect/vitest"
import { type Event, StoreError, type StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Attempts from "../src/internal/attempts.js"
import { Lost } from "../src/internal/lost.js"
import type * as Peers from "../src/internal/peers.js"
import * as Subscription from "../src/internal/subscription.js"
import { collect, event, failure, make, types } from "./helpers/embedded.js"

const stopped = new StoreError.NoQuorum({ store: "default", detail: "the gateway worker stopped" })

const unreached = { endpoint: "n1", detail: "refused", sent: false, defect: false, silent: false }

/** Subscriptions at one node, each connection of which comes of this. */
const subscribeAt = (follow: Peers.Peers["follow"]) => {
  const unused = () => Effect.dieMessage("nobody asks where `current` is")
  const peers: Peers.Peers = { names: ["n1"], preferred: () => 0, avoid: () => {}, ask: unused, follow }
  return Subscription.make({
    attempts: Attempts.make({ peers, timeoutMillis: 3_000, attemptTimeoutMillis: 3_000 }),
    calls: { GetVersion: unused, PositionAt: unused },
    store: "default"
  })
}

describe("a subscription in this process", () => {
  it.effect("goes on behind its last event when the store stops serving it", () =>
    Effect.gen(function* () {
      const starts: Array<StoreRpcs.SubscribeFrom> = []
      const { store } = yield* make({
        pageMax: 2,
        // Two batches, then the end, sometimes with an error and sometimes without.
        around: (feed, { from }) => {
          starts.push(from)
          const some = Stream.take(feed, 2)
          return starts.length % 2 === 0 ? some : Stream.concat(some, Stream.fail(stopped))
        }
      })
      for (let index = 0; index < 9; index++) yield* store.append("s", "any", [yield* event(`E${index}`)])
      const feed = store.subscribe({ streamId: "s", from: 1 })
      const fiber = yield* Effect.fork(types(Stream.take(feed, 10)))
      yield* TestClock.adjust("1 second")
      yield* store.append("s", "any", [yield* event("E9"), yield* event("E10")])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10"])
      assert.deepStrictEqual(starts.slice(0, 3), [1, 5, 9])
    })
  )

  it.effect("from `current` on begins behind the last event, also where that is hidden", () =>
    Effect.gen(function* () {
      const starts: Array<StoreRpcs.SubscribeFrom> = []
      const { store } = yield* make({
        around: (feed, { from }) => {
          starts.push(from)
          return feed
        }
      })
      yield* store.append("s", "any", [yield* event("A"), yield* event("B")])
      yield* store.append("t", "any", [yield* event("C")])
      yield* store.deleteStream("t")
      for (const streamId of ["s", null]) {
        const feed = Stream.take(store.subscribe({ streamId, from: "current" }), 1)
        const fiber = yield* Effect.fork(collect(feed))
        yield* TestClock.adjust(0)
        yield* store.append("s", "any", [yield* event("Next")])
        const [next] = yield* Fiber.join(fiber)
        assert.strictEqual(next?.eventType, "Next")
      }
      assert.deepStrictEqual(starts, [2, 4])
    })
  )

  it.effect("gives an event once, also where the store goes back", () =>
    Effect.gen(function* () {
      let connections = 0
      let all: ReadonlyArray<Event.RecordedEvent> = []
      const { memory, store } = yield* make({
        around: feed => {
          const repeated = Stream.suspend(() => Stream.make(all.slice(0, ++connections)))
          return Stream.concat(repeated, connections < 3 ? Stream.fail(stopped) : feed)
        }
      })
      yield* store.append("s", "any", [yield* event("A"), yield* event("B"), yield* event("C")])
      all = memory.all
      const fiber = yield* Effect.fork(types(Stream.take(store.subscribe({ streamId: null, from: "origin" }), 4)))
      yield* TestClock.adjust("1 second")
      yield* store.append("s", "any", [yield* event("D")])
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["A", "B", "C", "D"])
    })
  )

  it.effect("has its whole time again after each event", () =>
    Effect.gen(function* () {
      const { store } = yield* make({
        timeout: "300 millis",
        pageMax: 1,
        around: feed => Stream.concat(Stream.take(feed, 1), Stream.fail(stopped))
      })
      // With a pause of at least 10 ms behind each of them.
      const names = Array.from({ length: 60 }, (_, nth) => `E${nth}`)
      for (const name of names) yield* store.append("s", "any", [yield* event(name)])
      const fiber = yield* Effect.fork(types(Stream.take(store.subscribe({ streamId: "s", from: "origin" }), 60)))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), names)
    })
  )

  it.effect("has it again also after a connection that held and had nothing to give", () =>
    Effect.gen(function* () {
      const { store } = yield* make({
        timeout: "3 seconds",
        around: feed => Stream.interruptAfter(feed, "1200 millis")
      })
      const fiber = yield* Effect.fork(types(Stream.take(store.subscribe({ streamId: "s", from: "origin" }), 1)))
      yield* TestClock.adjust("20 seconds")
      yield* store.append("s", "any", [yield* event("A")])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["A"])
    })
  )

  it.effect("has it again once for such a connection, or for an event, and not for every failure behind it", () =>
    Effect.gen(function* () {
      for (const before of [0, 1]) {
        let connections = 0
        const { store } = yield* make({
          timeout: "3 seconds",
          around: feed => {
            if (connections++ > 0) return Stream.fail(stopped)
            return before === 0
              ? Stream.concat(Stream.interruptAfter(feed, "1200 millis"), Stream.fail(stopped))
              : Stream.concat(Stream.take(feed, 1), Stream.fail(stopped))
          }
        })
        if (before === 1) yield* store.append("s", "any", [yield* event("A")])
        const fiber = yield* Effect.fork(
          Effect.flip(Stream.runDrain(store.subscribe({ streamId: "s", from: "origin" })))
        )
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(Option.map(yield* Fiber.poll(fiber), Exit.isSuccess), Option.some(true))
        assert.deepStrictEqual(yield* Fiber.join(fiber), stopped)
      }
    })
  )

  it.effect("has no more time because a connection held once, where none comes about any more", () =>
    Effect.gen(function* () {
      let connections = 0
      const held = Stream.concat(Stream.interruptAfter(Stream.never, "2 seconds"), Stream.fail(stopped))
      const subscribe = subscribeAt(() => (connections++ === 0 ? Effect.succeed(held) : new Lost(unreached)))
      const fiber = yield* Effect.fork(Effect.flip(Stream.runDrain(subscribe({ streamId: "s", from: 0 }))))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.poll(fiber))._tag, "Some")
      assert.deepStrictEqual(yield* Fiber.join(fiber), stopped)
    })
  )

  it.effect("ends at once, and says why, where the node has another secret", () =>
    Effect.gen(function* () {
      const detail = "n1: another secret"
      const subscribe = subscribeAt(() => new Lost({ ...unreached, detail, hasOtherSecret: true }))
      const error = yield* Effect.flip(Stream.runDrain(subscribe({ streamId: "s", from: 0 })))
      assert.deepInclude(error, { _tag: "Unreachable", detail })
    })
  )

  it.effect("works as much for an event after many connections as after a few", () =>
    Effect.gen(function* () {
      const { store } = yield* make({
        pageMax: 1,
        around: feed => Stream.concat(Stream.take(feed, 1), Stream.fail(stopped))
      })
      const names = Array.from({ length: 121 }, (_, nth) => `E${nth}`)
      for (const name of names) yield* store.append("s", "any", [yield* event(name)])

      // Each step of the fiber asks the scheduler whether it is to pause.
      let steps = 0
      const counting = Scheduler.make(
        task => Scheduler.defaultScheduler.scheduleTask(task, 0),
        fiber => {
          steps++
          return Scheduler.defaultShouldYield(fiber)
        }
      )
      const stepsAt: Array<number> = []
      const feed = Stream.take(store.subscribe({ streamId: "s", from: "origin" }), names.length)
      const fiber = yield* Stream.runForEach(feed, () => Effect.sync(() => stepsAt.push(steps))).pipe(
        Effect.withScheduler(counting),
        Effect.fork
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      const between = (from: number, to: number) => (stepsAt[to] ?? 0) - (stepsAt[from] ?? 0)
      assert.isAtMost(between(110, 120), between(20, 30))
    })
  )

  it.effect("fails at once where it can never be served, and after its time where nobody serves it", () =>
    Effect.gen(function* () {
      const gone = yield* make({ around: () => Stream.fail(new StoreError.StoreNotFound({ store: "default" })) })
      const feed = gone.store.subscribe({ streamId: null, from: "origin" })
      assert.strictEqual(yield* failure(Stream.runDrain(feed)), "StoreNotFound")

      const alone = yield* make({ timeout: "3 seconds", around: () => Stream.fail(stopped) })
      const fiber = yield* Effect.fork(
        Effect.flip(Stream.runDrain(alone.store.subscribe({ streamId: null, from: "origin" })))
      )
      yield* TestClock.adjust("2900 millis")
      assert.strictEqual((yield* Fiber.poll(fiber))._tag, "None")
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), stopped)
    })
  )
})
