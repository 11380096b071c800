import type * as Clock from "effect/Clock"

/** The count is begun from a whole millisecond, of which most may have passed, and a little after that was read. */
const behindMostUs = 2000

/**
 * The time that the clock shows, in microseconds since 1970.
 *
 * The nanoseconds of Effect's clock are as fine as that, but they count steadily from when the program began: of a clock that is set, and of the hours for which a machine slept, they learn nothing. So they
 * count only while they are no further from what the clock shows than they can be by their beginning.
 */
export const nowUs = (clock: Pick<Clock.Clock, "unsafeCurrentTimeMillis" | "unsafeCurrentTimeNanos">): number => {
  const shownUs = clock.unsafeCurrentTimeMillis() * 1000
  const countedUs = Number(clock.unsafeCurrentTimeNanos() / 1000n)
  return Math.abs(countedUs - shownUs) < behindMostUs ? countedUs : shownUs
}
