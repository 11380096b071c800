import type * as Clock from "effect/Clock"

/**
 * The time that the clock shows, in microseconds since 1970.
 *
 * The nanoseconds of Effect's clock are as fine as that, but they count steadily from when the program began: of a clock that is set, and of the hours for which a machine slept, they learn nothing. So they
 * are asked for the microseconds, as long as they agree on the millisecond, of which the count may have begun up to one too early.
 */
export const nowUs = (clock: Pick<Clock.Clock, "unsafeCurrentTimeMillis" | "unsafeCurrentTimeNanos">): number => {
  const shownUs = clock.unsafeCurrentTimeMillis() * 1000
  const countedUs = Number(clock.unsafeCurrentTimeNanos() / 1000n)
  return Math.abs(countedUs - shownUs) < 1000 ? countedUs : shownUs
}
