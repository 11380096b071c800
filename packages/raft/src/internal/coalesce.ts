/**
 * Lets callers share runs of an effect: whoever asks while a run is under way joins the next one, which starts after all of them asked.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"

export const coalesce = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, scope => {
    let next: Deferred.Deferred<A, E> | undefined
    let running = false

    const runAll: Effect.Effect<void> = Effect.suspend(() => {
      if (next === undefined) {
        running = false
        return Effect.void
      }
      const current = next
      next = undefined
      return Effect.zipRight(Effect.intoDeferred(effect, current), runAll)
    })

    return Effect.suspend(() => {
      next ??= Deferred.unsafeMake<A, E>(FiberId.none)
      const joined = Deferred.await(next)
      if (running) return joined
      running = true
      return Effect.zipRight(Effect.forkIn(runAll, scope), joined)
    })
  })
