/**
 * A service of a supervised child, reached through something that outlives the child's restarts.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface ServiceHandle<A> {
  /** Offers the service until the scope (the child's) closes. */
  readonly provide: (service: A) => Effect.Effect<void, never, Scope.Scope>
  /** `undefined` while the child is down. */
  readonly current: () => A | undefined
}

export const makeServiceHandle = <A>(): ServiceHandle<A> => {
  let current: A | undefined
  return {
    provide: service =>
      Effect.acquireRelease(
        Effect.sync(() => {
          current = service
        }),
        () =>
          Effect.sync(() => {
            if (current === service) current = undefined
          })
      ),
    current: () => current
  }
}
