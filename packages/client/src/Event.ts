/**
 * Events as they are written and as they are read back.
 *
 * Payloads (`data`, `metadata`) are opaque bytes from the client to the disk and back: nothing between the two ends decodes them. `dataContentType`
 * says how to read them; {@link json} builds the usual JSON event and {@link decodeData} reads it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Payload from "./internal/payload.js"
import { wellFormed } from "./internal/wellFormed.js"
import type { InvalidRequest } from "./StoreError.js"

const name = (lengthMax: number) => Schema.String.pipe(Schema.minLength(1), Schema.maxLength(lengthMax), wellFormed)

/**
 * The name of a stream: 1 to 512 characters, no control characters.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StreamId = name(512).pipe(
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
  Schema.pattern(/^[^\u0000-\u001f\u007f]*$/)
)

/**
 * An event's identity: a UUID of any version, in lower case.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventId = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
)

/**
 * A place in the order of all events of a store: the first event has position 0, positions follow commit order.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Position = Schema.NonNegativeInt

/**
 * An event's place in its stream: the first has version 0, versions are dense.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Version = Schema.NonNegativeInt

/**
 * The type of an event, such as `OrderPlaced`: 1 to 512 characters.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventType = name(512)

/**
 * A tag of an event, such as `customer:42`: 1 to 512 characters, compared exactly.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Tag = name(512)

/**
 * How payload bytes are to be read, as a media type: 1 to 128 characters.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ContentType = name(128)

/**
 * The content type of JSON payloads.
 *
 * @since 0.1.0
 * @category constants
 */
export const contentTypeJson = Payload.contentTypeJson

const payloadFields = {
  eventId: EventId,
  eventType: EventType,
  data: Schema.Uint8ArrayFromSelf,
  dataContentType: ContentType,
  /** `null` where the event has none. */
  metadata: Schema.NullOr(Schema.Uint8ArrayFromSelf),
  metadataContentType: ContentType,
  tags: Schema.Array(Tag).pipe(Schema.maxItems(64))
}

/**
 * An event to be appended.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NewEvent = Schema.Struct(payloadFields)

/**
 * @since 0.1.0
 * @category models
 */
export interface NewEvent extends Schema.Schema.Type<typeof NewEvent> {}

/**
 * An event as the store holds it. `epochUs` is the time of its commit in microseconds since 1970 (UTC); it never decreases along `position`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RecordedEvent = Schema.Struct({
  ...payloadFields,
  streamId: StreamId,
  version: Version,
  position: Position,
  epochUs: Schema.NonNegativeInt
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RecordedEvent extends Schema.Schema.Type<typeof RecordedEvent> {}

/**
 * A random event id (UUID version 4) from the `Random` service.
 *
 * @since 0.1.0
 * @category constructors
 */
export const randomId: Effect.Effect<string> = Effect.gen(function* () {
  let hex = ""
  for (let word = 0; word < 4; word++) {
    hex += (yield* Random.nextIntBetween(0, 2 ** 32)).toString(16).padStart(8, "0")
  }
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
})

/**
 * Builds an event with JSON payloads. Without an `id` a random one is chosen; to make an append safe to retry across processes, give one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const json = (options: {
  readonly type: string
  readonly data: unknown
  readonly metadata?: unknown
  readonly tags?: ReadonlyArray<string>
  readonly id?: string
}): Effect.Effect<NewEvent, InvalidRequest> =>
  Effect.flatMap(options.id === undefined ? randomId : Effect.succeed(options.id.toLowerCase()), eventId =>
    Payload.json(options, { eventId, eventType: options.type, tags: options.tags ?? [] })
  )

/**
 * The event's `data` as a JSON value.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeData = (event: NewEvent | RecordedEvent): Effect.Effect<unknown, InvalidRequest> =>
  Payload.decodeData(event)

/**
 * The event's `metadata` as a JSON value; `null` where it has none.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeMetadata = (event: NewEvent | RecordedEvent): Effect.Effect<unknown, InvalidRequest> =>
  Payload.decodeMetadata(event)

/**
 * The number of bytes of an event that count towards the size limits: payloads, type and tags.
 *
 * @since 0.1.0
 * @category sizes
 */
export const byteLength = (event: NewEvent): number => {
  let bytes = event.data.length + (event.metadata?.length ?? 0) + event.eventType.length + 64
  for (const tag of event.tags) bytes += tag.length
  return bytes
}
