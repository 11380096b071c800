/**
 * Lets callers share runs of an effect: who finds none under way begins one, for itself and for those who ask in the same turn, and whoever asks later joins the next one. Each run starts after
 * all of its callers asked.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"

export const coalesce = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, scope => {
    let running = false
    let next: Deferred.Deferred<A, E> | undefined

    /** Starts the run of those who wait for one, if anybody does. It is no caller's own: one that gives up must not take the others with it. */
    const proceed = (): Effect.Effect<unknown> => {
      const joined = next
      next = undefined
      running = joined !== undefined
      if (joined === undefined) return Effect.void
      const run = Effect.zipRight(Effect.intoDeferred(effect, joined), Effect.suspend(proceed))
      return Effect.forkIn(Effect.interruptible(run), scope)
    }

    return Effect.uninterruptibleMask(restore => {
      const join = (): Effect.Effect<A, E> => {
        next ??= Deferred.unsafeMake<A, E>(FiberId.none)
        return restore(Deferred.await(next))
      }
      if (running) return join()
      running = true
      return Effect.matchCauseEffect(restore(Effect.yieldNow()), {
        onFailure: cause => Effect.zipRight(proceed(), Effect.failCause(cause)),
        onSuccess: () => {
          if (next === undefined) {
            return Effect.flatMap(Effect.exit(restore(effect)), exit => Effect.zipRight(proceed(), exit))
          }
          const joined = join()
          return Effect.zipRight(proceed(), joined)
        }
      })
    })
  })
