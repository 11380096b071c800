// docs/examples/quickstart.ts
import { NodeRuntime } from "@effect/platform-node"
import { Client, Event, ExpectedVersion } from "@reckon/client"
import { Console, Effect, Stream } from "effect"

const program = Effect.gen(function* () {
  const store = yield* Client.Client
  const id = "2b7d6f0e-6d3c-4c5b-9d57-0f6a4a3c1e52"
  const placed = yield* Event.json({ id, type: "OrderPlaced", data: { item: "tea", quantity: 2 } })

  yield* store.append("order-1", ExpectedVersion.NoStream, [placed])
  // The same event again is the same append: it gets the same answer, and nothing is written twice.
  const { version } = yield* store.append("order-1", ExpectedVersion.NoStream, [placed])
  yield* Console.log(`order-1 is at version ${version}`)

  const page = yield* store.read("order-1")
  yield* Console.log(yield* Effect.forEach(page.events, Event.decodeData))

  // History first, then whatever commits; without the limit it goes on for good.
  yield* store.subscribe({ streamId: "order-1", from: "origin" }).pipe(
    Stream.take(1),
    Stream.runForEach(event => Console.log(`${event.eventType} at position ${event.position}`))
  )
})

program.pipe(Effect.provide(Client.layerConfig()), NodeRuntime.runMain)
