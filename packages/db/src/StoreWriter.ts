/**
 * The writers of one store on this node: a pool of processes that stamp and encode appends and have Raft replicate them.
 *
 * An append goes to the writer of its partition, the one that the hash of store and stream names. A writer has several commands on their way at a time, but never
 * two with appends to the same stream. So these enter the log in the order in which they were made, even where a command has to be offered again
 * because the leader changed. Appends that arrive while no command may leave gather and leave as the next one, so that many small callers cost as little as
 * one large one. A command's size is bounded, and so is what waits.
 *
 * A writer that crashes takes with it what it had in hand, and nothing of the other partitions.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Event from "@reckon/client/Event"
import { AppendError, NoQuorum, OutcomeUnknown, Overloaded, RequestError } from "@reckon/client/StoreError"
import { Append, Appended } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as GenServer from "@reckon/otp/GenServer"
import * as Pool from "@reckon/otp/Pool"
import type { RaftClient } from "@reckon/raft/RaftClient"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import * as Command from "./Command.js"
import * as StoreNames from "./StoreNames.js"

/**
 * What one writer answers.
 *
 * @since 0.1.0
 * @category protocol
 */
export class WriterProtocol extends RpcGroup.make(
  Rpc.make("Append", {
    payload: { appends: Schema.Array(Append) },
    success: Schema.Array(Schema.Either({ left: AppendError, right: Appended })),
    error: RequestError
  })
) {}

/** Commands of one writer on their way at a time. More than one keeps the pipe full while another is being committed; each is one log entry. */
const commandsMax = 4
/** Bytes of events in one command, unless a single request has more. */
const commandBytesMax = 1024 * 1024
/** Bytes of events that may wait at the writers of a store; each has its share. */
const waitingBytesMax = 64 * 1024 * 1024
/** Requests, or parts of them, that may wait at the writers of a store; each has its share. */
const waitingRequestsMax = 16_384

// -----------------------------------------------------------------------------
// one writer
// -----------------------------------------------------------------------------

interface Request {
  readonly appends: ReadonlyArray<Append>
  readonly bytes: number
  readonly reply: (exit: Exit.Exit<Command.Reply, RequestError>) => void
}

interface State {
  readonly self: GenServer.Self<"Next">
  readonly run: (command: Effect.Effect<void>) => unknown
  waiting: Array<Request>
  waitingBytes: number
  /** The streams of each command that is on its way. */
  readonly underWay: Set<ReadonlySet<string>>
  /** A `Next` is in the mailbox. */
  called: boolean
}

const byteLength = (appends: ReadonlyArray<Append>): number => {
  let bytes = 0
  for (const { events } of appends) {
    for (const event of events) bytes += Event.byteLength(event)
  }
  return bytes
}

/**
 * Has the next command made, behind what is in the mailbox already, so that this comes along. A mailbox without room for the message is full of appends,
 * each of which will ask again.
 */
const callNext = (state: State): void => {
  if (!state.called) state.called = state.self.unsafeSend("Next")
}

/** Takes what fits into one command from the head of what waits, up to a request that has to wait for a command before it. */
const takeRequests = (state: State): { readonly requests: ReadonlyArray<Request>; readonly streams: Set<string> } => {
  const requests: Array<Request> = []
  const streams = new Set<string>()
  const onTheWay = ({ streamId }: Append): boolean => {
    for (const others of state.underWay) if (others.has(streamId)) return true
    return false
  }
  let bytes = 0
  for (const request of state.waiting) {
    if (requests.length > 0 && bytes + request.bytes > commandBytesMax) break
    if (request.appends.some(onTheWay)) break
    for (const { streamId } of request.appends) streams.add(streamId)
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

  /** Proposes one command and splits its answer among the requests that it was made of. */
  const commit = (requests: ReadonlyArray<Request>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const nanos = yield* Clock.currentTimeNanos
      const appends = requests.flatMap(request => request.appends)
      const bytes = yield* raft.propose(Command.encode({ at: Number(nanos / 1000n), appends }))
      return yield* Command.decodeReply(bytes)
    }).pipe(
      Effect.catchTags({
        NotLeader: () => Effect.fail(new NoQuorum({ store, detail: "no leader was elected in time" })),
        Overloaded: () => Effect.fail(new Overloaded({ detail: "the leader has too much uncommitted" })),
        ProposalUnknown: ({ detail }) => Effect.fail(new OutcomeUnknown({ detail })),
        // It was committed, but this node is too old to read how.
        UnreadableBytes: error => Effect.fail(new OutcomeUnknown({ detail: error.message }))
      }),
      Effect.exit,
      Effect.map(exit => {
        let at = 0
        for (const request of requests) {
          const from = at
          at += request.appends.length
          request.reply(Exit.map(exit, reply => reply.slice(from, at)))
        }
      })
    )

  return GenServer.make(WriterProtocol, {
    init: (self: GenServer.Self<"Next">) =>
      Effect.map(
        FiberSet.makeRuntime<never, void>(),
        (run): State => ({ self, run, waiting: [], waitingBytes: 0, underWay: new Set(), called: false })
      ),
    handlers: {
      Append: ({ appends }, state, from) => {
        const bytes = byteLength(appends)
        const full =
          state.waiting.length >= requestsMax || (state.waiting.length > 0 && state.waitingBytes + bytes > bytesMax)
        if (full) return GenServer.fail(new Overloaded({ detail: "too many appends wait at this node" }), state)
        state.waiting.push({ appends, bytes, reply: exit => from.settle(exit) })
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
  /** How long a writer stays without an append. */
  readonly idleStop: Duration.DurationInput
}

/**
 * The writers of a store as those see them who append.
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

/** What of a request goes to one partition. */
interface Part {
  readonly key: string
  readonly appends: Array<Append>
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

/**
 * Appends through the writers of a store. A request with streams of several partitions is split, its parts are carried out side by side, and the answers are put
 * together in the request's order. Appends to one stream take effect in the order in which they were made, but for those whose outcome is unknown: they
 * may take effect later.
 *
 * If some parts succeed and another fails, the request fails as a whole, with `OutcomeUnknown`: repeated with the same event ids, it writes nothing twice and tells
 * what became of each append. The failed part is not answered append by append, because an `AppendError` is the store's final word about one append, and
 * here the store has not spoken. Any other error means that no append of the request took effect.
 *
 * @since 0.1.0
 * @category requests
 */
export const append = (store: string, writers: Writers): StoreBackend["append"] => {
  const notTaken = (detail: string) => () => Effect.fail(new NoQuorum({ store, detail }))
  const unknown = (detail: string) => () => Effect.fail(new OutcomeUnknown({ detail }))

  /** What the writer itself cannot tell. Only a request that it never got surely had no effect. */
  const write = (key: string, appends: ReadonlyArray<Append>) =>
    writers.call(key, "Append", { appends }, { timeout: "20 seconds" }).pipe(
      Effect.catchTags({
        CallTimeout: unknown("the writer did not answer in time"),
        ServerExited: unknown("the writer's process stopped"),
        ChildStartFailed: notTaken("the writer could not be started"),
        NoProcess: notTaken("this node is starting it"),
        CallingSelf: notTaken("this node is starting it"),
        MailboxFull: () => Effect.fail(new Overloaded({ detail: "the writer's mailbox is full" }))
      })
    )

  // No store has a "/" in its name.
  const keyOf = ({ streamId }: Append): string => `${store}/${streamId}`

  const split = Effect.fnUntraced(function* (appends: ReadonlyArray<Append>) {
    const parts = new Map<number, Part>()
    for (const [place, one] of appends.entries()) {
      const key = keyOf(one)
      const partition = yield* writers.partitionOf(key)
      const part = parts.get(partition) ?? { key, appends: [], places: [] }
      part.appends.push(one)
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
        parts.map(({ appends, key, places }) =>
          run(Effect.either(Effect.map(write(key, appends), reply => Arr.zip(places, reply))))
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

  return appends => {
    const [first] = appends
    if (first === undefined) return Effect.succeed([])
    return appends.length === 1 ? write(keyOf(first), appends) : writeSplit(appends)
  }
}
