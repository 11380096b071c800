import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TelemetryEvents from "../src/TelemetryEvents.js"

/** The events of the original, from its documents and, where these are silent, its code: name, measurements, metadata. */
const original: ReadonlyArray<readonly [name: string, measurements: string, metadata: string]> = [
  ["stream.write.start", "system_time", "store_id stream_id event_count expected_version"],
  ["stream.write.stop", "duration event_count", "store_id stream_id new_version"],
  ["stream.write.error", "duration", "store_id stream_id reason +detail"],
  ["stream.read.start", "system_time", "store_id stream_id start_version count direction"],
  ["stream.read.stop", "duration event_count", "store_id stream_id"],
  ["subscription.created", "system_time", "store_id subscription_id subscription_name type selector"],
  ["subscription.deleted", "system_time", "store_id subscription_id"],
  ["subscription.event_delivered", "count", "store_id subscription_id event_id"],
  ["subscription.checkpoint", "position", "store_id +subscription_id subscription_name"],
  ["subscription.backpressure.warning", "queue_size max_size", "store_id subscription_id"],
  ["subscription.backpressure.dropped", "count", "store_id subscription_id strategy"],
  ["snapshot.created", "system_time duration size_bytes", "store_id stream_id version"],
  ["snapshot.read", "duration size_bytes", "store_id stream_id version"],
  ["cluster.node.up", "system_time", "store_id node member_count"],
  ["cluster.node.down", "system_time", "store_id node reason member_count"],
  ["cluster.leader.elected", "system_time", "store_id leader previous_leader"],
  ["store.started", "system_time", "store_id mode data_dir"],
  ["store.stopped", "system_time uptime_ms", "store_id reason"],
  ["emitter.broadcast", "duration recipient_count", "store_id subscription_id event_id"],
  ["emitter.pool.created", "system_time pool_size", "store_id subscription_id"],
  ["temporal.read_until", "duration event_count", "store_id stream_id timestamp"],
  ["temporal.read_range", "duration event_count", "store_id stream_id timestamp"],
  ["scavenge.complete", "duration deleted_count", "store_id stream_id archived"],
  ["causation.query", "duration event_count", "store_id id query_type"],
  ["schema.registered", "version", "store_id event_type"],
  ["schema.unregistered", "version", "store_id event_type"],
  ["schema.upcasted", "duration", "store_id event_type from_version to_version"],
  ["memory.pressure_changed", "usage_ratio", "old_level new_level"],
  ["consistency.check.complete", "duration_us", "store_id status checks"],
  ["consistency.status.changed", "system_time", "store_id old_status new_status"],
  ["consistency.split_brain.detected", "system_time", "store_id result"],
  ["consistency.quorum.lost", "+system_time", "+store_id"],
  ["consistency.quorum.restored", "+system_time", "+store_id"],
  ["health.probe.complete", "duration_us success_count failure_count", "store_id"],
  ["health.node.failed", "system_time consecutive_failures", "store_id node"],
  ["health.node.recovered", "system_time", "store_id node"],
  ["link.created", "system_time", "store_id link_name"],
  ["link.deleted", "system_time", "store_id link_name"],
  ["link.started", "system_time", "store_id link_name"],
  ["link.stopped", "system_time", "store_id link_name"],
  ["persistence_worker.started", "system_time", "store_id persistence_interval"],
  ["persistence_worker.cycle", "duration pending_count", "store_id result"],
  ["persistence_worker.forced", "duration pending_count", "store_id result"]
]

/** What this store has beyond it. */
const added: typeof original = [
  ["stream.read.error", "duration", "store_id stream_id reason detail"],
  ["stream.deleted", "system_time", "store_id stream_id version"],
  ["stream.tombstoned", "system_time", "store_id stream_id version"],
  ["batch.write.start", "system_time", "store_id stream_count event_count"],
  ["batch.write.stop", "duration event_count", "store_id stream_count position"],
  ["batch.write.error", "duration", "store_id stream_count reason detail"],
  ["append_condition.failed", "system_time position", "store_id"],
  ["query.read.start", "system_time", "store_id start_position count direction"],
  ["query.read.stop", "duration event_count", "store_id"],
  ["query.read.error", "duration", "store_id reason detail"],
  ["snapshot.deleted", "system_time", "store_id stream_id version"],
  ["temporal.version_at", "duration", "store_id stream_id timestamp version"],
  ["temporal.position_at", "duration", "store_id timestamp position"],
  ["cluster.role.changed", "system_time term", "store_id node role leader"]
]

const fields = (text: string) => text.replaceAll("+", "").split(" ").sort()

const units: Record<string, TelemetryEvents.Unit> = {
  duration: "ns",
  duration_us: "us",
  uptime_ms: "ms",
  system_time: "epoch_us",
  size_bytes: "bytes",
  usage_ratio: "ratio",
  position: "number",
  version: "number",
  term: "number"
}

const byName = new Map<string, TelemetryEvents.Event>(TelemetryEvents.all.map(event => [event.name, event]))

describe("TelemetryEvents", () => {
  for (const [name, measurements, metadata] of [...original, ...added]) {
    it(`has [reckon_db, ${name.replaceAll(".", ", ")}]`, () => {
      const event = byName.get(`reckon_db.${name}`)
      assert.deepStrictEqual(event?.segments, ["reckon_db", ...name.split(".")])
      assert.deepStrictEqual(Object.keys(event?.measurements ?? {}).sort(), fields(measurements))
      assert.deepStrictEqual(Object.keys(event?.metadata ?? {}).sort(), fields(metadata))
      for (const [field, unit] of Object.entries(event?.measurements ?? {})) {
        assert.strictEqual(unit, units[field] ?? "count", field)
      }
    })
  }

  it("has no other event, and none twice", () => {
    const names = [...original, ...added].map(([name]) => `reckon_db.${name}`).sort()
    assert.deepStrictEqual(TelemetryEvents.all.map(event => event.name).sort(), names)
  })

  it("lists every event that it exports", () => {
    const exported = Object.values(TelemetryEvents).filter(value => typeof value === "object" && "segments" in value)
    assert.strictEqual(new Set<unknown>([...TelemetryEvents.all, ...exported]).size, TelemetryEvents.all.length)
    assert.strictEqual(exported.length, TelemetryEvents.all.length)
  })

  it("says nothing of a single request above the level Debug", () => {
    const loud = TelemetryEvents.all
      .filter(event => LogLevel.greaterThan(LogLevel.fromLiteral(event.level), LogLevel.Debug))
      .map(event => event.name)
    assert.notIncludeMembers(loud, [
      "reckon_db.stream.write.stop",
      "reckon_db.stream.read.stop",
      "reckon_db.subscription.event_delivered"
    ])
    assert.includeMembers(loud, ["reckon_db.store.started", "reckon_db.cluster.leader.elected"])
  })

  it("names a span as what its events have in common", () => {
    const { batchWrite, queryRead, streamRead, streamWrite } = TelemetryEvents
    for (const span of [batchWrite, queryRead, streamRead, streamWrite]) {
      assert.strictEqual(span.start.name, `${span.name}.start`)
      assert.strictEqual(span.stop.name, `${span.name}.stop`)
      assert.strictEqual(span.error.name, `${span.name}.error`)
    }
    assert.strictEqual(streamWrite.name, "reckon_db.stream.write")
  })

  it("has a schema for metadata", () => {
    const decode = Schema.decodeUnknownSync(Schema.Struct(TelemetryEvents.streamWriteStart.metadata))
    const metadata = { store_id: "orders", stream_id: "order-1", event_count: 2, expected_version: "no_stream" }
    assert.deepStrictEqual<unknown>(decode(metadata), metadata)
    assert.throws(() => decode({ ...metadata, expected_version: "nothing" }))
  })

  it("gives emitters and handlers their types", () => {
    type Stop = typeof TelemetryEvents.streamWriteStop
    expectTypeOf<TelemetryEvents.Measured<Stop>>().toEqualTypeOf<{
      readonly duration: number
      readonly event_count: number
    }>()
    expectTypeOf<TelemetryEvents.Metadata<Stop>>().toEqualTypeOf<{
      readonly store_id: string
      readonly stream_id: string
      readonly new_version: number
    }>()
    expectTypeOf<TelemetryEvents.Emitted<Stop>["name"]>().toEqualTypeOf<"reckon_db.stream.write.stop">()
    // Taken at emission.
    expectTypeOf<{}>().toExtend<TelemetryEvents.Measured<typeof TelemetryEvents.linkCreated>>()
    expectTypeOf<{ system_time: number }>().not.toExtend<TelemetryEvents.Measured<typeof TelemetryEvents.linkCreated>>()
    expectTypeOf<TelemetryEvents.Emitted<typeof TelemetryEvents.linkCreated>["measurements"]>().toEqualTypeOf<{
      readonly system_time: number
    }>()
    expectTypeOf<{ event_count: number; new_version: number }>().toExtend<
      TelemetryEvents.Outcome<typeof TelemetryEvents.streamWrite>
    >()
  })

  it("lets no wrong field through the compiler", () => {
    type Deleted = TelemetryEvents.Metadata<typeof TelemetryEvents.subscriptionDeleted>
    expectTypeOf<{ store_id: string; subscription_key: string }>().not.toExtend<Deleted>()
    expectTypeOf<{ store_id: string }>().not.toExtend<Deleted>()
    expectTypeOf<{ store_id: string; subscription_id: number }>().not.toExtend<Deleted>()
    type Started = TelemetryEvents.Metadata<typeof TelemetryEvents.storeStarted>
    expectTypeOf<{ store_id: string; data_dir: string; mode: "solo" }>().not.toExtend<Started>()
  })
})
