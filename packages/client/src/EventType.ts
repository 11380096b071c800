/**
 * Events with types: a name and a schema, from which an event's bytes are written and read.
 *
 * ```ts
 * const Deposited = EventType.make("Deposited", Schema.Struct({ amount: Schema.Int }), {
 *   tags: ({ amount }) => (amount > 10_000 ? ["large"] : [])
 * })
 * type Deposited = EventType.Of<typeof Deposited>
 *
 * Deposited.make({ amount: 5 }) // { _tag: "Deposited", data: { amount: 5 } }
 * ```
 *
 * Data are kept as JSON: a schema encodes to what JSON can hold (`Schema.Date` and `Schema.Uint8ArrayFromBase64` serve where the data are not that), and encoding
 * fails where it does not. `Schema.Unknown` is any JSON; {@link bytes} keeps bytes as they are.
 *
 * **Events that were written in an older shape** stay as they are and are read by a schema that takes both shapes. Its first member is what is written from now on:
 *
 * ```ts
 * const V2 = Schema.Struct({ amount: Schema.Int, currency: Schema.String })
 * const V1 = Schema.Struct({ amount: Schema.Int })
 * const fromV1 = Schema.transform(V1, Schema.typeSchema(V2), {
 *   decode: ({ amount }) => ({ amount, currency: "EUR" }),
 *   encode: ({ amount }) => ({ amount })
 * })
 * const Deposited = EventType.make("Deposited", Schema.Union(V2, fromV1))
 * ```
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { NewEvent, RecordedEvent } from "./Event.js"
import { contentTypeJson } from "./internal/payload.js"
import * as Json from "./internal/typed/json.js"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * What happened: the name of the type and the data. Where it happened, when and why, the store and the metadata say.
 *
 * @since 0.1.0
 * @category models
 */
export interface TypedEvent<out Name extends string, out Data> {
  readonly _tag: Name
  readonly data: Data
}

/**
 * The part of an event that its type decides about.
 *
 * @since 0.1.0
 * @category models
 */
export type Encoded = Pick<NewEvent, "eventType" | "data" | "dataContentType" | "tags">

/**
 * What knows how to write and read events of type `E`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Member<out E> {
  readonly name: string
  readonly encode: (data: unknown) => Either.Either<Encoded, EventNotEncodable>
  readonly decode: (event: Omit<Encoded, "tags">) => Either.Either<E, EventNotDecodable>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EventType<Name extends string, Data> extends Member<TypedEvent<Name, Data>> {
  readonly name: Name
  readonly make: (data: Data) => TypedEvent<Name, Data>
}

/**
 * The events of a type, or of one of several: `EventType.Of<typeof OrderPlaced>`, `EventType.Of<typeof orderEvents>`.
 *
 * @since 0.1.0
 * @category models
 */
export type Of<T> = T extends Member<infer E> ? E : T extends Pick<Union<infer E>, "decode"> ? E : never

/**
 * An event as it was found in a store: of a type that is known here, or not, or of a known type with data that its schema does not take.
 *
 * @since 0.1.0
 * @category models
 */
export type Reading<E> = Decoded<E> | Unknown | Undecodable

/**
 * @since 0.1.0
 * @category models
 */
export interface Decoded<out E> {
  readonly _tag: "Decoded"
  readonly event: E
  readonly recorded: RecordedEvent
}

/**
 * An event of a type that is not among those asked for: written by a newer program, or by another one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unknown {
  readonly _tag: "Unknown"
  readonly recorded: RecordedEvent
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Undecodable {
  readonly _tag: "Undecodable"
  readonly recorded: RecordedEvent
  readonly error: EventNotDecodable
}

/**
 * Several types as one. Which type an event is of, its name says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Union<in out E> {
  readonly types: ReadonlyArray<string>
  readonly encode: (event: E) => Either.Either<Encoded, EventNotEncodable>
  /** Never fails: what cannot be read is reported, as one of the three kinds of {@link Reading}. */
  readonly decode: (recorded: RecordedEvent) => Reading<E>
}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

const faultFields = {
  eventType: Schema.String,
  /** Where in the data, such as `items[0].price`; empty: the data as a whole. */
  path: Schema.String,
  detail: Schema.String
}

/**
 * The data do not fit the type's schema, or are nothing that JSON can hold. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class EventNotEncodable extends Schema.TaggedError<EventNotEncodable>("@reckon/client/EventNotEncodable")(
  "EventNotEncodable",
  faultFields
) {
  readonly retryable = false
  override get message() {
    return `the data of an event of type "${this.eventType}" cannot be encoded: ${Json.describe(this)}`
  }
}

/**
 * The data of an event in the store do not fit the schema of its type.
 *
 * @since 0.1.0
 * @category errors
 */
export class EventNotDecodable extends Schema.TaggedError<EventNotDecodable>("@reckon/client/EventNotDecodable")(
  "EventNotDecodable",
  faultFields
) {
  readonly retryable = false
  override get message() {
    return `the data of an event of type "${this.eventType}" cannot be decoded: ${Json.describe(this)}`
  }
}

/**
 * An event that this program cannot read stands where it must not be passed over.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnreadableEvent extends Schema.TaggedError<UnreadableEvent>("@reckon/client/UnreadableEvent")(
  "UnreadableEvent",
  {
    streamId: Schema.String,
    version: Schema.Number,
    position: Schema.Number,
    eventType: Schema.String,
    /** What is wrong with its data; `null`: its type is not known here. */
    error: Schema.NullOr(EventNotDecodable)
  }
) {
  readonly retryable = false
  override get message() {
    const place = `version ${this.version} of stream "${this.streamId}" (position ${this.position})`
    return this.error === null
      ? `${place} is an event of type "${this.eventType}", which is not known here`
      : `${place} cannot be read: ${this.error.message}`
  }
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

const wrongContentType = (eventType: string, is: string, wanted: string) =>
  new EventNotDecodable({ eventType, path: "", detail: `they are ${is}, not ${wanted}` })

/**
 * A type of events whose data a schema describes. `tags` are those under which each event can be found across streams. The schema works synchronously.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Name extends string, A, I>(
  name: Name,
  schema: Schema.Schema<A, I>,
  options?: { readonly tags?: (data: A) => ReadonlyArray<string> }
): EventType<Name, A> => {
  const codec = Json.codec(schema)
  const isData = Schema.is(schema)
  const tags = options?.tags
  return {
    name,
    make: data => ({ _tag: name, data }),
    encode: value =>
      Either.mapBoth(codec.encode(value), {
        onLeft: fault => new EventNotEncodable({ eventType: name, ...fault }),
        onRight: data => ({
          eventType: name,
          data,
          dataContentType: contentTypeJson,
          tags: tags !== undefined && isData(value) ? tags(value) : []
        })
      }),
    decode: ({ data, dataContentType }) =>
      dataContentType !== contentTypeJson
        ? Either.left(wrongContentType(name, dataContentType, contentTypeJson))
        : Either.mapBoth(codec.decode(data), {
            onLeft: fault => new EventNotDecodable({ eventType: name, ...fault }),
            onRight: data => ({ _tag: name, data })
          })
  }
}

/**
 * A type of events whose data are bytes of a content type, by default `application/octet-stream`, kept as they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bytes = <const Name extends string>(
  name: Name,
  options?: {
    readonly contentType?: string
    readonly tags?: (data: Uint8Array) => ReadonlyArray<string>
  }
): EventType<Name, Uint8Array> => {
  const contentType = options?.contentType ?? "application/octet-stream"
  return {
    name,
    make: data => ({ _tag: name, data }),
    encode: data =>
      data instanceof Uint8Array
        ? Either.right({ eventType: name, data, dataContentType: contentType, tags: options?.tags?.(data) ?? [] })
        : Either.left(new EventNotEncodable({ eventType: name, path: "", detail: "they are no Uint8Array" })),
    decode: ({ data, dataContentType }) =>
      dataContentType === contentType
        ? Either.right({ _tag: name, data })
        : Either.left(wrongContentType(name, dataContentType, contentType))
  }
}

/**
 * Several types as one. No two may have the same name: that is a mistake in the program, and throws.
 *
 * @since 0.1.0
 * @category constructors
 */
export const union = <const Events extends ReadonlyArray<TypedEvent<string, unknown>>>(
  ...members: { readonly [Index in keyof Events]: Member<Events[Index]> }
): Union<Events[number]> => {
  const byName = new Map<string, Member<Events[number]>>()
  for (const member of members) {
    if (byName.has(member.name)) throw new RangeError(`two event types have the name "${member.name}"`)
    byName.set(member.name, member)
  }
  return {
    types: [...byName.keys()],
    encode: event =>
      byName.get(event._tag)?.encode(event.data) ??
      Either.left(
        new EventNotEncodable({
          eventType: event._tag,
          path: "",
          detail: `its type is none of ${[...byName.keys()].join(", ")}`
        })
      ),
    decode: recorded => {
      const member = byName.get(recorded.eventType)
      if (member === undefined) return { _tag: "Unknown", recorded }
      const decoded = member.decode(recorded)
      return Either.isRight(decoded)
        ? { _tag: "Decoded", event: decoded.right, recorded }
        : { _tag: "Undecodable", recorded, error: decoded.left }
    }
  }
}

/**
 * The error of an event that cannot be read, where it must be.
 *
 * @since 0.1.0
 * @category getters
 */
export const unreadable = (reading: Unknown | Undecodable): UnreadableEvent =>
  new UnreadableEvent({
    streamId: reading.recorded.streamId,
    version: reading.recorded.version,
    position: reading.recorded.position,
    eventType: reading.recorded.eventType,
    error: reading._tag === "Undecodable" ? reading.error : null
  })
