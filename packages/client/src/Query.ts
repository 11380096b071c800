/**
 * Which events: by type, tags, metadata and stream, in the terms of the Dynamic Consistency Boundary specification (dcb.events), with metadata fields and
 * stream patterns besides.
 *
 * A query is a list of items; an event matches it if it matches one of them. It matches an item if it meets all of the item's criteria: its type is
 * one of `types`, it has every one of `tags`, its JSON metadata has every one of `metadata`, and its stream's name matches `stream`. An empty criterion
 * asks for nothing. So a query without items matches no event ({@link none}), and one with an empty item matches every event ({@link all}).
 *
 * A store answers a query from its indexes, at a cost that goes with what it returns.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { contentTypeJson, EventType, type RecordedEvent, Tag } from "./Event.js"
import { wellFormed } from "./internal/wellFormed.js"
import * as StreamPattern from "./StreamPattern.js"

/**
 * The most metadata fields of one event that can be asked for, see {@link searchableFields}.
 *
 * @since 0.1.0
 * @category constants
 */
export const metadataFieldsMax = 16

/** The most characters that a field's name, or a text in it, may have to be asked for. */
const metadataTextMax = 256

const text = Schema.String.pipe(Schema.maxLength(metadataTextMax), wellFormed)

/**
 * A top-level field of an event's JSON metadata and the value it is to have, of the same type: `1` is not `"1"`. {@link searchableFields} says which fields can be asked for; of those, the ones
 * with half of a surrogate pair cannot, which JSON can have and UTF-8 cannot.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MetadataField = Schema.Struct({
  field: text.pipe(Schema.minLength(1)),
  value: Schema.Union(text, Schema.Finite, Schema.Boolean)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface MetadataField extends Schema.Schema.Type<typeof MetadataField> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const Item = Schema.Struct({
  types: Schema.Array(EventType).pipe(Schema.maxItems(64)),
  tags: Schema.Array(Tag).pipe(Schema.maxItems(64)),
  metadata: Schema.Array(MetadataField).pipe(Schema.maxItems(16)),
  stream: Schema.NullOr(StreamPattern.StreamPattern)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Item extends Schema.Schema.Type<typeof Item> {}

/**
 * The most characters that the patterns of a query may have together. A pattern without wildcards, the name of one stream, does not count.
 *
 * @since 0.1.0
 * @category constants
 */
export const patternCharactersMax = 1024

const patternCharacters = (items: ReadonlyArray<Item>): number =>
  items.reduce((sum, { stream }) => sum + (stream === null || StreamPattern.isLiteral(stream) ? 0 : stream.length), 0)

/**
 * At most 64 items, with patterns of no more than {@link patternCharactersMax} characters together: each event that is looked at may have to be held against all of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Query = Schema.Struct({
  items: Schema.Array(Item).pipe(
    Schema.maxItems(64),
    Schema.filter(items => patternCharacters(items) <= patternCharactersMax, {
      message: () => `the patterns have more than ${patternCharactersMax} characters together`
    })
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Query extends Schema.Schema.Type<typeof Query> {}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

const item = (criteria: Partial<Item>): Item => ({ types: [], tags: [], metadata: [], stream: null, ...criteria })

/**
 * A query of these items, criteria that are left out asking for nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (...items: ReadonlyArray<Partial<Item>>): Query => ({ items: items.map(item) })

/**
 * Every event.
 *
 * @since 0.1.0
 * @category constructors
 */
export const all: Query = make({})

/**
 * No event.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: Query = make()

/**
 * Events of one of these types. Without a type: none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const eventTypes = (...types: ReadonlyArray<string>): Query => (types.length === 0 ? none : make({ types }))

/**
 * Events with at least one of these tags. Without a tag: none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const anyTag = (...tags: ReadonlyArray<string>): Query => make(...tags.map(tag => ({ tags: [tag] })))

/**
 * Events with all of these tags. Without a tag: none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const allTags = (...tags: ReadonlyArray<string>): Query => (tags.length === 0 ? none : make({ tags }))

/**
 * Events whose JSON metadata has this value in this top-level field.
 *
 * @since 0.1.0
 * @category constructors
 */
export const metadata = (field: string, value: MetadataField["value"]): Query => make({ metadata: [{ field, value }] })

/**
 * The effects of an event: those whose metadata name it as their cause, see `EventMetadata.causedBy`. The id may also be that of a command.
 *
 * @since 0.1.0
 * @category constructors
 */
export const causedBy = (eventId: string): Query => metadata("causation_id", eventId)

/**
 * The events of one conversation: those whose metadata have this correlation id. The event that began it has none where nothing caused it; its own id is then that of the
 * conversation.
 *
 * @since 0.1.0
 * @category constructors
 */
export const correlatedWith = (correlationId: string): Query => metadata("correlation_id", correlationId)

/**
 * Events of the streams whose names match the pattern, see `StreamPattern`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const streams = (pattern: string): Query => make({ stream: pattern })

/**
 * Events that match at least one of the queries.
 *
 * @since 0.1.0
 * @category combinators
 */
export const or = (...queries: ReadonlyArray<Query>): Query => ({ items: queries.flatMap(({ items }) => items) })

// -----------------------------------------------------------------------------
// matching
// -----------------------------------------------------------------------------

const decoder = new TextDecoder("utf-8", { fatal: true })

const jsonOf = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    // Payloads are opaque: what calls itself JSON and is not has no fields, which is no fault of who asks.
    return null
  }
}

/** The JSON object that an event's metadata are, if they are one. */
const objectOf = (event: Pick<RecordedEvent, "metadata" | "metadataContentType">): object | null => {
  if (event.metadata === null || event.metadataContentType !== contentTypeJson) return null
  const value = jsonOf(event.metadata)
  return typeof value === "object" && !Array.isArray(value) ? value : null
}

/**
 * The top-level fields of an event's metadata; none where it has no metadata, or none that is a JSON object.
 *
 * @since 0.1.0
 * @category getters
 */
export const metadataFields = (
  event: Pick<RecordedEvent, "metadata" | "metadataContentType">
): ReadonlyMap<string, unknown> => new Map(Object.entries(objectOf(event) ?? {}))

const isSearchable = (value: unknown): value is MetadataField["value"] =>
  typeof value === "string" ? value.length <= metadataTextMax : typeof value === "number" || typeof value === "boolean"

/**
 * The {@link metadataFields} that can be asked for: those with a number, a truth value or a text, where the text and the field's name have at most 256 characters
 * each. Of more than 16 they are the first 16, in the order of `Object.entries`.
 *
 * @since 0.1.0
 * @category getters
 */
export const searchableFields = (
  event: Pick<RecordedEvent, "metadata" | "metadataContentType">
): ReadonlyMap<string, MetadataField["value"]> => {
  const fields = new Map<string, MetadataField["value"]>()
  const object = objectOf(event)
  if (object === null) return fields
  // Own fields only, for what an object inherits was not in the JSON; and by name, so that of thousands only these few are looked at.
  for (const field of Object.keys(object)) {
    if (fields.size === metadataFieldsMax) break
    if (field.length > metadataTextMax) continue
    const value: unknown = Reflect.get(object, field)
    if (isSearchable(value)) fields.set(field, value)
  }
  return fields
}

/**
 * The test whether an event matches the query. It says what a store's indexes must say.
 *
 * @since 0.1.0
 * @category predicates
 */
export const matcher = ({
  items
}: Query): ((
  event: Pick<RecordedEvent, "eventType" | "tags" | "metadata" | "metadataContentType" | "streamId">
) => boolean) => {
  type Queried = Parameters<ReturnType<typeof matcher>>[0]
  const tests = items.map(({ metadata, stream, tags, types }) => {
    const isInStream = stream === null ? () => true : StreamPattern.matcher(stream)
    return (event: Queried, fieldsOf: () => ReadonlyMap<string, unknown>): boolean => {
      if (types.length > 0 && !types.includes(event.eventType)) return false
      if (!tags.every(tag => event.tags.includes(tag))) return false
      if (!isInStream(event.streamId)) return false
      return metadata.every(({ field, value }) => fieldsOf().get(field) === value)
    }
  })
  return event => {
    // Read at most once, whatever the number of items that ask for them: metadata may be as large as an event.
    let fields: ReadonlyMap<string, unknown> | undefined
    const fieldsOf = () => (fields ??= searchableFields(event))
    return tests.some(test => test(event, fieldsOf))
  }
}
