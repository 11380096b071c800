/** What a store tells of itself, for tests. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EventStore from "../../src/EventStore.js"
import * as Telemetry from "../../src/Telemetry.js"
import * as TelemetryEvents from "../../src/TelemetryEvents.js"
import { withProcesses } from "./embedded.js"

export type Told = Array<readonly [name: string, measurements: object, metadata: object]>

/** Everything that is executed while the scope is open, in order. */
export const listen = (telemetry: Telemetry.Telemetry["Type"]) =>
  Effect.gen(function* () {
    const told: Told = []
    yield* telemetry.observe(TelemetryEvents.all, ({ measurements, metadata, name }) => {
      told.push([name.slice("reckon_db.".length), measurements, metadata])
    })
    return told
  })

/** Uses a store in memory, and its processes, to whose telemetry somebody has listened from the beginning. */
export const withTold = <A, E, R>(
  use: (store: EventStore.Service, told: Told) => Effect.Effect<A, E, R>,
  options: EventStore.MemoryOptions = {}
) =>
  Effect.gen(function* () {
    const telemetry = yield* Telemetry.make
    const told = yield* listen(telemetry)
    const used = Effect.flatMap(EventStore.EventStore, store => use(store, told))
    const layer = Layer.provide(
      withProcesses({ telemetryHandlers: [], ...options }),
      Layer.succeed(Telemetry.Telemetry, telemetry)
    )
    yield* Effect.provide(used, layer)
    return told
  }).pipe(Effect.scoped)
