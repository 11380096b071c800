import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Whole milliseconds that go on steadily, from no moment in particular: what waits, waits by these. The time of day can be set, and would end one wait too soon and another hours
 * too late.
 */
export const millisOn = (clock: Pick<Clock.Clock, "unsafeCurrentTimeNanos">): number =>
  Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

export const millis: Effect.Effect<number> = Effect.map(Effect.clock, millisOn)
