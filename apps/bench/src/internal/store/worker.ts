/** `worker.js OPTIONS`: asks one store for the benchmark, and holds it where it is embedded. It ends when the benchmark does. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as RpcServer from "@effect/rpc/RpcServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as bare from "./bare.js"
import * as emmett from "./emmett.js"
import * as Figures from "./figures.js"
import * as postgres from "./postgres.js"
import * as reckon from "./reckon.js"
import { type Place, WorkerOptions, WorkerRpcs } from "./workerRpcs.js"
import { plan as planOf, streamName } from "./workload.js"

const open = (place: Place) => {
  switch (place.subject) {
    case "embedded":
      return reckon.embedded(place.folder)
    case "bare":
      return bare.make(place.folder)
    case "emmett":
      return emmett.make(place.folder)
    case "cluster":
      return reckon.cluster(place)
    case "postgres":
    case "postgres-light":
      return postgres.make(place, place.subject === "postgres")
  }
}

const handlers = WorkerRpcs.toLayer(
  Effect.gen(function* () {
    const { events, place } = yield* Schema.decodeUnknown(WorkerOptions)(process.argv[2])
    const plan = planOf(events)
    const began = yield* Clock.currentTimeNanos
    const adapter = yield* open(place)
    yield* adapter.reads.stream(streamName(0), 1)
    const openMillis = Number((yield* Clock.currentTimeNanos) - began) / 1e6
    // Once everything is loaded: it begins with the versions that there are.
    const appending = yield* Effect.cached(Figures.appending(adapter, plan))
    return WorkerRpcs.of({
      Opened: () => Effect.succeed({ about: adapter.about, openMillis }),
      Load: ({ from, to }) => Figures.load(adapter, plan, from, to),
      Tail: ({ at }) => Figures.tail(adapter, plan, at),
      Prepare: ({ rounds }) => Figures.prepare(adapter, plan, rounds),
      Append: ({ batch, callers, millis }) =>
        Effect.flatMap(appending, ({ measure }) => measure(callers, batch, millis)),
      CompareLengths: ({ round }) => Effect.flatMap(appending, ({ compareLengths }) => compareLengths(round)),
      Read: ({ callers, millis, title }) => Figures.measureRead(adapter, plan, title, callers, millis),
      Bytes: () => adapter.bytes,
      Memory: () => adapter.memory
    })
  })
)

const disconnected = Effect.async<void>(resume => {
  process.once("disconnect", () => resume(Effect.void))
})

// The store first: a protocol that ends because the store does not open would interrupt whoever was to say why.
const protocol = Layer.provide(RpcServer.layerProtocolWorkerRunner, NodeWorkerRunner.layer)

RpcServer.layer(WorkerRpcs, { disableTracing: true }).pipe(
  Layer.provide(protocol),
  Layer.provide(handlers),
  Layer.provide(NodeContext.layer),
  Layer.launch,
  Effect.raceFirst(disconnected),
  Logger.withMinimumLogLevel(LogLevel.Warning),
  NodeRuntime.runMain
)
