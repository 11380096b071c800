import { assert, describe, it } from "@effect/vitest"
import * as Pool from "@reckon/otp/Pool"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import * as fc from "fast-check"
import { StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import * as StoreWriter from "../src/StoreWriter.js"
import { append, event, read } from "./helpers/events.js"
import { provided, settle } from "./helpers/processes.js"
import { makeRaft, unchecked } from "./helpers/raft.js"

const streams = ["a", "b", "c", "d"] as const

/** Operations by the streams that they append to, whether anybody has a turn after each is made, and how long each command takes on its way. */
const histories = fc.record({
  made: fc.array(fc.record({ to: fc.subarray([...streams], { minLength: 1 }), turn: fc.boolean() }), { maxLength: 25 }),
  millis: fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 10 })
})

/** What each stream holds after the history, by the numbers of the operations. */
const outcome = (history: {
  made: ReadonlyArray<{ to: ReadonlyArray<string>; turn: boolean }>
  millis: Array<number>
}) =>
  Effect.gen(function* () {
    const engine = yield* StoreEngine
    let commands = 0
    const { raft } = makeRaft(engine, {
      fate: (_, apply) => Effect.delay(apply, history.millis[commands++ % history.millis.length] ?? 0)
    })
    const pool = yield* Pool.start(StoreWriter.pool({ store: "orders", raft, size: 1, idleStop: "1 minute" }), {
      name: StoreNames.streamsWriter("orders")
    })
    const writer = StoreWriter.make({ store: "orders", writers: pool, check: unchecked })
    const answers = []
    for (const [n, { to, turn }] of history.made.entries()) {
      const appends = to.map(stream => append(stream, "any", event(n)))
      answers.push(yield* Effect.fork(writer.appendBatch({ appends, condition: null })))
      if (turn) yield* settle
      else yield* Effect.yieldNow()
    }
    yield* TestClock.adjust("10 seconds")
    yield* Effect.forEach(answers, fiber => Fiber.join(fiber))
    return streams.map(stream => {
      const page = read(engine, stream)
      return typeof page === "string" ? [] : page.events.map(({ eventId }) => eventId)
    })
  }).pipe(provided)

describe("StoreWriter", () => {
  it("with one writer, operations with a stream in common take effect in the order in which they were made", () =>
    fc.assert(
      fc.asyncProperty(histories, async history => {
        const found = await Effect.runPromise(Effect.provide(outcome(history), TestContext.TestContext))
        const expected = streams.map(stream =>
          history.made.flatMap(({ to }, n) => (to.includes(stream) ? [event(n).eventId] : []))
        )
        assert.deepStrictEqual(found, expected)
      }),
      { numRuns: 40 }
    ))
})
