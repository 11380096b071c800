/**
 * A subscription that outlives the node that serves it.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { RecordedEvent } from "../Event.js"
import type { ReadFailure, Service } from "../EventStore.js"
import type { StreamTombstoned } from "../StoreError.js"
import { SubscribeRpc } from "../StoreRpcs.js"
import { type Attempts, emptyHistory, isHopeless, note, pauseMillis } from "./attempts.js"
import type { Calls } from "./calls.js"
import { checked } from "./checked.js"
import { Lost } from "./lost.js"
import * as Steady from "./steady.js"

/** A connection that held this long, in milliseconds, has served, even if there was nothing to deliver. */
const heldMillis = 1000

const valid = checked(SubscribeRpc.payloadSchema)

export const make =
  (options: {
    readonly attempts: Attempts
    readonly calls: Pick<Calls, "GetVersion" | "PositionAt">
    readonly store: string
  }): Service["subscribe"] =>
  request => {
    const { attempts, calls, store } = options
    const { attemptTimeoutMillis, peers, timeoutMillis } = attempts

    return Stream.unwrap(
      Effect.gen(function* () {
        const { from, streamId } = yield* valid({ store, ...request })
        const placeOf = (event: RecordedEvent): number => (streamId === null ? event.position : event.version)

        /**
         * `current` becomes a number before the first connection: asked for again after a loss it would mean a later place, and what committed between would be
         * missing.
         */
        const last: Effect.Effect<number, ReadFailure> =
          streamId === null
            ? calls.PositionAt({ store, epochUs: Number.MAX_SAFE_INTEGER, consistency: "linearizable" })
            : calls.GetVersion({ store, streamId, consistency: "linearizable" })
        let next = from === "origin" ? 0 : from === "current" ? (yield* last) + 1 : from
        let deadline = (yield* Steady.millis) + timeoutMillis
        let history = emptyHistory()
        let since: number | undefined
        let delivered = false

        const fresh = (batches: Chunk.Chunk<ReadonlyArray<RecordedEvent>>): Chunk.Chunk<RecordedEvent> => {
          const events: Array<RecordedEvent> = []
          for (const batch of batches) {
            for (const event of batch) {
              if (placeOf(event) < next) continue
              next = placeOf(event) + 1
              events.push(event)
            }
          }
          delivered ||= events.length > 0
          return Chunk.unsafeFromArray(events)
        }

        const serve = (index: number) =>
          Stream.unwrapScoped(
            Effect.gen(function* () {
              const batches = yield* peers.follow(index, { streamId, from: next }, attemptTimeoutMillis)
              since = yield* Steady.millis
              return Stream.mapChunks(batches, fresh)
            })
          )

        const recover = Effect.fnUntraced(function* (index: number, error: ReadFailure | StreamTombstoned | Lost) {
          const now = yield* Steady.millis
          if (delivered || (since !== undefined && now - since >= heldMillis)) {
            history = emptyHistory()
            deadline = now + timeoutMillis
          }
          if (!note(history, error, "read") && !(error instanceof Lost)) return yield* Effect.fail(error)
          history.tries++
          if (now >= deadline || isHopeless(history, peers)) return yield* Effect.fail(attempts.verdict(history))
          peers.avoid(index)
          yield* Effect.sleep(Math.min(yield* pauseMillis(history.tries, peers.names.length), deadline - now))
        })

        // Each connection ends before the next one begins: were the next a part of it, a subscription would hold all that it ever had.
        return Stream.forever(
          Stream.suspend(() => {
            const index = peers.preferred()
            since = undefined
            delivered = false
            return Stream.catchAll(serve(index), error => Stream.execute(recover(index, error)))
          })
        )
      })
    )
  }
