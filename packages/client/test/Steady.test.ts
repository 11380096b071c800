import { assert, describe, it } from "@effect/vitest"
import { StoreError } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { batchingDefaults } from "../src/Client.js"
import * as AppendQueue from "../src/internal/appendQueue.js"
import * as Attempts from "../src/internal/attempts.js"
import * as Leading from "../src/internal/leading.js"
import * as Peers from "../src/internal/peers.js"
import * as Limits from "../src/Limits.js"
import { settable } from "./helpers/clock.js"
import { event, make } from "./helpers/embedded.js"
import * as Handlers from "./helpers/handlers.js"
import { MemoryStore } from "./helpers/memoryStore.js"

const hour = 3_600_000

const noQuorum = new StoreError.NoQuorum({ store: "default", detail: "alone" })

/** What an effect that takes three seconds at most ends with, if after one of them the clock is set to be so far ahead. */
const whileSet = <A, E, R>(effect: Effect.Effect<A, E, R>, aheadMillis: number) =>
  Effect.gen(function* () {
    const { clock, set } = yield* settable
    const fiber = yield* Effect.fork(Effect.withClock(Effect.merge(effect), clock))
    yield* TestClock.adjust("1 second")
    yield* set(aheadMillis)
    yield* TestClock.adjust("2 seconds")
    const exit = yield* Fiber.poll(fiber)
    return Option.isNone(exit) ? "it goes on" : yield* exit.value
  })

describe("when the clock is set while a request is repeated", () => {
  it.effect("back, it is given up when its time is up", () =>
    Effect.gen(function* () {
      const { store } = yield* make({ timeout: "3 seconds", instead: { HasEvents: () => noQuorum } })
      assert.strictEqual(yield* whileSet(store.hasEvents(), -hour), noQuorum)
    })
  )

  it.effect("forward, it has its time all the same", () =>
    Effect.gen(function* () {
      let asked = 0
      const { store } = yield* make({
        timeout: "3 seconds",
        instead: { HasEvents: () => (asked++ === 0 ? Effect.delay(noQuorum, "2 seconds") : Effect.succeed(true)) }
      })
      assert.strictEqual(yield* whileSet(store.hasEvents(), hour), true)
    })
  )
})

describe("when the clock is set while appends wait at a client", () => {
  const appended = (instead: Effect.Effect<never, StoreError.NoQuorum>) =>
    Effect.gen(function* () {
      const requests = { ...Handlers.make(new MemoryStore(), Handlers.hooks()), Append: () => instead }
      const queue = yield* AppendQueue.make({
        attempts: Attempts.make({
          peers: Peers.local(requests, () => Effect.dieMessage("nobody subscribes")),
          timeoutMillis: 3000,
          attemptTimeoutMillis: 3000
        }),
        store: "default",
        limits: Limits.defaults,
        batching: batchingDefaults
      })
      return yield* queue.append({ streamId: "a", expectedVersion: "any", events: [yield* event("A")] })
    })

  it.scoped("back, each is given up when its time is up", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* whileSet(appended(noQuorum), -hour), noQuorum)
    })
  )
})

describe("when the clock is set while nobody serves a subscription", () => {
  it.effect("back, it fails when its time is up", () =>
    Effect.gen(function* () {
      const { store } = yield* make({ timeout: "3 seconds", around: () => Stream.fail(noQuorum) })
      const feed = Stream.runDrain(store.subscribe({ streamId: null, from: "origin" }))
      assert.strictEqual(yield* whileSet(feed, -hour), noQuorum)
    })
  )
})

describe("when the clock is set back", () => {
  it.scoped("a client looks for the node that leads as before", () =>
    Effect.gen(function* () {
      const { clock, set } = yield* settable
      const asked: Array<number> = []
      const leading = Leading.make({
        count: 2,
        preferred: () => 0,
        prefer: () => {},
        status: index =>
          Effect.sync(() => {
            asked.push(index)
            return null
          }),
        clock,
        run: yield* FiberSet.makeRuntime<never>()
      })
      const served = Effect.zipRight(Effect.sync(leading.served), TestClock.adjust("3 seconds"))
      yield* served
      yield* set(-hour)
      yield* served
      assert.deepStrictEqual(asked, [0, 0])
    })
  )
})
