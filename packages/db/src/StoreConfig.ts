/**
 * The settings of a node and of its stores: as a typed object, from an object that a host application keeps, and from the environment.
 *
 * `docs/configuration.md` has the table of all of them. Nothing is corrected silently: all that is wrong is said at once, by name, in one
 * {@link InvalidConfig}.
 *
 * The settings are those of the configuration guide of reckon-db, and those that its other guides name.
 *
 * @since 0.1.0
 */
import * as path from "node:path"
import * as ClusterSecret from "@reckon/client/ClusterSecret"
import * as Limits from "@reckon/client/Limits"
import * as Setting from "@reckon/client/Setting"
import { StoreId } from "@reckon/client/StoreRpcs"
import * as Compaction from "@reckon/raft/Compaction"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Environment from "./internal/config/environment.js"
import * as Names from "./internal/config/names.js"
import * as Reading from "./internal/config/reading.js"
import * as Values from "./internal/config/values.js"
import * as StoreFolder from "./StoreFolder.js"

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Settings that cannot be used: all of them, each with its name where it was read (a variable of the environment, or its place in an object),
 * the value, and what is accepted. The value of a secret is not among them.
 *
 * @since 0.1.0
 * @category errors
 */
export { InvalidConfig } from "./internal/config/reading.js"

// ---------------------------------------------------------------------------------------------------------------------
// Settings
// ---------------------------------------------------------------------------------------------------------------------

const PoolSize = Values.wholeNumber(1, 65_536)

/**
 * When a store's log is cut, and how much of it stays; see `Compaction`. What stays must be less than what the log is cut at.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Log = Schema.Struct({
  entriesMax: Values.wholeNumber(1, Number.MAX_SAFE_INTEGER),
  bytesMax: Setting.bytes(1),
  tailEntries: Values.wholeNumber(0, Number.MAX_SAFE_INTEGER),
  tailBytes: Setting.bytes(0)
})

const Plain = Schema.Struct({
  /** Whether the store lives on this node alone, or on all nodes of a cluster. */
  mode: Values.oneOf("single", "cluster"),
  /** How long the store has for a request. */
  timeout: Setting.wait(1),
  /**
   * Processes that write, 1 to 65,536, each with streams of its own. They all feed one log, so more of them buy no speed, and at a follower each
   * part of a request that is split among them is forwarded by itself.
   */
  writerPoolSize: PoolSize,
  /** Processes that read, 1 to 65,536, which take turns. */
  readerPoolSize: PoolSize,
  /** Processes that take requests from outside, 1 to 65,536. */
  gatewayPoolSize: PoolSize,
  /** Processes that feed one subscription, 1 to 65,536, where it does not say itself. */
  emitterPoolSize: PoolSize,
  /** Whether a thread may read ahead for the readers, where several reads are under way and there is more than one processor. */
  readThread: Values.flag,
  /** How long a writer stays without work before it is stopped until it is needed again. */
  writerIdleTimeout: Setting.wait(1),
  /** How long a reader stays without work before it is stopped until it is needed again. */
  readerIdleTimeout: Setting.wait(1),
  /** How often the store's file is made durable, so that a restart has less of the log to apply again. */
  persistenceInterval: Setting.wait(1),
  /** How often subscriptions are checked against the processes that feed them. */
  subscriptionHealthInterval: Setting.wait(1),
  /** Whether a leader answers reads without asking the others. It rests on all nodes' clocks, and is the same on all of them: see `leaseTicks` of `RaftOptions`. */
  leaseReads: Values.flag,
  /** Bytes that the trace of the store's Raft member may have on disk, see `TraceFile`; 0: there is none. */
  traceBytesMax: Setting.bytes(0)
})

/**
 * What is set for a store, or for all of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoreSettings = Schema.Struct({ ...Plain.fields, log: Log })

/**
 * @since 0.1.0
 * @category models
 */
export type StoreSettings = typeof StoreSettings.Type

/**
 * One store. Its two files lie in `dataDir`, which no other store shares.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoreConfig = Schema.Struct({ id: StoreId, dataDir: Values.Folder, ...StoreSettings.fields })

/**
 * @since 0.1.0
 * @category models
 */
export type StoreConfig = typeof StoreConfig.Type

const Sizes = Schema.Struct({
  /** Bytes one event may have. */
  eventBytesMax: Setting.bytes(1),
  /** Bytes the events of one request may have together. */
  requestBytesMax: Setting.bytes(1)
})

const Health = Schema.Struct({
  /** How often a node probes each of the others. */
  probeInterval: Setting.wait(1),
  /** How long a probe may take, at most as long as the interval: no two of them are under way. */
  probeTimeout: Setting.wait(1),
  /** Probes in a row that fail before a node counts as failed. */
  failureThreshold: Values.wholeNumber(1, 1_000_000),
  /** What a probe asks: whether the node can be reached, whether its processes answer, or whether its stores do. */
  probeType: Values.oneOf("ping", "rpc", "deep")
})

const Consistency = Schema.Struct({
  /** How often the members' views are compared, at least every second. */
  checkInterval: Setting.wait(1000)
})

const Memory = Schema.Struct({
  /** The part of the memory in use from which the pressure is elevated. */
  elevatedThreshold: Values.Ratio,
  /** The part of the memory in use from which it is critical. */
  criticalThreshold: Values.Ratio,
  checkInterval: Setting.wait(1)
})

const Discovery = Schema.Struct({
  /** How nodes find each other: `static` is by the list of members that the node was started with. */
  method: Values.oneOf("static", "multicast", "k8s_dns"),
  /** The UDP port, 1 to 65,535. */
  port: Values.wholeNumber(1, 65_535),
  multicastAddr: Values.MulticastAddress,
  /** How often a node makes itself known. */
  broadcastInterval: Setting.wait(1)
})

const NodeSettings = Schema.Struct({
  /** The node's folder. A store that has no folder of its own lies in `stores/<id>` under it. */
  dataDir: Values.Folder,
  /** To whom telemetry is told. */
  telemetryHandlers: Values.someOf("logger", "opentelemetry"),
  /** What a node must know to be one of the cluster, and a client to talk to it. There is none unless it is set. */
  clusterSecret: Schema.optionalWith(ClusterSecret.ClusterSecret, { exact: true })
})

/**
 * A node and its stores. Encoded, it is plain JSON, which {@link fromUnknown} reads: waits are milliseconds, sizes are bytes, and the cluster's
 * secret is in the clear.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReckonConfig = Schema.Struct({
  ...NodeSettings.fields,
  limits: Sizes,
  /** What a store has that does not say otherwise. */
  defaults: StoreSettings,
  stores: Schema.Array(StoreConfig),
  health: Health,
  consistency: Consistency,
  memory: Memory,
  discovery: Discovery
})

/**
 * @since 0.1.0
 * @category models
 */
export type ReckonConfig = typeof ReckonConfig.Type

/**
 * What is so unless it is set.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Omit<ReckonConfig, "stores"> = {
  dataDir: "./.reckon",
  telemetryHandlers: ["logger"],
  limits: Limits.defaults,
  defaults: {
    mode: "single",
    timeout: Duration.seconds(5),
    writerPoolSize: 1,
    readerPoolSize: 4,
    readThread: true,
    gatewayPoolSize: 1,
    emitterPoolSize: 1,
    writerIdleTimeout: Duration.minutes(1),
    readerIdleTimeout: Duration.minutes(1),
    persistenceInterval: Duration.minutes(1),
    subscriptionHealthInterval: Duration.minutes(1),
    leaseReads: false,
    traceBytesMax: 0,
    log: Compaction.defaults
  },
  health: {
    probeInterval: Duration.seconds(2),
    probeTimeout: Duration.seconds(1),
    failureThreshold: 3,
    probeType: "rpc"
  },
  consistency: { checkInterval: Duration.seconds(5) },
  memory: { elevatedThreshold: 0.7, criticalThreshold: 0.85, checkInterval: Duration.seconds(10) },
  discovery: {
    method: "static",
    port: 45_892,
    multicastAddr: "239.255.0.1",
    broadcastInterval: Duration.seconds(5)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

const dotted = (path: Names.Path): string => (path.length === 0 ? "the configuration" : path.join("."))

const readSettings = (
  reading: Reading.Reading,
  at: Names.Path,
  given: { readonly plain: Readonly<Record<string, unknown>>; readonly log: unknown },
  otherwise: StoreSettings,
  besides: ReadonlyArray<string>
): StoreSettings => {
  const plain = reading.group(at, Plain, given.plain, otherwise, ["log", ...besides])
  const log = reading.group([...at, "log"], Log, given.log, otherwise.log)
  // The log of the defaults is not to be blamed on each store that has no other.
  if (log !== otherwise.log) {
    reading.less([...at, "log"], ["tailEntries", log.tailEntries], ["entriesMax", log.entriesMax])
    reading.less([...at, "log"], ["tailBytes", log.tailBytes], ["bytesMax", log.bytesMax])
  }
  return { ...plain, log }
}

const isStoreId = Schema.is(StoreId)

const Place = Schema.Struct({ dataDir: Values.Folder })

/** What a store takes from the node it is on. */
type Surroundings = Pick<ReckonConfig, "dataDir" | "defaults">

const readStore = (
  reading: Reading.Reading,
  at: Names.Path,
  given: Readonly<Record<string, unknown>>,
  node: Surroundings
): StoreConfig => {
  const { dataDir, id: named, log, ...plain } = given
  const id = isStoreId(named) ? named : ""
  if (id === "") {
    const accepted = "1 to 64 letters, digits, '_', '.' or '-', the first of them a letter or digit"
    reading.report([...at, "id"], named, `must be a store's name, ${accepted}`)
  }
  const place = reading.group(at, Place, { dataDir }, { dataDir: StoreFolder.inDataDir(node.dataDir, id) })
  return { id, ...place, ...readSettings(reading, at, { plain, log }, node.defaults, ["id", "dataDir"]) }
}

const readStores = (reading: Reading.Reading, given: unknown, node: Surroundings): ReadonlyArray<StoreConfig> => {
  if (!Array.isArray(given)) {
    reading.report(["stores"], given, "must be a list of objects, each with the id of a store")
    return []
  }
  const stores: Array<StoreConfig> = []
  const owners = new Map<string, string>()
  for (const [index, entry] of given.entries()) {
    const place = `stores[${index}]`
    const found = reading.problems.length
    const entries = reading.object([place], entry)
    if (reading.problems.length > found) continue
    if (stores.some(({ id }) => id === entries.id)) {
      reading.report([place, "id"], entries.id, "is there twice")
      continue
    }
    const at = isStoreId(entries.id) ? ["stores", entries.id] : [place]
    const store = readStore(reading, at, entries, node)
    if (store.id === "") continue
    const folder = path.resolve(store.dataDir)
    const owner = owners.get(folder)
    if (owner !== undefined) reading.report([...at, "dataDir"], store.dataDir, `is the folder of store "${owner}"`)
    owners.set(folder, store.id)
    stores.push(store)
  }
  return stores
}

const readNode = (reading: Reading.Reading, given: unknown): ReckonConfig => {
  const {
    consistency,
    defaults: ofStores,
    discovery,
    health,
    limits,
    memory,
    stores,
    ...own
  } = reading.object([], given)
  const { log, ...plain } = reading.object(["defaults"], ofStores)
  const { dataDir, telemetryHandlers } = defaults
  const besides = ["consistency", "defaults", "discovery", "health", "limits", "memory", "stores"]
  const node = {
    ...reading.group([], NodeSettings, own, { dataDir, telemetryHandlers }, besides),
    limits: reading.group(["limits"], Sizes, limits, defaults.limits),
    defaults: readSettings(reading, ["defaults"], { plain, log }, defaults.defaults, []),
    health: reading.group(["health"], Health, health, defaults.health),
    consistency: reading.group(["consistency"], Consistency, consistency, defaults.consistency),
    memory: reading.group(["memory"], Memory, memory, defaults.memory),
    discovery: reading.group(["discovery"], Discovery, discovery, defaults.discovery)
  }
  const { criticalThreshold, elevatedThreshold } = node.memory
  reading.less(["memory"], ["elevatedThreshold", elevatedThreshold], ["criticalThreshold", criticalThreshold])
  const [timeout, interval] = [
    Duration.toMillis(node.health.probeTimeout),
    Duration.toMillis(node.health.probeInterval)
  ]
  reading.less(["health"], ["probeTimeout", timeout], ["probeInterval", interval], "at most")
  const { method } = node.discovery
  if (method !== "static" && own.clusterSecret === undefined) {
    const key = reading.name(["clusterSecret"])
    reading.report(["discovery", "method"], method, `needs ${key}, or any node in reach could join`)
  }
  return { ...node, stores: readStores(reading, stores ?? [{ id: "default" }], node) }
}

// ---------------------------------------------------------------------------------------------------------------------
// Constructors
// ---------------------------------------------------------------------------------------------------------------------

type Given<A> = { readonly [Key in keyof A]?: A[Key] | undefined }

/**
 * What can be set for a store. A wait is a number of milliseconds, a `Duration` or its text (`"10 seconds"`), a size is a number of bytes or a
 * text (`"16MiB"`).
 *
 * @since 0.1.0
 * @category options
 */
export interface StoreSettingsOptions extends Given<typeof Plain.Encoded> {
  readonly log?: Given<typeof Log.Encoded> | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface StoreOptions extends StoreSettingsOptions {
  readonly id: string
  /** Default: `stores/<id>` in the node's folder. */
  readonly dataDir?: string | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface ReckonOptions extends Given<typeof NodeSettings.Encoded> {
  readonly limits?: Given<typeof Sizes.Encoded> | undefined
  readonly defaults?: StoreSettingsOptions | undefined
  /** Default: one store, `default`. */
  readonly stores?: ReadonlyArray<StoreOptions> | undefined
  readonly health?: Given<typeof Health.Encoded> | undefined
  readonly consistency?: Given<typeof Consistency.Encoded> | undefined
  readonly memory?: Given<typeof Memory.Encoded> | undefined
  readonly discovery?: Given<typeof Discovery.Encoded> | undefined
}

/**
 * The settings of one store, as `node` has them where they are not given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: StoreOptions,
  node: Surroundings = defaults
): Either.Either<StoreConfig, Reading.InvalidConfig> => {
  const reading = Reading.make(dotted)
  return Reading.settled(reading, readStore(reading, [], reading.object([], options), node))
}

/**
 * The settings of a node from an object that a host application keeps, a parsed JSON file for one. It has the shape of {@link ReckonOptions};
 * a key that it does not know is wrong, too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromUnknown = (options: unknown): Either.Either<ReckonConfig, Reading.InvalidConfig> => {
  const reading = Reading.make(dotted)
  return Reading.settled(reading, readNode(reading, options))
}

/**
 * The settings of a node.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeReckon: (options?: ReckonOptions) => Either.Either<ReckonConfig, Reading.InvalidConfig> = (
  options = {}
) => fromUnknown(options)

// ---------------------------------------------------------------------------------------------------------------------
// Environment
// ---------------------------------------------------------------------------------------------------------------------

const fromEnvironment = (found: Environment.Environment): Either.Either<ReckonConfig, Reading.InvalidConfig> => {
  const reading = Reading.make(found.name)
  const config = readNode(reading, found.settings)
  for (const { other, path, text } of found.ambiguous) {
    reading.report(path, text, `could be meant for ${dotted(other)} as well as ${dotted(path)}, set them in an object`)
  }
  return Reading.settled(reading, config)
}

/**
 * The settings of a node in the environment, for the stores that are given: `RECKON_HEALTH_PROBE_INTERVAL` and its like, and for one store
 * `RECKON_STORE_<ID>_<SETTING>`, with the store's id in upper case and `_` for `-` and `.`. It fails with everything that is wrong.
 *
 * @since 0.1.0
 * @category config
 */
export const config = (stores: ReadonlyArray<string>): Config.Config<ReckonConfig> =>
  Config.mapOrFail(Environment.read(stores), found =>
    Either.mapLeft(fromEnvironment(found), ({ configError }) => configError)
  )

/**
 * The settings of a node in the environment, for the stores that `RECKON_STORES` names, separated by commas; `default` where it is not set.
 * A `Config` cannot do that: which variables it reads is fixed before it reads the first.
 *
 * @since 0.1.0
 * @category config
 */
export const load: Effect.Effect<ReckonConfig, Reading.InvalidConfig | ConfigError.ConfigError> = Effect.gen(
  function* () {
    const stores = yield* Environment.stores
    return yield* fromEnvironment(yield* Environment.read(stores, Names.storesVariable))
  }
)

/**
 * A variable that nothing reads, and the one it was probably meant to be.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnknownVariable {
  readonly name: string
  readonly nearest: string | undefined
}

/**
 * Which of these names begin with `RECKON_` and mean nothing to a node with these stores, nor to a client: typing errors, for the most part.
 *
 * @since 0.1.0
 * @category config
 */
export const unknownVariables = (
  names: Iterable<string>,
  stores: ReadonlyArray<string>
): ReadonlyArray<UnknownVariable> => {
  const known = Names.knownVariables(stores)
  return [...names]
    .filter(name => name.startsWith("RECKON_") && !known.includes(name))
    .sort()
    .map(name => ({ name, nearest: Names.nearest(name, known) }))
}
