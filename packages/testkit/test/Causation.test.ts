/**
 * What it costs to find the effects of an event, seen from outside: a page ends when its read has passed over several thousand rows in vain.
 */
import { assert, it } from "@effect/vitest"
import * as Event from "@reckon/client/Event"
import { EventStore } from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as Embedded from "@reckon/db/EventStore"
import * as Effect from "effect/Effect"

const id = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`

/** Many times more than a page passes over. */
const total = 20_000
const batch = 1000

it.effect(
  "the effects of an event, and a conversation, are found on one page, however much lies between them",
  () =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const cause = id(0)
      const effects = [1, 7_000, 13_500, total - 1]
      for (let first = 0; first < total; first += batch) {
        const events = yield* Effect.forEach(
          Array.from({ length: batch }, (_, at) => first + at),
          number =>
            Event.json({
              type: "Happened",
              data: {},
              id: id(number),
              // All the others have causes too, each one of its own.
              metadata: effects.includes(number)
                ? { causation_id: cause, correlation_id: "the one" }
                : { causation_id: id(total + number), correlation_id: `another ${number % 10}` }
            })
        )
        yield* store.append(`s-${(first / batch) % 3}`, "any", events)
      }
      for (const query of [Query.causedBy(cause), Query.correlatedWith("the one")]) {
        for (const direction of ["forward", "backward"] as const) {
          const { events, isEnd } = yield* store.query(query, { direction })
          assert.deepStrictEqual(
            events.map(({ eventId }) => eventId),
            (direction === "forward" ? effects : effects.toReversed()).map(id)
          )
          assert.isTrue(isEnd)
        }
      }
    }).pipe(Effect.provide(Embedded.layerMemory)),
  30_000
)
