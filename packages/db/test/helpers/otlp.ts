/** A receiver of OTLP over HTTP, which is what a collector is. */
import * as http from "node:http"
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

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
              traceId: Schema.String,
              spanId: Schema.String,
              parentSpanId: Schema.optional(Schema.String),
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

/** Attributes by their keys. */
export const record = (attributes: typeof Attributes.Type): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]))

// -----------------------------------------------------------------------------
// the receiver
// -----------------------------------------------------------------------------

/** Listens on a port that was free, and waits for the first request to either path. */
export const makeReceiver = Effect.gen(function* () {
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
    /** Exports to it. What there is to export leaves when the layer's scope closes. */
    exporter: Otlp.layerJson({
      baseUrl: `http://127.0.0.1:${port}`,
      resource: { serviceName: "reckon", serviceVersion: "0.1.0" }
    }).pipe(Layer.provide(FetchHttpClient.layer)),
    traces: Effect.flatMap(Deferred.await(traces), Schema.decode(Schema.parseJson(Traces))),
    metrics: Effect.flatMap(Deferred.await(metrics), Schema.decode(Schema.parseJson(Metrics)))
  }
})
