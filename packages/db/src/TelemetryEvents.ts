/**
 * The telemetry events of a store: the catalogue.
 *
 * Names and fields are those of the original's documents, and where these are silent those of its code. What both leave open, or where they
 * contradict each other, is said at the event. What this store has beyond the original is marked with a plus. The append and read events of the original's
 * configuration guide (`[reckon_db, append, stop]` and so on) are not here: its code never had them.
 *
 * Some fields mean the same everywhere. `duration` is in nanoseconds, of the monotonic part of Effect's clock. `system_time` is when the event was
 * emitted, in microseconds since 1970, so that it can be compared with the `epoch_us` of recorded events; the original has native units for both.
 * `reason` is one word: the tag of an error, `Interrupted` or `Defect`. `detail` (+) is the error's message, at most 256 characters of it.
 *
 * Some are not emitted yet, because what they tell of is not there: those of persistent subscriptions, emitters and links, of scavenging, of registered schemas, of the
 * persistence worker, of consistency checks, health probes and memory pressure. `cluster.node.up` and `down` are not, because a node does not follow its connections
 * store by store; `causation.query` is not, because it would be a query over metadata like any other, which `query.read` tells of. What has
 * no event: looking up versions and details, listing, setting a stream's metadata, and the pages that a live subscription reads.
 *
 * An event has the level at which the default handler logs it. What happens with each append and read has `Debug`, so that a store that does its work
 * is silent.
 *
 * @since 0.1.0
 */
import * as dataEvents from "./internal/telemetry/dataEvents.js"
import type * as event from "./internal/telemetry/event.js"
import * as nodeEvents from "./internal/telemetry/nodeEvents.js"

/**
 * Appends, reads and what else happens to streams.
 *
 * @since 0.1.0
 * @category streams
 */
/**
 * The operations that have an event before and one after them, for `Telemetry.span`.
 *
 * @since 0.1.0
 * @category spans
 */
/**
 * Subscriptions, their emitters, and links.
 *
 * @since 0.1.0
 * @category subscriptions
 */
/**
 * Snapshots, and the schemas of events.
 *
 * @since 0.1.0
 * @category snapshots
 */
export {
  appendConditionFailed,
  batchWrite,
  batchWriteError,
  batchWriteStart,
  batchWriteStop,
  causationQuery,
  emitterBroadcast,
  emitterPoolCreated,
  linkCreated,
  linkDeleted,
  linkStarted,
  linkStopped,
  queryRead,
  queryReadError,
  queryReadStart,
  queryReadStop,
  scavengeComplete,
  schemaRegistered,
  schemaUnregistered,
  schemaUpcasted,
  snapshotCreated,
  snapshotDeleted,
  snapshotRead,
  streamDeleted,
  streamRead,
  streamReadError,
  streamReadStart,
  streamReadStop,
  streamTombstoned,
  streamWrite,
  streamWriteError,
  streamWriteStart,
  streamWriteStop,
  subscriptionBackpressureDropped,
  subscriptionBackpressureWarning,
  subscriptionCheckpoint,
  subscriptionCreated,
  subscriptionDeleted,
  subscriptionEventDelivered,
  temporalPositionAt,
  temporalReadRange,
  temporalReadUntil,
  temporalVersionAt
} from "./internal/telemetry/dataEvents.js"
/**
 * What an event is, and what follows from one. With `make` and `span` a program has events of its own, which are emitted and handled as these are; their
 * names begin with `reckon_db` as well.
 *
 * @since 0.1.0
 * @category models
 */
export {
  type AnyEmitted,
  type Emitted,
  type Event,
  type Measured,
  type Measurements,
  type Metadata,
  make,
  type Outcome,
  type Span,
  span,
  type Unit
} from "./internal/telemetry/event.js"

/**
 * Stores as a whole, and their nodes.
 *
 * @since 0.1.0
 * @category nodes
 */
export {
  clusterLeaderElected,
  clusterNodeDown,
  clusterNodeUp,
  clusterRoleChanged,
  consistencyCheckComplete,
  consistencyQuorumLost,
  consistencyQuorumRestored,
  consistencySplitBrainDetected,
  consistencyStatusChanged,
  healthNodeFailed,
  healthNodeRecovered,
  healthProbeComplete,
  memoryPressureChanged,
  persistenceWorkerCycle,
  persistenceWorkerForced,
  persistenceWorkerStarted,
  storeStarted,
  storeStopped
} from "./internal/telemetry/nodeEvents.js"

const isEvent = <A extends object>(value: A): value is Extract<A, event.Event> => "segments" in value

/**
 * Every event of this module.
 *
 * @since 0.1.0
 * @category constants
 */
export const all = [...Object.values(dataEvents), ...Object.values(nodeEvents)].filter(isEvent)
