/**
 * The sizes a store accepts: as settings, and held against what is to be written. A client checks before it sends anything, and a gateway, which trusts
 * nobody, checks again.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Event from "./Event.js"
import * as Setting from "./Setting.js"
import * as Snapshot from "./Snapshot.js"
import { EventTooLarge, InvalidRequest, RequestTooLarge } from "./StoreError.js"
import type { Append } from "./StoreRpcs.js"

const Bytes = Schema.Int.pipe(Schema.positive())

/**
 * @since 0.1.0
 * @category schemas
 */
export const Limits = Schema.Struct({
  /** Bytes one event may have, see `Event.byteLength`. */
  eventBytesMax: Bytes,
  /** Bytes the appends of one request, or a snapshot, may have together. */
  requestBytesMax: Bytes
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Limits extends Schema.Schema.Type<typeof Limits> {}

/**
 * 4 MiB an event, 16 MiB a request.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Limits = { eventBytesMax: 4 * 1024 * 1024, requestBytesMax: 16 * 1024 * 1024 }

/**
 * Read from `RECKON_EVENT_BYTES_MAX` and `RECKON_REQUEST_BYTES_MAX`: numbers of bytes, or sizes such as `16MiB`. It fails with all that is wrong.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<Limits> = Config.all({
  eventBytesMax: Setting.config("RECKON_EVENT_BYTES_MAX", Setting.bytes(1), defaults.eventBytesMax),
  requestBytesMax: Setting.config("RECKON_REQUEST_BYTES_MAX", Setting.bytes(1), defaults.requestBytesMax)
})

/**
 * Appends one request may carry, so that a flood of tiny ones is bounded as well as the bytes of large ones.
 *
 * @since 0.1.0
 * @category constants
 */
export const appendsMax = 10_000

/**
 * Events the appends of one request may carry together, counted once more for each of their tags: every tag is a row of an index, and as long as all of them are written nobody else is served.
 *
 * @since 0.1.0
 * @category constants
 */
export const eventsMax = 100_000

/**
 * What an append counts towards {@link eventsMax}: its events and their tags.
 *
 * @since 0.1.0
 * @category getters
 */
export const eventsIn = ({ events }: Append): number => {
  let count = events.length
  for (const { tags } of events) count += tags.length
  return count
}

/**
 * Why something is not written that fits its schema.
 *
 * @since 0.1.0
 * @category errors
 */
export type Refusal = EventTooLarge | RequestTooLarge | InvalidRequest

/** What an append has besides its events: its stream's name and expectation. */
const appendBytes = (append: Append): number => append.streamId.length + 64

const tooLarge = (bytes: number, limits: Limits): Either.Either<number, RequestTooLarge> =>
  bytes > limits.requestBytesMax
    ? Either.left(new RequestTooLarge({ bytes, limitBytes: limits.requestBytesMax }))
    : Either.right(bytes)

const refuse = (message: string): Either.Either<never, InvalidRequest> => Either.left(new InvalidRequest({ message }))

/**
 * The bytes of appends that leave in one request, if they may: no event, nor all of them together, exceeds its limit, and no event has a tag twice.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkAppends = (appends: ReadonlyArray<Append>, limits: Limits): Either.Either<number, Refusal> => {
  let bytes = 0
  let events = 0
  for (const append of appends) {
    bytes += appendBytes(append)
    events += eventsIn(append)
    for (const event of append.events) {
      const size = Event.byteLength(event)
      if (size > limits.eventBytesMax) {
        return Either.left(new EventTooLarge({ eventId: event.eventId, bytes: size, limitBytes: limits.eventBytesMax }))
      }
      if (event.tags.length > 1 && new Set(event.tags).size < event.tags.length) {
        return refuse(`event ${event.eventId} has a tag twice`)
      }
      bytes += size
    }
  }
  if (appends.length > appendsMax || events > eventsMax) {
    return refuse(
      `${appends.length} appends with ${events} events and tags, at most ${appendsMax} and ${eventsMax} are taken`
    )
  }
  return tooLarge(bytes, limits)
}

/**
 * The same for appends that are to take effect together: each names another stream.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkBatch = (appends: ReadonlyArray<Append>, limits: Limits): Either.Either<number, Refusal> => {
  const streams = new Set<string>()
  for (const { streamId } of appends) {
    if (streams.has(streamId)) return refuse(`the batch names stream "${streamId}" twice`)
    streams.add(streamId)
  }
  return checkAppends(appends, limits)
}

/**
 * The bytes of a snapshot, if it may be saved.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkSnapshot = (snapshot: Snapshot.NewSnapshot, limits: Limits): Either.Either<number, RequestTooLarge> =>
  tooLarge(Snapshot.byteLength(snapshot), limits)
