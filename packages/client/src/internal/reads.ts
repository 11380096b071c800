/**
 * Reading: single pages, and streams that ask for page after page as they are pulled.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { FeedOptions, PageOptions, Service } from "../Client.js"
import * as Endpoint from "../Endpoint.js"
import { StreamId } from "../Event.js"
import { InvalidRequest, Unreachable } from "../StoreError.js"
import { type EventPage, pageEventsMax, StoreId, type StreamInfo } from "../StoreRpcs.js"
import type { Attempts } from "./attempts.js"

type Reads = Pick<
  Service,
  "read" | "readStream" | "readAll" | "readAllStream" | "getVersion" | "listStreams" | "status"
>

const isStoreId: (text: string) => boolean = Schema.is(StoreId)
const isStreamId: (text: string) => boolean = Schema.is(StreamId)

/** A request the codec would refuse must not get that far: there a refusal is a defect. */
export const checkNames = (store: string, streamId: string | null | undefined): Effect.Effect<void, InvalidRequest> => {
  if (!isStoreId(store)) return new InvalidRequest({ message: `"${store.slice(0, 80)}" is not the name of a store` })
  if (streamId !== undefined && streamId !== null && !isStreamId(streamId)) {
    return new InvalidRequest({
      message: `"${streamId.slice(0, 80)}" is not the name of a stream: it needs 1 to 512 characters, none of them a control character`
    })
  }
  return Effect.void
}

const wholeNumber = (name: string, value: number, max: number): Effect.Effect<void, InvalidRequest> =>
  Number.isSafeInteger(value) && value >= 0 && value <= max
    ? Effect.void
    : new InvalidRequest({ message: `${name} is ${value}, it must be a whole number from 0 to ${max}` })

/** The request for one page, its gaps filled. */
const pageRequest = (options: PageOptions | undefined) => {
  const direction = options?.direction ?? "forward"
  const from = options?.from ?? (direction === "forward" ? 0 : Number.MAX_SAFE_INTEGER)
  const count = options?.count ?? pageEventsMax
  const request = { from, count, direction, consistency: options?.consistency ?? ("linearizable" as const) }
  return Effect.as(
    Effect.zipRight(wholeNumber("from", from, Number.MAX_SAFE_INTEGER), wholeNumber("count", count, pageEventsMax)),
    request
  )
}

const paged = <E>(
  options: FeedOptions | undefined,
  read: (options: PageOptions) => Effect.Effect<EventPage, E>,
  placeOf: (event: EventPage["events"][number]) => number
) => {
  const backward = options?.direction === "backward"
  const wanted = options?.count ?? Number.POSITIVE_INFINITY
  return Stream.paginateChunkEffect({ from: options?.from, left: wanted }, ({ from, left }) =>
    Effect.map(
      read({
        direction: options?.direction,
        consistency: options?.consistency,
        from,
        count: Math.min(left, pageEventsMax)
      }),
      page => {
        const last = page.events.at(-1)
        const rest = left - page.events.length
        const next = last === undefined ? -1 : placeOf(last) + (backward ? -1 : 1)
        return [
          Chunk.unsafeFromArray(page.events),
          page.isEnd || rest <= 0 || next < 0 ? Option.none() : Option.some({ from: next, left: rest })
        ]
      }
    )
  )
}

export const make = (options: { readonly attempts: Attempts; readonly store: string }): Reads => {
  const { attempts, store } = options

  const read: Reads["read"] = (streamId, options) =>
    Effect.zipRight(checkNames(store, streamId), pageRequest(options)).pipe(
      Effect.flatMap(page => attempts.read(rpc => rpc.Read({ store, streamId, ...page })))
    )

  const readAll: Reads["readAll"] = options =>
    Effect.zipRight(checkNames(store, null), pageRequest(options)).pipe(
      Effect.flatMap(page => attempts.read(rpc => rpc.ReadAll({ store, ...page })))
    )

  const listPage = (after: string | null, consistency: "linearizable" | "local") =>
    Effect.zipRight(
      checkNames(store, after),
      attempts.read(rpc => rpc.ListStreams({ store, after, count: pageEventsMax, consistency }))
    )

  return {
    read,
    readAll,
    readStream: (streamId, options) =>
      paged(
        options,
        page => read(streamId, page),
        event => event.version
      ),
    readAllStream: options => paged(options, readAll, event => event.position),
    getVersion: (streamId, options) =>
      Effect.zipRight(
        checkNames(store, streamId),
        attempts.read(rpc => rpc.GetVersion({ store, streamId, consistency: options?.consistency ?? "linearizable" }))
      ),
    listStreams: options =>
      Stream.paginateChunkEffect(options?.after ?? null, after =>
        Effect.map(listPage(after, options?.consistency ?? "linearizable"), page => {
          const last = page.streams.at(-1)
          return [
            Chunk.unsafeFromArray<StreamInfo>(page.streams),
            page.isEnd || last === undefined ? Option.none() : Option.some(last.streamId)
          ]
        })
      ),
    status: text =>
      Effect.zipRight(
        checkNames(store, null),
        Either.mapLeft(Endpoint.parse(text), message => new InvalidRequest({ message }))
      ).pipe(
        Effect.flatMap(endpoint =>
          attempts.once(endpoint, rpc => rpc.Status({ store }), attempts.attemptTimeoutMillis)
        ),
        Effect.catchTag("Lost", lost => new Unreachable({ endpoints: [lost.endpoint], detail: lost.detail }))
      )
  }
}
