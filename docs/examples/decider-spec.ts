// docs/examples/decider-spec.ts
import { describe, it } from "node:test"
import { Decider, EventType, StreamDefinition } from "@reckon/client"
import { DeciderSpec } from "@reckon/testkit"
import { Data, Either, Schema } from "effect"

const Deposited = EventType.make("Deposited", Schema.Struct({ cents: Schema.Int }))
const Withdrawn = EventType.make("Withdrawn", Schema.Struct({ cents: Schema.Int }))
const accounts = StreamDefinition.make({ name: (id: string) => `account-${id}`, events: [Deposited, Withdrawn] })
type AccountEvent = EventType.Of<typeof accounts>

class InsufficientFunds extends Data.TaggedError("InsufficientFunds")<{ readonly balance: number }> {}

/** A command is the amount that is asked for. */
const withdrawals = Decider.make({
  initial: 0,
  decide: (cents: number, balance) =>
    cents > balance ? Either.left(new InsufficientFunds({ balance })) : [Withdrawn.make({ cents })],
  evolve: (balance: number, { _tag, data }: AccountEvent) =>
    _tag === "Deposited" ? balance + data.cents : balance - data.cents
})

const spec = DeciderSpec.make(accounts, withdrawals, { state: Schema.Int })

describe("a withdrawal", () => {
  const given = spec.given([Deposited.make({ cents: 500 })])
  it("takes what there is", () => given.when(500).then([Withdrawn.make({ cents: 500 })]))
  it("takes no more than that", () => given.when(501).thenFails(new InsufficientFunds({ balance: 500 })))
  it("leaves the rest", () => given.when(200).thenState(300))
})
