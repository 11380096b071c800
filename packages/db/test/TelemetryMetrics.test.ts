import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Scope from "effect/Scope"
import { instruments } from "../src/internal/telemetry/metrics.js"
import * as Telemetry from "../src/Telemetry.js"
import * as TelemetryEvents from "../src/TelemetryEvents.js"

/** What a metric has for these tags and no others, but for the unit. Undefined if it has nothing. */
const stateOf = (name: string, tags: Readonly<Record<string, string>>) =>
  Effect.map(
    Metric.snapshot,
    pairs =>
      pairs.find(
        ({ metricKey }) =>
          metricKey.name === name &&
          metricKey.tags.filter(({ key }) => key !== "unit").length === Object.keys(tags).length &&
          metricKey.tags.every(({ key, value }) => key === "unit" || tags[key] === value)
      )?.metricState
  )

const count = (name: string, tags: Readonly<Record<string, string>>) =>
  Effect.map(stateOf(name, tags), state => (MetricState.isCounterState(state) ? state.count : undefined))

const gauge = (name: string, tags: Readonly<Record<string, string>>) =>
  Effect.map(stateOf(name, tags), state => (MetricState.isGaugeState(state) ? state.value : undefined))

const histogram = (name: string, tags: Readonly<Record<string, string>>) =>
  Effect.map(stateOf(name, tags), state => {
    if (!MetricState.isHistogramState(state)) return undefined
    // Each bucket counts what is below its boundary.
    const within = state.buckets.find(([, below]) => below > 0)
    return { count: state.count, sum: state.sum, within: within?.[0] }
  })

const test = (name: string, body: (telemetry: Telemetry.Telemetry["Type"]) => Effect.Effect<void>) =>
  it.effect(name, () =>
    Effect.flatMap(Telemetry.Telemetry, body).pipe(
      Effect.provide(Telemetry.layerMetrics),
      Effect.provide(Telemetry.layer)
    )
  )

describe("Telemetry.layerMetrics", () => {
  test("counts writes, their events and their errors by store, and not by stream", telemetry =>
    Effect.gen(function* () {
      const store_id = "metrics-writes"
      for (const n of [1, 2, 3]) {
        const metadata = { store_id, stream_id: `order-${n}`, new_version: 0 }
        telemetry.unsafeExecute(TelemetryEvents.streamWriteStop, { duration: 3_000_000, event_count: n }, metadata)
      }
      for (const reason of ["WrongExpectedVersion", "WrongExpectedVersion", "NoQuorum"]) {
        const metadata = { store_id, stream_id: "order-1", reason, detail: "whatever" }
        telemetry.unsafeExecute(TelemetryEvents.streamWriteError, { duration: 1 }, metadata)
      }
      const duration = yield* histogram("reckon_db_stream_write_duration", { store_id })
      assert.strictEqual(duration?.count, 3)
      assert.closeTo(duration?.sum ?? 0, 0.009, 1e-9)
      assert.strictEqual(duration?.within, 0.005)
      assert.strictEqual(yield* count("reckon_db_stream_write_events", { store_id }), 6)
      const errors = (reason: string) => count("reckon_db_stream_write_errors", { store_id, reason })
      assert.strictEqual(yield* errors("WrongExpectedVersion"), 2)
      assert.strictEqual(yield* errors("NoQuorum"), 1)
    }))

  test("counts what is read of a stream and what by queries, each for itself", telemetry =>
    Effect.gen(function* () {
      const store_id = "metrics-reads"
      const read = { duration: 1, event_count: 4 }
      telemetry.unsafeExecute(TelemetryEvents.streamReadStop, read, { store_id, stream_id: "order-1" })
      telemetry.unsafeExecute(TelemetryEvents.queryReadStop, { ...read, event_count: 5 }, { store_id })
      assert.strictEqual(yield* count("reckon_db_stream_read_events", { store_id }), 4)
      assert.strictEqual(yield* count("reckon_db_query_read_events", { store_id }), 5)
    }))

  test("has the durations that are in microseconds in seconds as well", telemetry =>
    Effect.gen(function* () {
      const store_id = "metrics-probes"
      const measurements = { duration_us: 1_500, success_count: 2, failure_count: 1 }
      telemetry.unsafeExecute(TelemetryEvents.healthProbeComplete, measurements, { store_id })
      const duration = yield* histogram("reckon_db_health_probe_duration", { store_id })
      assert.closeTo(duration?.sum ?? 0, 0.0015, 1e-9)
      assert.strictEqual(yield* count("reckon_db_health_probe_failures", { store_id }), 1)
    }))

  test("keeps the last value of what goes up and down", telemetry =>
    Effect.gen(function* () {
      const store_id = "metrics-members"
      const node = { store_id, node: "n3" }
      telemetry.unsafeExecute(TelemetryEvents.clusterNodeUp, {}, { ...node, member_count: 3 })
      telemetry.unsafeExecute(TelemetryEvents.clusterNodeDown, {}, { ...node, reason: "nodedown", member_count: 2 })
      assert.strictEqual(yield* gauge("reckon_db_cluster_members", { store_id }), 2)
      const change = { ...node, role: "leader", leader: "n3" } as const
      telemetry.unsafeExecute(TelemetryEvents.clusterRoleChanged, { term: 9 }, change)
      assert.strictEqual(yield* gauge("reckon_db_cluster_term", node), 9)
      assert.strictEqual(yield* count("reckon_db_cluster_role_changes", { ...node, role: "leader" }), 1)
      const alike = { store_id: `${store_id}n`, node: "3" }
      telemetry.unsafeExecute(TelemetryEvents.clusterRoleChanged, { term: 10 }, { ...change, ...alike })
      assert.deepStrictEqual(
        yield* Effect.forEach([node, alike], tags => gauge("reckon_db_cluster_term", tags)),
        [9, 10]
      )
    }))

  test("has one metric for at most 1,000 combinations of tags, and one for all the rest", telemetry =>
    Effect.gen(function* () {
      for (let n = 0; n < 1_200; n++) {
        telemetry.unsafeExecute(TelemetryEvents.appendConditionFailed, { position: n }, { store_id: `metrics-${n}` })
      }
      const name = "reckon_db_append_condition_failures"
      assert.strictEqual(yield* count(name, { store_id: "metrics-0" }), 1)
      assert.strictEqual(yield* count(name, { store_id: "metrics-1199" }), undefined)
      const others = yield* count(name, { others: "true" })
      assert.isAtLeast(Number(others), 200)
    }))

  it.effect("counts only while it is up", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      const store_id = "metrics-up"
      const elected = telemetry.execute(
        TelemetryEvents.clusterLeaderElected,
        {},
        { store_id, leader: "n1", previous_leader: null }
      )
      yield* elected
      yield* Effect.provide(elected, Telemetry.layerMetrics)
      yield* elected
      assert.strictEqual(yield* count("reckon_db_cluster_leader_elections", { store_id }), 1)
    }).pipe(Effect.provide(Telemetry.layer))
  )

  it.effect("counts once, however many are up", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      const store_id = "metrics-once"
      const elected = telemetry.execute(
        TelemetryEvents.clusterLeaderElected,
        {},
        { store_id, leader: "n1", previous_leader: null }
      )
      const counted = count("reckon_db_cluster_leader_elections", { store_id })
      // As two stores do whose settings name it, and a host of its own accord.
      const [host, first, second] = [yield* Scope.make(), yield* Scope.make(), yield* Scope.make()]
      yield* Layer.buildWithScope(Telemetry.layerMetrics, host)
      yield* Layer.buildWithScope(Telemetry.layerHandlers(["opentelemetry"]), first)
      yield* Layer.buildWithScope(Telemetry.layerHandlers(["opentelemetry"]), second)
      for (const [n, scope] of [host, first, second].entries()) {
        yield* elected
        assert.strictEqual(yield* counted, n + 1)
        yield* Scope.close(scope, Exit.void)
      }
      yield* elected
      assert.strictEqual(yield* counted, 3)
      assert.isFalse(telemetry.isObserved(TelemetryEvents.clusterLeaderElected))
    }).pipe(Effect.provide(Telemetry.layer))
  )

  it("moves by fields that its event has, and is tagged with nothing that there are many of", () => {
    const many = ["stream_id", "subscription_id", "event_id", "id", "detail", "link_name", "data_dir"]
    for (const { event, field, tags } of instruments) {
      if (field !== undefined) assert.property({ ...event.measurements, ...event.metadata }, field)
      for (const tag of tags) {
        assert.property(event.metadata, tag)
        assert.notInclude(many, tag)
      }
    }
  })
})
