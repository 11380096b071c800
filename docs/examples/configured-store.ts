// docs/examples/configured-store.ts
import { NodeRuntime } from "@effect/platform-node"
import { EventStore } from "@reckon/db"
import { Config, Console, Effect } from "effect"

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  yield* Console.log(`${store.store} ${(yield* store.hasEvents()) ? "has events" : "is empty"}`)
})

// What is in the environment, or else the defaults; and in the code what the program knows better.
const options = EventStore.config("billing").pipe(
  Config.map(settings => ({ ...settings, dataDir: "./my-data", readerPoolSize: 8, log: { bytesMax: "1GiB" } }))
)

program.pipe(Effect.provide(EventStore.layerConfig(options)), NodeRuntime.runMain)
