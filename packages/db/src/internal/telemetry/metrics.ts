/** The metrics of a store: which of them each telemetry event moves, and by what. */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricLabel from "effect/MetricLabel"
import * as Predicate from "effect/Predicate"
import * as dataEvents from "./dataEvents.js"
import type { AnyEmitted, Event, Unit } from "./event.js"
import * as nodeEvents from "./nodeEvents.js"

/** One metric that one event moves. */
export interface Instrument {
  readonly event: Event
  /** By which field it is moved; undefined where it counts the event itself. */
  readonly field: string | undefined
  readonly tags: ReadonlyArray<string>
  readonly record: (emitted: AnyEmitted) => void
}

type Field<E extends Event> = Extract<keyof E["measurements"] | keyof E["metadata"], string>
type Tags<E extends Event> = ReadonlyArray<Extract<keyof E["metadata"], string>>

/** Combinations of tags that one metric is kept for; what comes beyond them is put together. */
const combinationsMax = 1_000
const others = [MetricLabel.make("others", "true")]

/**
 * The labels for the tags of an event. Always the same array for the same values: a metric finds its numbers by it. Tags are only such fields as have few
 * values: ids of stores and nodes, words; never a stream's name.
 */
const labelling = (tags: ReadonlyArray<string>, constant: ReadonlyArray<MetricLabel.MetricLabel>) => {
  const known = new Map<string, ReadonlyArray<MetricLabel.MetricLabel>>()
  return ({ metadata }: AnyEmitted): ReadonlyArray<MetricLabel.MetricLabel> => {
    const values = tags.map(tag => String(metadata[tag]))
    const key = values.join("\u0000")
    const found = known.get(key)
    if (found !== undefined) return found
    if (known.size === combinationsMax) return others
    const labels = [...constant, ...tags.map((tag, at) => MetricLabel.make(tag, values[at] ?? ""))]
    known.set(key, labels)
    return labels
  }
}

/** Durations in seconds and sizes in bytes, as the conventions of OpenTelemetry want them. */
const scales: Partial<Record<Unit, { readonly unit: string; readonly factor: number }>> = {
  ns: { unit: "s", factor: 1e-9 },
  us: { unit: "s", factor: 1e-6 },
  ms: { unit: "s", factor: 1e-3 },
  bytes: { unit: "By", factor: 1 }
}

const unscaled = { unit: undefined, factor: 1 }

const instrument = <Type, Out>(
  metric: Metric.Metric<Type, number, Out>,
  event: Event,
  field: string,
  tags: ReadonlyArray<string>
): Instrument => {
  const { factor, unit } = scales[event.measurements[field] ?? "count"] ?? unscaled
  const labelsOf = labelling(tags, unit === undefined ? [] : [MetricLabel.make("unit", unit)])
  return {
    event,
    field,
    tags,
    record: emitted => {
      const value = emitted.measurements[field] ?? emitted.metadata[field]
      if (Predicate.isNumber(value)) metric.unsafeUpdate(value * factor, labelsOf(emitted))
    }
  }
}

// -----------------------------------------------------------------------------
// kinds
// -----------------------------------------------------------------------------

/** 100 microseconds to 10 seconds, three to a decade. */
const durationBoundaries = MetricBoundaries.fromIterable([
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
])

/** 256 bytes to 16 MiB, by fours. */
const sizeBoundaries = MetricBoundaries.exponential({ start: 256, factor: 4, count: 9 })

const duration = <E extends Event>(
  event: E,
  name: string,
  tags: Tags<E>,
  field: Field<E> | "duration" = "duration"
): Instrument => instrument(Metric.histogram(`reckon_db_${name}`, durationBoundaries), event, field, tags)

const size = <E extends Event>(event: E, name: string, tags: Tags<E>, field: Field<E>): Instrument =>
  instrument(Metric.histogram(`reckon_db_${name}`, sizeBoundaries), event, field, tags)

const total = <E extends Event>(event: E, name: string, tags: Tags<E>, field: Field<E>): Instrument =>
  instrument(Metric.counter(`reckon_db_${name}`, { incremental: true }), event, field, tags)

const level = <E extends Event>(event: E, name: string, tags: Tags<E>, field: Field<E>): Instrument =>
  instrument(Metric.gauge(`reckon_db_${name}`), event, field, tags)

/** Each time the event happens. */
const times = <E extends Event>(event: E, name: string, tags: Tags<E>): Instrument => {
  const counter = Metric.counter(`reckon_db_${name}`, { incremental: true })
  const labelsOf = labelling(tags, [])
  return { event, field: undefined, tags, record: emitted => counter.unsafeUpdate(1, labelsOf(emitted)) }
}

// -----------------------------------------------------------------------------
// the metrics
// -----------------------------------------------------------------------------

const {
  appendConditionFailed,
  batchWriteError,
  batchWriteStop,
  causationQuery,
  queryReadError,
  queryReadStop,
  scavengeComplete,
  schemaUpcasted,
  snapshotCreated,
  snapshotRead,
  streamReadError,
  streamReadStop,
  streamWriteError,
  streamWriteStop,
  subscriptionBackpressureDropped,
  subscriptionEventDelivered,
  temporalReadRange,
  temporalReadUntil
} = dataEvents
const {
  clusterLeaderElected,
  clusterNodeDown,
  clusterNodeUp,
  clusterRoleChanged,
  consistencyCheckComplete,
  consistencySplitBrainDetected,
  healthNodeFailed,
  healthProbeComplete,
  memoryPressureChanged,
  persistenceWorkerCycle,
  persistenceWorkerForced
} = nodeEvents

export const instruments: ReadonlyArray<Instrument> = [
  duration(streamWriteStop, "stream_write_duration", ["store_id"]),
  total(streamWriteStop, "stream_write_events", ["store_id"], "event_count"),
  times(streamWriteError, "stream_write_errors", ["store_id", "reason"]),
  duration(batchWriteStop, "batch_write_duration", ["store_id"]),
  total(batchWriteStop, "batch_write_events", ["store_id"], "event_count"),
  times(batchWriteError, "batch_write_errors", ["store_id", "reason"]),
  times(appendConditionFailed, "append_condition_failures", ["store_id"]),

  duration(streamReadStop, "stream_read_duration", ["store_id"]),
  total(streamReadStop, "stream_read_events", ["store_id"], "event_count"),
  times(streamReadError, "stream_read_errors", ["store_id", "reason"]),
  duration(queryReadStop, "query_read_duration", ["store_id"]),
  total(queryReadStop, "query_read_events", ["store_id"], "event_count"),
  times(queryReadError, "query_read_errors", ["store_id", "reason"]),
  duration(temporalReadUntil, "temporal_read_until_duration", ["store_id"]),
  duration(temporalReadRange, "temporal_read_range_duration", ["store_id"]),
  duration(causationQuery, "causation_query_duration", ["store_id", "query_type"]),

  total(subscriptionEventDelivered, "subscription_events_delivered", ["store_id"], "count"),
  total(subscriptionBackpressureDropped, "subscription_events_dropped", ["store_id", "strategy"], "count"),

  duration(snapshotCreated, "snapshot_write_duration", ["store_id"]),
  size(snapshotCreated, "snapshot_write_size", ["store_id"], "size_bytes"),
  duration(snapshotRead, "snapshot_read_duration", ["store_id"]),
  duration(scavengeComplete, "scavenge_duration", ["store_id"]),
  total(scavengeComplete, "scavenge_deleted_events", ["store_id"], "deleted_count"),
  duration(schemaUpcasted, "schema_upcast_duration", ["store_id"]),
  duration(persistenceWorkerCycle, "persistence_duration", ["store_id"]),
  duration(persistenceWorkerForced, "persistence_duration", ["store_id"]),
  level(persistenceWorkerCycle, "persistence_pending", ["store_id"], "pending_count"),

  level(clusterNodeUp, "cluster_members", ["store_id"], "member_count"),
  level(clusterNodeDown, "cluster_members", ["store_id"], "member_count"),
  times(clusterLeaderElected, "cluster_leader_elections", ["store_id"]),
  times(clusterRoleChanged, "cluster_role_changes", ["store_id", "node", "role"]),
  level(clusterRoleChanged, "cluster_term", ["store_id", "node"], "term"),
  duration(consistencyCheckComplete, "consistency_check_duration", ["store_id", "status"], "duration_us"),
  times(consistencySplitBrainDetected, "consistency_split_brains", ["store_id"]),
  duration(healthProbeComplete, "health_probe_duration", ["store_id"], "duration_us"),
  total(healthProbeComplete, "health_probe_failures", ["store_id"], "failure_count"),
  times(healthNodeFailed, "health_node_failures", ["store_id", "node"]),
  level(memoryPressureChanged, "memory_usage", [], "usage_ratio")
]
