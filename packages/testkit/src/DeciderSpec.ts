/**
 * Deciders tested without a store: given what happened, when a command comes, then this happens.
 *
 * ```ts
 * const spec = DeciderSpec.make(accounts, decider, { state: Account })
 *
 * it("pays out what there is", () =>
 *   spec.given([Deposited.make({ amount: 5 })]).when(Withdraw({ amount: 5 })).then([Withdrawn.make({ amount: 5 })]))
 *
 * it("pays out no more than that", () =>
 *   spec.given([Deposited.make({ amount: 5 })]).when(Withdraw({ amount: 6 })).thenFails(new InsufficientFunds({ balance: 5 })))
 * ```
 *
 * Everything goes the way it goes in a store: events are encoded to bytes by their types and decoded before the decider sees them, and so is the state by its schema, as in a
 * snapshot, where there is one. A type that loses something on the way shows here, and one whose events no store takes. Events are compared as they are encoded.
 *
 * Objects and arrays in a state are frozen, so that a decider that changes a state instead of making another fails: in a store all streams would share the change.
 *
 * What does not hold throws an `AssertionError` of Node.js with both sides and their difference, which every test runner prints. {@link make} is for deciders that decide
 * at once; {@link effect} is for those whose decisions wait or have requirements, and its assertions are effects, to be run by the test.
 *
 * @since 0.1.0
 */
import { AssertionError } from "node:assert"
import { isDeepStrictEqual } from "node:util"
import * as Decider from "@reckon/client/Decider"
import { NewEvent } from "@reckon/client/Event"
import type { Encoded, Union } from "@reckon/client/EventType"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * What can be said of an outcome. `Result` is nothing, or the effect that says it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Then<in State, in Event, in E, out Result> {
  /** The command led to these events, in this order. */
  readonly then: (events: ReadonlyArray<Event>) => Result
  /** It led to no event. */
  readonly thenNothing: () => Result
  /** The decision failed with this error: of the same class and with the same message, cause and fields. */
  readonly thenFails: (error: E) => Result
  /** The story was over before the command came (`isTerminal`), and the decider was not asked. */
  readonly thenTerminal: () => Result
  /** The command led to events after which this is the state. */
  readonly thenState: (state: State) => Result
}

/**
 * @since 0.1.0
 * @category models
 */
export interface When<in State, in Command, in Event, in E, out Result> {
  readonly when: (command: Command) => Then<State, Event, E, Result>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface DeciderSpec<in State, in Command, in Event, in E, out Result> {
  /** What happened so far, from the initial state on. */
  readonly given: (events: ReadonlyArray<Event>) => When<State, Command, Event, E, Result>
}

/**
 * @since 0.1.0
 * @category options
 */
export interface Options<State, I> {
  /**
   * The schema by which snapshots keep the state; states are compared as it encodes them. Default: the state is handed on as it is, and compared by its structure, where
   * Effect's data types have their own equality. What a class keeps in private fields is not seen then.
   */
  readonly state?: Schema.Schema<State, I> | undefined
}

// -----------------------------------------------------------------------------
// the way through the codecs
// -----------------------------------------------------------------------------

interface Codecs<in out State, in out Event> {
  /** The event as it is read back, and as it is compared. */
  readonly event: (event: Event, what: string) => { readonly read: Event; readonly plain: unknown }
  /** The same of a state. */
  readonly state: (state: State) => { readonly read: State; readonly plain: unknown }
}

const refuse = (message: string): never => {
  throw new AssertionError({ message })
}

/** The first of what a schema objects to, and where. */
const objection = (error: ParseResult.ParseError): string => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return first === undefined ? error.message : `${first.path.join(".")}: ${first.message}`
}

/** Bytes of JSON as the value, others as they are. */
const plainEvent = ({ data, dataContentType, eventType }: Encoded): unknown => {
  const isJson = dataContentType === "application/json"
  // Of a class of its own, such as Buffer, bytes would not be equal to others.
  const value: unknown = isJson ? JSON.parse(new TextDecoder().decode(data)) : Uint8Array.from(data)
  return { _tag: eventType, data: value }
}

/** What a store asks of an event besides its ids. */
const storable = Schema.validateEither(NewEvent.pick("eventType", "data", "dataContentType", "tags"))

/** Objects and arrays, which are nothing but their fields. */
const isBare = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || prototype === Array.prototype
}

const frozen = <A>(value: A): A => {
  if (isBare(value) && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const field of Object.values(value)) frozen(field)
  }
  return value
}

const codecs = <State, Event, I>(union: Union<Event>, options: Options<State, I>): Codecs<State, Event> => {
  const { state } = options
  const text = state === undefined ? undefined : Schema.parseJson(state)
  return {
    event: (event, what) => {
      const encoded = Either.getOrElse(union.encode(event), error => refuse(`${what}: ${error.message}`))
      const admitted = storable(encoded)
      if (Either.isLeft(admitted)) return refuse(`${what}: no store takes it: ${objection(admitted.left)}`)
      const place = { streamId: "given", version: 0, position: 0, epochUs: 0 }
      const identity = { eventId: "", metadata: null, metadataContentType: "application/json" }
      const reading = union.decode({ ...encoded, ...identity, ...place })
      if (reading._tag === "Decoded") return { read: reading.event, plain: plainEvent(encoded) }
      return refuse(
        `${what}: ${reading._tag === "Undecodable" ? reading.error.message : `"${encoded.eventType}" is not a type here`}`
      )
    },
    state: given => {
      if (text === undefined) return { read: given, plain: given }
      const kept = Schema.encodeEither(text)(given)
      if (Either.isLeft(kept)) return refuse(`the state cannot be kept by its schema: ${kept.left.message}`)
      const read = Schema.decodeEither(text)(kept.right)
      return Either.isLeft(read)
        ? refuse(`the state ${kept.right} cannot be read by its schema: ${read.left.message}`)
        : { read: read.right, plain: JSON.parse(kept.right) }
    }
  }
}

// -----------------------------------------------------------------------------
// what happens, and what is said of it
// -----------------------------------------------------------------------------

type Outcome<Event, E> =
  | { readonly _tag: "Terminal" }
  | { readonly _tag: "Failed"; readonly error: E }
  | { readonly _tag: "Decided"; readonly events: ReadonlyArray<Event>; readonly plain: ReadonlyArray<unknown> }

interface Run<State, Event, E> {
  readonly before: State
  readonly outcome: Outcome<Event, E>
}

/** The state as the decider gets it. */
const handedOn = <State, Event>(codecs: Codecs<State, Event>, state: State): State => frozen(codecs.state(state).read)

const run = <State, Command, Event, E, R>(
  codecs: Codecs<State, Event>,
  decider: Decider.Decider<State, Command, Event, E, R>,
  given: ReadonlyArray<Event>,
  command: Command
): Effect.Effect<Run<State, Event, E>, never, R> =>
  Effect.gen(function* () {
    let before = handedOn(codecs, decider.initial)
    for (const [index, event] of given.entries()) {
      const { read } = codecs.event(event, `event ${index} that was given`)
      before = handedOn(codecs, decider.evolve(before, read))
    }
    if (decider.isTerminal?.(before) === true) return { before, outcome: { _tag: "Terminal" } }
    const decision = yield* Effect.either(Decider.decide(decider, command, before))
    if (Either.isLeft(decision)) return { before, outcome: { _tag: "Failed", error: decision.left } }
    const decided = decision.right.map((event, index) => codecs.event(event, `event ${index} of the decision`))
    const events = decided.map(({ read }) => read)
    return { before, outcome: { _tag: "Decided", events, plain: decided.map(({ plain }) => plain) } }
  })

/** An error by its class and by all that is its own (a cause does not enumerate), but where it was made. */
const plainError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  const names = Object.getOwnPropertyNames(error).filter(name => name !== "stack")
  const fields = names.map(name => [name, plainError(Reflect.get(error, name))])
  return { class: error.constructor.name, message: error.message, ...Object.fromEntries(fields) }
}

/** Equal all through: data types of Effect by their own equality, which is not that of what they are made of. `known`: what is being compared further up. */
const isSame = (one: unknown, other: unknown, known = new Map<unknown, unknown>()): boolean => {
  if (!(isBare(one) && isBare(other))) {
    return Equal.equals(one, other) || (!Redacted.isRedacted(one) && isDeepStrictEqual(one, other))
  }
  if (known.get(one) === other) return true
  known.set(one, other)
  const names = Reflect.ownKeys(one)
  return (
    Array.isArray(one) === Array.isArray(other) &&
    names.length === Reflect.ownKeys(other).length &&
    names.every(name => Object.hasOwn(other, name) && isSame(Reflect.get(one, name), Reflect.get(other, name), known))
  )
}

const compare = (what: string, actual: unknown, expected: unknown): void => {
  if (isSame(actual, expected)) return
  const difference = new AssertionError({ actual, expected, operator: "deepStrictEqual" })
  const [, ...lines] = difference.message.split("\n")
  // Without the operator, for which Node.js would add the difference to the message once more.
  throw new AssertionError({ message: [what, ...lines].join("\n"), actual, expected })
}

const describe = <Event, E>(outcome: Outcome<Event, E>): unknown => {
  switch (outcome._tag) {
    case "Terminal":
      return { terminal: true }
    case "Failed":
      return { error: plainError(outcome.error) }
    case "Decided":
      return { events: outcome.plain }
  }
}

/** What is said of an outcome, each as a function that throws where it does not hold. */
const assertions = <State, Command, Event, E, R>(
  codecs: Codecs<State, Event>,
  decider: Decider.Decider<State, Command, Event, E, R>
): Then<State, Event, E, (run: Run<State, Event, E>) => void> => {
  const then = (events: ReadonlyArray<Event>) => {
    const expected = events.map((event, index) => codecs.event(event, `event ${index} that is expected`).plain)
    return ({ outcome }: Run<State, Event, E>) =>
      compare("the command led to something else", describe(outcome), { events: expected })
  }
  return {
    then,
    thenNothing: () => then([]),
    thenFails:
      error =>
      ({ outcome }) =>
        compare("the command did not fail like this", describe(outcome), { error: plainError(error) }),
    thenTerminal:
      () =>
      ({ outcome }) =>
        compare("the story was not over", describe(outcome), { terminal: true }),
    thenState:
      state =>
      ({ before, outcome }) => {
        if (outcome._tag !== "Decided") return compare("the command led to no state", describe(outcome), { state })
        const after = outcome.events.reduce((state, event) => handedOn(codecs, decider.evolve(state, event)), before)
        compare("the state is another one", codecs.state(after).plain, codecs.state(state).plain)
      }
  }
}

const build = <State, Command, Event, E, R, I, Result>(
  union: Union<Event>,
  decider: Decider.Decider<State, Command, Event, E, R>,
  options: Options<State, I>,
  check: (checked: Effect.Effect<void, never, R>) => Result
): DeciderSpec<State, Command, Event, E, Result> => {
  const ways = codecs(union, options)
  const say = assertions(ways, decider)
  return {
    given: events => ({
      when: command => {
        const result = (assertion: () => (run: Run<State, Event, E>) => void) =>
          check(
            Effect.suspend(() => {
              const hold = assertion()
              return Effect.map(run(ways, decider, events, command), hold)
            })
          )
        return {
          // biome-ignore lint/suspicious/noThenProperty: given, when, then
          then: expected => {
            // An `await` gives it two functions, and would wait for good for an effect that nobody runs.
            if (!Array.isArray(expected))
              throw new TypeError("then takes a list of events; a `when` is nothing to await")
            return result(() => say.then(expected))
          },
          thenNothing: () => result(() => say.thenNothing()),
          thenFails: error => result(() => say.thenFails(error)),
          thenTerminal: () => result(() => say.thenTerminal()),
          thenState: state => result(() => say.thenState(state))
        }
      }
    })
  }
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * For deciders that decide at once. An assertion that does not hold throws there and then.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <State, Command, Event, E = never, I = never>(
  events: Union<Event>,
  decider: Decider.Decider<State, Command, Event, E>,
  options: Options<State, I> = {}
): DeciderSpec<State, Command, Event, E, void> =>
  build(events, decider, options, checked => {
    const exit = Effect.runSyncExit(checked)
    if (Exit.isSuccess(exit)) return
    const error = Cause.squash(exit.cause)
    if (Runtime.isAsyncFiberException(error))
      refuse("the decision has to wait for something: test it with DeciderSpec.effect")
    throw error
  })

/**
 * For deciders whose decisions wait, or have requirements. An assertion that does not hold is a defect of the effect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const effect = <State, Command, Event, E = never, R = never, I = never>(
  events: Union<Event>,
  decider: Decider.Decider<State, Command, Event, E, R>,
  options: Options<State, I> = {}
): DeciderSpec<State, Command, Event, E, Effect.Effect<void, never, R>> =>
  build(events, decider, options, checked => checked)
