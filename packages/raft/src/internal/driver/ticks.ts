/**
 * How much time has really gone by, in ticks: what a lease is counted in.
 */
import type * as Clock from "effect/Clock"

export interface Ticks {
  /** Whole ticks since the last call. Those that a tick has come too early or too late for are counted with the next. */
  readonly tick: () => number
  /** Ticks that have begun since {@link tick} was called. */
  readonly begun: () => number
}

/**
 * The steady clock stands still while a machine sleeps, on some systems, and the other one can be set. What both of them say has
 * passed has passed, and more than that does no harm.
 */
export const make = (
  clock: Pick<Clock.Clock, "unsafeCurrentTimeMillis" | "unsafeCurrentTimeNanos">,
  tickMillis: number
): Ticks => {
  const now = () => ({ nanos: clock.unsafeCurrentTimeNanos(), millis: clock.unsafeCurrentTimeMillis() })
  let last = now()
  let passed = 0

  const since = ({ millis, nanos }: ReturnType<typeof now>): number =>
    passed + Math.max(Number(nanos - last.nanos) / 1e6, millis - last.millis, 0) / tickMillis

  return {
    tick: () => {
      const at = now()
      const before = Math.floor(passed)
      passed = since(at)
      last = at
      return Math.floor(passed) - before
    },
    begun: () => Math.ceil(since(now())) - Math.floor(passed)
  }
}
