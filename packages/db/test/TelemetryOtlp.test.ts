/** From the store's events to a receiver of OTLP over HTTP, which is what a collector is. */
import * as http from "node:http"
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { WrongExpectedVersion } from "@reckon/client/StoreError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Telemetry from "../src/Telemetry.js"
import { streamWrite } from "../src/TelemetryEvents.js"

// -----------------------------------------------------------------------------
// what is sent (opentelemetry-proto, in its JSON form)
// -----------------------------------------------------------------------------

const Value = Schema.Union(
  Schema.Struct({ stringValue: Schema.String }),
  Schema.Struct({ intValue: Schema.Union(Schema.Number, Schema.NumberFromString) }),
  Schema.Struct({ doubleValue: Schema.Number }),
  Schema.Struct({ boolValue: Schema.Boolean })
)
const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Value }))
const Resource = Schema.Struct({ attributes: Attributes })

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeSpans: Schema.Array(
        Schema.Struct({
          spans: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              startTimeUnixNano: Schema.BigInt,
              endTimeUnixNano: Schema.BigInt,
              attributes: Attributes,
              status: Schema.Struct({ code: Schema.Number, message: Schema.optional(Schema.String) })
            })
          )
        })
      )
    })
  )
})

const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeMetrics: Schema.Array(
        Schema.Struct({
          metrics: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              unit: Schema.String,
              sum: Schema.optional(
                Schema.Struct({
                  isMonotonic: Schema.Boolean,
                  dataPoints: Schema.Array(Schema.Struct({ attributes: Attributes, asDouble: Schema.Number }))
                })
              ),
              histogram: Schema.optional(
                Schema.Struct({
                  dataPoints: Schema.Array(
                    Schema.Struct({
                      attributes: Attributes,
                      count: Schema.Number,
                      sum: Schema.Number,
                      bucketCounts: Schema.Array(Schema.Number),
                      explicitBounds: Schema.Array(Schema.Number)
                    })
                  )
                })
              )
            })
          )
        })
      )
    })
  )
})

const valueOf = (value: typeof Value.Type): unknown => Object.values(value)[0]

const record = (attributes: typeof Attributes.Type): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]))

// -----------------------------------------------------------------------------
// the receiver
// -----------------------------------------------------------------------------

/** Listens on a port that was free, and waits for the first request to either path. */
const makeReceiver = Effect.gen(function* () {
  const traces = yield* Deferred.make<string>()
  const metrics = yield* Deferred.make<string>()
  const paths = new Map([
    ["/v1/traces", traces],
    ["/v1/metrics", metrics]
  ])
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const received = paths.get(request.url ?? "")
      const isJson = request.headers["content-type"] === "application/json"
      if (received !== undefined && request.method === "POST" && isJson) {
        Deferred.unsafeDone(received, Effect.succeed(Buffer.concat(chunks).toString("utf8")))
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.async<void>(resume => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.async<void>(resume => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" ? address?.port : undefined
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    traces: Effect.flatMap(Deferred.await(traces), Schema.decode(Schema.parseJson(Traces))),
    metrics: Effect.flatMap(Deferred.await(metrics), Schema.decode(Schema.parseJson(Metrics)))
  }
})

// -----------------------------------------------------------------------------
// the test
// -----------------------------------------------------------------------------

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
      const exporter = Otlp.layerJson({
        baseUrl: receiver.baseUrl,
        resource: { serviceName: "reckon", serviceVersion: "0.1.0" }
      }).pipe(Layer.provide(FetchHttpClient.layer))
      // What there is to export leaves when the exporter closes.
      yield* appends.pipe(
        Effect.provide(Layer.merge(Telemetry.layerMetrics, Telemetry.layerTracing)),
        Effect.provide(Telemetry.layer),
        Effect.provide(exporter)
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

      const events = metric("reckon_db_stream_write_events")?.sum
      assert.isTrue(events?.isMonotonic)
      assert.deepStrictEqual(
        events?.dataPoints.map(({ asDouble, attributes }) => [record(attributes), asDouble]),
        [[{ store_id }, 2]]
      )
      assert.deepStrictEqual(
        metric("reckon_db_stream_write_errors")?.sum?.dataPoints.map(({ asDouble, attributes }) => [
          record(attributes),
          asDouble
        ]),
        [[{ store_id, reason: "WrongExpectedVersion" }, 1]]
      )
    }).pipe(Effect.scoped)
  )
})
