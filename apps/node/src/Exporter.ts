/**
 * Where a node's metrics, spans and log go: to a collector, by OTLP over HTTP, if the setting `telemetryHandlers` has `opentelemetry`.
 *
 * A collector that is not there, or slow, costs what it was not sent; the node does not wait for it.
 *
 * @since 0.1.0
 */
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type { ReckonConfig } from "@reckon/db/StoreConfig"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * The collector's address, `OTEL_EXPORTER_OTLP_ENDPOINT`, and the name under which the node speaks, `OTEL_SERVICE_NAME`, as OpenTelemetry has them.
 *
 * @since 0.1.0
 * @category config
 */
export const config = Config.all({
  baseUrl: Config.string("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(Config.withDefault("http://127.0.0.1:4318")),
  serviceName: Config.string("OTEL_SERVICE_NAME").pipe(Config.withDefault("reckon"))
})

/**
 * The exporter of a node, or nothing where none is wanted. The log goes there too, and stays where it is.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (node: string, handlers: ReckonConfig["telemetryHandlers"]): Layer.Layer<never, ConfigError> =>
  handlers.includes("opentelemetry")
    ? Layer.unwrapEffect(
        Effect.map(config, ({ baseUrl, serviceName }) =>
          Otlp.layerJson({ baseUrl, resource: { serviceName, attributes: { "service.instance.id": node } } })
        )
      ).pipe(Layer.provide(FetchHttpClient.layer))
    : Layer.empty
