// docs/examples/projection.ts
import { NodeRuntime } from "@effect/platform-node"
import { Event } from "@reckon/client"
import { EventStore } from "@reckon/db"
import { Console, Effect, Fiber, Schedule, Stream, SubscriptionRef } from "effect"

/** What is made of the events, and the position of the next one. In a database the two are written in one transaction. */
interface View {
  readonly sold: number
  readonly next: number
}

const follow = (view: SubscriptionRef.SubscriptionRef<View>) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const { next } = yield* SubscriptionRef.get(view)
    yield* store.subscribe({ streamId: null, from: next }).pipe(
      Stream.runForEach(({ eventType, position }) =>
        SubscriptionRef.update(view, ({ sold }) => ({
          sold: eventType === "SeatSold" ? sold + 1 : sold,
          next: position + 1
        }))
      )
    )
    // No node served for as long as the time limit: it goes on where it was, once one does.
  }).pipe(Effect.retry({ schedule: Schedule.spaced("1 second"), while: error => error.retryable }))

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const view = yield* SubscriptionRef.make<View>({ sold: 0, next: 0 })
  const happens = (type: string) =>
    Effect.flatMap(Event.json({ type, data: {} }), event => store.append("seats", "any", [event]))
  const seen = (position: number) => Stream.runHead(Stream.filter(view.changes, ({ next }) => next > position))

  yield* happens("SeatSold")
  const first = yield* Effect.fork(follow(view))
  yield* seen((yield* happens("SeatSold")).position)
  yield* Fiber.interrupt(first)

  // What happens while nobody follows is not missed, and what was counted is not counted again.
  yield* happens("SeatReturned")
  yield* Effect.fork(follow(view))
  yield* seen((yield* happens("SeatSold")).position)
  const { next, sold } = yield* SubscriptionRef.get(view)
  yield* Console.log(`${sold} seats were sold, up to position ${next - 1}`)
})

program.pipe(Effect.provide(EventStore.layerMemory), NodeRuntime.runMain)
