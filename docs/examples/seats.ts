// docs/examples/seats.ts
import { NodeRuntime } from "@effect/platform-node"
import { Event, Query } from "@reckon/client"
import { EventStore } from "@reckon/db"
import { Console, Effect } from "effect"

/** Sells a seat, if nobody has it. Orders are streams of their own; that a seat is sold once is a rule across all of them. */
const sell = (order: string, seat: string) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const sales = Query.make({ types: ["SeatSold"], tags: [`seat:${seat}`] })

    const { events, next } = yield* store.query(sales)
    if (events.length > 0) return yield* Console.log(`${order}: ${seat} is gone`)

    const sold = yield* Event.json({ type: "SeatSold", data: { seat }, tags: [`seat:${seat}`] })
    yield* store.append(order, "any", [sold], { condition: { query: sales, after: next - 1 } })
    yield* Console.log(`${order}: has ${seat}`)
  }).pipe(
    // Somebody was faster. To look again is the right answer, and the store never gives it twice to two.
    Effect.retry({ times: 5, while: error => error._tag === "AppendConditionFailed" })
  )

const program = Effect.gen(function* () {
  yield* Effect.all([sell("order-1", "7A"), sell("order-2", "7A"), sell("order-3", "7B")], { concurrency: 3 })
  const store = yield* EventStore.EventStore
  const { events } = yield* store.query(Query.eventTypes("SeatSold"))
  yield* Console.log(`${events.length} seats sold`)
})

program.pipe(Effect.provide(EventStore.layerMemory), NodeRuntime.runMain)
