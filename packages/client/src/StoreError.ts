/**
 * Every way a request to a store can fail. Each error says with `retryable` whether the same request can succeed later; those that cannot are
 * never retried by Reckon.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The stream's version was not the expected one when the append would have committed. Nothing was written.
 *
 * @since 0.1.0
 * @category errors
 */
export class WrongExpectedVersion extends Schema.TaggedError<WrongExpectedVersion>(
  "@reckon/client/WrongExpectedVersion"
)("WrongExpectedVersion", {
  streamId: Schema.String,
  expected: Schema.Union(Schema.String, Schema.Number),
  /** The stream's version, -1 where it has no events. */
  actual: Schema.Number
}) {
  readonly retryable = false
  override get message() {
    const actual = this.actual < 0 ? "has no events" : `is at version ${this.actual}`
    return `stream "${this.streamId}" ${actual}, expected ${this.expected}`
  }
}

/**
 * The stream holds an event with this id and other content. Nothing of the append was written.
 *
 * @since 0.1.0
 * @category errors
 */
export class EventIdConflict extends Schema.TaggedError<EventIdConflict>("@reckon/client/EventIdConflict")(
  "EventIdConflict",
  {
    streamId: Schema.String,
    eventId: Schema.String,
    /** The version of the event that has the id. */
    version: Schema.Number
  }
) {
  readonly retryable = false
  override get message() {
    return `stream "${this.streamId}" has another event with the id ${this.eventId}, at version ${this.version}`
  }
}

/**
 * An event matches the query of an append's condition behind the position that the writer had seen. Nothing of the append was written: read again, decide again.
 *
 * @since 0.1.0
 * @category errors
 */
export class AppendConditionFailed extends Schema.TaggedError<AppendConditionFailed>(
  "@reckon/client/AppendConditionFailed"
)("AppendConditionFailed", {
  /** The position up to which the writer had seen events, -1 where it had seen none. */
  after: Schema.Number,
  /** The position of the first event that breaks the condition. */
  position: Schema.Number
}) {
  readonly retryable = false
  override get message() {
    return `an event at position ${this.position} matches the append's condition, which allows none after ${this.after}`
  }
}

/**
 * The stream was deleted. An append creates it anew, with the version that follows its last one.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamDeleted extends Schema.TaggedError<StreamDeleted>("@reckon/client/StreamDeleted")("StreamDeleted", {
  streamId: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `stream "${this.streamId}" was deleted`
  }
}

/**
 * The stream was deleted for good: nothing can be read from it or appended to it ever again.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamTombstoned extends Schema.TaggedError<StreamTombstoned>("@reckon/client/StreamTombstoned")(
  "StreamTombstoned",
  { streamId: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `stream "${this.streamId}" was deleted for good`
  }
}

/**
 * There is no snapshot of the stream, or none at this version.
 *
 * @since 0.1.0
 * @category errors
 */
export class SnapshotNotFound extends Schema.TaggedError<SnapshotNotFound>("@reckon/client/SnapshotNotFound")(
  "SnapshotNotFound",
  {
    streamId: Schema.String,
    /** The version that was asked for; `null`: the latest. */
    version: Schema.NullOr(Schema.Number)
  }
) {
  readonly retryable = false
  override get message() {
    const at = this.version === null ? "" : ` at version ${this.version}`
    return `there is no snapshot of stream "${this.streamId}"${at}`
  }
}

/**
 * The snapshot claims to contain events that the stream does not have: those behind its last version, or from before it was created anew.
 *
 * @since 0.1.0
 * @category errors
 */
export class SnapshotOutOfRange extends Schema.TaggedError<SnapshotOutOfRange>("@reckon/client/SnapshotOutOfRange")(
  "SnapshotOutOfRange",
  {
    streamId: Schema.String,
    version: Schema.Number,
    /** The versions that a snapshot of the stream may have. */
    least: Schema.Number,
    most: Schema.Number
  }
) {
  readonly retryable = false
  override get message() {
    return `a snapshot of stream "${this.streamId}" cannot be of version ${this.version}: it has the versions ${this.least} to ${this.most}`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class StreamNotFound extends Schema.TaggedError<StreamNotFound>("@reckon/client/StreamNotFound")(
  "StreamNotFound",
  { streamId: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `there is no stream "${this.streamId}"`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class StoreNotFound extends Schema.TaggedError<StoreNotFound>("@reckon/client/StoreNotFound")("StoreNotFound", {
  store: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `this node serves no store "${this.store}"`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class EventTooLarge extends Schema.TaggedError<EventTooLarge>("@reckon/client/EventTooLarge")("EventTooLarge", {
  eventId: Schema.String,
  bytes: Schema.Number,
  limitBytes: Schema.Number
}) {
  readonly retryable = false
  override get message() {
    return `event ${this.eventId} has ${this.bytes} bytes, the limit is ${this.limitBytes}`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class RequestTooLarge extends Schema.TaggedError<RequestTooLarge>("@reckon/client/RequestTooLarge")(
  "RequestTooLarge",
  { bytes: Schema.Number, limitBytes: Schema.Number }
) {
  readonly retryable = false
  override get message() {
    return `the request has ${this.bytes} bytes, the limit is ${this.limitBytes}; write less at a time`
  }
}

/**
 * The request makes no sense as it stands.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("@reckon/client/InvalidRequest")(
  "InvalidRequest",
  { message: Schema.String }
) {
  readonly retryable = false
}

/**
 * No leader that a majority follows could be reached in time, or the node that was reached cannot answer from its own copy of the store. The request surely had no effect.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoQuorum extends Schema.TaggedError<NoQuorum>("@reckon/client/NoQuorum")("NoQuorum", {
  store: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `store "${this.store}" cannot be served now: ${this.detail}`
  }
}

/**
 * It is not known whether the request took effect, or will yet: the answer got lost. Appending the same events, with the same ids, again is safe and tells. Anything else is better
 * looked at before it is repeated, where somebody else may have written meanwhile.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>("@reckon/client/OutcomeUnknown")(
  "OutcomeUnknown",
  { detail: Schema.String }
) {
  readonly retryable = true
  override get message() {
    return `it is not known whether the request took effect (${this.detail}); an append repeated with the same event ids tells`
  }
}

/**
 * The node, or the client before it, has more work waiting than it takes on. The request surely had no effect.
 *
 * @since 0.1.0
 * @category errors
 */
export class Overloaded extends Schema.TaggedError<Overloaded>("@reckon/client/Overloaded")("Overloaded", {
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `too much is waiting: ${this.detail}`
  }
}

/**
 * No endpoint answered.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unreachable extends Schema.TaggedError<Unreachable>("@reckon/client/Unreachable")("Unreachable", {
  endpoints: Schema.Array(Schema.String),
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `no answer from ${this.endpoints.join(", ")}: ${this.detail}`
  }
}

/**
 * Why a stream cannot be read.
 *
 * @since 0.1.0
 * @category errors
 */
export const StreamError = Schema.Union(StreamNotFound, StreamDeleted, StreamTombstoned)

/**
 * @since 0.1.0
 * @category errors
 */
export type StreamError = Schema.Schema.Type<typeof StreamError>

/**
 * What an append can fail with, apart from the request as a whole: the store's last word about it.
 *
 * @since 0.1.0
 * @category errors
 */
export const AppendError = Schema.Union(WrongExpectedVersion, EventIdConflict, AppendConditionFailed, StreamTombstoned)

/**
 * @since 0.1.0
 * @category errors
 */
export type AppendError = Schema.Schema.Type<typeof AppendError>

/**
 * What the store can answer to any write, its last word about it.
 *
 * @since 0.1.0
 * @category errors
 */
export const WriteError = Schema.Union(...AppendError.members, StreamNotFound, StreamDeleted, SnapshotOutOfRange)

/**
 * @since 0.1.0
 * @category errors
 */
export type WriteError = Schema.Schema.Type<typeof WriteError>

/**
 * What a request can fail with before a store looks at it, or for want of a majority.
 *
 * @since 0.1.0
 * @category errors
 */
export const RequestError = Schema.Union(
  StoreNotFound,
  EventTooLarge,
  RequestTooLarge,
  InvalidRequest,
  NoQuorum,
  OutcomeUnknown,
  Overloaded
)

/**
 * @since 0.1.0
 * @category errors
 */
export type RequestError = Schema.Schema.Type<typeof RequestError>

/**
 * Why no further event of a subscription comes.
 *
 * @since 0.1.0
 * @category errors
 */
export const SubscribeError = Schema.Union(...RequestError.members, StreamTombstoned)

/**
 * @since 0.1.0
 * @category errors
 */
export type SubscribeError = Schema.Schema.Type<typeof SubscribeError>

/**
 * @since 0.1.0
 * @category errors
 */
export type StoreError = RequestError | WriteError | SnapshotNotFound | Unreachable
