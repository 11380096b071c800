/**
 * Wakes those who wait for something to happen beyond what they have read: for an event, or for the end of their stream.
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
  /** What the log says up to this index can be read now. */
  readonly notify: (index: number) => void
  /** Returns when that is said of this index, or at once where `isVain` says that there is nothing to wait for. Nothing can be said between the question and the wait. */
  readonly awaitIndex: (index: number, isVain: () => boolean) => Effect.Effect<void>
  /** Has all return who wait, whatever they wait for: it may never come. */
  readonly wakeAll: () => void
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): CommitSignal => {
  let waiting = new Map<symbol, { readonly index: number; readonly wake: () => void }>()
  return {
    notify: index => {
      const before = waiting
      waiting = new Map()
      for (const [key, waiter] of before) {
        if (waiter.index <= index) waiter.wake()
        else waiting.set(key, waiter)
      }
    },
    wakeAll: () => {
      const before = waiting
      waiting = new Map()
      for (const { wake } of before.values()) wake()
    },
    awaitIndex: (index, isVain) =>
      Effect.async<void>(resume => {
        if (isVain()) return resume(Effect.void)
        const key = Symbol()
        waiting.set(key, { index, wake: () => resume(Effect.void) })
        return Effect.sync(() => waiting.delete(key))
      })
  }
}
