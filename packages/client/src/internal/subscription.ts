/**
 * A subscription that outlives the node that serves it.
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ReadFailure, Service } from "../Client.js"
import type { RecordedEvent } from "../Event.js"
import { InvalidRequest } from "../StoreError.js"
import type { Attempts, History } from "./attempts.js"
import { defectsMax, history, note, pauseMillis } from "./attempts.js"
import { explain, Lost } from "./lost.js"
import { checkNames } from "./reads.js"

/** Batches of events that may have arrived and not been taken; the node sends the next one only when there is room. */
const batchesMax = 2

/** A connection that held this long, in milliseconds, has served, even if there was nothing to deliver. */
const heldMillis = 1000

export const make =
  (options: {
    readonly attempts: Attempts
    readonly reads: Pick<Service, "getVersion" | "readAll">
    readonly store: string
    readonly timeoutMillis: number
  }): Service["subscribe"] =>
  ({ streamId, from }) => {
    const { attempts, reads, store, timeoutMillis } = options
    const { connections } = attempts
    const placeOf = (event: RecordedEvent): number => (streamId === null ? event.position : event.version)

    /**
     * `current` becomes a number before the first connection: asked for again after a loss it would mean a later place, and what committed between would be
     * missing.
     */
    const behindTheLast: Effect.Effect<number, ReadFailure> =
      streamId === null
        ? Effect.map(reads.readAll({ direction: "backward", count: 1 }), page => (page.events[0]?.position ?? -1) + 1)
        : Effect.map(reads.getVersion(streamId), version => version + 1)

    return Stream.unwrap(
      Effect.gen(function* () {
        yield* checkNames(store, streamId)
        if (typeof from === "number" && !(Number.isSafeInteger(from) && from >= 0)) {
          return yield* new InvalidRequest({ message: `a subscription cannot start at ${from}` })
        }
        let next = from === "origin" ? 0 : from === "current" ? yield* behindTheLast : from
        let deadline = (yield* Clock.currentTimeMillis) + timeoutMillis
        let book: History = history()
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
              const endpoint = connections.at(index)
              // A node with nothing to deliver is silent; asking for its status first tells it from one that does not answer.
              yield* attempts.once(endpoint, rpc => rpc.Status({ store }), attempts.attemptTimeoutMillis)
              const connection = yield* connections.acquire(endpoint)
              since = yield* Clock.currentTimeMillis
              return connection.rpc.Subscribe({ store, streamId, from: next }, { streamBufferSize: batchesMax }).pipe(
                Stream.mapChunks(fresh),
                Stream.catchAllCause(cause => Stream.fromEffect(explain(connection, cause))),
                Stream.concat(
                  Stream.fail(
                    new Lost({
                      endpoint: connection.endpoint,
                      detail: `${connection.endpoint} ended the subscription`,
                      sent: true,
                      defect: false
                    })
                  )
                )
              )
            })
          )

        const loop: Stream.Stream<RecordedEvent, ReadFailure> = Stream.suspend(() => {
          const index = connections.preferred()
          since = undefined
          delivered = false
          return Stream.catchAll(serve(index), error => Stream.unwrap(recover(index, error)))
        })

        const recover = Effect.fnUntraced(function* (index: number, error: ReadFailure | Lost) {
          const now = yield* Clock.currentTimeMillis
          if (delivered || (since !== undefined && now - since >= heldMillis)) {
            book = history()
            deadline = now + timeoutMillis
          }
          if (!note(book, error, false) && !(error instanceof Lost)) return yield* Effect.fail(error)
          if (now >= deadline || book.defects >= defectsMax) return yield* Effect.fail(attempts.verdict(book))
          connections.avoid(index)
          book.tries++
          yield* Effect.sleep(Math.min(yield* pauseMillis(book.tries), deadline - now))
          return loop
        })

        return loop
      })
    )
  }
