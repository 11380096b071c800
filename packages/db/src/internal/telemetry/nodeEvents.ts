/** What happens to a store and to the nodes that keep it. */
import * as Schema from "effect/Schema"
import { make } from "./event.js"

const store = { store_id: Schema.String }
const node = { ...store, node: Schema.String }

const at = { system_time: "epoch_us" } as const

// -----------------------------------------------------------------------------
// stores
// -----------------------------------------------------------------------------

/** The core of a store is up, for the first time or because its supervisors have started it again. `data_dir` is `memory` where it has no files. */
export const storeStarted = make("store.started", "Info", at, {
  ...store,
  mode: Schema.Literal("single", "cluster"),
  data_dir: Schema.String
})

/** The core of a store is down. `reason` is that of its process: `Shutdown` where a supervisor stopped it. */
export const storeStopped = make(
  "store.stopped",
  "Info",
  { ...at, uptime_ms: "ms" },
  { ...store, reason: Schema.String }
)

export const persistenceWorkerStarted = make("persistence_worker.started", "Debug", at, {
  ...store,
  /** In milliseconds. */
  persistence_interval: Schema.Number
})

/** What was not synced yet, was. `result` is one word. */
export const persistenceWorkerCycle = make(
  "persistence_worker.cycle",
  "Debug",
  { duration: "ns", pending_count: "count" },
  { ...store, result: Schema.String }
)

/** As `persistence_worker.cycle`, because somebody asked for it. */
export const persistenceWorkerForced = make(
  "persistence_worker.forced",
  "Debug",
  { duration: "ns", pending_count: "count" },
  { ...store, result: Schema.String }
)

const Pressure = Schema.Literal("normal", "elevated", "critical")

/** How much of its memory the node uses, from 0 to 1, has passed a threshold. */
export const memoryPressureChanged = make(
  "memory.pressure_changed",
  "Warning",
  { usage_ratio: "ratio" },
  { old_level: Pressure, new_level: Pressure }
)

// -----------------------------------------------------------------------------
// the cluster
// -----------------------------------------------------------------------------

/** `member_count` is metadata, as the original's README and code have it; its cluster guide makes it a measurement. */
export const clusterNodeUp = make("cluster.node.up", "Info", at, { ...node, member_count: Schema.Int })

/** `member_count` is in the code, not in the README. */
export const clusterNodeDown = make("cluster.node.down", "Warning", at, {
  ...node,
  reason: Schema.String,
  member_count: Schema.Int
})

/**
 * This node has learned of a new leader of the store, or of a new term of the old one. The README has `leader` alone; the code adds one of three fields, depending on
 * where it is emitted. Here it is always `previous_leader`: who led before, however long ago, `null` where it is not known.
 */
export const clusterLeaderElected = make("cluster.leader.elected", "Info", at, {
  ...store,
  leader: Schema.String,
  previous_leader: Schema.NullOr(Schema.String)
})

/** + This node's member of the store's Raft group has a new role, is in a new term, or follows another leader. */
export const clusterRoleChanged = make(
  "cluster.role.changed",
  "Debug",
  { ...at, term: "number" },
  {
    ...node,
    role: Schema.Literal("leader", "candidate", "pre_candidate", "follower"),
    leader: Schema.NullOr(Schema.String)
  }
)

// -----------------------------------------------------------------------------
// consistency and health
// -----------------------------------------------------------------------------

const Consistency = Schema.Literal("healthy", "degraded", "split_brain", "no_quorum")
const details = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** `checks` has the outcome of each check by its name. */
export const consistencyCheckComplete = make(
  "consistency.check.complete",
  "Debug",
  { duration_us: "us" },
  { ...store, status: Consistency, checks: details }
)

export const consistencyStatusChanged = make("consistency.status.changed", "Warning", at, {
  ...store,
  old_status: Consistency,
  new_status: Consistency
})

/** Two nodes hold different truths about the store. `result` is what the check found. */
export const consistencySplitBrainDetected = make("consistency.split_brain.detected", "Error", at, {
  ...store,
  result: details
})

/** The original names this and the next one, gives them no fields and never emits them. */
export const consistencyQuorumLost = make("consistency.quorum.lost", "Error", at, store)

export const consistencyQuorumRestored = make("consistency.quorum.restored", "Info", at, store)

/** Each node was probed once. The configuration guide's `[reckon_db, health, probe]` and `change` are nowhere in the code. */
export const healthProbeComplete = make(
  "health.probe.complete",
  "Debug",
  { duration_us: "us", success_count: "count", failure_count: "count" },
  store
)

/** So many probes of the node in a row have failed that it counts as down. */
export const healthNodeFailed = make("health.node.failed", "Warning", { ...at, consecutive_failures: "count" }, node)

export const healthNodeRecovered = make("health.node.recovered", "Info", at, node)
