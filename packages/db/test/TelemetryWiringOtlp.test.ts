/** From an embedded store to a receiver of OTLP over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EventStore from "../src/EventStore.js"
import * as Telemetry from "../src/Telemetry.js"
import { event } from "./helpers/events.js"
import { makeReceiver, record } from "./helpers/otlp.js"

const appended = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  yield* store.append("order-1", "no_stream", [event(1), event(2)])
  yield* store.read("order-1")
}).pipe(Effect.withSpan("checkout"))

/** How a program may ask for metrics and spans: of the store's telemetry, or of the store itself. */
const wishes: ReadonlyArray<readonly [name: string, (store: string) => ReturnType<typeof EventStore.layerMemoryWith>]> =
  [
    [
      "by layers",
      store =>
        Layer.merge(Telemetry.layerMetrics, Telemetry.layerTracing).pipe(
          Layer.provideMerge(EventStore.layerMemoryWith({ store, telemetryHandlers: [] }))
        )
    ],
    ["by a setting", store => EventStore.layerMemoryWith({ store, telemetryHandlers: ["opentelemetry"] })]
  ]

describe("OTLP", () => {
  for (const [at, [name, layer]] of wishes.entries()) {
    it.effect(
      `an append's span arrives under that of its caller, with its metrics, where they are wanted ${name}`,
      () =>
        Effect.gen(function* () {
          const receiver = yield* makeReceiver
          const store = `wiring-${at}`
          yield* appended.pipe(Effect.provide(layer(store)), Effect.provide(receiver.exporter))

          const { resourceSpans } = yield* receiver.traces
          const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
          const { spanId, traceId } = yield* Arr.findFirst(spans, ({ name }) => name === "checkout")
          const children = spans.filter(({ parentSpanId }) => parentSpanId === spanId)
          assert.deepStrictEqual(
            children.map(({ attributes, name, traceId: trace }) => [name, trace, record(attributes)]),
            [
              [
                "reckon_db.stream.write",
                traceId,
                {
                  store_id: store,
                  stream_id: "order-1",
                  event_count: 2,
                  expected_version: "no_stream",
                  new_version: 1
                }
              ],
              [
                "reckon_db.stream.read",
                traceId,
                {
                  store_id: store,
                  stream_id: "order-1",
                  start_version: 0,
                  count: 1_000,
                  direction: "forward",
                  event_count: 2
                }
              ]
            ]
          )
          assert.strictEqual(spans.length, 3)

          const { resourceMetrics } = yield* receiver.metrics
          const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
          const ofStore = <A extends { readonly attributes: Parameters<typeof record>[0] }>(points: ReadonlyArray<A>) =>
            points.filter(({ attributes }) => record(attributes).store_id === store)
          const sum = (name: string) => {
            const found = metrics.find(metric => metric.name === `reckon_db_${name}`)
            return ofStore(found?.sum?.dataPoints ?? []).map(({ asDouble }) => asDouble)
          }
          assert.deepStrictEqual(sum("stream_write_events"), [2])
          assert.deepStrictEqual(sum("stream_read_events"), [2])
          assert.deepStrictEqual(sum("cluster_leader_elections"), at === 0 ? [] : [1])
          const durations = metrics.find(metric => metric.name === "reckon_db_stream_write_duration")
          assert.deepStrictEqual(
            ofStore(durations?.histogram?.dataPoints ?? []).map(({ count }) => count),
            [1]
          )
        }).pipe(Effect.scoped)
    )
  }
})
