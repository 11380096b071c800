/**
 * Reads of one store on this node, pages and subscriptions alike, from the node's own replica.
 *
 * A linearizable read first learns from the leader how far this replica must be and waits until it is; a local one takes it as it is. Then one of the
 * store's readers, whose turn it is, asks the engine. No reader is held up while a majority is asked.
 *
 * Where several pages are asked for at once, another thread may read their rows ahead, see `StoreEngine.Service.readAhead`; the reader makes the page of them.
 *
 * **No read holds up an append for longer than a page.** The engine answers with one page, which is bounded in events, bytes and rows looked at, and a reader asks for one
 * page a request. One that has kept the thread for a millisecond or more lets everything else that can run do so, timers and sockets included, before it answers; so of a read of many
 * pages, and of many reads that wait, one page at a time comes between an append and its answer, for each reader that is busy.
 *
 * A query that the engine breaks on ends its reader and nothing else: whoever asked it is told so by that reader, and who was next in line asks another one. One that meets damage of the file does not
 * even end that, for a reader that begins anew would meet it again: another node may have what was asked for, so the error is one with which clients try others.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import type { Snapshot } from "@reckon/client/Snapshot"
import {
  NoQuorum,
  Overloaded,
  type RequestError,
  SnapshotNotFound,
  StreamDeleted,
  type StreamError,
  StreamNotFound,
  StreamTombstoned
} from "@reckon/client/StoreError"
import {
  type Consistency,
  type EventPage,
  GetVersionRpc,
  HasEventsRpc,
  ListSnapshotsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  PositionAtRpc,
  pageEventsMax,
  QueryRpc,
  ReadAllRpc,
  ReadRpc,
  StreamDetailsRpc,
  VersionAtRpc
} from "@reckon/client/StoreRpcs"
import type { StreamDetails } from "@reckon/client/StreamMetadata"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as CallError from "@reckon/otp/CallError"
import { ChildStartFailed } from "@reckon/otp/ChildError"
import * as GenServer from "@reckon/otp/GenServer"
import * as Pool from "@reckon/otp/Pool"
import type * as ServiceHandle from "@reckon/otp/ServiceHandle"
import type { RaftClient } from "@reckon/raft/RaftClient"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { CommitSignal } from "./CommitSignal.js"
import * as Following from "./internal/processes/following.js"
import * as WallClock from "./internal/processes/wallClock.js"
import { Ahead } from "./internal/sqlite/ahead.js"
import { type Absent, type Service as Engine, type ReadAhead, StoreFileDamaged } from "./StoreEngine.js"
import * as StoreNames from "./StoreNames.js"

/** What was read ahead of the page, which never leaves the process. */
const ahead = Schema.optional(Schema.declare((value: unknown): value is Ahead => value instanceof Ahead))

/**
 * What one reader answers: the reading half of the contract, about the replica as it is now. How fresh that has to be was seen to before.
 *
 * @since 0.1.0
 * @category protocol
 */
export class ReaderProtocol extends RpcGroup.make(
  Rpc.make("Read", {
    payload: { ...ReadRpc.payloadSchema.fields, ahead },
    success: ReadRpc.successSchema,
    error: ReadRpc.errorSchema
  }),
  Rpc.make("ReadAll", {
    payload: { ...ReadAllRpc.payloadSchema.fields, ahead },
    success: ReadAllRpc.successSchema,
    error: ReadAllRpc.errorSchema
  }),
  QueryRpc,
  VersionAtRpc,
  PositionAtRpc,
  GetVersionRpc,
  StreamDetailsRpc,
  HasEventsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  ListSnapshotsRpc
) {}

/** The bytes of one page's events, unless the first of them has more. */
const pageBytesMax = 4 * 1024 * 1024
/** How long a reader may keep the thread, in nanoseconds, before everything else has a turn. */
const turnNanos = 1_000_000n

const notInService = (store: string) => new NoQuorum({ store, detail: "it is not in service on this node" })

const absent: Readonly<Record<Absent, (streamId: string) => StreamError>> = {
  not_found: streamId => new StreamNotFound({ streamId }),
  deleted: streamId => new StreamDeleted({ streamId }),
  tombstoned: streamId => new StreamTombstoned({ streamId })
}

// -----------------------------------------------------------------------------
// one reader
// -----------------------------------------------------------------------------

interface State {
  readonly clock: Clock.Clock
  /** For how long it has kept the thread since everything else had a turn. */
  busyNanos: bigint
  /** The damage of which this node's log was told last. Clients meet it again and again. */
  told: string | undefined
}

/** Behind all fibers that can run, and behind the timers and sockets that are due: the event loop comes to immediates last. */
const afterAllElse = Effect.async<void>(resume => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})

/** Whoever is told why there will be no answer. */
interface Asker {
  readonly settle: (exit: Exit.Exit<never, NoQuorum>) => void
}

const reader = ({ engine, store }: Options) => {
  const ask = <A, E>(
    from: Asker,
    state: State,
    query: (engine: Engine, nowUs: number) => GenServer.Outcome<State, A, E>
  ): Effect.Effect<GenServer.Outcome<State, A, E | NoQuorum>> => {
    const current = engine.current()
    if (current === undefined) return GenServer.fail(notInService(store), state)
    const begun = state.clock.unsafeCurrentTimeNanos()
    let outcome: GenServer.Outcome<State, A, E>
    try {
      // By a clock that was set back, or is behind the other nodes', reads would show what age has hidden before, and appends would be judged by another time.
      outcome = query(current, Math.max(WallClock.nowUs(state.clock), current.lastEpochUs()))
    } catch (defect) {
      if (defect instanceof StoreFileDamaged) {
        const failed = GenServer.fail(new NoQuorum({ store, detail: defect.message }), state)
        if (state.told === defect.what) return failed
        state.told = defect.what
        return Effect.as(Effect.logError(defect.message), failed)
      }
      // Told here, for the caller's own reader is the only one to know that it was this query and not one before it.
      const cause = defect instanceof Error ? defect.message : String(defect)
      from.settle(Exit.fail(new NoQuorum({ store, detail: `a reader of this node broke on the query: ${cause}` })))
      return Effect.die(defect)
    }
    state.busyNanos += state.clock.unsafeCurrentTimeNanos() - begun
    if (state.busyNanos < turnNanos) return outcome
    state.busyNanos = 0n
    return Effect.as(afterAllElse, outcome)
  }

  /** What a stream has, or why it has nothing. */
  const ofStream = <A extends object | number>(
    found: A | Absent,
    streamId: string,
    state: State
  ): GenServer.Outcome<State, A, StreamError> =>
    typeof found === "string" ? GenServer.fail(absent[found](streamId), state) : GenServer.reply(found, state)

  return GenServer.make(ReaderProtocol, {
    init: (_: GenServer.Self<never>) =>
      Effect.map(Effect.clock, (clock): State => ({ clock, busyNanos: 0n, told: undefined })),
    handlers: {
      Read: ({ ahead, count, direction, from: start, streamId }, state, from) =>
        ask(from, state, (current, nowUs) => {
          const page = { streamId, from: start, count, direction, bytesMax: pageBytesMax, nowUs }
          return ofStream(current.readStream(page, ahead), streamId, state)
        }),
      ReadAll: ({ ahead, asOf, count, direction, from: start }, state, from) =>
        ask(from, state, (current, nowUs) => {
          const page = { from: start, count, direction, asOf, bytesMax: pageBytesMax, nowUs }
          return GenServer.reply(current.readAll(page, ahead), state)
        }),
      Query: ({ asOf, count, direction, from: start, query }, state, from) =>
        ask(from, state, (current, nowUs) => {
          const page = { query, from: start, count, direction, asOf, bytesMax: pageBytesMax, nowUs }
          return GenServer.reply(current.readQuery(page), state)
        }),
      VersionAt: ({ epochUs, streamId }, state, from) =>
        ask(from, state, current => ofStream(current.versionAt(streamId, epochUs), streamId, state)),
      PositionAt: ({ epochUs }, state, from) =>
        ask(from, state, current => GenServer.reply(current.positionAt(epochUs), state)),
      GetVersion: ({ streamId }, state, from) =>
        ask(from, state, current => GenServer.reply(current.getVersion(streamId), state)),
      StreamDetails: ({ streamId }, state, from) =>
        ask<StreamDetails, StreamNotFound>(from, state, current => {
          const details = current.streamDetails(streamId)
          return details === null
            ? GenServer.fail(new StreamNotFound({ streamId }), state)
            : GenServer.reply(details, state)
        }),
      HasEvents: (_, state, from) =>
        ask(from, state, (current, nowUs) => GenServer.reply(current.hasEvents(nowUs), state)),
      ListStreams: ({ after, count, pattern }, state, from) =>
        ask(from, state, current => GenServer.reply(current.listStreams({ after, count, pattern }), state)),
      LoadSnapshot: ({ streamId, version }, state, from) =>
        ask<Snapshot, SnapshotNotFound>(from, state, current => {
          const snapshot = current.loadSnapshot(streamId, version)
          return snapshot === null
            ? GenServer.fail(new SnapshotNotFound({ streamId, version }), state)
            : GenServer.reply(snapshot, state)
        }),
      ListSnapshots: ({ count, from: start, streamId }, state, from) =>
        ask(from, state, current => GenServer.reply(current.listSnapshots({ streamId, from: start, count }), state))
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
  extends Pick<
    StoreBackend,
    | "read"
    | "readAll"
    | "query"
    | "versionAt"
    | "positionAt"
    | "getVersion"
    | "streamDetails"
    | "hasEvents"
    | "listStreams"
    | "loadSnapshot"
    | "listSnapshots"
    | "subscribe"
  > {}

/** How often a read is tried that a setback has overtaken. */
const triesMax = 5

/** How long another thread is waited for, whose disk may have stopped. */
const aheadMax = Duration.seconds(2)

const inTime = { timeout: Duration.seconds(10) } as const

/** What a page is asked for with. */
type Payload<Tag extends "Read" | "ReadAll"> = Omit<
  Rpc.Payload<Extract<RpcGroup.Rpcs<typeof ReaderProtocol>, { readonly _tag: Tag }>>,
  "ahead"
>

/** How a reader can fail to answer at all. */
type Unserved = CallError.CallError | ChildStartFailed
const isUnserved = Schema.is(Schema.Union(CallError.CallError, ChildStartFailed))

const nothingYet = (next: number): EventPage => ({ events: [], isEnd: true, next })

/**
 * Reads through the readers of a store. A read that its reader could not serve has had no effect, and every error of it says so.
 *
 * A subscription passes over what is hidden. It goes on where the pages it read say, also where they are empty, and waits only at the end of what there is: on a stream that
 * does not exist or was deleted until it has an event again. On one that is tombstoned, at whatever time, it fails. It also fails, with `NoQuorum`, where it has waited for three seconds on a node that
 * knows no leader: nothing that commits gets there, and another node may have it.
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
  /** Whether this node knows who leads. Where that ends, all are woken who wait for the signal. */
  readonly isLed: () => boolean
}): StoreReader => {
  const { engine, isLed, raft, readers, signal, store } = options

  // ── freshness ──

  const barrier: Effect.Effect<void, NoQuorum | Overloaded> = Effect.catchTags(raft.readBarrier, {
    NotLeader: () => Effect.fail(new NoQuorum({ store, detail: "no leader was elected in time" })),
    ReadTimeout: () => Effect.fail(new NoQuorum({ store, detail: "no majority confirmed the leader in time" })),
    Overloaded: () => Effect.fail(new Overloaded({ detail: "too many reads wait at the leader" }))
  })

  /** Tells, asked later, whether all that was seen since was at least as new as what is seen now. */
  const watch = (): (() => boolean) => {
    const current = engine.current()
    const setbacks = current?.setbacks()
    return () => engine.current() === current && current?.setbacks() === setbacks
  }

  /** What the barrier has waited for may be taken back before it is read: by a commit that fails, or with the store's process, whose next life begins where its file stands. */
  const fresh = <A, E>(read: Effect.Effect<A, E>, tries = triesMax): Effect.Effect<A, E | NoQuorum | Overloaded> =>
    Effect.suspend(() => {
      const isUnbroken = watch()
      return Effect.flatMap(Effect.zipRight(barrier, Effect.exit(read)), exit => {
        if (isUnbroken()) return exit
        return tries > 1
          ? fresh(read, tries - 1)
          : new NoQuorum({ store, detail: "this node takes back again and again what it has applied" })
      })
    })

  const asFresh = <A, E>(consistency: Consistency, read: Effect.Effect<A, E>) =>
    consistency === "linearizable" ? fresh(read) : read

  // ── asking a reader ──

  const refusal = (error: Unserved): NoQuorum | Overloaded => {
    switch (error._tag) {
      case "ServerExited":
        return new NoQuorum({ store, detail: "a reader of this node stopped" })
      case "ChildStartFailed":
        return new NoQuorum({ store, detail: "a reader of this node could not be started" })
      case "NoProcess":
      case "CallingSelf":
        return notInService(store)
      case "CallTimeout":
        return new Overloaded({ detail: "no reader of this node answered in time" })
      case "MailboxFull":
        return new Overloaded({ detail: "too many reads wait at this node" })
    }
  }

  const refused = <E>(error: E | Unserved): Effect.Effect<never, E | NoQuorum | Overloaded> =>
    Effect.fail(isUnserved(error) ? refusal(error) : error)

  const served = <A, E>(call: Effect.Effect<A, E | Unserved>): Effect.Effect<A, E | NoQuorum | Overloaded> =>
    Effect.catchAll(call, error =>
      // A reader answers before it ends over a query, so a query that it left unanswered is not to blame and may try the next one.
      isUnserved(error) && error._tag === "ServerExited" ? Effect.catchAll(call, refused) : refused(error)
    )

  // ── pages ──

  /** How many pages are asked for and not answered. */
  let reads = 0

  let hasTold = false

  /** Costs time and nothing else, for the reader makes the page all the same. So it is told once. */
  const notAhead = (why: unknown): Effect.Effect<undefined> => {
    if (hasTold) return Effect.succeed(undefined)
    hasTold = true
    return Effect.as(
      Effect.logWarning(`a page of the store "${store}" was not read ahead, nor may others be`, why),
      undefined
    )
  }

  /** By another thread, if that is worth while. */
  const readAhead = (options: Omit<ReadAhead, "reads">): Effect.Effect<Ahead | undefined> | undefined => {
    try {
      const reading = engine.current()?.readAhead({ ...options, reads })
      if (reading === undefined) return undefined
      const onTimeout = () => notAhead(`it took longer than ${Duration.format(aheadMax)}`)
      return Effect.flatten(
        Effect.timeoutTo(reading, { duration: aheadMax, onSuccess: ahead => Effect.succeed(ahead), onTimeout })
      )
    } catch (cause) {
      return notAhead(cause)
    }
  }

  const paged = <E>(
    options: Omit<ReadAhead, "reads">,
    page: (ahead: Ahead | undefined) => Effect.Effect<EventPage, E | Unserved>
  ): Effect.Effect<EventPage, E | NoQuorum | Overloaded> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        reads++
        return readAhead(options)
      }),
      reading =>
        reading === undefined ? served(page(undefined)) : Effect.flatMap(reading, ahead => served(page(ahead))),
      () =>
        Effect.sync(() => {
          reads--
        })
    )

  const readStream = (request: Payload<"Read">) =>
    paged({ ...request, asOf: null }, ahead => readers.call("Read", { ...request, ahead }, inTime))

  const readAll = (request: Payload<"ReadAll">) =>
    paged({ ...request, streamId: null }, ahead => readers.call("ReadAll", { ...request, ahead }, inTime))

  // ── following ──

  const lastPosition = Effect.suspend(() => {
    const current = engine.current()
    return current === undefined ? Effect.fail(notInService(store)) : Effect.succeed(current.lastPosition())
  })

  const pageAt = (streamId: string | null, from: number): Effect.Effect<EventPage, RequestError | StreamTombstoned> => {
    const page = { store, from, count: pageEventsMax, direction: "forward", consistency: "local" } as const
    return streamId === null
      ? readAll({ ...page, asOf: null })
      : Effect.catchTags(readStream({ ...page, streamId }), {
          StreamNotFound: () => Effect.succeed(nothingYet(from)),
          StreamDeleted: () => Effect.succeed(nothingYet(from))
        })
  }

  /** Behind the last event there is now. */
  const end = (streamId: string | null): Effect.Effect<number, RequestError> =>
    asFresh(
      "linearizable",
      Effect.map(
        streamId === null
          ? lastPosition
          : served(readers.call("GetVersion", { store, streamId, consistency: "local" }, inTime)),
        last => last + 1
      )
    )

  return {
    read: request => asFresh(request.consistency, readStream({ store, ...request })),
    readAll: request => asFresh(request.consistency, readAll({ store, ...request })),
    query: request => asFresh(request.consistency, served(readers.call("Query", { store, ...request }, inTime))),
    versionAt: request =>
      asFresh(request.consistency, served(readers.call("VersionAt", { store, ...request }, inTime))),
    positionAt: request =>
      asFresh(request.consistency, served(readers.call("PositionAt", { store, ...request }, inTime))),
    getVersion: request =>
      asFresh(request.consistency, served(readers.call("GetVersion", { store, ...request }, inTime))),
    streamDetails: request =>
      asFresh(request.consistency, served(readers.call("StreamDetails", { store, ...request }, inTime))),
    hasEvents: request =>
      asFresh(request.consistency, served(readers.call("HasEvents", { store, ...request }, inTime))),
    listStreams: request =>
      asFresh(request.consistency, served(readers.call("ListStreams", { store, ...request }, inTime))),
    loadSnapshot: request =>
      asFresh(request.consistency, served(readers.call("LoadSnapshot", { store, ...request }, inTime))),
    listSnapshots: request =>
      asFresh(request.consistency, served(readers.call("ListSnapshots", { store, ...request }, inTime))),
    subscribe: Following.make({ store, signal, isLed, pageAt, end })
  }
}
