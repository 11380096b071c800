import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Pool from "../src/Pool.js"
import * as Supervisor from "../src/Supervisor.js"
import { keyed, one, outcomes, provided, zero } from "./helpers/pool.js"

describe("Pool, when workers are idle", () => {
  const idleStop = "1 minute"

  it.effect("a worker without a request for that long is stopped through its terminate; it is no restart", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const pool = yield* Pool.start(keyed({ journal }, { idleStop, intensity: 0 }))
      const first = yield* pool.call(zero, "Do", { what: "a" })
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* pool.call(zero, "Do", { what: "b" }), first)
      yield* TestClock.adjust("59999 millis")
      assert.deepStrictEqual(journal, ["+0", "a", "b"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(journal, ["+0", "a", "b", "-0"])
      const { idleStops, running, starts } = yield* pool.stats
      assert.deepStrictEqual([running, starts, idleStops], [0, 1, 1])
      const child = yield* Supervisor.whichChild(pool, "0")
      assert.deepStrictEqual([child.pid, child.restarts], [undefined, 0])
      assert.notStrictEqual(yield* pool.call(zero, "Do", { what: "c" }), first)
      assert.strictEqual((yield* Supervisor.whichChild(pool, "0")).restarts, 0)
    }).pipe(provided)
  )

  it.effect("a request that nobody waits for counts as any other", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const pool = yield* Pool.start(keyed({ journal }, { idleStop }))
      yield* pool.call(zero, "Do", { what: "a" })
      yield* TestClock.adjust("59 seconds")
      yield* pool.cast(zero, "Do", { what: "b" })
      yield* TestClock.adjust("59999 millis")
      assert.deepStrictEqual(journal, ["+0", "a", "b"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(journal, ["+0", "a", "b", "-0"])
    }).pipe(provided)
  )

  it.effect("the time that a worker had to stop is nothing to its successor", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const pool = yield* Pool.start(keyed({ journal }, { idleStop, shutdown: "5 seconds" }))
      const first = yield* pool.call(zero, "Do", { what: "a" })
      yield* TestClock.adjust(idleStop)
      const second = yield* pool.call(zero, "Do", { what: "b" })
      assert.notStrictEqual(second, first)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* pool.call(zero, "Do", { what: "c" }), second)
      assert.deepStrictEqual(journal, ["+0", "a", "-0", "+0", "b", "c"])
    }).pipe(provided)
  )

  it.effect("a worker at work is not idle: neither a slow request nor an answer that is put off is cut short", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const pool = yield* Pool.start(keyed({ journal }, { idleStop }))
      yield* pool.cast(zero, "Do", { what: "slow", millis: 90_000 })
      const put = yield* Effect.fork(pool.call(one, "Defer", { millis: 90_000 }, { timeout: "2 minutes" }))
      yield* TestClock.adjust("89 seconds")
      assert.strictEqual((yield* pool.stats).idleStops, 0)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Fiber.join(put), "late")
      assert.deepStrictEqual(journal, ["+0", "+1", "slow", "-0"])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(journal, ["+0", "+1", "slow", "-0", "-1"])
    }).pipe(provided)
  )

  it.effect("the worker is asked in its turn whether it is idle: what comes behind the question counts too", () =>
    Effect.gen(function* () {
      const pool = yield* Pool.start(keyed({}, { idleStop }))
      for (const key of [zero, one]) yield* pool.cast(key, "Do", { what: "slow", millis: 90_000 })
      yield* TestClock.adjust("70 seconds")
      const put = yield* Effect.fork(pool.call(zero, "Defer", { millis: 5_000 }, { timeout: "1 minute" }))
      yield* pool.cast(one, "Do", { what: "next" })
      yield* TestClock.adjust("25 seconds")
      assert.strictEqual(yield* Fiber.join(put), "late")
      assert.strictEqual((yield* pool.stats).idleStops, 0)
    }).pipe(provided)
  )

  it.effect("a request that is there before the worker has its turn to stop keeps it", () =>
    Effect.gen(function* () {
      const pool = yield* Pool.start(keyed({}, { idleStop }))
      const first = yield* pool.call(zero, "Do", { what: "a" })
      const second = yield* Effect.fork(Effect.delay(pool.call(zero, "Do", { what: "b" }), idleStop))
      yield* TestClock.adjust(idleStop)
      assert.strictEqual(yield* Fiber.join(second), first)
      assert.strictEqual((yield* pool.stats).idleStops, 0)
      yield* TestClock.adjust(idleStop)
      assert.strictEqual((yield* pool.stats).idleStops, 1)
    }).pipe(provided)
  )

  it.effect("a request right after the stop waits until the old worker is gone, and has a new one started", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const pool = yield* Pool.start(keyed({ journal, terminate: Effect.sleep("1 second") }, { idleStop }))
      const first = yield* pool.call(zero, "Do", { what: "a" })
      yield* TestClock.adjust(idleStop)
      const second = yield* Effect.fork(pool.call(zero, "Do", { what: "b" }))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(journal, ["+0", "a"])
      assert.strictEqual((yield* pool.stats).inFlight, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(journal, ["+0", "a", "-0", "+0", "b"])
      assert.notStrictEqual(yield* Fiber.join(second), first)
    }).pipe(provided)
  )

  it.effect("a worker that does not end in its shutdown time is ended by its supervisor; it is no restart", () =>
    Effect.gen(function* () {
      const stuck = { terminate: Effect.uninterruptible(Effect.never) }
      const pool = yield* Pool.start(keyed(stuck, { idleStop, shutdown: "2 seconds", intensity: 0 }))
      yield* pool.call(zero, "Do", { what: "" })
      yield* TestClock.adjust(idleStop)
      const call = yield* Effect.fork(pool.call(zero, "Do", { what: "" }))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.poll(call))._tag, "None")
      // Asked once more, and then killed.
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* outcomes([call]), ["answered"])
      assert.strictEqual((yield* Supervisor.whichChild(pool, "0")).restarts, 0)
    }).pipe(provided)
  )

  it.effect("a worker under brutal_kill is given no time at all", () =>
    Effect.gen(function* () {
      const stuck = { terminate: Effect.uninterruptible(Effect.never) }
      const pool = yield* Pool.start(keyed(stuck, { idleStop, shutdown: "brutal_kill", intensity: 0 }))
      const first = yield* pool.call(zero, "Do", { what: "" })
      yield* TestClock.adjust(idleStop)
      assert.notStrictEqual(yield* pool.call(zero, "Do", { what: "" }), first)
      assert.strictEqual((yield* Supervisor.whichChild(pool, "0")).restarts, 0)
    }).pipe(provided)
  )
})
