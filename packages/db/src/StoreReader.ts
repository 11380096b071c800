/**
 * Reads of one store on this node, pages and subscriptions alike, from the node's own replica.
 *
 * A linearizable read first learns from the leader how far this replica must be and waits until it is; a local one takes it as it is. Then one of the
 * store's readers, whose turn it is, asks the engine. No reader is held up while a majority is asked.
 *
 * A query that the engine breaks on ends its reader and nothing else: whoever asked it is told so by that reader, and who was next in line asks another one.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import { type RecordedEvent, StreamId } from "@reckon/client/Event"
import { NoQuorum, Overloaded, StreamNotFound } from "@reckon/client/StoreError"
import { type Consistency, Direction, EventPage, pageEventsMax, StreamInfo } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as GenServer from "@reckon/otp/GenServer"
import * as Pool from "@reckon/otp/Pool"
import type * as ServiceHandle from "@reckon/otp/ServiceHandle"
import type { RaftClient } from "@reckon/raft/RaftClient"
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { CommitSignal } from "./CommitSignal.js"
import type { Service as Engine } from "./StoreEngine.js"
import * as StoreNames from "./StoreNames.js"

const Page = Schema.Struct({ from: Schema.Int, count: Schema.Int, direction: Direction })
type Page = typeof Page.Type

/**
 * What one reader answers. `NoQuorum`: this replica cannot be asked now.
 *
 * @since 0.1.0
 * @category protocol
 */
export class ReaderProtocol extends RpcGroup.make(
  Rpc.make("Read", {
    payload: { streamId: StreamId, ...Page.fields },
    success: EventPage,
    error: Schema.Union(NoQuorum, StreamNotFound)
  }),
  Rpc.make("ReadAll", { payload: Page, success: EventPage, error: NoQuorum }),
  Rpc.make("GetVersion", { payload: { streamId: StreamId }, success: Schema.Int, error: NoQuorum }),
  Rpc.make("ListStreams", {
    payload: { after: Schema.NullOr(StreamId), count: Schema.Int },
    success: Schema.Struct({ streams: Schema.Array(StreamInfo), isEnd: Schema.Boolean }),
    error: NoQuorum
  })
) {}

/** What one page carries at most, so that no read holds up the appends behind it for long. */
const pageBytesMax = 4 * 1024 * 1024

const starting = (store: string) => new NoQuorum({ store, detail: "this node is starting it" })

// -----------------------------------------------------------------------------
// one reader
// -----------------------------------------------------------------------------

type State = undefined

const reader = ({ engine, store }: Options) => {
  const ask = <A, E>(
    from: GenServer.From<A, E | NoQuorum>,
    query: (engine: Engine) => GenServer.Outcome<State, A, E>
  ): Effect.Effect<GenServer.Outcome<State, A, E | NoQuorum>> => {
    const current = engine.current()
    if (current === undefined) return GenServer.fail(starting(store), undefined)
    try {
      return query(current)
    } catch (defect) {
      // Told here, for the caller's own reader is the only one to know that it was this query and not one before it.
      from.settle(Exit.fail(new NoQuorum({ store, detail: "a reader of this node broke on the query" })))
      return Effect.die(defect)
    }
  }

  return GenServer.make(ReaderProtocol, {
    init: (_: GenServer.Self<never>) => Effect.succeed<State>(undefined),
    handlers: {
      Read: (options, state, from) =>
        ask<EventPage, StreamNotFound>(from, current => {
          const found = current.readStream({ ...options, bytesMax: pageBytesMax })
          return found === null
            ? GenServer.fail(new StreamNotFound({ streamId: options.streamId }), state)
            : GenServer.reply(found, state)
        }),
      ReadAll: (options, state, from) =>
        ask(from, current => GenServer.reply(current.readAll({ ...options, bytesMax: pageBytesMax }), state)),
      GetVersion: ({ streamId }, state, from) =>
        ask(from, current => GenServer.reply(current.getVersion(streamId), state)),
      ListStreams: (options, state, from) => ask(from, current => GenServer.reply(current.listStreams(options), state))
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
  readonly engine: ServiceHandle.ServiceHandle<Engine>
  /** How many readers, from 1 to 65,536. */
  readonly size: number
  /** How long a reader stays without a query. */
  readonly idleStop: Duration.DurationInput
}

/**
 * The readers of a store as those see them who read.
 *
 * @since 0.1.0
 * @category models
 */
export type Readers = Pool.Client<RpcGroup.Rpcs<typeof ReaderProtocol>, "round_robin">

/**
 * The readers of a store, each registered under the pool's name and its partition: `reckon_db_streams_reader_orders/0`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const pool = (options: Options) =>
  Pool.make({
    size: options.size,
    routing: "round_robin",
    idleStop: options.idleStop,
    intensity: 10,
    period: "60 seconds",
    worker: partition =>
      GenServer.startLink(reader(options), { name: `${StoreNames.streamsReader(options.store)}/${partition}` })
  })

// -----------------------------------------------------------------------------
// requests
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreReader
  extends Pick<StoreBackend, "read" | "readAll" | "getVersion" | "listStreams" | "subscribe"> {}

const inTime = { timeout: "10 seconds" } as const

const noEvents: EventPage = { events: [], isEnd: true }

/**
 * Reads through the readers of a store. A read that its reader could not serve has had no effect, and every error of it says so.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly store: string
  readonly readers: Readers
  readonly raft: RaftClient
  readonly engine: ServiceHandle.ServiceHandle<Engine>
  readonly signal: CommitSignal
}): StoreReader => {
  const { raft, readers, signal, store } = options

  const barrier: Effect.Effect<void, NoQuorum | Overloaded> = Effect.catchTags(raft.readBarrier, {
    NotLeader: () => Effect.fail(new NoQuorum({ store, detail: "no leader was elected in time" })),
    ReadTimeout: () => Effect.fail(new NoQuorum({ store, detail: "no majority confirmed the leader in time" })),
    Overloaded: () => Effect.fail(new Overloaded({ detail: "too many reads wait at the leader" }))
  })

  const asFresh = <A, E>(consistency: Consistency, read: Effect.Effect<A, E>) =>
    consistency === "linearizable" ? Effect.zipRight(barrier, read) : read

  const notServed = (detail: string) => () => Effect.fail(new NoQuorum({ store, detail }))
  const recover = {
    ServerExited: notServed("a reader of this node stopped"),
    ChildStartFailed: notServed("a reader of this node could not be started"),
    NoProcess: () => Effect.fail(starting(store)),
    CallingSelf: () => Effect.fail(starting(store)),
    CallTimeout: () => Effect.fail(new Overloaded({ detail: "no reader of this node answered in time" })),
    MailboxFull: () => Effect.fail(new Overloaded({ detail: "too many reads wait at this node" }))
  }
  /** A reader answers before it ends over a query, so a query that it left unanswered is not to blame and may try the next one. */
  const onceMore = <A, E extends { readonly _tag: string }>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.catchAll(call, error => (error._tag === "ServerExited" ? call : Effect.fail(error)))

  const readStream = (page: Page & { readonly streamId: string }) =>
    onceMore(readers.call("Read", page, inTime)).pipe(Effect.catchTags(recover))
  const readAll = (page: Page) => onceMore(readers.call("ReadAll", page, inTime)).pipe(Effect.catchTags(recover))
  const getVersion = (streamId: string) =>
    onceMore(readers.call("GetVersion", { streamId }, inTime)).pipe(Effect.catchTags(recover))
  const listStreams = (after: string | null, count: number) =>
    onceMore(readers.call("ListStreams", { after, count }, inTime)).pipe(Effect.catchTags(recover))

  const lastPosition = Effect.suspend(() => {
    const current = options.engine.current()
    return current === undefined ? Effect.fail(starting(store)) : Effect.succeed(current.lastPosition())
  })

  /** The page that follows `next`, as soon as it has an event. */
  const pageFrom = (
    streamId: string | null,
    next: number
  ): Effect.Effect<ReadonlyArray<RecordedEvent>, NoQuorum | Overloaded> =>
    Effect.gen(function* () {
      // Taken before the read: an event that commits after it will wake us.
      const position = yield* lastPosition
      const page = { from: next, count: pageEventsMax, direction: "forward" as const }
      const { events } = yield* streamId === null
        ? readAll(page)
        : Effect.catchTag(readStream({ ...page, streamId }), "StreamNotFound", () => Effect.succeed(noEvents))
      if (events.length > 0) return events
      yield* signal.awaitPosition(position + 1)
      return yield* pageFrom(streamId, next)
    })

  /** Behind the last event there is now. */
  const end = (streamId: string | null) =>
    asFresh(
      "linearizable",
      Effect.map(streamId === null ? lastPosition : getVersion(streamId), last => last + 1)
    )

  return {
    read: ({ consistency, ...page }) => asFresh(consistency, readStream(page)),
    readAll: ({ consistency, ...page }) => asFresh(consistency, readAll(page)),
    getVersion: ({ consistency, streamId }) => asFresh(consistency, getVersion(streamId)),
    listStreams: ({ after, consistency, count }) => asFresh(consistency, listStreams(after, count)),
    subscribe: ({ from, streamId }) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const first = from === "origin" ? 0 : from === "current" ? yield* end(streamId) : from
          return Stream.unfoldChunkEffect(first, next =>
            Effect.map(pageFrom(streamId, next), events => {
              const last = events[events.length - 1]
              const after = last === undefined ? next : (streamId === null ? last.position : last.version) + 1
              return Option.some([Chunk.of(events), after] as const)
            })
          )
        })
      )
  }
}
