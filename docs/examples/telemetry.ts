// docs/examples/telemetry.ts
import { NodeRuntime } from "@effect/platform-node"
import { Event } from "@reckon/client"
import { EventStore, Telemetry, TelemetryEvents } from "@reckon/db"
import { Console, Effect } from "effect"

const { streamWriteError, streamWriteStop } = TelemetryEvents

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const telemetry = yield* Telemetry.Telemetry
  // In a fiber of its own: however slow it is or however it fails, appends do not notice.
  yield* telemetry.attach("appends", [streamWriteStop, streamWriteError], emitted =>
    emitted.name === streamWriteStop.name
      ? Console.log(`${emitted.metadata.stream_id} is at version ${emitted.metadata.new_version}`)
      : Console.log(`${emitted.metadata.stream_id}: ${emitted.metadata.reason}`)
  )

  const placed = yield* Event.json({ type: "OrderPlaced", data: { item: "tea" } })
  yield* store.append("order-1", "no_stream", [placed])
  yield* Effect.ignore(store.append("order-1", "no_stream", [yield* Event.json({ type: "OrderPlaced", data: {} })]))
})

// Metrics and spans besides, for an exporter.
const layer = EventStore.layerMemoryWith({ telemetryHandlers: ["logger", "opentelemetry"] })

program.pipe(Effect.provide(layer), NodeRuntime.runMain)
