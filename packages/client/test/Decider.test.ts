import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Decider from "../src/Decider.js"
import { Closed, Command, Deposited, decider, InsufficientFunds, Withdrawn } from "./helpers/accounts.js"

class OutOfStock extends Data.TaggedError("OutOfStock") {}
class Refused extends Data.TaggedError("Refused")<{ readonly quantity: number }> {}
class Stock extends Context.Tag("test/Stock")<Stock, number>() {}

/** Decides by what it finds in the world, and fails in two ways. */
const ordering = Decider.make({
  initial: 0,
  decide: (quantity: number, ordered: number) => {
    if (quantity < 1) return Either.left(new Refused({ quantity }))
    return Effect.flatMap(Stock, stock =>
      ordered + quantity > stock ? Effect.fail(new OutOfStock()) : Effect.succeed([quantity])
    )
  },
  evolve: (ordered, event: number) => ordered + event
})

describe("Decider", () => {
  it.effect("a decision is a list of events, or an Either", () =>
    Effect.gen(function* () {
      const state = { balance: 5, isClosed: false }
      assert.deepStrictEqual(yield* Decider.decide(decider, Command.Withdraw({ amount: 5 }), state), [
        Withdrawn.make({ amount: 5 })
      ])
      const error: InsufficientFunds = yield* Effect.flip(
        Decider.decide(decider, Command.Withdraw({ amount: 6 }), state)
      )
      assert.deepStrictEqual(error, new InsufficientFunds({ balance: 5 }))
    })
  )

  it.effect("a decision may be an effect, with its failures and requirements in its type", () =>
    Effect.gen(function* () {
      const decide = (quantity: number): Effect.Effect<ReadonlyArray<number>, Refused | OutOfStock> =>
        Effect.provideService(Decider.decide(ordering, quantity, 7), Stock, 10)
      assert.deepStrictEqual(yield* decide(3), [3])
      assert.deepStrictEqual(yield* Effect.flip(decide(4)), new OutOfStock())
      assert.deepStrictEqual(yield* Effect.flip(decide(0)), new Refused({ quantity: 0 }))
    })
  )

  it.effect("what a decision throws is a defect", () =>
    Effect.gen(function* () {
      const broken = Decider.make({
        initial: 0,
        decide: (_command: string, _state: number): ReadonlyArray<number> => {
          throw new Error("a mistake")
        },
        evolve: (state: number, event: number) => state + event
      })
      const exit = yield* Effect.exit(Decider.decide(broken, "", 0))
      assert.deepStrictEqual(exit, Exit.die(new Error("a mistake")))
    })
  )

  it("evolves through the events in their order", () => {
    const events = [Deposited.make({ amount: 3 }), Withdrawn.make({ amount: 1 }), Closed.make({})]
    assert.deepStrictEqual(Decider.evolve(decider, decider.initial, events), { balance: 2, isClosed: true })
  })
})
