/**
 * The account that the tests of typed events share.
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Decider from "../../src/Decider.js"
import * as EventType from "../../src/EventType.js"
import * as StreamDefinition from "../../src/StreamDefinition.js"

const Amount = Schema.Struct({ amount: Schema.Int })

export const Deposited = EventType.make("Deposited", Amount, {
  tags: ({ amount }) => (amount >= 1000 ? ["large"] : [])
})
export const Withdrawn = EventType.make("Withdrawn", Amount)
export const Closed = EventType.make("Closed", Schema.Struct({}))

export const accounts = StreamDefinition.make({
  name: (id: string) => `account-${id}`,
  events: [Deposited, Withdrawn, Closed]
})

export type AccountEvent = EventType.Of<typeof accounts>

export const Account = Schema.Struct({ balance: Schema.Int, isClosed: Schema.Boolean })
export type Account = typeof Account.Type

export class InsufficientFunds extends Data.TaggedError("InsufficientFunds")<{ readonly balance: number }> {}

export type Command = Data.TaggedEnum<{
  Deposit: { readonly amount: number }
  Withdraw: { readonly amount: number }
  /** Withdraws whatever there is, in two events: what it leads to depends on the state. */
  Empty: object
  Close: object
}>
export const Command = Data.taggedEnum<Command>()

export const decider = Decider.make({
  initial: { balance: 0, isClosed: false },
  decide: (command: Command, { balance }: Account) => {
    switch (command._tag) {
      case "Deposit":
        return [Deposited.make({ amount: command.amount })]
      case "Withdraw":
        return command.amount > balance
          ? Either.left(new InsufficientFunds({ balance }))
          : [Withdrawn.make({ amount: command.amount })]
      case "Empty":
        return balance === 0 ? [] : [Withdrawn.make({ amount: balance - 1 }), Withdrawn.make({ amount: 1 })]
      case "Close":
        return [Closed.make({})]
    }
  },
  evolve: (state: Account, event: AccountEvent): Account => {
    switch (event._tag) {
      case "Deposited":
        return { ...state, balance: state.balance + event.data.amount }
      case "Withdrawn":
        return { ...state, balance: state.balance - event.data.amount }
      case "Closed":
        return { ...state, isClosed: true }
    }
  },
  isTerminal: ({ isClosed }) => isClosed
})
