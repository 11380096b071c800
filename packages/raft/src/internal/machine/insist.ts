/**
 * Asking again what failed for a passing reason.
 */
import * as Effect from "effect/Effect"
import * as Steady from "../steady.js"

/** The first pause between two attempts, and the longest: each is twice the one before. */
const pauseMillisMin = 50
const pauseMillisMax = 1_000

/**
 * Repeats the attempt while its failure is retryable and there is patience left. The failure that is told is the last one, unless an earlier attempt left open
 * whether it had an effect: then that one.
 */
export const insist = <A, E extends { readonly _tag: string; readonly retryable: boolean }, R>(
  patienceMillis: number,
  attempt: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Steady.millis, began => {
    const from = (pauseMillis: number, unknown: E | undefined): Effect.Effect<A, E, R> =>
      Effect.catchAll(Effect.suspend(attempt), error => {
        if (!error.retryable) return Effect.fail(error)
        const open = error._tag === "ProposalUnknown" ? error : unknown
        return Effect.flatMap(Steady.millis, now =>
          now + pauseMillis - began > patienceMillis
            ? Effect.fail(open ?? error)
            : Effect.delay(from(Math.min(2 * pauseMillis, pauseMillisMax), open), pauseMillis)
        )
      })
    return from(pauseMillisMin, undefined)
  })
