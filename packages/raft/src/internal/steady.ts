import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Whole milliseconds that go on steadily, from no moment in particular: what waits, waits by these, and not by the time of day, which can be set. */
export const millis: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, nanos => Number(nanos / 1_000_000n))
