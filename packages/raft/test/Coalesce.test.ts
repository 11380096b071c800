import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { coalesce } from "../src/internal/coalesce.js"

/** A shared effect that takes a second and answers with the number of its run. */
const counted = Effect.gen(function* () {
  const runs = { begun: 0, ended: 0 }
  const shared = yield* coalesce(
    Effect.suspend(() => {
      runs.begun += 1
      const run = runs.begun
      return Effect.sync(() => {
        runs.ended += 1
        return run
      }).pipe(Effect.delay("1 second"))
    })
  )
  return { runs, shared }
})

describe("a shared effect", () => {
  it.scoped("runs for each of those who ask one after the other", () =>
    Effect.gen(function* () {
      let runs = 0
      const shared = yield* coalesce(Effect.sync(() => ++runs))
      assert.deepStrictEqual([yield* shared, yield* shared, yield* shared], [1, 2, 3])
    })
  )

  it.scoped("runs once for all who ask in the same turn", () =>
    Effect.gen(function* () {
      const { runs, shared } = yield* counted
      const fibers = yield* Effect.forkAll([shared, shared, shared])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fibers), [1, 1, 1])
      assert.deepStrictEqual(runs, { begun: 1, ended: 1 })
    })
  )

  it.scoped("is run for the others of a turn when the first of them is interrupted in it", () =>
    Effect.gen(function* () {
      const { shared } = yield* counted
      const first = yield* Effect.fork(shared)
      const second = yield* Effect.fork(shared)
      // Here both have asked, and nothing runs yet.
      yield* Effect.yieldNow()
      yield* Fiber.interruptFork(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), 1)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(first)))
    })
  )

  it.scoped("runs once for all who ask during a run, and begins after that one ended", () =>
    Effect.gen(function* () {
      const { runs, shared } = yield* counted
      const first = yield* Effect.fork(shared)
      yield* TestClock.adjust("500 millis")
      const others = yield* Effect.forkAll([shared, shared, shared])
      yield* TestClock.adjust("499 millis")
      assert.deepStrictEqual(runs, { begun: 1, ended: 0 })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(runs, { begun: 2, ended: 1 })
      assert.strictEqual(yield* Fiber.join(first), 1)
      const late = yield* Effect.fork(shared)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(others), [2, 2, 2])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(late), 3)
      assert.deepStrictEqual(runs, { begun: 3, ended: 3 })
    })
  )

  it.scoped("tells all of a run what it failed with, and runs again for the next", () =>
    Effect.gen(function* () {
      let runs = 0
      const shared = yield* coalesce(
        Effect.suspend(() => (++runs < 3 ? Effect.fail(runs) : Effect.succeed(runs))).pipe(Effect.delay("1 second"))
      )
      const first = yield* Effect.fork(Effect.exit(shared))
      yield* TestClock.adjust(0)
      const others = yield* Effect.forkAll([Effect.exit(shared), Effect.exit(shared)])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(first), Exit.fail(1))
      assert.deepStrictEqual(yield* Fiber.join(others), [Exit.fail(2), Exit.fail(2)])
      const next = yield* Effect.fork(shared)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(next), 3)
    })
  )

  it.scoped("is run for those who wait when the one that runs it is interrupted", () =>
    Effect.gen(function* () {
      const { runs, shared } = yield* counted
      const first = yield* Effect.fork(shared)
      yield* TestClock.adjust(0)
      const second = yield* Effect.fork(shared)
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), 2)
      assert.deepStrictEqual(runs, { begun: 2, ended: 1 })
    })
  )

  it.scoped("goes on for the others when one that waits for it is interrupted", () =>
    Effect.gen(function* () {
      const { shared } = yield* counted
      const first = yield* Effect.fork(shared)
      yield* TestClock.adjust(0)
      const [second, third] = [yield* Effect.fork(shared), yield* Effect.fork(shared)]
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(third)], [1, 2])
    })
  )

  it.effect("ends with its scope, and with it those who wait", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<Fiber.RuntimeFiber<number>>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { shared } = yield* counted
          const first = yield* Effect.fork(shared)
          yield* TestClock.adjust(0)
          yield* Deferred.succeed(asked, yield* Effect.forkDaemon(shared))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(first)
        })
      )
      const exit = yield* Fiber.await(yield* Deferred.await(asked))
      assert.isTrue(Exit.isInterrupted(exit))
    })
  )
})
