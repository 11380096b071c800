/**
 * Where a node's metrics, spans and log go: to a collector, by OTLP over HTTP, if the setting `telemetryHandlers` has `opentelemetry`.
 *
 * A collector that is not there, or slow, costs what it was not sent; the node does not wait for it, and what is held for it is bounded.
 *
 * @since 0.1.0
 */
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Setting from "@reckon/client/Setting"
import type { ReckonConfig } from "@reckon/db/StoreConfig"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

// -----------------------------------------------------------------------------
// settings
// -----------------------------------------------------------------------------

const urlOf = Option.liftThrowable((text: string) => new URL(text))

const Address = Schema.String.pipe(
  Schema.filter(text => Option.exists(urlOf(text), ({ protocol }) => /^https?:$/.test(protocol))),
  Schema.annotations(Setting.accepts("an http or https URL, such as http://127.0.0.1:4318"))
)

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

/** A name and a password in it would not be sent: every request would fail. They are not shown, either. */
const address = Setting.config(endpoint, Address, "http://127.0.0.1:4318").pipe(
  Config.mapOrFail(text =>
    Option.exists(urlOf(text), ({ password, username }) => username !== "" || password !== "")
      ? Either.left(ConfigError.InvalidData([endpoint], "is wrong: it must have no user's name and no password in it"))
      : Either.right(text)
  )
)

/**
 * The collector's address, `OTEL_EXPORTER_OTLP_ENDPOINT`, and the name under which the node speaks, `OTEL_SERVICE_NAME`, as OpenTelemetry has them.
 *
 * @since 0.1.0
 * @category config
 */
export const config = Config.all({
  baseUrl: address,
  serviceName: Setting.config("OTEL_SERVICE_NAME", Schema.String, "reckon")
})

/**
 * Whether telemetry goes to a collector at all.
 *
 * @since 0.1.0
 * @category config
 */
export const isWanted = ({ telemetryHandlers }: Pick<ReckonConfig, "telemetryHandlers">): boolean =>
  telemetryHandlers.includes("opentelemetry")

// -----------------------------------------------------------------------------
// sending
// -----------------------------------------------------------------------------

/** Batches on their way to the collector at once: the exporter begins a request whenever it has collected one, however many are not answered yet. */
const batchesMax = 16
/** What a batch gets to arrive, its repetitions included. */
const batchTime = "10 seconds"

/**
 * Sends a batch once and for all. The exporter would repeat it besides, and wait for as long as a collector cares to say, with all that is held: so what has failed here
 * fails as a defect, which it takes for the end of the matter. It then throws away what there is to send for a minute. That this is so is said once, and once that it is over.
 */
const sparing = (client: HttpClient.HttpClient): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(Effect.makeSemaphore(batchesMax), semaphore => {
    const failing = new Set<string>()
    return client.pipe(
      HttpClient.filterStatusOk,
      HttpClient.retryTransient({ schedule: Schedule.spaced("1 second"), times: 3 }),
      HttpClient.transform((answer, { url }) =>
        answer.pipe(
          Effect.timeoutFail({ duration: batchTime, onTimeout: () => `no answer within ${batchTime}` }),
          semaphore.withPermitsIfAvailable(1),
          Effect.flatMap(
            Option.match({ onNone: () => Effect.fail("too much waits for an answer"), onSome: Effect.succeed })
          ),
          Effect.tap(() =>
            failing.delete(url)
              ? Effect.logInfo("the collector takes telemetry again").pipe(Effect.annotateLogs({ url }))
              : Effect.void
          ),
          Effect.tapError(error => {
            if (failing.has(url)) return Effect.void
            failing.add(url)
            return Effect.logWarning("the collector takes no telemetry; what it is not sent is lost").pipe(
              Effect.annotateLogs({ url, reason: reasonOf(error) })
            )
          }),
          Effect.orDie
        )
      )
    )
  })

/** What `fetch` fails with says that it failed; why is in its cause. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message
}

const layerClient = Layer.effect(HttpClient.HttpClient, Effect.flatMap(HttpClient.HttpClient, sparing)).pipe(
  Layer.provide(FetchHttpClient.layer)
)

/**
 * The exporter of a node, or nothing where none is wanted. The log goes there too, and stays where it is.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  node: string,
  handlers: ReckonConfig["telemetryHandlers"]
): Layer.Layer<never, ConfigError.ConfigError> =>
  isWanted({ telemetryHandlers: handlers })
    ? Layer.unwrapEffect(
        Effect.map(config, ({ baseUrl, serviceName }) =>
          Otlp.layerJson({ baseUrl, resource: { serviceName, attributes: { "service.instance.id": node } } })
        )
      ).pipe(Layer.provide(layerClient))
    : Layer.empty
