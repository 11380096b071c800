/**
 * The requests of a store, each checked before it leaves and repeated for as long as that can help.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Requests } from "../EventStore.js"
import * as Limits from "../Limits.js"
import { AppendError, type Unreachable } from "../StoreError.js"
import * as Rpcs from "../StoreRpcs.js"
import { type Attempts, emptyHistory, type Kind, type Verdict } from "./attempts.js"
import { checked } from "./checked.js"
import { conclude } from "./conclude.js"
import type { Call, Failure } from "./peers.js"
import * as Shapes from "./shapes.js"

/** All but single appends, which a client gathers first. */
export type Calls = Omit<Requests<Unreachable>, "Append">

const isAppendError = Schema.is(AppendError)

export const make = (attempts: Attempts, limits: Limits.Limits): Calls => {
  const call =
    (kind: Kind) =>
    <P, I, A, E extends Failure>(
      schema: Schema.Schema<P, I>,
      send: (payload: P) => Call<A, E>,
      {
        check = Either.right,
        isShape
      }: {
        readonly check?: (payload: P) => Either.Either<unknown, Limits.Refusal>
        readonly isShape?: (payload: P) => boolean
      } = {}
    ) => {
      const valid = checked(schema, isShape)
      return (payload: P) =>
        Effect.suspend((): Effect.Effect<A, E | Limits.Refusal | Verdict> => {
          const admitted = Either.flatMap(valid(payload), request => Either.map(check(request), () => request))
          return Either.isLeft(admitted) ? Effect.fail(admitted.left) : attempts.now(send(admitted.right), kind)
        })
    }
  const read = call("read")
  const write = call("write")

  const validBatch = checked(Rpcs.AppendBatchRpc.payloadSchema)

  return {
    AppendBatch: Effect.fnUntraced(function* (payload) {
      const request = yield* validBatch(payload)
      yield* Limits.checkBatch(request.appends, limits)
      const history = emptyHistory()
      const answer = yield* attempts.now(
        rpc =>
          rpc.AppendBatch(request).pipe(
            Effect.map(Either.right),
            Effect.catchIf(isAppendError, refusal => Effect.succeed(Either.left(refusal)))
          ),
        "append",
        history
      )
      return yield* conclude(request.appends, answer, history)
    }),
    DeleteStream: write(Rpcs.DeleteStreamRpc.payloadSchema, request => rpc => rpc.DeleteStream(request)),
    SetStreamMetadata: write(Rpcs.SetStreamMetadataRpc.payloadSchema, request => rpc => rpc.SetStreamMetadata(request)),
    SaveSnapshot: write(Rpcs.SaveSnapshotRpc.payloadSchema, request => rpc => rpc.SaveSnapshot(request), {
      check: ({ snapshot }) => Limits.checkSnapshot(snapshot, limits)
    }),
    DeleteSnapshots: write(Rpcs.DeleteSnapshotsRpc.payloadSchema, request => rpc => rpc.DeleteSnapshots(request)),
    Read: read(Rpcs.ReadRpc.payloadSchema, request => rpc => rpc.Read(request), { isShape: Shapes.isRead }),
    ReadAll: read(Rpcs.ReadAllRpc.payloadSchema, request => rpc => rpc.ReadAll(request), { isShape: Shapes.isReadAll }),
    Query: read(Rpcs.QueryRpc.payloadSchema, request => rpc => rpc.Query(request)),
    VersionAt: read(Rpcs.VersionAtRpc.payloadSchema, request => rpc => rpc.VersionAt(request), {
      isShape: Shapes.isVersionAt
    }),
    PositionAt: read(Rpcs.PositionAtRpc.payloadSchema, request => rpc => rpc.PositionAt(request), {
      isShape: Shapes.isPositionAt
    }),
    GetVersion: read(Rpcs.GetVersionRpc.payloadSchema, request => rpc => rpc.GetVersion(request), {
      isShape: Shapes.isGetVersion
    }),
    StreamDetails: read(Rpcs.StreamDetailsRpc.payloadSchema, request => rpc => rpc.StreamDetails(request)),
    HasEvents: read(Rpcs.HasEventsRpc.payloadSchema, request => rpc => rpc.HasEvents(request)),
    ListStreams: read(Rpcs.ListStreamsRpc.payloadSchema, request => rpc => rpc.ListStreams(request)),
    LoadSnapshot: read(Rpcs.LoadSnapshotRpc.payloadSchema, request => rpc => rpc.LoadSnapshot(request), {
      isShape: Shapes.isLoadSnapshot
    }),
    ListSnapshots: read(Rpcs.ListSnapshotsRpc.payloadSchema, request => rpc => rpc.ListSnapshots(request))
  }
}
