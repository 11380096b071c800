/**
 * A decider at work on what a query finds, across streams: a dynamic consistency boundary (dcb.events). Where an aggregate guards one stream, a decision model guards
 * what its decision was made on: the events that match the query, and that no other came to match it meanwhile.
 *
 * ```ts
 * const enrolment = DecisionModel.make({
 *   events: EventType.union(CourseDefined, StudentEnrolled),
 *   decider,
 *   query: ({ course, student }: Enrol) =>
 *     Query.make(
 *       { types: ["CourseDefined", "StudentEnrolled"], tags: [`course:${course}`] },
 *       { types: ["StudentEnrolled"], tags: [`student:${student}`] }
 *     ),
 *   stream: () => "enrolments"
 * })
 * ```
 *
 * Name the types in the query: each event that it finds must be readable, and each that it would find later is a conflict.
 *
 * Conflicts, unknown outcomes and command ids are dealt with as by `Aggregate`, where a command id is the command's own in the whole store.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Schedule from "effect/Schedule"
import * as Decider from "./Decider.js"
import type { NewEvent } from "./Event.js"
import { type AppendFailure, EventStore, type ReadConsistency, type ReadFailure, type Service } from "./EventStore.js"
import type { EventNotEncodable, Union, UnreadableEvent } from "./EventType.js"
import * as ExpectedVersion from "./ExpectedVersion.js"
import * as Attempts from "./internal/typed/attempts.js"
import * as Fold from "./internal/typed/fold.js"
import * as Prepare from "./internal/typed/prepare.js"
import * as Query from "./Query.js"
import type { Append, AppendCondition, Appended } from "./StoreRpcs.js"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category options
 */
export interface Options<State, Command, Event, E, R> {
  readonly events: Union<Event>
  readonly decider: Decider.Decider<State, Command, Event, E, R>
  /** The events that a decision on the command depends on. */
  readonly query: (command: Command) => Query.Query
  /** The name of the stream that an event goes to. Events for several streams are appended together, all or none. */
  readonly stream: (event: Event) => string
  /** As of `Aggregate.Options`. */
  readonly retry?: Schedule.Schedule<unknown, AppendFailure> | undefined
  /** As of `Aggregate.Options`. */
  readonly unreadable?: "fail" | "skip" | undefined
}

/**
 * A state, and the position of the last event in it, -1 where there is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Loaded<out State> {
  readonly position: number
  readonly state: State
}

/**
 * What a command led to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executed<out State, out Event> {
  /** The events it led to, perhaps none. */
  readonly events: ReadonlyArray<Event>
  /** Position of the last of them; without any, -1. */
  readonly position: number
  /** With the events of the command in it, whether the query finds them or not; of a repeated command what the query finds now. */
  readonly state: State
  /** The store had the events already: from an earlier execution, or from a try of this one whose answer got lost. */
  readonly repeated: boolean
}

/**
 * What a command can fail with, beside its decision.
 *
 * @since 0.1.0
 * @category errors
 */
export type ExecuteFailure = ReadFailure | AppendFailure | UnreadableEvent | EventNotEncodable | Decider.TerminalState

/**
 * @since 0.1.0
 * @category models
 */
export interface DecisionModel<out State, in Command, out Event, out E, out R> {
  /** The state that a decision on the command would be made in. */
  readonly load: (
    command: Command,
    options?: ReadConsistency
  ) => Effect.Effect<Loaded<State>, ReadFailure | UnreadableEvent, EventStore>
  readonly execute: (
    command: Command,
    options?: {
      /** 1 to 256 characters, the command's own in the whole store. Default: a repetition is another command. */
      readonly commandId?: string | undefined
    }
  ) => Effect.Effect<Executed<State, Event>, E | ExecuteFailure, EventStore | R>
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/** The events by the streams they go to, in the order in which the streams first come up. */
const appendsOf = <Event>(
  prepared: ReadonlyArray<Prepare.Prepared<Event>>,
  stream: (event: Event) => string
): ReadonlyArray<Append> => {
  const byStream = new Map<string, Array<NewEvent>>()
  for (const { encoded, event } of prepared) {
    const streamId = stream(event)
    const events = byStream.get(streamId) ?? []
    events.push(encoded)
    byStream.set(streamId, events)
  }
  return [...byStream].map(([streamId, events]) => ({ streamId, expectedVersion: ExpectedVersion.Any, events }))
}

const appendTo = (
  store: Service,
  appends: ReadonlyArray<Append>,
  condition: AppendCondition
): Effect.Effect<ReadonlyArray<Appended>, AppendFailure> => {
  const [first, ...others] = appends
  return first !== undefined && others.length === 0
    ? Effect.map(store.append(first.streamId, first.expectedVersion, first.events, { condition }), one => [one])
    : store.appendBatch(appends, { condition })
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <State, Command, Event, E = never, R = never>(
  options: Options<State, Command, Event, E, R>
): DecisionModel<State, Command, Event, E, R> => {
  const { decider, events: union } = options
  const rules: Fold.Rules<State, Event> = { union, decider, unreadable: options.unreadable ?? "fail" }
  const retry = options.retry ?? Attempts.retryDefault

  const loadState = (store: Service, query: Query.Query, consistency?: ReadConsistency) =>
    Fold.fold(rules, Fold.nothing(rules), store.queryStream(query, consistency), () => false)

  const attempt = Effect.fnUntraced(function* (store: Service, command: Command, commandId: string | undefined) {
    const query = options.query(command)
    const seen = yield* loadState(store, query)
    const ofCommand = commandId === undefined ? Query.none : Query.metadata("command_id", commandId)
    // After the state, as the condition below guards what comes later.
    const found = commandId === undefined ? [] : yield* Fold.typed(rules, store.queryStream(ofCommand))
    const lastFound = found.at(-1)
    if (lastFound !== undefined) {
      const events = found.map(({ event }) => event)
      return Either.right({ events, position: lastFound.recorded.position, state: seen.state, repeated: true })
    }

    if (decider.isTerminal?.(seen.state) === true) {
      return yield* new Decider.TerminalState({ subject: `the decision model at position ${seen.position}` })
    }
    const decided = yield* Decider.decide(decider, command, seen.state)
    const prepared = yield* Prepare.prepare(union, decided, { commandId, scope: null })
    const events = prepared.map(({ event }) => event)
    if (events.length === 0) return Either.right({ events, position: -1, state: seen.state, repeated: false })

    // Before they are written: events that `evolve` breaks on would break every later load.
    const evolved = Decider.evolve(decider, seen.state, events)
    // The command's own events need not match the model's query, and must keep a second execution out all the same.
    const condition = { query: Query.or(query, ofCommand), after: seen.position }
    const answer = yield* Attempts.append(appendTo(store, appendsOf(prepared, options.stream), condition), retry)
    if (Either.isLeft(answer)) return Either.left(answer.left)

    const position = Math.max(...answer.right.map(appended => appended.position))
    const repeated = commandId !== undefined && answer.right.some(({ alreadyPresent }) => alreadyPresent > 0)
    const state = repeated ? (yield* loadState(store, query)).state : evolved
    return Either.right({ events, position, state, repeated })
  })

  return {
    load: (command, consistency) =>
      Effect.gen(function* () {
        const { position, state } = yield* loadState(yield* EventStore, options.query(command), consistency)
        return { position, state }
      }),
    execute: (command, { commandId } = {}) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        if (commandId !== undefined) yield* Prepare.checkCommandId(commandId)
        return yield* Attempts.untilNotOvertaken(() => attempt(store, command, commandId), { commandId, retry })
      })
  }
}
