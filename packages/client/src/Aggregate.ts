/**
 * A decider at work on the streams of one kind: a command finds the state, is decided upon, and what it leads to is appended if nothing happened meanwhile.
 *
 * ```ts
 * const account = Aggregate.make(accounts, decider, {
 *   snapshot: { schema: Account, shape: "account/1", every: 100 }
 * })
 *
 * const { state } = yield* account.execute("42", { _tag: "Withdraw", amount: 5 }, { commandId: request.id })
 * ```
 *
 * **State** is the latest snapshot that can be read here and the events behind it, or all events that the stream shows. A stream that was deleted begins at the initial state
 * again, while its versions go on; of one that was truncated behind its last snapshot, or whose events behind it are too old to be shown, the state is that of the events which are left.
 *
 * **Conflicts.** Events are appended with the version that the decision saw. If somebody else was faster, the state is loaded and the decision made again, after a pause, a bounded number of
 * times (`retry`); those of one program that were overtaken on a stream take turns then. No other error of the store is met in that way: either the store has repeated the request already, or it would not help. An append whose outcome is unknown is repeated with the
 * same event ids until that is known.
 *
 * **A command takes effect once** if it has a `commandId`. The ids of its events follow from it and they carry it as `command_id` in their metadata; whoever executes it again, on whichever node and however much
 * later, is answered with the events that it led to, and the decider is not asked. That holds for as long as the stream shows these events; after they were hidden (by deletion or
 * truncation) a decision to the same events is still recognised by their ids and written no second time, and one to as many others is refused with `EventIdConflict`. A command that led to no event, or that
 * failed, left no trace, and is decided upon anew.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Decider from "./Decider.js"
import { type AppendFailure, EventStore, type ReadConsistency, type ReadFailure, type Service } from "./EventStore.js"
import type { EventNotEncodable, UnreadableEvent } from "./EventType.js"
import * as ExpectedVersion from "./ExpectedVersion.js"
import * as Attempts from "./internal/typed/attempts.js"
import * as Fold from "./internal/typed/fold.js"
import * as Prepare from "./internal/typed/prepare.js"
import * as Snapshots from "./internal/typed/snapshots.js"
import * as Turns from "./internal/typed/turns.js"
import * as Query from "./Query.js"
import type { StreamTombstoned } from "./StoreError.js"
import type { StreamDefinition } from "./StreamDefinition.js"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * When and how the state is kept beside the stream.
 *
 * @since 0.1.0
 * @category options
 */
export interface SnapshotOptions<State, I> {
  /** How the state is written, as JSON. */
  readonly schema: Schema.Schema<State, I>
  /**
   * Names the aggregate and the version of its state, such as `account/1`. Change it with whatever changes the meaning of a state: the schema, or `evolve`. A snapshot of
   * another shape is ignored.
   */
  readonly shape: string
  /** A snapshot is saved after a command when so many events went into the state since the last one. Default 100. */
  readonly every?: number | undefined
  /** How many of the stream stay. Default 2, so that an old and a new program can run side by side. */
  readonly keep?: number | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface Options<State, I> {
  /** Default: no snapshots are saved or looked for. */
  readonly snapshot?: SnapshotOptions<State, I> | undefined
  /** The pauses between one conflict, or unknown outcome, and the next attempt, and how many attempts there are. Default: 10 more, after 5 to 200 ms, with jitter. */
  readonly retry?: Schedule.Schedule<unknown, AppendFailure> | undefined
  /**
   * What becomes of events in the stream that cannot be read: with `fail` nothing is decided on a state that lacks them (`UnreadableEvent`), with `skip` they are passed
   * over with a warning in the log. Default `fail`.
   */
  readonly unreadable?: "fail" | "skip" | undefined
}

/**
 * A state, and the version of the last event in it, -1 where there is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Loaded<out State> {
  readonly streamId: string
  readonly version: number
  readonly state: State
}

/**
 * What a command led to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executed<out State, out Event> {
  readonly streamId: string
  /** The events it led to, perhaps none. */
  readonly events: ReadonlyArray<Event>
  /** Version of the last of them; without any, that of the state. */
  readonly version: number
  /** Position of the last of them; without any, -1. */
  readonly position: number
  /** With the events of the command in it; of a repeated command also with those that came later. */
  readonly state: State
  /** The store had the events already: from an earlier execution, or from a try of this one whose answer got lost. */
  readonly repeated: boolean
}

/**
 * What loading a state can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type LoadFailure = ReadFailure | StreamTombstoned | UnreadableEvent

/**
 * What a command can fail with, beside its decision.
 *
 * @since 0.1.0
 * @category errors
 */
export type ExecuteFailure = LoadFailure | AppendFailure | EventNotEncodable | Decider.TerminalState

/**
 * @since 0.1.0
 * @category models
 */
export interface Aggregate<in Id, in out State, in Command, out Event, out E, out R> {
  readonly load: (id: Id, options?: ReadConsistency) => Effect.Effect<Loaded<State>, LoadFailure, EventStore>
  readonly execute: (
    id: Id,
    command: Command,
    options?: {
      /** 1 to 256 characters, the command's own in the streams of the aggregate. Default: a repetition is another command. */
      readonly commandId?: string | undefined
    }
  ) => Effect.Effect<Executed<State, Event>, E | ExecuteFailure, EventStore | R>
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <Id, State, Command, Event, E = never, R = never, I = never>(
  stream: StreamDefinition<Id, Event>,
  decider: Decider.Decider<State, Command, Event, E, R>,
  options: Options<State, I> = {}
): Aggregate<Id, State, Command, Event, E, R> => {
  const rules: Fold.Rules<State, Event> = { union: stream, decider, unreadable: options.unreadable ?? "fail" }
  const retry = options.retry ?? Attempts.retryDefault
  const snapshots = options.snapshot === undefined ? undefined : Snapshots.make(options.snapshot)
  const inTurn = Turns.make()

  /** Versions are dense: where one is missing, the stream was created anew or truncated, and what is before the gap is no longer part of it. */
  const startsAnew = (folded: Fold.Folded<State>, next: { readonly version: number }) =>
    folded.version >= 0 && next.version !== folded.version + 1

  const loadState = (
    store: Service,
    streamId: string,
    consistency?: ReadConsistency
  ): Effect.Effect<Fold.Folded<State>, LoadFailure> =>
    Effect.gen(function* () {
      const nothing = Fold.nothing(rules)
      const foldFrom = (start: Fold.Folded<State>) =>
        Fold.fold(rules, start, store.readStream(streamId, { ...consistency, from: start.version + 1 }), startsAnew)
      const snapshot = snapshots === undefined ? Option.none() : yield* snapshots.load(store, streamId, consistency)
      if (Option.isNone(snapshot)) return yield* foldFrom(nothing)
      const { version } = snapshot.value
      const start = { ...nothing, ...snapshot.value }
      let folded = yield* foldFrom(start)
      if (folded.version === version) {
        if ((yield* store.getVersion(streamId, consistency)) <= version) return folded
        // What is behind the snapshot came just now, or is hidden: the stream then shows nothing at all, and what the snapshot says is over.
        folded = yield* foldFrom(start)
        if (folded.version === version) return yield* foldFrom(nothing)
      }
      // The stream may have been deleted since, which takes its snapshots, and created anew with the very next version. Or a later snapshot took this one, and the events before it are gone.
      const isPartOfIt = yield* store.hasSnapshot(streamId, { ...consistency, version })
      return isPartOfIt ? folded : yield* loadState(store, streamId, consistency)
    }).pipe(
      Effect.catchTags({
        StreamNotFound: () => Effect.succeed(Fold.nothing(rules)),
        StreamDeleted: () => Effect.succeed(Fold.nothing(rules))
      })
    )

  /** What the command led to when it was executed before. */
  const earlier = (store: Service, streamId: string, commandId: string) =>
    Fold.typed(
      rules,
      // A name with wildcards in it is a pattern for others as well.
      Stream.filter(
        store.queryStream(Query.make({ stream: streamId, metadata: [{ field: "command_id", value: commandId }] })),
        event => event.streamId === streamId
      )
    )

  const attempt = Effect.fnUntraced(function* (
    store: Service,
    streamId: string,
    command: Command,
    commandId: string | undefined,
    before: Attempts.Overtaken | undefined
  ) {
    const loaded = yield* loadState(store, streamId)
    // A stream can be at a version whose event it no longer shows: only the conflict tells. A snapshot from before that event is then no longer part of the stream.
    const actual = before?._tag === "WrongExpectedVersion" ? before.actual : -1
    const seen = actual > loaded.version ? Fold.nothing(rules) : loaded
    // After the state: what is not found now was not in it either, and what comes later is a conflict.
    const found = commandId === undefined || loaded.version < 0 ? [] : yield* earlier(store, streamId, commandId)
    const lastFound = found.at(-1)
    if (lastFound !== undefined) {
      const { position, version } = lastFound.recorded
      const events = found.map(({ event }) => event)
      return Either.right({ streamId, events, version, position, state: seen.state, repeated: true })
    }

    if (decider.isTerminal?.(seen.state) === true) {
      return yield* new Decider.TerminalState({ subject: `stream "${streamId}" at version ${seen.version}` })
    }
    const decided = yield* Decider.decide(decider, command, seen.state)
    const prepared = yield* Prepare.prepare(stream, decided, { commandId, scope: streamId })
    const events = prepared.map(({ event }) => event)
    if (events.length === 0) {
      const { state, version } = seen
      return Either.right({ streamId, events, version, position: -1, state, repeated: false })
    }

    // Before they are written: events that `evolve` breaks on would break every later load.
    const state = Decider.evolve(decider, seen.state, events)
    const version = Math.max(seen.version, actual)
    const expected = version < 0 ? ExpectedVersion.NoStream : ExpectedVersion.exact(version)
    const encoded = prepared.map(({ encoded }) => encoded)
    const answer = yield* Attempts.append(store.append(streamId, expected, encoded), retry)
    if (Either.isLeft(answer)) return Either.left(answer.left)

    const appended = answer.right
    const repeated = commandId !== undefined && appended.alreadyPresent > 0
    const outcome = { streamId, events, version: appended.version, position: appended.position, repeated }
    if (repeated && appended.version !== version + events.length) {
      // They were written in another state than the one seen here.
      return Either.right({ ...outcome, state: (yield* loadState(store, streamId)).state })
    }
    if (snapshots !== undefined) {
      yield* snapshots.saveIfDue(store, streamId, { state, version: appended.version }, seen.count + events.length)
    }
    return Either.right({ ...outcome, state })
  })

  return {
    load: (id, options) =>
      Effect.gen(function* () {
        const streamId = stream.streamId(id)
        const { state, version } = yield* loadState(yield* EventStore, streamId, options)
        return { streamId, version, state }
      }),
    execute: (id, command, options) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream.streamId(id)
        const commandId = options?.commandId
        if (commandId !== undefined) yield* Prepare.checkCommandId(commandId)
        const next = (before: Attempts.Overtaken | undefined) => attempt(store, streamId, command, commandId, before)
        return yield* Attempts.untilNotOvertaken(
          before => (before === undefined ? next(before) : inTurn(streamId)(next(before))),
          { commandId, retry }
        )
      })
  }
}
