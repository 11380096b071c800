/**
 * The gateway of a node: it checks what clients send and hands it to a worker of the store.
 *
 * What arrives over a socket was decoded by the payload schemas of `StoreRpcs`, which bound every name, list and number in it. What they do not bound, the
 * gateway does, for it trusts no client: the sizes of appends and snapshots, and that a batch names no stream, and an event no tag, twice.
 *
 * @since 0.1.0
 */
import * as Limits from "@reckon/client/Limits"
import { NoQuorum, OutcomeUnknown, Overloaded } from "@reckon/client/StoreError"
import { StoreRpcs } from "@reckon/client/StoreRpcs"
import { CallError } from "@reckon/otp/CallError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { GatewayWorker } from "./GatewayWorker.js"
import { WorkerRegistry } from "./WorkerRegistry.js"

/** The worker answers every request within its own limits; a second clock here could only contradict it. */
const untilAnswered = { timeout: Duration.infinity }

const isCallError = Schema.is(CallError)

/** What the caller hears of a worker that gave no answer. Only one that died with the request under way may have carried it out; a read is simply made again. */
const unanswered = (store: string, error: CallError, writes: boolean): Overloaded | OutcomeUnknown | NoQuorum => {
  if (error._tag === "MailboxFull") return new Overloaded({ detail: "the gateway worker's mailbox is full" })
  return writes && error.maybeExecuted
    ? new OutcomeUnknown({ detail: "the gateway worker stopped" })
    : new NoQuorum({ store, detail: "the gateway worker is being restarted" })
}

const unchecked = (): Either.Either<void> => Either.void

/**
 * The handlers of the client's contract on this node, as plain functions: {@link layerHandlers} serves them to a socket, and `EventStore.make` of the client makes them the service of
 * an embedded store.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (limits: Limits.Limits) =>
  Effect.map(WorkerRegistry, registry => {
    const handle =
      (writes: boolean) =>
      <P extends { readonly store: string }, A, E>(
        call: (worker: GatewayWorker["ref"], request: P) => Effect.Effect<A, E | CallError>,
        check: (request: P) => Either.Either<unknown, Limits.Refusal> = unchecked
      ) =>
      (request: P) =>
        Effect.gen(function* () {
          yield* check(request)
          const worker = yield* registry.pick(request.store)
          return yield* Effect.catchIf(call(worker.ref, request), isCallError, error =>
            Effect.fail(unanswered(request.store, error, writes))
          )
        })
    const read = handle(false)
    const write = handle(true)

    return StoreRpcs.of({
      Append: write(
        (worker, request) => worker.call("Append", request, untilAnswered),
        ({ appends }) => Limits.checkAppends(appends, limits)
      ),
      AppendBatch: write(
        (worker, request) => worker.call("AppendBatch", request, untilAnswered),
        ({ appends }) => Limits.checkBatch(appends, limits)
      ),
      DeleteStream: write((worker, request) => worker.call("DeleteStream", request, untilAnswered)),
      SetStreamMetadata: write((worker, request) => worker.call("SetStreamMetadata", request, untilAnswered)),
      SaveSnapshot: write(
        (worker, request) => worker.call("SaveSnapshot", request, untilAnswered),
        ({ snapshot }) => Limits.checkSnapshot(snapshot, limits)
      ),
      DeleteSnapshots: write((worker, request) => worker.call("DeleteSnapshots", request, untilAnswered)),
      Read: read((worker, request) => worker.call("Read", request, untilAnswered)),
      ReadAll: read((worker, request) => worker.call("ReadAll", request, untilAnswered)),
      Query: read((worker, request) => worker.call("Query", request, untilAnswered)),
      VersionAt: read((worker, request) => worker.call("VersionAt", request, untilAnswered)),
      PositionAt: read((worker, request) => worker.call("PositionAt", request, untilAnswered)),
      GetVersion: read((worker, request) => worker.call("GetVersion", request, untilAnswered)),
      StreamDetails: read((worker, request) => worker.call("StreamDetails", request, untilAnswered)),
      HasEvents: read((worker, request) => worker.call("HasEvents", request, untilAnswered)),
      ListStreams: read((worker, request) => worker.call("ListStreams", request, untilAnswered)),
      LoadSnapshot: read((worker, request) => worker.call("LoadSnapshot", request, untilAnswered)),
      ListSnapshots: read((worker, request) => worker.call("ListSnapshots", request, untilAnswered)),
      Status: read((worker, request) => worker.call("Status", request, untilAnswered)),
      Subscribe: ({ from, store, streamId }) =>
        Stream.unwrap(Effect.map(registry.pick(store), worker => worker.subscribe({ streamId, from })))
    })
  })

/**
 * The handlers of the client's contract on this node, for an `RpcServer`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHandlers = (options: { readonly limits: Limits.Limits }) => StoreRpcs.toLayer(make(options.limits))
