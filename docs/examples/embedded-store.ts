// docs/examples/embedded-store.ts
import { NodeRuntime } from "@effect/platform-node"
import { Event, ExpectedVersion, Query } from "@reckon/client"
import { EventStore } from "@reckon/db"
import { Console, Effect, Stream } from "effect"

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  // With an id of its own the event is written once, however often this program runs.
  const id = "7c1f5a52-90c4-4f0e-8d1c-3a5f0f6b9f11"
  const placed = yield* Event.json({ id, type: "OrderPlaced", data: { item: "tea" }, tags: ["customer:42"] })
  const { alreadyPresent, version } = yield* store.append("order-1", ExpectedVersion.NoStream, [placed])
  yield* Console.log(`order-1 is at version ${version}${alreadyPresent > 0 ? ", and was before" : ""}`)

  // What a customer did, in all streams, from an index.
  const done = store.queryStream(Query.allTags("customer:42"))
  yield* Stream.runForEach(done, event => Console.log(`${event.streamId}: ${event.eventType} at ${event.position}`))
})

program.pipe(Effect.provide(EventStore.layer({ dataDir: "./my-data" })), NodeRuntime.runMain)
