/**
 * The typed client of a store, for programs outside the cluster.
 *
 * It keeps one connection per endpoint, opened when first needed, and asks the endpoint that served last. An attempt that fails in a way a repetition
 * can mend goes to the next endpoint, after a short jittered pause, until the request's time is up; everything else comes back at once.
 * Appends are safe to repeat, because their events carry their ids from the start. Any other write is repeated only while no attempt can have taken effect; after one that may
 * have, it ends with `OutcomeUnknown`.
 *
 * Appends that are waiting at the same time leave together in one request, in the order in which they were called. Those of one stream never
 * sit in two requests at once, so that none overtakes another, not even when a request has to be repeated. Batches, and appends with a condition, do not wait: each is a
 * request of its own.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ClusterSecret from "./ClusterSecret.js"
import * as Endpoint from "./Endpoint.js"
import * as EventStore from "./EventStore.js"
import * as AppendQueue from "./internal/appendQueue.js"
import * as Attempts from "./internal/attempts.js"
import { checked } from "./internal/checked.js"
import * as Connections from "./internal/connections.js"
import * as Leading from "./internal/leading.js"
import * as Membership from "./internal/membership.js"
import * as Peers from "./internal/peers.js"
import * as Assembled from "./internal/service.js"
import * as Limits from "./Limits.js"
import type { MembershipError, StoreMembers } from "./MembershipRpcs.js"
import * as Setting from "./Setting.js"
import { InvalidRequest, type NoQuorum, type RequestTooLarge, type StoreNotFound, Unreachable } from "./StoreError.js"
import { type NodeStatus, StoreId } from "./StoreRpcs.js"

const AtLeastOne = Schema.Int.pipe(Schema.positive())

/**
 * How appends are gathered into requests.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Batching = Schema.Struct({
  /** Append requests under way at one time. While all are, appends wait and gather. Default 4. */
  inFlightMax: AtLeastOne,
  /** Appends one request carries at most; their bytes are bounded by `Limits.requestBytesMax`. Default 512. */
  appendsMax: AtLeastOne,
  /** Appends that may be waiting or under way together; one more fails with `Overloaded`. Default 16,384. */
  queueAppendsMax: AtLeastOne,
  /** Their bytes together, in the same sense. Default 64 MiB. */
  queueBytesMax: AtLeastOne
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Batching extends Schema.Schema.Type<typeof Batching> {}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The nodes of the cluster as `HOST:PORT`, in order of preference until one has served. */
  readonly endpoints: ReadonlyArray<string>
  /**
   * Who is asked while all serve. `leader`, the default: the node that leads the store, which the client finds out, and again when that changes. `first`: the first of `endpoints`, until it
   * fails, for those who want reads of consistency `local` from the node next to them; it hands on what only the leader can do.
   */
  readonly nodePreference?: "leader" | "first" | undefined
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
  /** The cluster's secret, where it has one: connections are protected by it then. */
  readonly secret?: ClusterSecret.ClusterSecret | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service extends EventStore.Service {
  readonly endpoints: ReadonlyArray<string>

  /** How the node at one endpoint sees itself. Asked once, without repetition, within `attemptTimeout`. */
  readonly status: (endpoint: string) => Effect.Effect<NodeStatus, EventStore.ReadFailure>

  /** The members of the store as the leader sees them, or where it cannot be asked, a node that can. */
  readonly members: Effect.Effect<StoreMembers, NoQuorum | RequestTooLarge | StoreNotFound | Unreachable>
  /** Adds a node that was started to join. It is a learner at first, and votes once it keeps up. */
  readonly addMember: (member: string) => Effect.Effect<void, MembershipError | Unreachable>
  /** Removes a member for ever. */
  readonly removeMember: (member: string) => Effect.Effect<void, MembershipError | Unreachable>
  /** Makes another voter the leader, and returns when it leads. */
  readonly transferLeadership: (member: string) => Effect.Effect<void, MembershipError | Unreachable>
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

/** How long a node may take to say whether it leads. */
const lookTimeoutMillis = 1_000

/**
 * Without a whole number to count up to, appends would wait for ever or without bound; and where there is no time for a request, every one of them would end as if nobody had
 * answered.
 */
const validOptions = checked(
  Schema.Struct({
    store: StoreId,
    limits: Limits.Limits,
    batching: Batching,
    timeout: Setting.Wait(1),
    attemptTimeout: Setting.Wait(1),
    connectTimeout: Setting.Wait(1),
    secret: Schema.UndefinedOr(Schema.typeSchema(ClusterSecret.ClusterSecret))
  })
)

/** What a request may take where nothing is said of it. */
const timeoutDefault = Duration.seconds(10)

/**
 * A client that lives as long as the scope. Closing it ends its connections; appends still under way then end with `OutcomeUnknown`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (options: Options) => Effect.Effect<Service, InvalidRequest, Scope.Scope> = Effect.fnUntraced(
  function* (options: Options) {
    const endpoints: Array<Endpoint.Endpoint> = []
    for (const text of options.endpoints) {
      const parsed = Endpoint.parse(text)
      if (Either.isLeft(parsed)) return yield* new InvalidRequest({ message: parsed.left })
      endpoints.push(parsed.right)
    }
    if (endpoints.length === 0) return yield* new InvalidRequest({ message: "the client needs at least one endpoint" })

    const given = yield* validOptions({
      store: options.store ?? "default",
      limits: options.limits ?? Limits.defaults,
      batching: { ...batchingDefaults, ...options.batching },
      timeout: Setting.waitOption(options.timeout, timeoutDefault),
      attemptTimeout: Setting.waitOption(options.attemptTimeout, timeoutDefault),
      connectTimeout: Setting.waitOption(options.connectTimeout, Duration.millis(1500)),
      secret: options.secret
    })
    const { batching, connectTimeout, limits, secret, store } = given
    const timeoutMillis = Duration.toMillis(given.timeout)
    const attemptTimeoutMillis =
      options.attemptTimeout === undefined ? timeoutMillis / 2 : Duration.toMillis(given.attemptTimeout)
    const connections = yield* Connections.make({ endpoints, connectTimeout, secret })
    const looks = yield* FiberSet.make<void>()
    const runLook = yield* FiberSet.runtime(looks)<never>()
    const leading = Leading.make({
      count: endpoints.length,
      preferred: connections.preferred,
      prefer: connections.prefer,
      status: index =>
        Peers.askAt(connections, connections.at(index), rpc => rpc.Status({ store }), lookTimeoutMillis).pipe(
          // Of a node that does not answer nothing is known, and nothing is needed.
          Effect.orElseSucceed(() => null)
        ),
      clock: yield* Effect.clock,
      run: runLook
    })
    const onServed = options.nodePreference === "first" ? () => undefined : leading.served
    const peers = Peers.nodes(connections, store, onServed)
    const attempts = Attempts.make({ peers, timeoutMillis, attemptTimeoutMillis })
    const appends = yield* AppendQueue.make({
      attempts,
      store,
      limits,
      batching: { ...batching, appendsMax: Math.min(batching.appendsMax, Limits.appendsMax) }
    })

    return Client.of({
      ...Assembled.make({ store, limits, attempts, appends }),
      ...Membership.make({ connections, store, attemptTimeoutMillis }),
      endpoints: connections.endpoints,
      status: text =>
        Effect.flatMap(
          Either.mapLeft(Endpoint.parse(text), message => new InvalidRequest({ message })),
          endpoint => Peers.askAt(connections, endpoint, rpc => rpc.Status({ store }), attemptTimeoutMillis)
        ).pipe(Effect.catchTag("Lost", lost => new Unreachable({ endpoints: [lost.endpoint], detail: lost.detail })))
    })
  }
)

const provide = <E>(client: Effect.Effect<Service, E, Scope.Scope>): Layer.Layer<Client | EventStore.EventStore, E> =>
  Layer.scopedContext(
    Effect.map(client, service => Context.make(Client, service).pipe(Context.add(EventStore.EventStore, service)))
  )

/**
 * The client, which is also the `EventStore` of a program that does not care where its store is.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Client | EventStore.EventStore, InvalidRequest> =>
  provide(make(options))

/**
 * The store in `RECKON_STORE`, `default` where it is not set.
 *
 * @since 0.1.0
 * @category config
 */
export const storeConfig: Config.Config<string> = Setting.config("RECKON_STORE", StoreId, "default")

/**
 * The time limit in `RECKON_TIMEOUT`, 10 seconds where it is not set.
 *
 * @since 0.1.0
 * @category config
 */
export const timeoutConfig: Config.Config<Duration.Duration> = Setting.config(
  "RECKON_TIMEOUT",
  Setting.wait(1),
  timeoutDefault
)

/**
 * The settings of a client in the environment: `RECKON_ENDPOINTS`, `RECKON_STORE`, `RECKON_TIMEOUT` (milliseconds, or a text such as
 * `10 seconds`), `RECKON_CLUSTER_SECRET` and the sizes of `Limits.config`. A variable that is empty counts as not set.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<Options> = Config.all({
  endpoints: Endpoint.config,
  store: storeConfig,
  timeout: timeoutConfig,
  limits: Limits.config,
  secret: ClusterSecret.config
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options> = config
): Layer.Layer<Client | EventStore.EventStore, InvalidRequest | ConfigError> =>
  provide(Effect.flatMap(Config.unwrap(options), make))
