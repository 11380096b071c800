import { assert, describe, it } from "@effect/vitest"
import * as Aggregate from "@reckon/client/Aggregate"
import * as Decider from "@reckon/client/Decider"
import * as EventType from "@reckon/client/EventType"
import * as StreamDefinition from "@reckon/client/StreamDefinition"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as EventStore from "../src/EventStore.js"

const Counted = EventType.make("Counted", Schema.Struct({ by: Schema.Number }))
const counters = StreamDefinition.make({ name: (id: string) => `counter-${id}`, events: [Counted] })

const counter = Aggregate.make(
  counters,
  Decider.make({
    initial: 0,
    decide: (by: number) => [Counted.make({ by })],
    evolve: (total: number, { data }: EventType.Of<typeof counters>) => total + data.by
  }),
  // Fewer by far than there are rivals.
  { retry: Schedule.recurs(3) }
)

describe("a hundred commands at once to one aggregate", () => {
  it.effect("all take effect: those that were overtaken take turns", () =>
    Effect.gen(function* () {
      const outcomes = yield* Effect.forEach(Array.from({ length: 100 }), () => counter.execute("1", 1), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        outcomes.map(({ version }) => version).sort((a, b) => a - b),
        Array.from({ length: 100 }, (_, version) => version)
      )
      assert.strictEqual((yield* counter.load("1")).state, 100)
    }).pipe(Effect.provide(EventStore.layerMemory))
  )
})
