// docs/examples/time-travel.ts
import { NodeRuntime } from "@effect/platform-node"
import { Event, Query } from "@reckon/client"
import { EventStore } from "@reckon/db"
import { Console, Effect, Stream } from "effect"

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const set = (stream: string, price: number) =>
    Effect.flatMap(Event.json({ type: "PriceSet", data: { price } }), event => store.append(stream, "any", [event]))

  yield* set("price-tea", 3)
  const then = yield* set("price-coffee", 4)
  yield* Effect.sleep("1 millis")
  yield* set("price-tea", 5)

  // The whole store as it was at a position, in one order over all streams.
  const { events } = yield* store.query(Query.streams("price-*"), { asOf: then.position })
  yield* Console.log(yield* Effect.forEach(events, Event.decodeData))

  // One stream as it was at a time: the version it had, and the events up to it.
  const at = events[1]?.epochUs ?? 0
  yield* Console.log(`price-tea was at version ${yield* store.versionAt("price-tea", at)}`)
  yield* store.readUntil("price-tea", at).pipe(
    Stream.mapEffect(Event.decodeData),
    Stream.runForEach(price => Console.log(price))
  )
})

program.pipe(Effect.provide(EventStore.layerMemory), NodeRuntime.runMain)
