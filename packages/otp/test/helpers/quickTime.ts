/**
 * `TestClock` at the price of a turn of the event loop for each step. Effect's own waits before each for three timers, of a millisecond at least, and the steps are many where processes
 * tick for a minute.
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import type * as TestClock from "effect/TestClock"

interface Sleeper {
  readonly due: number
  readonly wake: () => void
}

/** Somebody is to go on in a later turn, or waits for a file: how long a disk takes is none of the test's time. */
const isBusy = () => process.getActiveResourcesInfo().some(name => name === "Immediate" || name.startsWith("FSReq"))

/** Behind all fibers that can run. */
const stillness = Effect.async<void>(resume => {
  const look = () => {
    if (isBusy()) setImmediate(look)
    else resume(Effect.void)
  }
  setImmediate(look)
})

const make = (): TestClock.TestClock => {
  let now = 0
  /** The first is due first; of two that are due together, the one that began to sleep first. */
  let sleepers: ReadonlyArray<Sleeper> = []

  const pass = (end: () => number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const until = end()
      for (;;) {
        yield* stillness
        const [next] = sleepers
        if (next === undefined || next.due > until) break
        sleepers = sleepers.slice(1)
        now = next.due
        next.wake()
      }
      now = until
    })
  const adjust: TestClock.TestClock["adjust"] = duration => pass(() => now + Duration.toMillis(duration))
  const nanos = () => BigInt(Math.floor(now * 1_000_000))

  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(nanos),
    sleep: duration =>
      Effect.async<void>(resume => {
        const due = now + Duration.toMillis(duration)
        if (due <= now) return resume(Effect.void)
        const sleeper: Sleeper = { due, wake: () => resume(Effect.void) }
        const at = sleepers.findIndex(other => other.due > due)
        sleepers = at === -1 ? [...sleepers, sleeper] : sleepers.toSpliced(at, 0, sleeper)
        return Effect.sync(() => {
          sleepers = sleepers.filter(other => other !== sleeper)
        })
      }),
    adjust,
    adjustWith: duration => effect => Effect.zipLeft(effect, adjust(duration), { concurrent: true }),
    setTime: instant => pass(() => instant),
    save: Effect.sync(() => {
      const [savedNow, savedSleepers] = [now, sleepers]
      return Effect.sync(() => {
        now = savedNow
        sleepers = savedSleepers
      })
    }),
    sleeps: Effect.sync(() => Chunk.fromIterable(sleepers.map(({ due }) => due)))
  }
}

/** For what is provided before anything else: a time that passes as soon as it may. */
export const quickTime = Layer.suspend(() =>
  Layer.merge(
    Layer.setClock(make()),
    // Which never falls back on a timer: that would let time overtake what can be done without it.
    Layer.setScheduler(new Scheduler.MixedScheduler(Number.MAX_SAFE_INTEGER))
  )
)
