/** What happens to the data of a store: streams, subscriptions, snapshots. */
import { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import { Direction } from "@reckon/client/StoreRpcs"
import * as Schema from "effect/Schema"
import { make, span } from "./event.js"

const store = { store_id: Schema.String }
const stream = { ...store, stream_id: Schema.String }
const subscription = { ...store, subscription_id: Schema.String }
const link = { ...store, link_name: Schema.String }
const eventType = { ...store, event_type: Schema.String }

const at = { system_time: "epoch_us" } as const
const took = { duration: "ns" } as const
const tookWithEvents = { duration: "ns", event_count: "count" } as const

/** `reason` is one word, the error's tag, `Interrupted` or `Defect`; `detail` (+) is its message, cut to 256 characters. */
const failure = { reason: Schema.String, detail: Schema.String }

// -----------------------------------------------------------------------------
// streams
// -----------------------------------------------------------------------------

/** An append has arrived. The documents do not list `expected_version`; the code has it. */
export const streamWriteStart = make("stream.write.start", "Debug", at, {
  ...stream,
  event_count: Schema.Int,
  expected_version: ExpectedVersion
})

/**
 * An append was carried out. `new_version` is that of its last event; `event_count` is how many were written, so not those that the stream held
 * already.
 */
export const streamWriteStop = make("stream.write.stop", "Debug", tookWithEvents, {
  ...stream,
  new_version: Schema.Int
})

/** An append was refused, or failed. */
export const streamWriteError = make("stream.write.error", "Debug", took, { ...stream, ...failure })

export const streamWrite = span(streamWriteStart, streamWriteStop, streamWriteError)

/** + Appends that take effect together, or not at all, have arrived, or a single one with a condition. */
export const batchWriteStart = make("batch.write.start", "Debug", at, {
  ...store,
  stream_count: Schema.Int,
  event_count: Schema.Int
})

/** + They took effect. `position` is that of their last event, and `event_count` how many were written. */
export const batchWriteStop = make("batch.write.stop", "Debug", tookWithEvents, {
  ...store,
  stream_count: Schema.Int,
  position: Schema.Int
})

/** + None of them took effect, or it is not known whether they did. */
export const batchWriteError = make("batch.write.error", "Debug", took, {
  ...store,
  stream_count: Schema.Int,
  ...failure
})

export const batchWrite = span(batchWriteStart, batchWriteStop, batchWriteError)

/** + An append condition (dcb.events) did not hold: the event at `position` matches its query. */
export const appendConditionFailed = make(
  "append_condition.failed",
  "Debug",
  { ...at, position: "number" } as const,
  store
)

/** A page of a stream is asked for. The documents list only the ids; the code has the rest. */
export const streamReadStart = make("stream.read.start", "Debug", at, {
  ...stream,
  start_version: Schema.Int,
  count: Schema.Int,
  direction: Direction
})

/** A page of a stream was read. */
export const streamReadStop = make("stream.read.stop", "Debug", tookWithEvents, stream)

/** + A read failed. The original has no event for this, so that its starts and stops do not add up. */
export const streamReadError = make("stream.read.error", "Debug", took, { ...stream, ...failure })

export const streamRead = span(streamReadStart, streamReadStop, streamReadError)

/** + A page of the events that match a query, or of all events, is asked for. */
export const queryReadStart = make("query.read.start", "Debug", at, {
  ...store,
  start_position: Schema.Int,
  count: Schema.Int,
  direction: Direction
})

/** + A page of the events that match a query was read. */
export const queryReadStop = make("query.read.stop", "Debug", tookWithEvents, store)

/** + A query failed. */
export const queryReadError = make("query.read.error", "Debug", took, { ...store, ...failure })

export const queryRead = span(queryReadStart, queryReadStop, queryReadError)

/**
 * + A stream was deleted, or there was nothing to delete; it can be written to again. `version` is that of the last event that this node knows it to have had,
 * -1 where it knows of none.
 */
export const streamDeleted = make("stream.deleted", "Info", at, { ...stream, version: Schema.Int })

/** + A stream was deleted for good. `version` as with `stream.deleted`. */
export const streamTombstoned = make("stream.tombstoned", "Info", at, { ...stream, version: Schema.Int })

/** + The version of the last event that a stream had at a time (microseconds since 1970), -1 where it had none, was looked up. */
export const temporalVersionAt = make("temporal.version_at", "Debug", took, {
  ...stream,
  timestamp: Schema.Int,
  version: Schema.Int
})

/** + The same for the position of the last event that the whole store had. */
export const temporalPositionAt = make("temporal.position_at", "Debug", took, {
  ...store,
  timestamp: Schema.Int,
  position: Schema.Int
})

/**
 * A stream was read as it was at a time, in microseconds since 1970, to its end or as far as the reader wanted it. `duration` includes what the reader did between
 * pages. It is the caller's view of several requests, a `temporal.version_at` and a `stream.read` for each page, and so it is emitted where the caller is
 * in the store's process.
 */
export const temporalReadUntil = make("temporal.read_until", "Debug", tookWithEvents, {
  ...stream,
  timestamp: Schema.Int
})

/** The same with what was recorded in a span of time. The original has a tuple of the two times. */
export const temporalReadRange = make("temporal.read_range", "Debug", tookWithEvents, {
  ...stream,
  timestamp: Schema.Struct({ from: Schema.Int, to: Schema.Int })
})

/** Old events of a stream were removed. */
export const scavengeComplete = make("scavenge.complete", "Info", { ...took, deleted_count: "count" } as const, {
  ...stream,
  archived: Schema.Boolean
})

/** Events were looked up by cause or correlation. `id` is the event's, or the correlation's. */
export const causationQuery = make("causation.query", "Debug", tookWithEvents, {
  ...store,
  id: Schema.String,
  query_type: Schema.Literal("causation_effects", "causation_cause", "causation_chain", "causation_correlated")
})

// -----------------------------------------------------------------------------
// subscriptions
// -----------------------------------------------------------------------------

/**
 * A subscription was made. The original emits this twice, with different fields, and calls the subscription `subscription_key` in code; here it is
 * emitted once, and is `subscription_id` in all events as in the documents.
 */
export const subscriptionCreated = make("subscription.created", "Info", at, {
  ...subscription,
  subscription_name: Schema.String,
  type: Schema.String,
  selector: Schema.String
})

export const subscriptionDeleted = make("subscription.deleted", "Info", at, subscription)

/** Events went to a subscriber. `event_id` is that of the last one, where they went together. */
export const subscriptionEventDelivered = make(
  "subscription.event_delivered",
  "Debug",
  { count: "count" },
  { ...subscription, event_id: Schema.String }
)

/** A subscription's checkpoint has moved. The original names the subscription by its name here; this has both. */
export const subscriptionCheckpoint = make(
  "subscription.checkpoint",
  "Debug",
  { position: "number" },
  { ...subscription, subscription_name: Schema.String }
)

/** The queue of a subscription is nearly full. */
export const subscriptionBackpressureWarning = make(
  "subscription.backpressure.warning",
  "Warning",
  { queue_size: "count", max_size: "count" },
  subscription
)

/** The queue of a subscription was full, and events did not get into it. */
export const subscriptionBackpressureDropped = make(
  "subscription.backpressure.dropped",
  "Warning",
  { count: "count" },
  { ...subscription, strategy: Schema.String }
)

/** An event went to all emitters of a subscription. The original lists this and never emits it. */
export const emitterBroadcast = make("emitter.broadcast", "Debug", { ...took, recipient_count: "count" } as const, {
  ...subscription,
  event_id: Schema.String
})

export const emitterPoolCreated = make(
  "emitter.pool.created",
  "Debug",
  { ...at, pool_size: "count" } as const,
  subscription
)

export const linkCreated = make("link.created", "Info", at, link)

export const linkDeleted = make("link.deleted", "Info", at, link)

export const linkStarted = make("link.started", "Info", at, link)

export const linkStopped = make("link.stopped", "Info", at, link)

// -----------------------------------------------------------------------------
// snapshots and schemas
// -----------------------------------------------------------------------------

/** A snapshot was saved. The documents leave out `system_time`, the code has it. */
export const snapshotCreated = make("snapshot.created", "Debug", { ...at, ...took, size_bytes: "bytes" } as const, {
  ...stream,
  version: Schema.Int
})

/** A snapshot was read. */
export const snapshotRead = make("snapshot.read", "Debug", { ...took, size_bytes: "bytes" } as const, {
  ...stream,
  version: Schema.Int
})

/** + The snapshot of one version was deleted, or all of a stream (`null`); or there was none to delete. */
export const snapshotDeleted = make("snapshot.deleted", "Debug", at, { ...stream, version: Schema.NullOr(Schema.Int) })

export const schemaRegistered = make("schema.registered", "Info", { version: "number" }, eventType)

/** `version` is the one it had. The original's code always says 0, against its documents. */
export const schemaUnregistered = make("schema.unregistered", "Info", { version: "number" }, eventType)

/** An event was brought to a newer schema as it was read. */
export const schemaUpcasted = make("schema.upcasted", "Debug", took, {
  ...eventType,
  from_version: Schema.Int,
  to_version: Schema.Int
})
