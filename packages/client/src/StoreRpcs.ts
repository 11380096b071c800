/**
 * What a gateway serves: the requests of a store, as one `RpcGroup`. The typed client, the gateway worker and the socket server all
 * speak this and nothing else.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { NewEvent, Position, StreamId, Version } from "./Event.js"
import { ExpectedVersion } from "./ExpectedVersion.js"
import { EventBatch } from "./internal/eventBatch.js"
import { recognized, recognizedEither } from "./internal/recognized.js"
import { isAppend, isAppended } from "./internal/shapes.js"
import { Query } from "./Query.js"
import { accepts } from "./Setting.js"
import { NewSnapshot, Snapshot, SnapshotInfo } from "./Snapshot.js"
import {
  AppendError,
  RequestError,
  SnapshotNotFound,
  SnapshotOutOfRange,
  StreamError,
  StreamNotFound,
  StreamTombstoned,
  SubscribeError,
  WrongExpectedVersion
} from "./StoreError.js"
import { StreamDetails, StreamMetadata } from "./StreamMetadata.js"
import { StreamPattern } from "./StreamPattern.js"

/**
 * @since 0.1.0
 * @category schemas
 */
export const StoreId = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/),
  Schema.annotations(
    accepts("a store's name, 1 to 64 letters, digits, '_', '.' or '-', the first of them a letter or digit")
  )
)

/**
 * Events for one stream, written all or none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Append = Schema.Struct({
  streamId: StreamId,
  expectedVersion: ExpectedVersion,
  events: Schema.Array(NewEvent)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Append extends Schema.Schema.Type<typeof Append> {}

/**
 * The answer to an append: version and position of its last event, and how many of its events the stream held already. For an append
 * without events, those of the stream's last event (-1: it has none).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Appended = Schema.Struct({
  streamId: StreamId,
  version: Schema.Int,
  position: Schema.Int,
  alreadyPresent: Schema.NonNegativeInt
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Appended extends Schema.Schema.Type<typeof Appended> {}

/**
 * What must hold of the whole store when an append commits: no event with a position behind `after` (-1: no event at all) matches the query. It is the append condition of
 * the Dynamic Consistency Boundary specification (dcb.events), checked together with the expected versions and as atomically as they are.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AppendCondition = Schema.Struct({ query: Query, after: Schema.Int.pipe(Schema.greaterThanOrEqualTo(-1)) })

/**
 * @since 0.1.0
 * @category models
 */
export interface AppendCondition extends Schema.Schema.Type<typeof AppendCondition> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const Direction = Schema.Literal("forward", "backward")

/**
 * How fresh a read must be: `linearizable` sees every append acknowledged before it began, on any node; `local` sees what this node has applied.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Consistency = Schema.Literal("linearizable", "local")

/**
 * @since 0.1.0
 * @category models
 */
export type Consistency = Schema.Schema.Type<typeof Consistency>

/**
 * @since 0.1.0
 * @category schemas
 */
export const StreamInfo = Schema.Struct({ streamId: StreamId, version: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category models
 */
export interface StreamInfo extends Schema.Schema.Type<typeof StreamInfo> {}

/**
 * One page of streams, see {@link ListStreamsRpc}.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StreamsPage = Schema.Struct({
  streams: Schema.Array(StreamInfo),
  isEnd: Schema.Boolean,
  next: Schema.NullOr(StreamId)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StreamsPage extends Schema.Schema.Type<typeof StreamsPage> {}

/**
 * One page of events. `isEnd`: there was nothing beyond it when it was read. `next` is where the following page starts, a version (of a stream) or position (of
 * all events): a cursor that stays valid. A page may be empty and yet not the last, where a store had to pass over much to find nothing.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventPage = Schema.Struct({
  events: EventBatch,
  isEnd: Schema.Boolean,
  next: Schema.Int
})

/**
 * @since 0.1.0
 * @category models
 */
export interface EventPage extends Schema.Schema.Type<typeof EventPage> {}

/**
 * Where a subscription starts: at the first event, behind the last one there is now, or at a position (for a subscription to all events) or
 * version (for one to a stream), that one included.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SubscribeFrom = Schema.Union(Schema.Literal("origin", "current"), Position)

/**
 * @since 0.1.0
 * @category models
 */
export type SubscribeFrom = Schema.Schema.Type<typeof SubscribeFrom>

/**
 * How one node sees itself in one store.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NodeStatus = Schema.Struct({
  node: Schema.String,
  store: Schema.String,
  role: Schema.Literal("leader", "candidate", "pre_candidate", "follower"),
  leader: Schema.NullOr(Schema.String),
  term: Schema.NonNegativeInt,
  commitIndex: Schema.NonNegativeInt,
  appliedIndex: Schema.NonNegativeInt,
  lastPosition: Schema.Int,
  pid: Schema.Int,
  healthy: Schema.Boolean,
  /** Why it takes no part in the store and cannot without somebody's help, and what to do about it; `null` while all is well. */
  problem: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface NodeStatus extends Schema.Schema.Type<typeof NodeStatus> {}

/**
 * The most events one page of a read carries; reads ask again for more.
 *
 * @since 0.1.0
 * @category constants
 */
export const pageEventsMax = 1000

const count = Schema.Int.pipe(Schema.between(0, pageEventsMax))

const appends = Schema.Array(recognized(Append, (value): value is Append => isAppend(value)))

/**
 * Several appends in one request; each succeeds or fails on its own.
 *
 * A repetition of an append whose events are all there already succeeds, whatever its expectation says now and whatever became of the stream, which may have been deleted. So repeating it is safe
 * and tells whether it took effect.
 *
 * @since 0.1.0
 * @category requests
 */
export const AppendRpc = Rpc.make("Append", {
  payload: { store: StoreId, appends },
  success: Schema.Array(
    recognizedEither({
      left: AppendError,
      right: Appended,
      isRight: (value): value is Appended => isAppended(value)
    })
  ),
  error: RequestError
})

/**
 * Appends to several streams, each named once, that take effect together or not at all, if every expectation and the condition hold. The answers come in the order of the appends.
 * A repetition whose events are all there already succeeds, as with {@link AppendRpc}, whatever the condition says now.
 *
 * @since 0.1.0
 * @category requests
 */
export const AppendBatchRpc = Rpc.make("AppendBatch", {
  payload: {
    store: StoreId,
    appends: appends.pipe(Schema.minItems(1)),
    condition: Schema.NullOr(AppendCondition)
  },
  success: Schema.Array(Appended),
  error: Schema.Union(...RequestError.members, ...AppendError.members)
})

/**
 * Deletes a stream: its events are hidden, its snapshots are gone. With `tombstone` for good, without so that an append can create it anew. Deleting a stream that has no events, or
 * that is deleted already, succeeds; the expectation is then held against what it was before.
 *
 * @since 0.1.0
 * @category requests
 */
export const DeleteStreamRpc = Rpc.make("DeleteStream", {
  payload: { store: StoreId, streamId: StreamId, expectedVersion: ExpectedVersion, tombstone: Schema.Boolean },
  error: Schema.Union(...RequestError.members, WrongExpectedVersion, StreamTombstoned)
})

/**
 * Says how much a stream keeps from now on, which need not exist yet. What is hidden stays hidden: limits that are taken back bring nothing back.
 *
 * @since 0.1.0
 * @category requests
 */
export const SetStreamMetadataRpc = Rpc.make("SetStreamMetadata", {
  payload: { store: StoreId, streamId: StreamId, metadata: StreamMetadata },
  error: Schema.Union(...RequestError.members, StreamTombstoned)
})

/**
 * Saves a snapshot, in the place of one of the same version if there is one. With `keep`, only the `keep` latest ones of the stream stay.
 *
 * @since 0.1.0
 * @category requests
 */
export const SaveSnapshotRpc = Rpc.make("SaveSnapshot", {
  payload: { store: StoreId, snapshot: NewSnapshot, keep: Schema.NullOr(Schema.Int.pipe(Schema.positive())) },
  error: Schema.Union(...RequestError.members, ...StreamError.members, SnapshotOutOfRange)
})

/**
 * Deletes a stream's snapshot of one version, or all of them. Those that are not there need not be deleted: it succeeds.
 *
 * @since 0.1.0
 * @category requests
 */
export const DeleteSnapshotsRpc = Rpc.make("DeleteSnapshots", {
  payload: { store: StoreId, streamId: StreamId, version: Schema.NullOr(Version) },
  error: RequestError
})

/**
 * A page of one stream. `from` is a version; backward reads start at the last version when it lies beyond.
 *
 * @since 0.1.0
 * @category requests
 */
export const ReadRpc = Rpc.make("Read", {
  payload: {
    store: StoreId,
    streamId: StreamId,
    from: Schema.Int,
    count,
    direction: Direction,
    consistency: Consistency
  },
  success: EventPage,
  error: Schema.Union(...RequestError.members, ...StreamError.members)
})

const asOf = Schema.NullOr(Schema.Int.pipe(Schema.greaterThanOrEqualTo(-1)))

/**
 * A page of all events, by position. With `asOf`, the store is read as it was when it had no event behind that position (-1: none at all).
 *
 * @since 0.1.0
 * @category requests
 */
export const ReadAllRpc = Rpc.make("ReadAll", {
  payload: { store: StoreId, from: Schema.Int, count, direction: Direction, asOf, consistency: Consistency },
  success: EventPage,
  error: RequestError
})

/**
 * The same, with the events that match a query only.
 *
 * @since 0.1.0
 * @category requests
 */
export const QueryRpc = Rpc.make("Query", {
  payload: { ...ReadAllRpc.payloadSchema.fields, query: Query },
  success: EventPage,
  error: RequestError
})

/**
 * The version of the last event that a stream had at a time (microseconds since 1970, inclusive), -1 where it had none.
 *
 * @since 0.1.0
 * @category requests
 */
export const VersionAtRpc = Rpc.make("VersionAt", {
  payload: { store: StoreId, streamId: StreamId, epochUs: Schema.Int, consistency: Consistency },
  success: Schema.Int,
  error: Schema.Union(...RequestError.members, ...StreamError.members)
})

/**
 * The position of the last event that the store had at a time (microseconds since 1970, inclusive), -1 where it had none.
 *
 * @since 0.1.0
 * @category requests
 */
export const PositionAtRpc = Rpc.make("PositionAt", {
  payload: { store: StoreId, epochUs: Schema.Int, consistency: Consistency },
  success: Schema.Int,
  error: RequestError
})

/**
 * A stream as a whole, also one that was deleted.
 *
 * @since 0.1.0
 * @category requests
 */
export const StreamDetailsRpc = Rpc.make("StreamDetails", {
  payload: { store: StoreId, streamId: StreamId, consistency: Consistency },
  success: StreamDetails,
  error: Schema.Union(...RequestError.members, StreamNotFound)
})

/**
 * Whether any stream keeps an event.
 *
 * @since 0.1.0
 * @category requests
 */
export const HasEventsRpc = Rpc.make("HasEvents", {
  payload: { store: StoreId, consistency: Consistency },
  success: Schema.Boolean,
  error: RequestError
})

/**
 * A stream's snapshot of one version (exactly), or its latest (`version` null).
 *
 * @since 0.1.0
 * @category requests
 */
export const LoadSnapshotRpc = Rpc.make("LoadSnapshot", {
  payload: { store: StoreId, streamId: StreamId, version: Schema.NullOr(Version), consistency: Consistency },
  success: Snapshot,
  error: Schema.Union(...RequestError.members, SnapshotNotFound)
})

/**
 * A page of a stream's snapshots without their contents, by rising version, from one version on. Only the last page may be empty, unless `count` is 0.
 *
 * @since 0.1.0
 * @category requests
 */
export const ListSnapshotsRpc = Rpc.make("ListSnapshots", {
  payload: { store: StoreId, streamId: StreamId, from: Version, count, consistency: Consistency },
  success: Schema.Struct({ snapshots: Schema.Array(SnapshotInfo), isEnd: Schema.Boolean }),
  error: RequestError
})

/**
 * The version of a stream's last event, -1 where it has none: never had one, or was deleted. Where only the oldest are hidden it is that of the last one all the same.
 *
 * @since 0.1.0
 * @category requests
 */
export const GetVersionRpc = Rpc.make("GetVersion", {
  payload: { store: StoreId, streamId: StreamId, consistency: Consistency },
  success: Schema.Int,
  error: RequestError
})

/**
 * A page of stream names in order (of their UTF-8 bytes), those after `after` that match the pattern. Deleted streams are not among them. `next` is the
 * `after` of the following page: a page may be empty and yet not the last.
 *
 * @since 0.1.0
 * @category requests
 */
export const ListStreamsRpc = Rpc.make("ListStreams", {
  payload: {
    store: StoreId,
    pattern: Schema.NullOr(StreamPattern),
    after: Schema.NullOr(StreamId),
    count,
    consistency: Consistency
  },
  success: StreamsPage,
  error: RequestError
})

/**
 * History from a start point on, then every event as it commits, without a gap. One element is a batch, at most {@link pageEventsMax}. It goes on over a deletion, after which the stream
 * may be created anew, and fails once the stream is tombstoned, after which nothing can follow.
 *
 * @since 0.1.0
 * @category requests
 */
export const SubscribeRpc = Rpc.make("Subscribe", {
  payload: { store: StoreId, streamId: Schema.NullOr(StreamId), from: SubscribeFrom },
  success: EventBatch,
  error: SubscribeError,
  stream: true
})

/**
 * @since 0.1.0
 * @category requests
 */
export const StatusRpc = Rpc.make("Status", {
  payload: { store: StoreId },
  success: NodeStatus,
  error: RequestError
})

/**
 * @since 0.1.0
 * @category requests
 */
export class StoreRpcs extends RpcGroup.make(
  AppendRpc,
  AppendBatchRpc,
  DeleteStreamRpc,
  SetStreamMetadataRpc,
  SaveSnapshotRpc,
  DeleteSnapshotsRpc,
  ReadRpc,
  ReadAllRpc,
  QueryRpc,
  VersionAtRpc,
  PositionAtRpc,
  GetVersionRpc,
  StreamDetailsRpc,
  HasEventsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  ListSnapshotsRpc,
  SubscribeRpc,
  StatusRpc
) {}
