/**
 * A gateway worker: the process that carries out requests for one store.
 *
 * A request does not hold up the ones behind it: the worker starts it and answers when it is done. Whatever the worker has under way ends with the worker,
 * and its callers are told.
 *
 * @since 0.1.0
 */
import * as RpcGroup from "@effect/rpc/RpcGroup"
import type { RecordedEvent } from "@reckon/client/Event"
import { NoQuorum, Overloaded, type RequestError, type SubscribeError } from "@reckon/client/StoreError"
import {
  AppendBatchRpc,
  AppendRpc,
  DeleteSnapshotsRpc,
  DeleteStreamRpc,
  GetVersionRpc,
  HasEventsRpc,
  ListSnapshotsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  PositionAtRpc,
  QueryRpc,
  ReadAllRpc,
  ReadRpc,
  SaveSnapshotRpc,
  SetStreamMetadataRpc,
  StatusRpc,
  StreamDetailsRpc,
  type SubscribeFrom,
  VersionAtRpc
} from "@reckon/client/StoreRpcs"
import * as GenServer from "@reckon/otp/GenServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Stream from "effect/Stream"
import type { StoreBackend } from "./StoreBackend.js"
import { WorkerRegistry } from "./WorkerRegistry.js"

/**
 * What the worker answers as a process. Subscriptions are streams and do not go through its mailbox, see {@link GatewayWorker}.
 *
 * @since 0.1.0
 * @category protocol
 */
export class WorkerProtocol extends RpcGroup.make(
  AppendRpc,
  AppendBatchRpc,
  DeleteStreamRpc,
  SetStreamMetadataRpc,
  SaveSnapshotRpc,
  DeleteSnapshotsRpc,
  ReadRpc,
  ReadAllRpc,
  QueryRpc,
  VersionAtRpc,
  PositionAtRpc,
  GetVersionRpc,
  StreamDetailsRpc,
  HasEventsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  ListSnapshotsRpc,
  StatusRpc
) {}

/**
 * @since 0.1.0
 * @category models
 */
export interface GatewayWorker {
  readonly store: string
  readonly ref: GenServer.BoundClient<RpcGroup.Rpcs<typeof WorkerProtocol>>
  /** Ends with `NoQuorum` when the worker stops, so that the subscriber goes elsewhere. */
  readonly subscribe: (options: {
    readonly streamId: string | null
    readonly from: SubscribeFrom
  }) => Stream.Stream<ReadonlyArray<RecordedEvent>, SubscribeError>
}

/** Requests one worker carries out at a time; more are turned away. */
const requestsMax = 4096
/** Subscriptions one worker serves at a time. */
const subscriptionsMax = 1024

/**
 * Starts a worker under the given process name, linked to the calling process, and registers it for its life.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = (options: {
  readonly store: string
  readonly processName: string
  readonly backend: StoreBackend
}) => {
  const { backend, store } = options

  const init = Effect.gen(function* () {
    const registry = yield* WorkerRegistry
    const ref = yield* GenServer.named(WorkerProtocol, options.processName).bind
    const stopped = yield* Deferred.make<never, NoQuorum>()
    yield* Effect.addFinalizer(() =>
      Deferred.fail(stopped, new NoQuorum({ store, detail: "the gateway worker stopped" }))
    )
    const limited = makeLimiter(subscriptionsMax)
    const subscribe: GatewayWorker["subscribe"] = request =>
      limited(Stream.interruptWhenDeferred(backend.subscribe(request), stopped))
    yield* registry.register({ store, ref, subscribe })
    const requests = yield* FiberSet.make<void>()
    const run = yield* FiberSet.runtime(requests)<never>()
    return { requests, run }
  })
  type State = Effect.Effect.Success<typeof init>

  /** Carries the request out beside the others and answers `from` with what comes of it. */
  const carryOut = <A, E>(
    request: Effect.Effect<A, E | RequestError>,
    state: State,
    from: GenServer.From<A, E | RequestError>
  ) =>
    Effect.flatMap(
      FiberSet.size(state.requests),
      (busy): Effect.Effect<GenServer.Outcome<State, A, E | RequestError>> => {
        if (busy >= requestsMax) {
          return Effect.succeed(GenServer.fail(new Overloaded({ detail: `${busy} requests at this worker` }), state))
        }
        state.run(Effect.flatMap(Effect.exit(request), exit => GenServer.replyTo(from, exit)))
        return Effect.succeed(GenServer.noReply(state))
      }
    )

  return GenServer.startLink(
    GenServer.make(WorkerProtocol, {
      init: (_: GenServer.Self<never>) => init,
      handlers: {
        Append: ({ appends }, state, from) => carryOut(backend.append(appends), state, from),
        AppendBatch: (request, state, from) => carryOut(backend.appendBatch(request), state, from),
        DeleteStream: (request, state, from) => carryOut(backend.deleteStream(request), state, from),
        SetStreamMetadata: (request, state, from) => carryOut(backend.setStreamMetadata(request), state, from),
        SaveSnapshot: (request, state, from) => carryOut(backend.saveSnapshot(request), state, from),
        DeleteSnapshots: (request, state, from) => carryOut(backend.deleteSnapshots(request), state, from),
        Read: (request, state, from) => carryOut(backend.read(request), state, from),
        ReadAll: (request, state, from) => carryOut(backend.readAll(request), state, from),
        Query: (request, state, from) => carryOut(backend.query(request), state, from),
        VersionAt: (request, state, from) => carryOut(backend.versionAt(request), state, from),
        PositionAt: (request, state, from) => carryOut(backend.positionAt(request), state, from),
        GetVersion: (request, state, from) => carryOut(backend.getVersion(request), state, from),
        StreamDetails: (request, state, from) => carryOut(backend.streamDetails(request), state, from),
        HasEvents: (request, state, from) => carryOut(backend.hasEvents(request), state, from),
        ListStreams: (request, state, from) => carryOut(backend.listStreams(request), state, from),
        LoadSnapshot: (request, state, from) => carryOut(backend.loadSnapshot(request), state, from),
        ListSnapshots: (request, state, from) => carryOut(backend.listSnapshots(request), state, from),
        Status: (_, state, from) => carryOut(backend.status, state, from)
      }
    }),
    { name: options.processName }
  )
}

/** Turns a subscription away where the worker has as many as it takes. */
const makeLimiter = (limit: number) => {
  let open = 0
  return <A, E>(stream: Stream.Stream<A, E>): Stream.Stream<A, E | Overloaded> =>
    Stream.unwrapScoped(
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (open >= limit) return Effect.fail(new Overloaded({ detail: `${open} subscriptions at this worker` }))
          open++
          return Effect.succeed(stream)
        }),
        () => Effect.sync(() => open--)
      )
    )
}
