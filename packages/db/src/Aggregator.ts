/**
 * State by merging fields: what the data of events say of each field, folded into one object.
 *
 * The value of a field says how it goes in:
 *
 * | in memory                 | as JSON               | effect                                                       |
 * |---------------------------|-----------------------|--------------------------------------------------------------|
 * | `Aggregator.sum(n)`       | `{ "$sum": n }`       | added to the field's number; where it has none, `n`           |
 * | `Aggregator.overwrite(v)` | `{ "$overwrite": v }` | replaces the field's value                                   |
 * | any other value           | itself                | replaces the field's value                                   |
 *
 * Payloads travel as JSON, and `JSON.stringify` writes the second form for the first; wherever a value is looked at, both are understood. So an
 * object whose only key is `$sum`, with a finite number, or `$overwrite` is never a plain value; one that shall be is wrapped in an overwrite, whose
 * value is not looked into. A malformed one, such as `{ "$sum": "5" }`, is a plain value.
 *
 * ```ts
 * const events = yield* Effect.forEach(page.events, Aggregator.decodeEvent)
 * const account = Aggregator.aggregate(events, undefined, { initialState: { balance: Aggregator.sum(0) } })
 * ```
 *
 * Every object that is answered has no prototype: a field may have any name, `__proto__` and `constructor` too, and a field that is not there is
 * `undefined`. Nothing that is passed in is changed.
 *
 * After `reckon_db_aggregator` and `esdb_aggregate_nif` of the original.
 *
 * @since 0.1.0
 */
import { isDeepStrictEqual } from "node:util"
import * as Event from "@reckon/client/Event"
import * as Snapshot from "@reckon/client/Snapshot"
import type { InvalidRequest } from "@reckon/client/StoreError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

// -----------------------------------------------------------------------------
// values
// -----------------------------------------------------------------------------

/**
 * A number to be added to the field.
 *
 * @since 0.1.0
 * @category models
 */
export class Sum extends Data.TaggedClass("Sum")<{ readonly value: number }> {
  toJSON(): { readonly $sum: number } {
    return { $sum: this.value }
  }
}

/**
 * A value to be put in the place of the field's.
 *
 * @since 0.1.0
 * @category models
 */
export class Overwrite extends Data.TaggedClass("Overwrite")<{ readonly value: unknown }> {
  toJSON(): { readonly $overwrite: unknown } {
    return { $overwrite: this.value }
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const sum = (value: number): Sum => new Sum({ value })

/**
 * @since 0.1.0
 * @category constructors
 */
export const overwrite = (value: unknown): Overwrite => new Overwrite({ value })

/**
 * A tagged value and its JSON: `{ "$sum": n }`, `n` finite, and `{ "$overwrite": v }`, with no other key.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TaggedValue = Schema.Union(
  Schema.transform(Schema.Struct({ $sum: Schema.Finite }), Schema.instanceOf(Sum), {
    strict: true,
    decode: ({ $sum }) => sum($sum),
    encode: tagged => tagged.toJSON()
  }),
  Schema.transform(Schema.Struct({ $overwrite: Schema.Unknown }), Schema.instanceOf(Overwrite), {
    strict: true,
    decode: ({ $overwrite }) => overwrite($overwrite),
    encode: tagged => tagged.toJSON()
  })
).annotations({ identifier: "TaggedValue", parseOptions: { onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category models
 */
export type TaggedValue = typeof TaggedValue.Type

/**
 * The fields of an event's data, or of a state that is folded: there each sum is a `Sum`.
 *
 * @since 0.1.0
 * @category models
 */
export type Fields = Readonly<Record<string, unknown>>

/**
 * An event as it is folded: an object with the fields in `data`, or the fields themselves. If `data` is no object of fields but any other value, it
 * is itself a field; if it is bytes, the event has no fields (see `decodeEvent`).
 *
 * @since 0.1.0
 * @category models
 */
export type Foldable = Fields

const decodeTagged = Schema.decodeUnknownOption(TaggedValue)

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)

const isTagged = (value: unknown): value is TaggedValue => value instanceof Sum || value instanceof Overwrite

/** In whichever form. Of what is a plain value, `undefined`. */
const taggedOf = (value: unknown): TaggedValue | undefined => {
  if (isTagged(value)) return value
  if (!isObject(value) || !(Object.hasOwn(value, "$sum") || Object.hasOwn(value, "$overwrite"))) return undefined
  return Option.getOrUndefined(decodeTagged(value))
}

const noFields: Fields = Object.freeze({})

const fieldsOf = (event: Foldable): Fields => {
  const data = Object.hasOwn(event, "data") ? event.data : undefined
  if (ArrayBuffer.isView(data)) return noFields
  return isObject(data) && !isTagged(data) ? data : event
}

const valueOf = (event: Foldable, field: string): unknown => {
  const fields = fieldsOf(event)
  return Object.hasOwn(fields, field) ? fields[field] : undefined
}

// -----------------------------------------------------------------------------
// decoding
// -----------------------------------------------------------------------------

const decoded = (
  { dataContentType }: { readonly dataContentType: string },
  data: Effect.Effect<unknown, InvalidRequest>
): Effect.Effect<{ readonly data: Fields }, InvalidRequest> =>
  dataContentType === Event.contentTypeJson
    ? Effect.map(data, json => ({ data: isObject(json) ? json : noFields }))
    : Effect.succeed({ data: noFields })

/**
 * An event of the store as it is folded. Data that are JSON but no object have no fields; nor have data of another content type. JSON that cannot be
 * read is an error.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeEvent = (
  event: Event.NewEvent | Event.RecordedEvent
): Effect.Effect<{ readonly data: Fields }, InvalidRequest> => decoded(event, Event.decodeData(event))

/**
 * A snapshot of the store as `aggregate` takes it, by the same rules.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeSnapshot = (
  snapshot: Snapshot.NewSnapshot | Snapshot.Snapshot
): Effect.Effect<{ readonly data: Fields }, InvalidRequest> => decoded(snapshot, Snapshot.decodeData(snapshot))

// -----------------------------------------------------------------------------
// folding
// -----------------------------------------------------------------------------

/** A state under way. Without a prototype, because assigning to `__proto__` would else replace it. */
type Draft = Record<string, unknown>

const emptyDraft = (): Draft => Object.create(null)

const numberOf = (value: unknown): number | undefined => {
  const plain = value instanceof Sum ? value.value : value
  return typeof plain === "number" ? plain : undefined
}

const mergeField = (draft: Draft, field: string, value: unknown): void => {
  const tagged = taggedOf(value)
  if (tagged instanceof Overwrite) {
    // The tag stays where the value would pass for another tag, now or when the state has travelled as JSON.
    draft[field] = taggedOf(tagged.value) === undefined ? tagged.value : tagged
  } else if (tagged !== undefined && typeof tagged.value === "number") {
    draft[field] = sum((numberOf(draft[field]) ?? 0) + tagged.value)
  } else {
    draft[field] = value
  }
}

const merge = (draft: Draft, pairs: Iterable<readonly [string, unknown]>): Draft => {
  for (const [field, value] of pairs) mergeField(draft, field, value)
  return draft
}

const draftOf = (state: Fields): Draft => merge(emptyDraft(), Object.entries(state))

const mergeEvents = (initialState: Fields, events: Iterable<Foldable>): Fields => {
  const draft = draftOf(initialState)
  for (const event of events) merge(draft, Object.entries(fieldsOf(event)))
  return draft
}

/**
 * The events merged first to last, into a copy of the initial state. What the last event says of a field stands; sums add up. The sums of the state
 * keep their tags, see `finalize`.
 *
 * @since 0.1.0
 * @category folding
 */
export const foldl = (events: ReadonlyArray<Foldable>, initialState: Fields = noFields): Fields =>
  mergeEvents(initialState, events)

/**
 * The events merged last to first: what the first event says of a field stands.
 *
 * @since 0.1.0
 * @category folding
 */
export const foldr = (events: ReadonlyArray<Foldable>, initialState: Fields = noFields): Fields =>
  mergeEvents(initialState, events.toReversed())

/**
 * Fields with their values, one after the other, merged into a copy of the state. A field may come more than once.
 *
 * @since 0.1.0
 * @category folding
 */
export const mergeTaggedBatch = (
  pairs: ReadonlyArray<readonly [field: string, value: unknown]>,
  state: Fields
): Fields => merge(draftOf(state), pairs)

/**
 * The state without tags: each sum as its number, each overwrite as its value.
 *
 * @since 0.1.0
 * @category folding
 */
export const finalize = (state: Fields): Fields => {
  const plain = emptyDraft()
  for (const [field, value] of Object.entries(state)) {
    const tagged = taggedOf(value)
    plain[field] = tagged === undefined ? value : tagged.value
  }
  return plain
}

/**
 * The events merged first to last into the data of the snapshot, or, where there is none (`undefined`), into `initialState`. A snapshot whose data
 * are no object counts as an empty state.
 *
 * `finalize` (default true): without tags. A state that is to be saved as a snapshot and folded on may keep them.
 *
 * @since 0.1.0
 * @category folding
 */
export const aggregate = (
  events: ReadonlyArray<Foldable>,
  snapshot: { readonly data: unknown } | undefined,
  options: { readonly initialState?: Fields | undefined; readonly finalize?: boolean | undefined } = {}
): Fields => {
  const saved = snapshot === undefined ? options.initialState : snapshot.data
  const state = foldl(events, isObject(saved) ? saved : noFields)
  return options.finalize === false ? state : finalize(state)
}

// -----------------------------------------------------------------------------
// statistics
// -----------------------------------------------------------------------------

/**
 * The sum of a field over all events: of its numbers and sums. Any other value counts as 0.
 *
 * @since 0.1.0
 * @category statistics
 */
export const sumField = (events: ReadonlyArray<Foldable>, field: string): number =>
  events.reduce((total, event) => {
    const value = valueOf(event, field)
    return total + (numberOf(taggedOf(value) ?? value) ?? 0)
  }, 0)

/**
 * How many events have the field with exactly this value: of the same type, and equal all through. Tagged values are equal whatever their form.
 *
 * @since 0.1.0
 * @category statistics
 */
export const countWhere = (events: ReadonlyArray<Foldable>, field: string, value: unknown): number => {
  const wanted = taggedOf(value) ?? value
  return events.filter(event => {
    if (!Object.hasOwn(fieldsOf(event), field)) return false
    const given = valueOf(event, field)
    return isDeepStrictEqual(taggedOf(given) ?? given, wanted)
  }).length
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Statistics {
  readonly totalEvents: number
  /** Those that have at least one field. */
  readonly eventsWithData: number
  /** How many different fields they have together. */
  readonly uniqueFields: number
}

/**
 * @since 0.1.0
 * @category statistics
 */
export const statistics = (events: ReadonlyArray<Foldable>): Statistics => {
  const names = events.map(event => Object.keys(fieldsOf(event)))
  return {
    totalEvents: events.length,
    eventsWithData: names.filter(fields => fields.length > 0).length,
    uniqueFields: new Set(names.flat()).size
  }
}
