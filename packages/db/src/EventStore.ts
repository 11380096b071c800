/**
 * The store inside a program: no server and no socket, a folder for its files and one layer.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append("order-1", "no_stream", [yield* Event.json({ type: "OrderPlaced", data: { total: 42 } })])
 * })
 *
 * program.pipe(Effect.provide(EventStore.layer({ dataDir: "./data" })), NodeRuntime.runMain)
 * ```
 *
 * It is the same store as that of a cluster, with the same processes, supervisors and log, as a group of one member. What was acknowledged is synced, and there after a
 * crash. Requests are checked as a gateway checks them and go to the store's readers and writers as they are, without a gateway's processes or any encoding between. The folder
 * belongs to one process at a time.
 *
 * @since 0.1.0
 */
import * as Client from "@reckon/client/EventStore"
import * as Limits from "@reckon/client/Limits"
import * as Members from "@reckon/cluster/Members"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as Process from "@reckon/otp/Process"
import type * as Supervisor from "@reckon/otp/Supervisor"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Order from "effect/Order"
import * as Observed from "./internal/processes/observed.js"
import type { Store } from "./Store.js"
import * as StoreConfig from "./StoreConfig.js"
import * as Stores from "./Stores.js"
import type { Telemetry } from "./Telemetry.js"

/**
 * The service that the layers here provide, as `@reckon/client` has it.
 *
 * @since 0.1.0
 * @category tags
 */
export { EventStore, type Service } from "@reckon/client/EventStore"

/**
 * @since 0.1.0
 * @category options
 */
export interface MemoryOptions extends Omit<StoreConfig.StoreSettingsOptions, "mode"> {
  /** The store's name, default `default`. */
  readonly store?: string | undefined
  /** The sizes the store accepts. */
  readonly limits?: Limits.Limits | undefined
  /** To whom the store tells what it does, see `Telemetry.layerHandlers`. Default: the logger. */
  readonly telemetryHandlers?: StoreConfig.ReckonConfig["telemetryHandlers"] | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface Options extends MemoryOptions {
  /** The program's data. The store lies in `stores/<store>` under it, and others beside it. */
  readonly dataDir: string
  /** The store's own folder, if it is to lie elsewhere. */
  readonly storeDir?: string | undefined
}

// -----------------------------------------------------------------------------
// the service
// -----------------------------------------------------------------------------

const requestsOf = (backend: StoreBackend): Client.Requests => ({
  Append: ({ appends }) => backend.append(appends),
  AppendBatch: backend.appendBatch,
  DeleteStream: backend.deleteStream,
  SetStreamMetadata: backend.setStreamMetadata,
  SaveSnapshot: backend.saveSnapshot,
  DeleteSnapshots: backend.deleteSnapshots,
  Read: backend.read,
  ReadAll: backend.readAll,
  Query: backend.query,
  VersionAt: backend.versionAt,
  PositionAt: backend.positionAt,
  GetVersion: backend.getVersion,
  StreamDetails: backend.streamDetails,
  HasEvents: backend.hasEvents,
  ListStreams: backend.listStreams,
  LoadSnapshot: backend.loadSnapshot,
  ListSnapshots: backend.listSnapshots
})

/**
 * The service of a store that runs in this process, see `Stores.start`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStore = (
  { backend, config, id, telemetry }: Store,
  limits: Limits.Limits = Limits.defaults
): Effect.Effect<Client.Service> =>
  Client.make({
    store: id,
    requests: requestsOf(backend),
    subscribe: backend.subscribe,
    timeout: config.timeout,
    limits
    // The store runs, so it has a proper name.
  }).pipe(
    Effect.orDie,
    Effect.map(service => Observed.service(service, telemetry))
  )

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/** The only member of its group. It is never looked for at its address. */
const self = { name: "embedded", address: { host: "127.0.0.1", port: 0 } }

/** What a node of a cluster has of its own, for a node that is alone. */
const alone = Layer.mergeAll(
  Process.layer,
  WorkerRegistry.layer,
  Layer.sync(Members.Members, () => Members.unsafeMake(self, [])),
  Layer.effect(
    RaftTransport.RaftTransport,
    Effect.map(RaftTransport.makeNetwork, network => network.transport(self.name))
  )
)

/** A host's log is the host's: of a store in it only what is amiss is told there, unless the host wants to know everything. */
const quietly = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.unwrapEffect(
    Effect.map(FiberRef.get(FiberRef.currentMinimumLogLevel), level =>
      LogLevel.lessThan(level, LogLevel.Info)
        ? layer
        : Layer.locally(layer, FiberRef.currentMinimumLogLevel, Order.max(LogLevel.Order)(level, LogLevel.Warning))
    )
  )

const embedded = (
  { dataDir, limits, store = "default", storeDir, telemetryHandlers, ...settings }: Options,
  memory: boolean
) =>
  Layer.unwrapEffect(
    Effect.map(StoreConfig.makeReckon({ dataDir, limits, telemetryHandlers }), node =>
      Layer.effect(
        Client.EventStore,
        Stores.Stores.pipe(
          Effect.flatMap(stores => stores.start({ ...settings, id: store, dataDir: storeDir })),
          Effect.flatMap(started => fromStore(started, node.limits))
        )
      ).pipe(
        Layer.provideMerge(
          Stores.layer({
            dataDir: node.dataDir,
            stores: [],
            defaults: { mode: "single" },
            telemetryHandlers: node.telemetryHandlers,
            memory
          })
        )
      )
    )
  ).pipe(
    quietly,
    // Each store's own: in one graph of layers the same one would be built once, and two stores be two trees in one process table.
    Layer.provide(Layer.fresh(alone))
  )

/**
 * What the layers provide: the store, the means to start others beside it, the `Telemetry` to which they tell what they do (the host's, if it provides the layer with one), and the supervision tree
 * with which it lives. A tree that gives up says so in the log, at the level `fatal`; whoever must end with it runs under `Supervisor.whileAlive`. Requests fail with `NoQuorum`
 * from then on.
 *
 * @since 0.1.0
 * @category layers
 */
export type Provided = Client.EventStore | Stores.Stores | Supervisor.Root | Telemetry

/**
 * A store in a folder. It is in service when the layer is built, and stopped in order when its scope closes: what was under way then is still answered.
 *
 * A folder that another process uses fails the layer with `StoreFileRefused`, reason `in_use`.
 *
 * Several of them can stand in one graph of layers: each has a tree and a process table of its own.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Provided, Stores.StartError> => embedded(options, false)

/**
 * The settings of a store in the environment, see `StoreConfig.config`: the node's folder and sizes, and what is set for this store.
 *
 * @since 0.1.0
 * @category config
 */
export const config = (store = "default"): Config.Config<Options> =>
  Config.map(StoreConfig.config([store]), ({ dataDir, defaults, limits, stores, telemetryHandlers }) => {
    const { dataDir: storeDir, id, mode, ...settings } = { dataDir: undefined, id: store, ...defaults, ...stores[0] }
    return { ...settings, dataDir, storeDir, limits, telemetryHandlers, store: id }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options> = config()
): Layer.Layer<Provided, Stores.StartError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/**
 * A store in memory that keeps nothing: for tests, and whatever else need not last. It does all that one on disk does, with the same processes, and also survives their
 * deaths.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemoryWith = (options: MemoryOptions): Layer.Layer<Provided, Stores.StartError> =>
  embedded({ ...options, dataDir: "memory" }, true)

/**
 * {@link layerMemoryWith} all defaults.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Provided> = Layer.orDie(layerMemoryWith({}))
