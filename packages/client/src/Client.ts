/**
 * The typed client of a store, for programs outside the cluster.
 *
 * It keeps one connection per endpoint, opened when first needed, and asks the endpoint that served last. An attempt that fails in a way a repetition
 * can mend goes to the next endpoint, after a short jittered pause, until the request's time is up; everything else comes back at once.
 * Appends are safe to repeat, because their events carry their ids from the start.
 *
 * Appends that are waiting at the same time leave together in one request. Those of one stream are sent in the order in which they were
 * called and never sit in two requests at once, so that none overtakes another, not even when a request has to be repeated.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Endpoint from "./Endpoint.js"
import type { NewEvent, RecordedEvent } from "./Event.js"
import type { ExpectedVersion } from "./ExpectedVersion.js"
import * as AppendQueue from "./internal/appendQueue.js"
import * as Attempts from "./internal/attempts.js"
import * as Connections from "./internal/connections.js"
import * as Reads from "./internal/reads.js"
import * as Subscription from "./internal/subscription.js"
import * as Limits from "./Limits.js"
import {
  type AppendError,
  InvalidRequest,
  type RequestError,
  type StreamNotFound,
  type Unreachable
} from "./StoreError.js"
import type { Append, Appended, Consistency, EventPage, NodeStatus, StreamInfo, SubscribeFrom } from "./StoreRpcs.js"

/**
 * How appends are gathered into requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batching {
  /** Append requests under way at one time. While all are, appends wait and gather. Default 4. */
  readonly inFlightMax: number
  /** Appends one request carries at most; their bytes are bounded by `Limits.requestBytesMax`. Default 512. */
  readonly appendsMax: number
  /** Appends that may be waiting or under way together; one more fails with `Overloaded`. Default 16,384. */
  readonly queueAppendsMax: number
  /** Their bytes together, in the same sense. Default 64 MiB. */
  readonly queueBytesMax: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The nodes of the cluster as `HOST:PORT`, in order of preference until one has served. */
  readonly endpoints: ReadonlyArray<string>
  /** The store, default `default`. */
  readonly store?: string | undefined
  /** What a request may take in all, waiting and repetitions included. Default 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long one endpoint may keep a request before the next one is asked. Default half of `timeout`. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /** How long a connection may take to open. Default 1.5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** The sizes the cluster accepts; larger events and requests are refused before anything is sent. */
  readonly limits?: Limits.Limits | undefined
  readonly batching?: Partial<Batching> | undefined
}

/**
 * What an append can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type AppendFailure = AppendError | RequestError | Unreachable

/**
 * What a read can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ReadFailure = RequestError | Unreachable

/**
 * @since 0.1.0
 * @category models
 */
export interface ReadOptions {
  /** The version (of a stream) or position (of all events) to start at, that one included. Default: the first, or backward the last. */
  readonly from?: number | undefined
  readonly direction?: "forward" | "backward" | undefined
  /** Default `linearizable`. */
  readonly consistency?: Consistency | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PageOptions extends ReadOptions {
  /** The most events the page may carry, 0 to `StoreRpcs.pageEventsMax`, which is the default. */
  readonly count?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface FeedOptions extends ReadOptions {
  /** The number of events after which the stream ends. Default: all there are. */
  readonly count?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly store: string
  readonly endpoints: ReadonlyArray<string>

  /** Appends the events to one stream, all or none. The answer carries version and position of the last one. */
  readonly append: (
    streamId: string,
    expectedVersion: ExpectedVersion,
    events: ReadonlyArray<NewEvent>
  ) => Effect.Effect<Appended, AppendFailure>

  /**
   * Several appends at once; each succeeds or fails on its own, and the answers come in the order of the appends. Those for one stream take effect in
   * their order.
   */
  readonly appendAll: (
    appends: ReadonlyArray<Append>
  ) => Effect.Effect<ReadonlyArray<Either.Either<Appended, AppendFailure>>>

  /** One page of a stream's events. */
  readonly read: (streamId: string, options?: PageOptions) => Effect.Effect<EventPage, ReadFailure | StreamNotFound>

  /** A stream's events, page after page, up to the last one there is when the reading gets there. */
  readonly readStream: (
    streamId: string,
    options?: FeedOptions
  ) => Stream.Stream<RecordedEvent, ReadFailure | StreamNotFound>

  /** One page of all events of the store, by position. */
  readonly readAll: (options?: PageOptions) => Effect.Effect<EventPage, ReadFailure>

  /** All events of the store by position, page after page. */
  readonly readAllStream: (options?: FeedOptions) => Stream.Stream<RecordedEvent, ReadFailure>

  /** The version of a stream's last event, -1 where it has none. */
  readonly getVersion: (
    streamId: string,
    options?: { readonly consistency?: Consistency | undefined }
  ) => Effect.Effect<number, ReadFailure>

  /** The streams of the store in the order of their names, those behind `after`. */
  readonly listStreams: (options?: {
    readonly after?: string | undefined
    readonly consistency?: Consistency | undefined
  }) => Stream.Stream<StreamInfo, ReadFailure>

  /**
   * The events of a stream (`streamId` null: of the store) from a start point on, then each as it commits; it does not end by itself. When its node goes away
   * it goes on at another one, behind the last event it delivered: none is missed, none comes twice. It fails when no node has served it for
   * the length of `timeout`.
   */
  readonly subscribe: (options: {
    readonly streamId: string | null
    readonly from: SubscribeFrom
  }) => Stream.Stream<RecordedEvent, ReadFailure>

  /** How the node at one endpoint sees itself. Asked once, without repetition, within `attemptTimeout`. */
  readonly status: (endpoint: string) => Effect.Effect<NodeStatus, ReadFailure>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Client extends Context.Tag("@reckon/client/Client")<Client, Service>() {}

/**
 * @since 0.1.0
 * @category constants
 */
export const batchingDefaults: Batching = {
  inFlightMax: 4,
  appendsMax: 512,
  queueAppendsMax: 16_384,
  queueBytesMax: 64 * 1024 * 1024
}

/**
 * A client that lives as long as the scope. Closing it ends its connections; appends still under way then end with `OutcomeUnknown`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (options: Options) => Effect.Effect<Service, InvalidRequest, Scope.Scope> = Effect.fnUntraced(
  function* (options: Options) {
    const store = options.store ?? "default"
    const timeoutMillis = Duration.toMillis(options.timeout ?? Duration.seconds(10))
    const attemptTimeoutMillis =
      options.attemptTimeout === undefined ? timeoutMillis / 2 : Duration.toMillis(options.attemptTimeout)

    const endpoints: Array<Endpoint.Endpoint> = []
    for (const text of options.endpoints) {
      const parsed = Endpoint.parse(text)
      if (Either.isLeft(parsed)) return yield* new InvalidRequest({ message: parsed.left })
      endpoints.push(parsed.right)
    }
    if (endpoints.length === 0) return yield* new InvalidRequest({ message: "the client needs at least one endpoint" })

    const connections = yield* Connections.make({
      endpoints,
      connectTimeout: options.connectTimeout ?? Duration.millis(1500)
    })
    const attempts = Attempts.make({ connections, timeoutMillis, attemptTimeoutMillis })
    const queue = yield* AppendQueue.make({
      attempts,
      store,
      timeoutMillis,
      limits: options.limits ?? Limits.defaults,
      batching: { ...batchingDefaults, ...options.batching }
    })
    const reads = Reads.make({ attempts, store })

    return Client.of({
      ...reads,
      store,
      endpoints: connections.endpoints,
      append: queue.append,
      appendAll: queue.appendAll,
      subscribe: Subscription.make({ attempts, reads, store, timeoutMillis })
    })
  }
)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Client, InvalidRequest> => Layer.scoped(Client, make(options))

/**
 * The settings of a client in the environment: `RECKON_ENDPOINTS`, `RECKON_STORE`, `RECKON_TIMEOUT` (such as `10 seconds`) and the sizes of
 * `Limits.config`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<Options> = Config.all({
  endpoints: Endpoint.config,
  store: Config.string("RECKON_STORE").pipe(Config.withDefault("default")),
  timeout: Config.duration("RECKON_TIMEOUT").pipe(Config.withDefault(Duration.seconds(10))),
  limits: Limits.config
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options> = config
): Layer.Layer<Client, InvalidRequest | ConfigError> =>
  Layer.scoped(Client, Effect.flatMap(Config.unwrap(options), make))
