/**
 * What is said of an event beside its data: what caused it, what it belongs to, and whatever else a program wants to say.
 *
 * Metadata are the fields of a JSON object. By convention, which the store's indexes and tools know, `causation_id` is the id of the event (or command) that led to this one and
 * `correlation_id` that of the conversation the two are part of; `causation_at` says where the cause stands. They are not handed from function to function: what is said of an effect ({@link annotate},
 * {@link causedBy}) goes into every typed event that is appended within it. `Query.causedBy` and `Query.correlatedWith` find them again, and `Causation` the whole of what led to an event and came of it.
 *
 * ```ts
 * store.subscribe({ streamId: null, from: "origin" }).pipe(
 *   Stream.runForEach(event => shipping.execute(orderOf(event), Ship.make({})).pipe(EventMetadata.causedBy(event)))
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type RecordedEvent, StreamId } from "./Event.js"
import * as Query from "./Query.js"

/**
 * Where an event stands: which version of which stream it is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Place = Schema.Struct({ stream: StreamId, version: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category models
 */
export interface Place extends Schema.Schema.Type<typeof Place> {}

/**
 * `causation_at` is the place of the event that `causation_id` names: a store has no index of ids across streams, and needs none to find it. `command_id` is the command that an event came of,
 * where it had an id (`Aggregate.execute`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventMetadata = Schema.Struct(
  {
    causation_id: Schema.optional(Schema.String),
    causation_at: Schema.optional(Place),
    correlation_id: Schema.optional(Schema.String),
    command_id: Schema.optional(Schema.String)
  },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
)

const isPlace = Schema.is(Place)

/**
 * @since 0.1.0
 * @category models
 */
export interface EventMetadata extends Schema.Schema.Type<typeof EventMetadata> {}

/**
 * What is said of the events that are appended here. Nothing, unless somebody said something.
 *
 * @since 0.1.0
 * @category context
 */
export class Current extends Context.Reference<Current>()("@reckon/client/EventMetadata/Current", {
  defaultValue: (): EventMetadata => ({})
}) {}

/**
 * Says something of all typed events that are appended within the effect, beside what is said of them already; fields of the same name are replaced.
 *
 * @since 0.1.0
 * @category combinators
 */
export const annotate =
  (fields: EventMetadata) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Current, current => Effect.provideService(effect, Current, { ...current, ...fields }))

/**
 * Says that the typed events appended within the effect were caused by this event: `causation_id` is its id, `causation_at` its place, and `correlation_id` its own, or its id where it has none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const causedBy = (
  event: Pick<RecordedEvent, "eventId" | "streamId" | "version" | "metadata" | "metadataContentType">
): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) => {
  const correlation = Query.metadataFields(event).get("correlation_id")
  return annotate({
    causation_id: event.eventId,
    causation_at: { stream: event.streamId, version: event.version },
    correlation_id: typeof correlation === "string" ? correlation : event.eventId
  })
}

/**
 * The metadata of an event. Nothing, where it has none or they are no JSON object; a conventional field that is not what it should be is as good as absent.
 *
 * @since 0.1.0
 * @category getters
 */
export const fromEvent = (event: Pick<RecordedEvent, "metadata" | "metadataContentType">): EventMetadata => {
  const fields = new Map(Query.metadataFields(event))
  const text = (name: string): string | undefined => {
    const value = fields.get(name)
    fields.delete(name)
    return typeof value === "string" ? value : undefined
  }
  const place = fields.get("causation_at")
  fields.delete("causation_at")
  const conventional = {
    causation_id: text("causation_id"),
    ...(isPlace(place) ? { causation_at: place } : {}),
    correlation_id: text("correlation_id"),
    command_id: text("command_id")
  }
  return { ...Object.fromEntries(fields), ...conventional }
}
