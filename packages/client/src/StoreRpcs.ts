/**
 * What a gateway serves: the requests of a store, as one `RpcGroup`. The typed client, the gateway worker and the socket server all
 * speak this and nothing else.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { NewEvent, Position, RecordedEvent, StreamId } from "./Event.js"
import { ExpectedVersion } from "./ExpectedVersion.js"
import { AppendError, RequestError, StreamNotFound } from "./StoreError.js"

/**
 * @since 0.1.0
 * @category schemas
 */
export const StoreId = Schema.String.pipe(Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/))

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
 * One page of events. `isEnd`: there was nothing beyond it when it was read.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventPage = Schema.Struct({ events: Schema.Array(RecordedEvent), isEnd: Schema.Boolean })

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
  healthy: Schema.Boolean
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

/**
 * Several appends in one request; each succeeds or fails on its own.
 *
 * @since 0.1.0
 * @category requests
 */
export const AppendRpc = Rpc.make("Append", {
  payload: { store: StoreId, appends: Schema.Array(Append) },
  success: Schema.Array(Schema.Either({ left: AppendError, right: Appended })),
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
  error: Schema.Union(RequestError, StreamNotFound)
})

/**
 * A page of all events, by position.
 *
 * @since 0.1.0
 * @category requests
 */
export const ReadAllRpc = Rpc.make("ReadAll", {
  payload: { store: StoreId, from: Schema.Int, count, direction: Direction, consistency: Consistency },
  success: EventPage,
  error: RequestError
})

/**
 * The version of a stream's last event, -1 where it has none.
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
 * A page of stream names in order, those after `after`.
 *
 * @since 0.1.0
 * @category requests
 */
export const ListStreamsRpc = Rpc.make("ListStreams", {
  payload: { store: StoreId, after: Schema.NullOr(StreamId), count, consistency: Consistency },
  success: Schema.Struct({ streams: Schema.Array(StreamInfo), isEnd: Schema.Boolean }),
  error: RequestError
})

/**
 * History from a start point on, then every event as it commits, without a gap. One element is a batch, at most {@link pageEventsMax}.
 *
 * @since 0.1.0
 * @category requests
 */
export const SubscribeRpc = Rpc.make("Subscribe", {
  payload: { store: StoreId, streamId: Schema.NullOr(StreamId), from: SubscribeFrom },
  success: Schema.Array(RecordedEvent),
  error: RequestError,
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
  ReadRpc,
  ReadAllRpc,
  GetVersionRpc,
  ListStreamsRpc,
  SubscribeRpc,
  StatusRpc
) {}
