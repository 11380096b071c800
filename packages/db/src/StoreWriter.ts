/**
 * The writers of one store on this node: a pool of processes that stamp and encode operations and have Raft replicate them.
 *
 * An operation goes to the writer of its partition, the one that the hash of store and stream names; one of several streams to that of the first. A writer has
 * several commands on their way at a time, but never two that concern the same stream. So the operations on a stream enter the log in the order in which they were
 * made, even where a command has to be offered again because the leader changed. Operations that arrive while no command may leave gather and
 * leave as the next one, so that many small callers cost as little as one large one. A command's size is bounded, and so is what waits.
 *
 * **What order is promised.** With one writer, which is the default: operations that have a stream in common take effect in the order in which they were made, whatever
 * other streams they have. With several: those of one stream each, and those of several streams that begin with the same one; on its other streams an operation of several
 * follows what was answered before it was made. Operations without a common stream may change places while they are under way, and a condition is judged by what has taken effect
 * when it is its turn: whoever wants one thing behind another waits for the answer to the first. An append whose condition has much to look through takes its place in the order when most
 * of that is done (`internal/processes/conditionCheck.ts`): what is written meanwhile does not wait for it.
 *
 * A writer that crashes takes with it what it had in hand, and nothing of the other partitions. One that is stopped refuses what has not left, and waits for the answers to
 * what has.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import {
  AppendError,
  NoQuorum,
  OutcomeUnknown,
  Overloaded,
  RequestError,
  RequestTooLarge,
  SnapshotOutOfRange,
  StreamError,
  StreamTombstoned,
  WriteError,
  WrongExpectedVersion
} from "@reckon/client/StoreError"
import { type Append, Appended } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as GenServer from "@reckon/otp/GenServer"
import * as Pool from "@reckon/otp/Pool"
import type { RaftClient } from "@reckon/raft/RaftClient"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import * as Command from "./Command.js"
import type { ConditionCheck } from "./internal/processes/conditionCheck.js"
import { bytesOf, Operation, streamsOf } from "./internal/processes/operation.js"
import * as WallClock from "./internal/processes/wallClock.js"
import { assertInvariant } from "./internal/sqlite/invariant.js"
import * as StoreNames from "./StoreNames.js"

/**
 * What one writer answers: to each operation on its own, in their order.
 *
 * @since 0.1.0
 * @category protocol
 */
export class WriterProtocol extends RpcGroup.make(
  Rpc.make("Write", {
    payload: { operations: Schema.Array(Operation) },
    success: Schema.Array(Schema.Either({ left: WriteError, right: Schema.Array(Appended) })),
    error: RequestError
  })
) {}

/** Commands of one writer on their way at a time. More than one keeps the pipe full while another is being committed; each is one log entry. */
const commandsMax = 4
/** Bytes of operations in one command, unless a single request has more. */
const commandBytesMax = 1024 * 1024
/** Bytes of operations that may wait at the writers of a store; each has its share. */
const waitingBytesMax = 64 * 1024 * 1024
/** Requests, or parts of them, that may wait at the writers of a store; each has its share. */
const waitingRequestsMax = 16_384
/** How long a writer that is stopped waits for the answers to what has left. Less than a worker of a pool gets before it is killed. */
const drainLimit = "2 seconds"

// -----------------------------------------------------------------------------
// one writer
// -----------------------------------------------------------------------------

interface Request {
  readonly operations: ReadonlyArray<Command.Operation>
  readonly streams: ReadonlyArray<string>
  readonly bytes: number
  readonly reply: (exit: Exit.Exit<Command.Reply, RequestError>) => void
}

interface State {
  readonly self: GenServer.Self<"Next">
  readonly commands: FiberSet.FiberSet<void>
  readonly run: (command: Effect.Effect<void>) => unknown
  waiting: Array<Request>
  waitingBytes: number
  /** The streams of each command that is on its way. */
  readonly underWay: Set<ReadonlySet<string>>
  /** A `Next` is in the mailbox. */
  called: boolean
}

const initial = (self: State["self"]) =>
  Effect.gen(function* () {
    const commands = yield* FiberSet.make<void>()
    const run = yield* FiberSet.runtime(commands)<never>()
    const state: State = { self, commands, run, waiting: [], waitingBytes: 0, underWay: new Set(), called: false }
    return state
  })

/**
 * Has the next command made, behind what is in the mailbox already, so that this comes along. A mailbox without room for the message is full of requests,
 * each of which will ask again.
 */
const callNext = (state: State): void => {
  if (!state.called) state.called = state.self.unsafeSend("Next")
}

/** Takes what fits into one command from the head of what waits, up to a request that has to wait for a command before it. */
const takeRequests = (state: State): { readonly requests: ReadonlyArray<Request>; readonly streams: Set<string> } => {
  const requests: Array<Request> = []
  const streams = new Set<string>()
  const onTheWay = (stream: string): boolean => {
    for (const others of state.underWay) if (others.has(stream)) return true
    return false
  }
  let bytes = 0
  for (const request of state.waiting) {
    if (requests.length > 0 && bytes + request.bytes > commandBytesMax) break
    if (request.streams.some(onTheWay)) break
    for (const stream of request.streams) streams.add(stream)
    requests.push(request)
    bytes += request.bytes
  }
  state.waiting = state.waiting.slice(requests.length)
  state.waitingBytes -= bytes
  return { requests, streams }
}

const writer = ({ raft, size, store }: Options) => {
  const bytesMax = Math.floor(waitingBytesMax / size)
  const requestsMax = Math.ceil(waitingRequestsMax / size)
  const stopping = Exit.fail(new NoQuorum({ store, detail: "this node is stopping it" }))

  /** Proposes one command and splits its answer among the requests that it was made of. */
  const commit = (requests: ReadonlyArray<Request>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const at = yield* Effect.map(Effect.clock, WallClock.nowUs)
      const operations = requests.flatMap(request => request.operations)
      const bytes = yield* raft.propose(Command.encode({ at, operations }))
      return yield* Command.decodeReply(bytes)
    }).pipe(
      Effect.catchTags({
        NotLeader: () => Effect.fail(new NoQuorum({ store, detail: "no leader was elected in time" })),
        Overloaded: () => Effect.fail(new Overloaded({ detail: "the leader has too much uncommitted" })),
        // A command of several requests is far smaller: this is one request's alone.
        EntryTooLarge: ({ bytes, limitBytes }) => Effect.fail(new RequestTooLarge({ bytes, limitBytes })),
        ProposalRefused: ({ message }) => Effect.fail(new NoQuorum({ store, detail: message })),
        ProposalUnknown: ({ detail }) => Effect.fail(new OutcomeUnknown({ detail })),
        // It was committed, but this node is too old to read how.
        UnreadableBytes: error => Effect.fail(new OutcomeUnknown({ detail: error.message }))
      }),
      Effect.exit,
      Effect.map(exit => {
        let at = 0
        for (const request of requests) {
          const from = at
          at += request.operations.length
          request.reply(Exit.map(exit, reply => reply.slice(from, at)))
        }
      })
    )

  return GenServer.make(WriterProtocol, {
    // To be asked to go, and not cut off.
    trapExit: true,
    init: (self: GenServer.Self<"Next">) => initial(self),
    handlers: {
      Write: ({ operations }, state, from) => {
        let bytes = 0
        for (const operation of operations) bytes += bytesOf(operation)
        const full =
          state.waiting.length >= requestsMax || (state.waiting.length > 0 && state.waitingBytes + bytes > bytesMax)
        if (full) return GenServer.fail(new Overloaded({ detail: "too many writes wait at this node" }), state)
        const streams = operations.flatMap(streamsOf)
        state.waiting.push({ operations, streams, bytes, reply: exit => from.settle(exit) })
        state.waitingBytes += bytes
        if (state.underWay.size < commandsMax) callNext(state)
        return GenServer.noReply(state)
      }
    },
    info: (_, state) => {
      state.called = false
      while (state.underWay.size < commandsMax) {
        const { requests, streams } = takeRequests(state)
        if (requests.length === 0) break
        state.underWay.add(streams)
        const done = Effect.sync(() => {
          state.underWay.delete(streams)
          if (state.waiting.length > 0) callNext(state)
        })
        state.run(Effect.ensuring(commit(requests), done))
      }
      return GenServer.noReply(state)
    },
    terminate: (reason, state) => {
      if (!ExitReason.isClean(reason)) return Effect.void
      for (const request of state.waiting) request.reply(stopping)
      return Effect.timeoutOption(FiberSet.awaitEmpty(state.commands), drainLimit)
    }
  })
}

// -----------------------------------------------------------------------------
// the pool
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly store: string
  readonly raft: RaftClient
  /** How many writers, from 1 to 65,536. */
  readonly size: number
  /** How long a writer stays without work. */
  readonly idleStop: Duration.DurationInput
}

/**
 * The writers of a store as those see them who write.
 *
 * @since 0.1.0
 * @category models
 */
export type Writers = Pool.Client<RpcGroup.Rpcs<typeof WriterProtocol>, "hash">

/**
 * The writers of a store, each registered under the pool's name and its partition: `reckon_db_streams_writer_orders/0`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const pool = (options: Options) =>
  Pool.make({
    size: options.size,
    routing: "hash",
    idleStop: options.idleStop,
    intensity: 10,
    period: "60 seconds",
    worker: partition =>
      GenServer.startLink(writer(options), { name: `${StoreNames.streamsWriter(options.store)}/${partition}` })
  })

// -----------------------------------------------------------------------------
// requests
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreWriter
  extends Pick<
    StoreBackend,
    "append" | "appendBatch" | "deleteStream" | "setStreamMetadata" | "saveSnapshot" | "deleteSnapshots"
  > {}

/** What of a request goes to one partition. */
interface Part {
  readonly key: string
  readonly operations: Array<Command.Operation>
  /** Where each of them stands in the request. */
  readonly places: Array<number>
}

/**
 * How a request ends of which parts failed. That it had no effect may only be said where this is true of each part: one that was carried out
 * cannot be taken back, and who hears "nothing happened" may give up, or send other events. What the other parts answered is lost to the caller,
 * but not for good: a repetition of the request writes nothing twice and answers every append.
 */
const failureOf = (failures: Arr.NonEmptyReadonlyArray<RequestError>, parts: number): RequestError => {
  const [first] = failures
  const unknown = failures.find(failure => failure._tag === "OutcomeUnknown")
  if (unknown !== undefined) return unknown
  if (failures.length === parts) return first
  return new OutcomeUnknown({
    detail: `${parts - failures.length} of its ${parts} parts did, and of another: ${first.message}`
  })
}

/** What each kind of operation can fail with. Anything else from the engine is a defect. */
const isAppendError = Schema.is(AppendError)
const isDeleteError = Schema.is(Schema.Union(WrongExpectedVersion, StreamTombstoned))
const isMetadataError = Schema.is(StreamTombstoned)
const isSnapshotError = Schema.is(Schema.Union(...StreamError.members, SnapshotOutOfRange))
const isNoError = Schema.is(Schema.Never)

const only =
  <E extends WriteError>(isExpected: (error: unknown) => error is E) =>
  (error: WriteError): E => {
    assertInvariant(isExpected(error), "an operation fails with an error of its kind", { error: error._tag })
    return error
  }

const onlyAppendErrors = only(isAppendError)

/** What an append of one stream answers. */
const appendedIn = (outcome: Command.Outcome): Appended => {
  const [appended] = outcome
  assertInvariant(appended !== undefined && outcome.length === 1, "an append answers for its stream", {
    answers: outcome.length
  })
  return appended
}

const answerOf = Either.mapBoth({ onLeft: onlyAppendErrors, onRight: appendedIn })

// No store has a "/" in its name.
const keyOf = (store: string, streamId: string): string => `${store}/${streamId}`

/**
 * Writes through the writers of a store.
 *
 * An `append` with streams of several partitions is split, its parts are carried out side by side, and the answers are put together in the request's
 * order. If some parts succeed and another fails, the request fails as a whole, with `OutcomeUnknown`: repeated with the same event ids, it writes nothing twice and
 * tells what became of each append. The failed part is not answered append by append, because an `AppendError` is the store's final word about one append, and
 * here the store has not spoken. Any other error means that no append of the request took effect.
 *
 * Every other request is one operation, which takes effect as a whole or not at all.
 *
 * @since 0.1.0
 * @category requests
 */
export const make = (options: {
  readonly store: string
  readonly writers: Writers
  /** Looks through what a condition has behind it, as far as that can be done before the append is proposed. */
  readonly check: ConditionCheck
}): StoreWriter => {
  const { check, store, writers } = options

  const notTaken = (detail: string) => () => Effect.fail(new NoQuorum({ store, detail }))
  const unknown = (detail: string) => () => Effect.fail(new OutcomeUnknown({ detail }))
  /** What the writer itself cannot tell. Only a request that it never got surely had no effect. */
  const recover = {
    CallTimeout: unknown("the writer did not answer in time"),
    ServerExited: unknown("the writer's process stopped"),
    ChildStartFailed: notTaken("the writer could not be started"),
    NoProcess: notTaken("it is not in service on this node"),
    CallingSelf: notTaken("it is not in service on this node"),
    MailboxFull: () => Effect.fail(new Overloaded({ detail: "the writer's mailbox is full" }))
  }
  const inTime = { timeout: Duration.seconds(20) }

  const write = (key: string, operations: ReadonlyArray<Command.Operation>) =>
    Effect.catchTags(writers.call(key, "Write", { operations }, inTime), recover)

  // ── several appends ──

  const split = Effect.fnUntraced(function* (appends: ReadonlyArray<Append>) {
    const parts = new Map<number, Part>()
    for (const [place, one] of appends.entries()) {
      const key = keyOf(store, one.streamId)
      const partition = yield* writers.partitionOf(key)
      const part = parts.get(partition) ?? { key, operations: [], places: [] }
      part.operations.push(Command.single(one))
      part.places.push(place)
      parts.set(partition, part)
    }
    return [...parts.values()]
  })

  const writeSplit = Effect.fnUntraced(function* (appends: ReadonlyArray<Append>) {
    const run = yield* FiberSet.makeRuntime<never>()
    // All parts are in their writers' mailboxes before anybody else gets a turn, however many appends there are: a request
    // that came later must not overtake one of them.
    const underWay = yield* split(appends).pipe(
      Effect.map(parts =>
        parts.map(({ key, operations, places }) =>
          run(Effect.either(Effect.map(write(key, operations), reply => Arr.zip(places, reply))))
        )
      ),
      Effect.withMaxOpsBeforeYield(Number.MAX_SAFE_INTEGER)
    )
    const [failures, replies] = Arr.separate(yield* Effect.forEach(underWay, fiber => Fiber.join(fiber)))
    if (Arr.isNonEmptyReadonlyArray(failures)) return yield* Effect.fail(failureOf(failures, underWay.length))
    return replies
      .flat()
      .sort(([place], [other]) => place - other)
      .map(([, answer]) => answer)
  }, Effect.scoped)

  // ── one operation ──

  const writeOne = <E extends WriteError>(
    streamId: string,
    operation: Command.Operation,
    isExpected: (error: unknown) => error is E
  ): Effect.Effect<Command.Outcome, RequestError | E> =>
    Effect.flatMap(write(keyOf(store, streamId), [operation]), reply => {
      const [answer] = reply
      assertInvariant(answer !== undefined && reply.length === 1, "a writer answers each operation", {
        answers: reply.length
      })
      return Either.mapLeft(answer, only(isExpected))
    })

  return {
    append: appends => {
      const [first] = appends
      if (first === undefined) return Effect.succeed([])
      // Nothing to split: all goes to one writer.
      const replied =
        appends.length === 1 || writers.size === 1
          ? write(keyOf(store, first.streamId), appends.map(Command.single))
          : writeSplit(appends)
      return Effect.map(replied, reply => reply.map(answerOf))
    },
    appendBatch: ({ appends, condition }) => {
      const [first] = appends
      if (first === undefined) return Effect.succeed([])
      const checked = condition === null ? Effect.succeed(null) : check(condition)
      return Effect.flatMap(checked, condition =>
        writeOne(first.streamId, Command.Operation.Append({ appends, condition }), isAppendError)
      )
    },
    deleteStream: ({ expectedVersion, streamId, tombstone }) => {
      const operation = Command.Operation.DeleteStream({ streamId, expectedVersion, tombstone })
      return Effect.asVoid(writeOne(streamId, operation, isDeleteError))
    },
    setStreamMetadata: ({ metadata, streamId }) =>
      Effect.asVoid(writeOne(streamId, Command.Operation.SetStreamMetadata({ streamId, metadata }), isMetadataError)),
    saveSnapshot: ({ keep, snapshot }) =>
      Effect.asVoid(writeOne(snapshot.streamId, Command.Operation.SaveSnapshot({ snapshot, keep }), isSnapshotError)),
    deleteSnapshots: ({ streamId, version }) =>
      Effect.asVoid(writeOne(streamId, Command.Operation.DeleteSnapshots({ streamId, version }), isNoError))
  }
}
