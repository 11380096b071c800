// docs/examples/causation.ts
import { NodeRuntime } from "@effect/platform-node"
import { Causation, EventMetadata, EventType, ExpectedVersion, StreamDefinition } from "@reckon/client"
import { EventStore } from "@reckon/db"
import { Console, Effect, Schema, Stream } from "effect"

const Order = Schema.Struct({ order: Schema.Int })
const Placed = EventType.make("OrderPlaced", Order)
const Paid = EventType.make("PaymentReceived", Order)
const Shipped = EventType.make("OrderShipped", Order)
const orders = StreamDefinition.make({ name: (id: number) => `order-${id}`, events: [Placed] })
const work = StreamDefinition.make({ name: (room: string) => room, events: [Paid, Shipped] })

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const last = (stream: string) =>
    Stream.runHead(store.readStream(stream, { direction: "backward" })).pipe(Effect.flatten)

  yield* orders.append(7, ExpectedVersion.NoStream, [Placed.make({ order: 7 })])
  const placed = yield* last("order-7")
  // Whoever reacts to an event says so, and all that is appended within names its cause and its conversation.
  yield* work.append("payments", "any", [Paid.make({ order: 7 })]).pipe(EventMetadata.causedBy(placed))
  const paid = yield* last("payments")
  yield* work.append("shipping", "any", [Shipped.make({ order: 7 })]).pipe(EventMetadata.causedBy(paid))
  const shipped = yield* last("shipping")

  // Why was this shipped?
  const { end, events } = yield* Causation.chain(shipped)
  yield* Console.log(`${events.map(({ eventType }) => eventType).join(" → ")} (${end})`)

  // What came of the order? A picture of it for Graphviz.
  const graph = yield* Causation.graph(placed)
  yield* Console.log(`${graph.nodes.length} events, ${graph.isComplete ? "all there are" : "and more"}`)
  yield* Console.log(Causation.toDot(graph))
})

program.pipe(Effect.provide(EventStore.layerMemory), NodeRuntime.runMain)
