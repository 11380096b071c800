/**
 * The rules of an aggregate as plain functions, after Jérémie Chassaing's Decider ("Functional Event Sourcing Decider", 2021): what a command leads to in a state, and what state an event leads to.
 *
 * ```ts
 * const account = Decider.make({
 *   initial: { balance: 0 },
 *   decide: (command: Command, { balance }) => {
 *     switch (command._tag) {
 *       case "Deposit":
 *         return [Deposited.make({ amount: command.amount })]
 *       case "Withdraw":
 *         return command.amount > balance
 *           ? Either.left(new InsufficientFunds({ balance }))
 *           : [Withdrawn.make({ amount: command.amount })]
 *     }
 *   },
 *   evolve: ({ balance }, event: Event) => ({
 *     balance: event._tag === "Deposited" ? balance + event.data.amount : balance - event.data.amount
 *   })
 * })
 * ```
 *
 * A state is never changed, another one is made of it: `initial` is the beginning of every stream, and what one command did to it, all others would find.
 *
 * `Aggregate` runs a decider on streams and `DecisionModel` on what a query finds; `DeciderSpec` of `@reckon/testkit` tests one without a store.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * What a command leads to: events, perhaps none, or a failure with a type. An `Either` is an `Effect`, so `Either.left(error)` is a decision too, and a decision that has to ask
 * somebody is an effect with its requirements.
 *
 * @since 0.1.0
 * @category models
 */
export type Decision<Event, E = never, R = never> = ReadonlyArray<Event> | Effect.Effect<ReadonlyArray<Event>, E, R>

/**
 * @since 0.1.0
 * @category models
 */
export interface Decider<in out State, in Command, in out Event, out E = never, out R = never> {
  /** The state in which nothing has happened yet. */
  readonly initial: State
  /**
   * May run several times for one command: again, in a newer state, if somebody else was faster. An effect of it on the world must bear that. What it throws is a defect.
   */
  readonly decide: (command: Command, state: State) => Decision<Event, E, R>
  /** The state after the event. It takes every event there is: what happened cannot be refused. */
  readonly evolve: (state: State, event: Event) => State
  /** Whether the story is over. A command in such a state fails with {@link TerminalState}. Default: it never is. */
  readonly isTerminal?: ((state: State) => boolean) | undefined
}

type ErrorOf<Decided> = Decided extends Effect.Effect<unknown, infer E, unknown> ? E : never
type ContextOf<Decided> = Decided extends Effect.Effect<unknown, unknown, infer R> ? R : never

/**
 * A decider whose failures and requirements are those of its decisions.
 *
 * @since 0.1.0
 * @category constructors
 */
export function make<State, Command, Event, Decided extends Decision<Event, unknown, unknown>>(decider: {
  readonly initial: State
  readonly decide: (command: Command, state: State) => Decided
  readonly evolve: (state: State, event: Event) => State
  readonly isTerminal?: ((state: State) => boolean) | undefined
}): Decider<State, Command, Event, ErrorOf<Decided>, ContextOf<Decided>>
// One type parameter for all failures could not be inferred from a decider that fails in two ways.
export function make<State, Command, Event, E, R>(
  decider: Decider<State, Command, Event, E, R>
): Decider<State, Command, Event, E, R> {
  return decider
}

/**
 * The story is over: the state takes no more commands (`isTerminal`). The decider was not asked.
 *
 * @since 0.1.0
 * @category errors
 */
export class TerminalState extends Schema.TaggedError<TerminalState>("@reckon/client/TerminalState")("TerminalState", {
  /** What the state is of, such as `stream "order-1" at version 7`. */
  subject: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `${this.subject} is in a terminal state and takes no more commands`
  }
}

/**
 * What the command leads to in the state, as an effect.
 *
 * @since 0.1.0
 * @category running
 */
export const decide = <State, Command, Event, E = never, R = never>(
  decider: Decider<State, Command, Event, E, R>,
  command: Command,
  state: State
): Effect.Effect<ReadonlyArray<Event>, E, R> =>
  Effect.suspend(() => {
    const decision = decider.decide(command, state)
    return Effect.isEffect(decision) ? decision : Effect.succeed(decision)
  })

/**
 * The state after the events.
 *
 * @since 0.1.0
 * @category running
 */
export const evolve = <State, Event>(
  decider: Pick<Decider<State, never, Event, unknown, unknown>, "evolve">,
  state: State,
  events: Iterable<Event>
): State => {
  let current = state
  for (const event of events) current = decider.evolve(current, event)
  return current
}
