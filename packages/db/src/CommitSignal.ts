/**
 * Wakes those who wait for something to happen beyond what they have read: for an event, or for the end of their stream.
 *
 * It carries no events: a subscription reads them from the store itself, history and live alike, so that there is no seam between the two at which
 * one could be lost, and nothing to buffer for a slow reader. Who follows one stream is not woken for others: a thousand subscriptions that wait cost an append next to nothing.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * @since 0.1.0
 * @category models
 */
export interface Follower {
  /** What happens from now on is news. To be said before the store is read, or what happens between the two is missed. */
  readonly begin: () => void
  /** Returns when there is news, at once where there was some since {@link Follower.begin}. Waited for by one at a time. */
  readonly news: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CommitSignal {
  /** Something was done to these streams, and can be read now. They are asked for only where somebody follows one. */
  readonly notify: (streams: () => Iterable<string>) => void
  /** News for all: anything may have happened, or nothing may ever. */
  readonly wakeAll: () => void
  /** For as long as the scope lasts. `null`: all streams. */
  readonly follow: (streamId: string | null) => Effect.Effect<Follower, never, Scope.Scope>
}

/** A follower as it is told. */
interface Entry {
  hasNews: boolean
  wake: (() => void) | undefined
}

const tell = (entry: Entry): void => {
  const { wake } = entry
  entry.hasNews = true
  entry.wake = undefined
  wake?.()
}

const followerOf = (entry: Entry): Follower => ({
  begin: () => {
    entry.hasNews = false
  },
  news: Effect.async<void>(resume => {
    if (entry.hasNews) return resume(Effect.void)
    entry.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      entry.wake = undefined
    })
  })
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): CommitSignal => {
  const ofAll = new Set<Entry>()
  const ofStreams = new Map<string, Set<Entry>>()

  const enter = (streamId: string | null): Entry => {
    const entry: Entry = { hasNews: false, wake: undefined }
    if (streamId === null) ofAll.add(entry)
    else ofStreams.set(streamId, (ofStreams.get(streamId) ?? new Set()).add(entry))
    return entry
  }

  const leave = (streamId: string | null, entry: Entry): void => {
    if (streamId === null) {
      ofAll.delete(entry)
      return
    }
    const entries = ofStreams.get(streamId)
    entries?.delete(entry)
    if (entries?.size === 0) ofStreams.delete(streamId)
  }

  return {
    notify: streams => {
      for (const entry of ofAll) tell(entry)
      if (ofStreams.size === 0) return
      for (const streamId of streams()) ofStreams.get(streamId)?.forEach(tell)
    },
    wakeAll: () => {
      for (const entry of ofAll) tell(entry)
      for (const entries of ofStreams.values()) entries.forEach(tell)
    },
    follow: streamId =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => enter(streamId)),
          entry => Effect.sync(() => leave(streamId, entry))
        ),
        followerOf
      )
  }
}
