import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit } from "effect"
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
