import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, TestClock } from "effect"
import { Call } from "../src/internal/envelope.js"
import * as Process from "../src/Process.js"
import * as Timer from "../src/Timer.js"

/** Stands at fractions of a millisecond, and goes on by whole ones when it is slept on, as a clock does whose timers count those. */
const wholeSteps = () => {
  let nanos = 1_000_000_300n
  let sleeps = 0
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => Number(nanos) / 1e6,
    unsafeCurrentTimeNanos: () => nanos,
    currentTimeMillis: Effect.sync(() => Number(nanos) / 1e6),
    currentTimeNanos: Effect.sync(() => nanos),
    sleep: duration =>
      Effect.suspend(() => {
        nanos += BigInt(Math.floor(Duration.toMillis(duration))) * 1_000_000n + 7n
        sleeps += 1
        // An end for a timer that would never come to be due.
        if (sleeps > 100) nanos += 1_000_000n
        return Effect.yieldNow()
      })
  }
  return { clock, sleeps: () => sleeps }
}

it.effect(
  "a timer whose wait leaves less than a millisecond waits for one more, and not for none again and again",
  () => {
    const { clock, sleeps } = wholeSteps()
    return Effect.gen(function* () {
      const waiting = yield* Process.spawn(Process.receive)
      yield* Timer.sendAfter({ pid: waiting }, "due", 3.7)
      yield* Process.awaitExit(waiting)
      assert.isAtMost(sleeps(), 2)
    }).pipe(Effect.provide(Process.layer), Effect.withClock(clock))
  }
)

it.effect("a call that is settled waits for no time limit any more, and no server keeps it", () =>
  Effect.gen(function* () {
    const kernel = yield* Process.ProcessTable
    yield* Process.spawn(Effect.never)
    const [server] = kernel.processes.values()
    assert(server !== undefined)
    const call = new Call("Run", undefined, "server", 5_000, undefined, undefined)
    server.await(call)
    kernel.timers.arm(call, call.limitMillis)
    assert.isDefined(call.timerQueue?.head)
    const queue = call.timerQueue
    call.settle(Exit.succeed(1))
    assert.isUndefined(queue?.head)
    assert.isUndefined(server.waitingHead)
  }).pipe(Effect.provide(Process.layer))
)

it.effect(
  "timers of the same time and of very many times come all, each when it is due, whichever are taken back",
  () =>
    Effect.gen(function* () {
      const due: Array<unknown> = []
      const pid = yield* Process.spawn(
        Effect.forever(
          Effect.map(Process.receive, signal => (signal._tag === "Message" ? due.push(signal.body) : undefined))
        )
      )
      const later = (millis: number) => Timer.sendAfter({ pid }, millis, millis)
      // The last and the first of those that are due at the same time.
      const first = yield* later(500)
      yield* later(500)
      yield* Timer.cancel(yield* later(500))
      yield* later(500)
      yield* Timer.cancel(first)
      yield* Timer.cancel(yield* later(1_000))
      yield* later(1_000)
      for (let millis = 1; millis <= 400; millis++) yield* later(millis)
      yield* TestClock.adjust(399)
      assert.strictEqual(due.length, 399)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(due, [...Array.from({ length: 400 }, (_, nth) => nth + 1), 500, 500, 1_000])
    }).pipe(Effect.provide(Process.layer))
)
