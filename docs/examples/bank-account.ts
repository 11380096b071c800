// docs/examples/bank-account.ts
import { NodeRuntime } from "@effect/platform-node"
import { Aggregate, Decider, EventType, StreamDefinition } from "@reckon/client"
import { EventStore } from "@reckon/db"
import { Console, Data, Effect, Either, Schema } from "effect"

const Deposited = EventType.make("Deposited", Schema.Struct({ cents: Schema.Int }))
const Withdrawn = EventType.make("Withdrawn", Schema.Struct({ cents: Schema.Int }))
const accounts = StreamDefinition.make({ name: (id: string) => `account-${id}`, events: [Deposited, Withdrawn] })
type AccountEvent = EventType.Of<typeof accounts>

class InsufficientFunds extends Data.TaggedError("InsufficientFunds")<{ readonly balance: number }> {}

type Command = { readonly _tag: "Deposit" | "Withdraw"; readonly cents: number }

const decider = Decider.make({
  initial: 0,
  decide: ({ _tag, cents }: Command, balance) => {
    if (_tag === "Deposit") return [Deposited.make({ cents })]
    return cents > balance ? Either.left(new InsufficientFunds({ balance })) : [Withdrawn.make({ cents })]
  },
  evolve: (balance: number, { _tag, data }: AccountEvent) =>
    _tag === "Deposited" ? balance + data.cents : balance - data.cents
})

const account = Aggregate.make(accounts, decider, {
  snapshot: { schema: Schema.Int, shape: "account/1", every: 5 }
})

const program = Effect.gen(function* () {
  // Five at once, of which one is fastest: the others read again and decide again.
  const deposit = account.execute("ada", { _tag: "Deposit", cents: 100 })
  const deposits = yield* Effect.replicateEffect(deposit, 5, { concurrency: "unbounded" })
  yield* Console.log(`versions ${deposits.map(({ version }) => version).join(", ")}`)

  // With an id the command takes effect once, however often it arrives.
  const withdraw = account.execute("ada", { _tag: "Withdraw", cents: 300 }, { commandId: "request-7" })
  yield* Console.log(`balance ${(yield* withdraw).state}`)
  const again = yield* withdraw
  yield* Console.log(`balance ${again.state}, repeated: ${again.repeated}`)

  const refused = yield* Effect.flip(account.execute("ada", { _tag: "Withdraw", cents: 300 }))
  yield* Console.log(refused._tag)
  yield* Console.log(yield* account.load("ada"))
})

program.pipe(Effect.provide(EventStore.layerMemory), NodeRuntime.runMain)
