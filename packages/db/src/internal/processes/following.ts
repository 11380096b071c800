/** Subscriptions to what this node has: page after page from a place on, and at the end of what there is, waiting for more. */
import { NoQuorum, type RequestError, type StreamTombstoned } from "@reckon/client/StoreError"
import type { EventPage } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CommitSignal, Follower } from "../../CommitSignal.js"
import { assertInvariant } from "../sqlite/invariant.js"

/** How long a subscription waits on a node that knows no leader: longer than an election takes, after which others have one that are not cut off as this node is. */
const unledMax = Duration.seconds(3)

export const make = (options: {
  readonly store: string
  readonly signal: CommitSignal
  /** Whether this node knows who leads. Where that ends, all are woken who wait for the signal. */
  readonly isLed: () => boolean
  /** What this node has from there on, of a stream or of all; of a stream that has nothing, a page that is the last. */
  readonly pageAt: (streamId: string | null, from: number) => Effect.Effect<EventPage, RequestError | StreamTombstoned>
  /** Behind the last event there is now. */
  readonly end: (streamId: string | null) => Effect.Effect<number, RequestError>
}): StoreBackend["subscribe"] => {
  const { end, isLed, pageAt, signal, store } = options

  const unled = new NoQuorum({ store, detail: "this node knows no leader, and what commits does not get here" })

  /** Returns when there may be more to read than there was. */
  const more = ({ news }: Follower): Effect.Effect<void, NoQuorum> =>
    Effect.suspend(() =>
      isLed()
        ? news
        : Effect.flatMap(Effect.timeoutOption(news, unledMax), woken =>
            Option.isSome(woken) || isLed() ? Effect.void : unled
          )
    )

  /** The next page from there on that has an event, as soon as there is one. */
  const pageFrom = (follower: Follower, streamId: string | null, from: number) =>
    Effect.gen(function* () {
      let next = from
      while (true) {
        follower.begin()
        const page = yield* pageAt(streamId, next)
        if (page.events.length > 0) return page
        if (page.isEnd) yield* more(follower)
        else assertInvariant(page.next > next, "a page that is not the last leads on", { from: next, next: page.next })
        next = page.next
      }
    })

  return ({ from, streamId }) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const follower = yield* signal.follow(streamId)
        const first = from === "origin" ? 0 : from === "current" ? yield* end(streamId) : from
        return Stream.unfoldChunkEffect(first, at =>
          Effect.map(pageFrom(follower, streamId, at), ({ events, next }) =>
            Option.some([Chunk.of(events), next] as const)
          )
        )
      })
    )
}
