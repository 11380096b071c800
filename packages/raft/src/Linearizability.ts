/**
 * Is what the clients of a group saw the work of one machine that did one thing after the other?
 *
 * A history is linearizable (Herlihy and Wing, 1990) if each operation can be given one moment between its call and its return such that, done one by one at
 * these moments on a sequential {@link Model}, each answers what it answered. An operation that never returned may have its moment at any time after its
 * call, or never.
 *
 * The search is Wing and Gong's with Lowe's memory of where it was, as in porcupine: depth first over the orders, never twice from the same set of
 * operations done and the same state. Linearizability is local: a history is linearizable if it is so for each key, so keys are searched one by one. The
 * problem stays NP-complete, hence the limit on steps.
 *
 * @since 0.1.0
 */
import type * as Equivalence from "effect/Equivalence"
import { decide, type Shortest, shortest } from "./internal/linear/decide.js"
import { explain } from "./internal/linear/explain.js"
import * as streams from "./internal/linear/streams.js"
import { knownAt, operationsByKey } from "./internal/linear/timeline.js"

// -----------------------------------------------------------------------------
// histories
// -----------------------------------------------------------------------------

/**
 * One thing that a client saw. The order of the events is their order in time, for all clients together: two operations overlap
 * unless one's end comes before the other's call.
 *
 * A `Return` brings an answer, which can be a refusal. A `Fail` says that the operation surely had no effect, then or later (`NotLeader`, `Overloaded`).
 * Where it is unknown whether it has (`ProposalUnknown`, an interruption), the operation just has no end.
 *
 * @since 0.1.0
 * @category models
 */
export type Event<Input, Output> =
  | { readonly _tag: "Call"; readonly id: number; readonly client: string; readonly input: Input }
  | { readonly _tag: "Return"; readonly id: number; readonly output: Output }
  | { readonly _tag: "Fail"; readonly id: number }

/**
 * A deterministic sequential machine, one for each key, and how to compare and print what it deals in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model<in out Input, in out Output, in out State> {
  /** Operations on different keys have nothing to do with each other. A machine whose operations reach over keys has one key. */
  readonly key: (input: Input) => string
  readonly init: State
  /** What the operation makes of a state, and answers. Total, without side effects: states are kept and compared. */
  readonly apply: (state: State, input: Input) => readonly [state: State, output: Output]
  /** Whether an operation that answers this changes nothing, whatever the state: a read, a refusal. Such operations are found places without search. */
  readonly observes: (input: Input, output: Output) => boolean
  readonly sameState: Equivalence.Equivalence<State>
  readonly sameOutput: Equivalence.Equivalence<Output>
  readonly showInput: (input: Input) => string
  readonly showOutput: (output: Output) => string
}

// -----------------------------------------------------------------------------
// verdicts
// -----------------------------------------------------------------------------

/**
 * For each key an order, by the ids, that explains every answer. An operation without end that it leaves out had no effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Linearizable {
  readonly _tag: "Linearizable"
  readonly orders: ReadonlyMap<string, ReadonlyArray<number>>
  readonly steps: number
}

/**
 * What an operation could have answered, and an order of the operations in which it does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer<Output> {
  readonly output: Output
  readonly order: ReadonlyArray<number>
}

/**
 * A history that no order explains.
 *
 * @since 0.1.0
 * @category models
 */
export interface Violation<Input, Output> {
  readonly _tag: "Violation"
  readonly key: string
  /** The first `end` events of the history are the shortest beginning of it that violates. */
  readonly end: number
  /** False where the limit on steps left a shorter one possible. */
  readonly isShortest: boolean
  /** The events among them that concern `key`: a violating history of its own. */
  readonly history: ReadonlyArray<Event<Input, Output>>
  /** The operation whose end is the last of these events. */
  readonly culprit: number
  /** What it could have answered instead, eight at most. None where it failed, and its effect was seen. */
  readonly answers: ReadonlyArray<Answer<Output>>
  /** All of this as text, several lines. */
  readonly explanation: string
  readonly steps: number
}

/**
 * The limit on steps was reached on these keys, and no other key violates.
 *
 * @since 0.1.0
 * @category models
 */
export interface Undecided {
  readonly _tag: "Undecided"
  readonly keys: ReadonlyArray<string>
  readonly explanation: string
  readonly steps: number
}

/**
 * @since 0.1.0
 * @category models
 */
export type Verdict<Input, Output> = Linearizable | Violation<Input, Output> | Undecided

/**
 * How many steps one search may take if not told otherwise. A step asks the model, or a place where the search was before: twenty million take some
 * seconds and some hundred megabytes at most.
 *
 * @since 0.1.0
 * @category constants
 */
export const stepsMaxDefault = 20_000_000

// -----------------------------------------------------------------------------
// the check
// -----------------------------------------------------------------------------

/**
 * Decides whether a history is linearizable. If it is not, finds the shortest beginning that is not and says what is wrong with it.
 *
 * `stepsMax` limits each search. There is one for each key, and to find the shortest beginning some more, in the order of the logarithm of its length. A
 * history that is none (an end without a call, an id called twice) is a defect. Runs to the end without a pause: seconds, on hard histories.
 *
 * @since 0.1.0
 * @category checking
 */
export const check = <Input, Output, State>(
  model: Model<Input, Output, State>,
  history: ReadonlyArray<Event<Input, Output>>,
  options?: { readonly stepsMax?: number | undefined }
): Verdict<Input, Output> => {
  const stepsMax = options?.stepsMax ?? stepsMaxDefault
  const orders = new Map<string, ReadonlyArray<number>>()
  const undecided: Array<string> = []
  const doubts: Array<string> = []
  let steps = 0
  let earliest: { readonly key: string; readonly found: Shortest<Input, Output> } | undefined

  for (const [key, all] of operationsByKey(history, model.key)) {
    // what comes after a violation is of no interest any more
    const operations = knownAt(all, earliest?.found.end ?? history.length)
    const { order, result } = decide(model, operations, stepsMax)
    steps += result.steps
    if (order !== undefined) {
      orders.set(key, order)
    } else if (result._tag === "OutOfSteps") {
      undecided.push(key)
      doubts.push(`"${key}": ${result.reached} answers were explained when the limit of ${stepsMax} steps was reached`)
    } else {
      const found = shortest(model, operations, result.reached, stepsMax)
      steps += found.steps
      earliest = { key, found }
    }
  }

  if (earliest === undefined) {
    return undecided.length === 0
      ? { _tag: "Linearizable", orders, steps }
      : { _tag: "Undecided", keys: undecided, explanation: doubts.join("\n"), steps }
  }
  const { found, key } = earliest
  const explained = explain(model, key, found, stepsMax)
  const concerned = new Set(found.operations.map(({ id }) => id))
  return {
    _tag: "Violation",
    key,
    end: found.end,
    isShortest: found.isShortest && undecided.length === 0,
    history: history.slice(0, found.end).filter(({ id }) => concerned.has(id)),
    culprit: found.culprit.id,
    answers: explained.answers,
    explanation: explained.text,
    steps: steps + explained.steps
  }
}

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * What a register holds; `null` before the first write.
 *
 * @since 0.1.0
 * @category models
 */
export type RegisterValue = string | number | null

/**
 * `Cas` writes `value` if the register holds `expected`.
 *
 * @since 0.1.0
 * @category models
 */
export type RegisterInput =
  | { readonly _tag: "Read"; readonly key: string }
  | { readonly _tag: "Write"; readonly key: string; readonly value: RegisterValue }
  | { readonly _tag: "Cas"; readonly key: string; readonly expected: RegisterValue; readonly value: RegisterValue }

/**
 * @since 0.1.0
 * @category models
 */
export type RegisterOutput =
  | { readonly _tag: "Value"; readonly value: RegisterValue }
  | { readonly _tag: "Written" | "Swapped" | "NotSwapped" }

const applyToRegister = (state: RegisterValue, input: RegisterInput): readonly [RegisterValue, RegisterOutput] => {
  switch (input._tag) {
    case "Read":
      return [state, { _tag: "Value", value: state }]
    case "Write":
      return [input.value, { _tag: "Written" }]
    case "Cas":
      return state === input.expected ? [input.value, { _tag: "Swapped" }] : [state, { _tag: "NotSwapped" }]
  }
}

const showRegisterInput = (input: RegisterInput): string => {
  switch (input._tag) {
    case "Read":
      return "read"
    case "Write":
      return `write ${input.value}`
    case "Cas":
      return `cas ${input.expected} by ${input.value}`
  }
}

/**
 * Registers that are read, written, and compared and set.
 *
 * @since 0.1.0
 * @category constructors
 */
export const register: Model<RegisterInput, RegisterOutput, RegisterValue> = {
  key: ({ key }) => key,
  init: null,
  apply: applyToRegister,
  observes: ({ _tag }, output) => _tag === "Read" || output._tag === "NotSwapped",
  sameState: (a, b) => a === b,
  sameOutput: (a, b) => (a._tag === "Value" && b._tag === "Value" ? a.value === b.value : a._tag === b._tag),
  showInput: showRegisterInput,
  showOutput: output => (output._tag === "Value" ? `${output.value}` : output._tag)
}

/**
 * An event of a stream. `content` is whatever tells two events with the same id apart: a digest of the payloads will do.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamEvent {
  readonly id: string
  readonly content: string
}

/**
 * What a writer expects of the stream: the version of its last event (the first event has 0), or a word.
 *
 * @since 0.1.0
 * @category models
 */
export type ExpectedVersion = number | "any" | "no_stream" | "stream_exists"

/**
 * `Read` is one page, of `count` events at most, from the version `from` on. Several pages are several operations: nothing makes them one.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamInput =
  | {
      readonly _tag: "Append"
      readonly stream: string
      readonly expected: ExpectedVersion
      readonly events: ReadonlyArray<StreamEvent>
    }
  | { readonly _tag: "Read"; readonly stream: string; readonly from: number; readonly count: number }
  | { readonly _tag: "Version"; readonly stream: string }

/**
 * Versions are those of the stream's last event (-1: it has none), but in `Appended` that of the request's last event, and in
 * `EventIdConflict` that of the event that has the id.
 *
 * How many events of an append were there already is not asked for: a client that repeats a request until it is answered is told of its own events.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamOutput =
  | { readonly _tag: "Appended" | "Version"; readonly version: number }
  | { readonly _tag: "WrongExpectedVersion"; readonly actual: number }
  | { readonly _tag: "EventIdConflict"; readonly eventId: string; readonly version: number }
  | {
      readonly _tag: "Events"
      readonly events: ReadonlyArray<StreamEvent & { readonly version: number }>
      /** Nothing was beyond them. */
      readonly isEnd: boolean
    }
  | { readonly _tag: "StreamNotFound" }

/**
 * Streams of events, as the store keeps them: an append is written all or none, if the stream has the expected version. Events whose ids are in the stream
 * already are not written again, and an append of such events only succeeds whatever it expects; with other content it is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stream: Model<StreamInput, StreamOutput, streams.Stream> = {
  key: input => input.stream,
  init: streams.empty,
  apply: streams.run,
  observes: (input, output) => input._tag !== "Append" || input.events.length === 0 || output._tag !== "Appended",
  sameState: streams.isSame,
  sameOutput: streams.isSameOutput,
  showInput: streams.showInput,
  showOutput: streams.showOutput
}
