/** From telemetry events to a receiver of OTLP over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { WrongExpectedVersion } from "@reckon/client/StoreError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Telemetry from "../src/Telemetry.js"
import { streamWrite } from "../src/TelemetryEvents.js"
import { makeReceiver, record } from "./helpers/otlp.js"

const store_id = "otlp"
const start = { store_id, stream_id: "order-1", event_count: 2, expected_version: "no_stream" } as const

/** An append that takes four milliseconds, and one that is refused. */
const appends = Effect.gen(function* () {
  const telemetry = yield* Telemetry.Telemetry
  const append = <E>(result: Effect.Effect<number, E>) =>
    telemetry.span(streamWrite, start, result, version => ({ event_count: 2, new_version: version }))
  yield* append(Effect.as(TestClock.adjust("4 millis"), 1))
  yield* Effect.flip(append(new WrongExpectedVersion({ streamId: "order-1", expected: "no_stream", actual: 1 })))
})

describe("OTLP", () => {
  it.effect("spans and metrics of appends arrive at a receiver", () =>
    Effect.gen(function* () {
      const receiver = yield* makeReceiver
      yield* appends.pipe(
        Effect.provide(Layer.merge(Telemetry.layerMetrics, Telemetry.layerTracing)),
        Effect.provide(Telemetry.layer),
        Effect.provide(receiver.exporter)
      )

      const { resourceSpans } = yield* receiver.traces
      assert.deepInclude(record(resourceSpans[0]?.resource.attributes ?? []), {
        "service.name": "reckon",
        "service.version": "0.1.0"
      })
      const [written, refused] = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      assert.strictEqual(written?.name, "reckon_db.stream.write")
      assert.deepStrictEqual(record(written?.attributes ?? []), { ...start, new_version: 1 })
      assert.strictEqual((written?.endTimeUnixNano ?? 0n) - (written?.startTimeUnixNano ?? 0n), 4_000_000n)
      assert.deepStrictEqual(written?.status, { code: 1 })
      assert.strictEqual(refused?.name, "reckon_db.stream.write")
      assert.deepStrictEqual(refused?.status, {
        code: 2,
        message: 'stream "order-1" is at version 1, expected no_stream'
      })

      const { resourceMetrics } = yield* receiver.metrics
      const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
      const metric = (name: string) => metrics.find(found => found.name === name)

      const duration = metric("reckon_db_stream_write_duration")
      assert.strictEqual(duration?.unit, "s")
      const histogram = duration?.histogram?.dataPoints.find(
        ({ attributes }) => record(attributes).store_id === store_id
      )
      assert.deepStrictEqual(record(histogram?.attributes ?? []), { store_id, unit: "s" })
      assert.strictEqual(histogram?.count, 1)
      assert.closeTo(histogram?.sum ?? 0, 0.004, 1e-9)
      const within = histogram?.bucketCounts.indexOf(1) ?? -1
      assert.strictEqual(histogram?.explicitBounds[within], 0.005)

      // Metrics are the process's, and so are those of other stores.
      const pointsOf = (name: string) =>
        (metric(name)?.sum?.dataPoints ?? [])
          .map(({ asDouble, attributes }) => ({ attributes: record(attributes), value: asDouble }))
          .filter(({ attributes }) => attributes.store_id === store_id)
      assert.isTrue(metric("reckon_db_stream_write_events")?.sum?.isMonotonic)
      assert.deepStrictEqual(pointsOf("reckon_db_stream_write_events"), [{ attributes: { store_id }, value: 2 }])
      assert.deepStrictEqual(pointsOf("reckon_db_stream_write_errors"), [
        { attributes: { store_id, reason: "WrongExpectedVersion" }, value: 1 }
      ])
    }).pipe(Effect.scoped)
  )
})
