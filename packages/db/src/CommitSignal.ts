/**
 * Wakes those who wait for events beyond what they have read.
 *
 * It carries no events: a subscription reads them from the store itself, history and live alike, so that there is no seam between the two at which
 * one could be lost, and nothing to buffer for a slow reader.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * @since 0.1.0
 * @category models
 */
export interface CommitSignal {
  /** Events up to this position can be read now. */
  readonly notify: (position: number) => void
  /** Returns once an event with at least this position can be read. */
  readonly awaitPosition: (position: number) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): CommitSignal => {
  let last = -1
  let waiting = new Map<symbol, { readonly position: number; readonly wake: () => void }>()
  return {
    notify: position => {
      if (position <= last) return
      last = position
      const before = waiting
      waiting = new Map()
      for (const [key, waiter] of before) {
        if (waiter.position <= last) waiter.wake()
        else waiting.set(key, waiter)
      }
    },
    awaitPosition: position =>
      Effect.async<void>(resume => {
        if (position <= last) return resume(Effect.void)
        const key = Symbol()
        waiting.set(key, { position, wake: () => resume(Effect.void) })
        return Effect.sync(() => waiting.delete(key))
      })
  }
}
