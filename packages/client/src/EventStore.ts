/**
 * What a program does with a store, wherever the store is: across a network (`Client`) or in the same process (`EventStore` of `@reckon/db`). Write against this
 * service, and choose where the store is by the layer.
 *
 * Reads are linearizable unless they ask for `local`: they see every append that was acknowledged before they began. What fails in a way that a repetition can mend
 * is repeated, within a time limit; the errors that come back say with `retryable` whether trying later can help. A write whose outcome is unknown is repeated only if it is an append, which
 * writes nothing twice; of any other it is told (`OutcomeUnknown`), for to do it again could undo what somebody else did since.
 *
 * @since 0.1.0
 */
import type * as Rpc from "@effect/rpc/Rpc"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { NewEvent, RecordedEvent } from "./Event.js"
import type { ExpectedVersion } from "./ExpectedVersion.js"
import * as Attempts from "./internal/attempts.js"
import { checked } from "./internal/checked.js"
import * as Direct from "./internal/direct.js"
import * as Peers from "./internal/peers.js"
import * as Assembled from "./internal/service.js"
import * as Limits from "./Limits.js"
import type { Query } from "./Query.js"
import * as Setting from "./Setting.js"
import type { NewSnapshot, Snapshot, SnapshotInfo } from "./Snapshot.js"
import type {
  AppendError,
  InvalidRequest,
  RequestError,
  SnapshotNotFound,
  SnapshotOutOfRange,
  StreamError,
  StreamNotFound,
  StreamTombstoned,
  SubscribeError,
  Unreachable,
  WrongExpectedVersion
} from "./StoreError.js"
import {
  type Append,
  type AppendCondition,
  type Appended,
  type Consistency,
  type EventPage,
  StoreId,
  type StoreRpcs,
  type StreamInfo,
  type SubscribeFrom,
  type SubscribeRpc
} from "./StoreRpcs.js"
import type { StreamDetails, StreamMetadata } from "./StreamMetadata.js"

/**
 * What an append can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type AppendFailure = AppendError | RequestError | Unreachable

/**
 * What a read can fail with, whatever it reads.
 *
 * @since 0.1.0
 * @category errors
 */
export type ReadFailure = RequestError | Unreachable

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category options
 */
export interface ReadConsistency {
  /** Default `linearizable`. */
  readonly consistency?: Consistency | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface ReadOptions extends ReadConsistency {
  /** The version (of a stream) or position (of all events) to start at, that one included. Default: the first, or backward the last. */
  readonly from?: number | undefined
  readonly direction?: "forward" | "backward" | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface PageOptions extends ReadOptions {
  /** The most events the page may carry, 0 to `StoreRpcs.pageEventsMax`, which is the default. */
  readonly count?: number | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface FeedOptions extends ReadOptions {
  /** The number of events after which the stream ends. Default: all there are. */
  readonly count?: number | undefined
}

/**
 * Reads of the store as it was at a position.
 *
 * @since 0.1.0
 * @category options
 */
export interface AsOf {
  /** Events behind this position are left out; -1: all are, as `positionAt` says of a time before the first one. Default: none are. */
  readonly asOf?: number | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface TimeOptions extends ReadConsistency {
  readonly direction?: "forward" | "backward" | undefined
  /** The number of events after which the stream ends. Default: all there are. */
  readonly limit?: number | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface AppendOptions {
  /** What must hold of the whole store besides. */
  readonly condition?: AppendCondition | undefined
}

// -----------------------------------------------------------------------------
// the service
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly store: string

  // ── appending ──

  /** Appends the events to one stream, all or none. The answer carries version and position of the last one. */
  readonly append: (
    streamId: string,
    expectedVersion: ExpectedVersion,
    events: ReadonlyArray<NewEvent>,
    options?: AppendOptions
  ) => Effect.Effect<Appended, AppendFailure>

  /**
   * Several appends at once; each succeeds or fails on its own, and the answers come in the order of the appends. Those for one stream take effect in
   * their order.
   */
  readonly appendAll: (
    appends: ReadonlyArray<Append>
  ) => Effect.Effect<ReadonlyArray<Either.Either<Appended, AppendFailure>>>

  /** Appends to several streams, each named once, all or none. */
  readonly appendBatch: (
    appends: ReadonlyArray<Append>,
    options?: AppendOptions
  ) => Effect.Effect<ReadonlyArray<Appended>, AppendFailure>

  // ── reading ──

  /** One page of a stream's events. */
  readonly read: (streamId: string, options?: PageOptions) => Effect.Effect<EventPage, ReadFailure | StreamError>

  /** A stream's events, page after page, up to the last one there is when the reading gets there. */
  readonly readStream: (
    streamId: string,
    options?: FeedOptions
  ) => Stream.Stream<RecordedEvent, ReadFailure | StreamError>

  /** One page of all events of the store, by position. */
  readonly readAll: (options?: PageOptions & AsOf) => Effect.Effect<EventPage, ReadFailure>

  /** All events of the store by position, page after page. */
  readonly readAllStream: (options?: FeedOptions & AsOf) => Stream.Stream<RecordedEvent, ReadFailure>

  /** One page of the events that match the query, by position. */
  readonly query: (query: Query, options?: PageOptions & AsOf) => Effect.Effect<EventPage, ReadFailure>

  /** The events that match the query by position, page after page. */
  readonly queryStream: (query: Query, options?: FeedOptions & AsOf) => Stream.Stream<RecordedEvent, ReadFailure>

  // ── streams ──

  /** The version of a stream's last event, -1 where it has none. */
  readonly getVersion: (streamId: string, options?: ReadConsistency) => Effect.Effect<number, ReadFailure>

  /** Whether a stream has, or had, events and was not deleted. */
  readonly exists: (streamId: string, options?: ReadConsistency) => Effect.Effect<boolean, ReadFailure>

  /** Whether any stream of the store keeps an event. */
  readonly hasEvents: (options?: ReadConsistency) => Effect.Effect<boolean, ReadFailure>

  /** The streams of the store in the order of their names, those behind `after` that match `pattern` (see `StreamPattern`). */
  readonly listStreams: (
    options?: ReadConsistency & { readonly after?: string | undefined; readonly pattern?: string | undefined }
  ) => Stream.Stream<StreamInfo, ReadFailure>

  /** A stream as a whole, also one that was deleted. */
  readonly streamDetails: (
    streamId: string,
    options?: ReadConsistency
  ) => Effect.Effect<StreamDetails, ReadFailure | StreamNotFound>

  /** Hides the stream's events; an append creates it anew, with the next version. Succeeds where there is nothing to delete. */
  readonly deleteStream: (
    streamId: string,
    options?: { readonly expectedVersion?: ExpectedVersion | undefined }
  ) => Effect.Effect<void, ReadFailure | WrongExpectedVersion | StreamTombstoned>

  /** Deletes the stream for good: it never takes an event again. */
  readonly tombstoneStream: (
    streamId: string,
    options?: { readonly expectedVersion?: ExpectedVersion | undefined }
  ) => Effect.Effect<void, ReadFailure | WrongExpectedVersion | StreamTombstoned>

  /** Says how much the stream keeps from now on, in the place of what was said before; what is left out asks for nothing. */
  readonly setStreamMetadata: (
    streamId: string,
    metadata: Partial<StreamMetadata>
  ) => Effect.Effect<void, ReadFailure | StreamTombstoned>

  // ── snapshots ──

  /** Saves a snapshot, over one of the same version if there is one. With `keep`, only the `keep` latest of the stream stay. */
  readonly saveSnapshot: (
    snapshot: NewSnapshot,
    options?: { readonly keep?: number | undefined }
  ) => Effect.Effect<void, ReadFailure | StreamError | SnapshotOutOfRange>

  /** The latest snapshot of the stream, or with `version` the one of exactly that version. */
  readonly loadSnapshot: (
    streamId: string,
    options?: ReadConsistency & { readonly version?: number | undefined }
  ) => Effect.Effect<Snapshot, ReadFailure | SnapshotNotFound>

  /** Whether the stream has a snapshot, or with `version` one of exactly that version. Its contents are not read. */
  readonly hasSnapshot: (
    streamId: string,
    options?: ReadConsistency & { readonly version?: number | undefined }
  ) => Effect.Effect<boolean, ReadFailure>

  /** The stream's snapshots without their contents, by rising version. */
  readonly listSnapshots: (streamId: string, options?: ReadConsistency) => Stream.Stream<SnapshotInfo, ReadFailure>

  /** Deletes all snapshots of the stream, or with `version` that one. Succeeds where there is none. */
  readonly deleteSnapshots: (
    streamId: string,
    options?: { readonly version?: number | undefined }
  ) => Effect.Effect<void, ReadFailure>

  // ── time ──

  /** The version of the last event that the stream had at a time (microseconds since 1970, inclusive), -1 where it had none. */
  readonly versionAt: (
    streamId: string,
    epochUs: number,
    options?: ReadConsistency
  ) => Effect.Effect<number, ReadFailure | StreamError>

  /** The position of the last event that the store had at that time, -1 where it had none. */
  readonly positionAt: (epochUs: number, options?: ReadConsistency) => Effect.Effect<number, ReadFailure>

  /** The events that the stream had at a time: those with `epochUs` up to this one, inclusive. */
  readonly readUntil: (
    streamId: string,
    epochUs: number,
    options?: TimeOptions
  ) => Stream.Stream<RecordedEvent, ReadFailure | StreamError>

  /** The stream's events from one time to another, both inclusive; none where `fromUs` is the later one. */
  readonly readRange: (
    streamId: string,
    fromUs: number,
    toUs: number,
    options?: TimeOptions
  ) => Stream.Stream<RecordedEvent, ReadFailure | StreamError>

  /** The same of all events that match a query, such as those of a stream pattern (`Query.streams`), by position. */
  readonly queryRange: (
    query: Query,
    fromUs: number,
    toUs: number,
    options?: TimeOptions
  ) => Stream.Stream<RecordedEvent, ReadFailure>

  // ── following ──

  /**
   * The events of a stream (`streamId` null: of the store) from a start point on, then each as it commits; it does not end by itself. When its node goes away
   * it goes on at another one, behind the last event it delivered: none is missed, none comes twice. It fails when no node has served it for
   * the length of the time limit, and with `StreamTombstoned` when the stream is deleted for good: no event can come any more.
   */
  readonly subscribe: (options: {
    readonly streamId: string | null
    readonly from: SubscribeFrom
  }) => Stream.Stream<RecordedEvent, SubscribeError | Unreachable>
}

/**
 * A store, wherever it is.
 *
 * @since 0.1.0
 * @category tags
 */
export class EventStore extends Context.Tag("@reckon/client/EventStore")<EventStore, Service>() {}

// -----------------------------------------------------------------------------
// making one
// -----------------------------------------------------------------------------

/**
 * The requests of the contract as functions from payload to answer, all that have one. `E` is what can go wrong on the way to whoever answers.
 *
 * @since 0.1.0
 * @category models
 */
export type Requests<E = never> = {
  readonly [R in Exclude<RpcGroup.Rpcs<typeof StoreRpcs>, { readonly _tag: "Subscribe" | "Status" }> as R["_tag"]]: (
    payload: Rpc.Payload<R>
  ) => Effect.Effect<Rpc.Success<R>, Rpc.Error<R> | E>
}

/**
 * The one request that is answered by a stream: batches of events, without end, as long as its stream can have any.
 *
 * @since 0.1.0
 * @category models
 */
export type Subscribe = (
  payload: Rpc.Payload<typeof SubscribeRpc>
) => Stream.Stream<ReadonlyArray<RecordedEvent>, SubscribeError>

const validOptions = checked(Schema.Struct({ store: StoreId, limits: Limits.Limits, timeout: Setting.Wait(1) }))

/**
 * The service of a store in this process, made of what answers its requests. They are checked before they are passed on, repeated while that can help, and lists are asked for page
 * by page, all as a client does it. Appends are passed on at once, those of an `appendAll` together.
 *
 * An attempt is given the time it takes: the store has limits of its own. After `timeout` no further one begins.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (options: {
  readonly store: string
  readonly requests: Requests
  readonly subscribe: Subscribe
  /** How long a request is repeated that may yet succeed. Default 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** The sizes the store accepts. */
  readonly limits?: Limits.Limits | undefined
}) => Effect.Effect<Service, InvalidRequest> = Effect.fnUntraced(function* (options) {
  const { limits, store, timeout } = yield* validOptions({
    store: options.store,
    limits: options.limits ?? Limits.defaults,
    timeout: Setting.waitOption(options.timeout, Duration.seconds(10))
  })
  const timeoutMillis = Duration.toMillis(timeout)
  const attempts = Attempts.make({
    peers: Peers.local(options.requests, request => options.subscribe({ store, ...request })),
    timeoutMillis,
    attemptTimeoutMillis: timeoutMillis
  })
  return Assembled.make({ store, limits, attempts, appends: Direct.make({ attempts, store, limits }) })
})
