import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * The clock of a machine that somebody sets. As of Effect's own clock, `currentTimeMillis` shows what it was set to, and `currentTimeNanos` goes on steadily from where it
 * began.
 */
export const settable = Effect.map(Effect.clock, steady => {
  let aheadMillis = 0
  const currentMillis = () => steady.unsafeCurrentTimeMillis() + aheadMillis
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: currentMillis,
    currentTimeMillis: Effect.sync(currentMillis),
    unsafeCurrentTimeNanos: () => steady.unsafeCurrentTimeNanos(),
    currentTimeNanos: steady.currentTimeNanos,
    sleep: duration => steady.sleep(duration)
  }
  /** Puts the clock so far ahead of the steady one, or behind it. */
  const set = (millis: number) =>
    Effect.sync(() => {
      aheadMillis = millis
    })
  return { clock, set }
})
