/**
 * What a gateway needs of a store. The store implements it; the gateway knows nothing of how.
 *
 * @since 0.1.0
 */
import type * as Rpc from "@effect/rpc/Rpc"
import type { RecordedEvent } from "@reckon/client/Event"
import type { AppendError, RequestError, SubscribeError } from "@reckon/client/StoreError"
import type * as StoreRpcs from "@reckon/client/StoreRpcs"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type * as Stream from "effect/Stream"

/**
 * One request of the contract, as the store that it names carries it out.
 *
 * @since 0.1.0
 * @category models
 */
export type Serve<R extends Rpc.Any> = (
  request: Omit<Rpc.Payload<R>, "store">
) => Effect.Effect<Rpc.Success<R>, Rpc.Error<R>>

/**
 * Requests arrive with the shapes and sizes of the contract: payloads that fit their schemas and `Limits`, each stream of a batch named once.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreBackend {
  /** Answers each append on its own; fails as a whole where none could be tried, or where it is not known what became of them. */
  readonly append: (
    appends: ReadonlyArray<StoreRpcs.Append>
  ) => Effect.Effect<ReadonlyArray<Either.Either<StoreRpcs.Appended, AppendError>>, RequestError>
  readonly appendBatch: Serve<typeof StoreRpcs.AppendBatchRpc>
  readonly deleteStream: Serve<typeof StoreRpcs.DeleteStreamRpc>
  readonly setStreamMetadata: Serve<typeof StoreRpcs.SetStreamMetadataRpc>
  readonly saveSnapshot: Serve<typeof StoreRpcs.SaveSnapshotRpc>
  readonly deleteSnapshots: Serve<typeof StoreRpcs.DeleteSnapshotsRpc>
  readonly read: Serve<typeof StoreRpcs.ReadRpc>
  readonly readAll: Serve<typeof StoreRpcs.ReadAllRpc>
  readonly query: Serve<typeof StoreRpcs.QueryRpc>
  readonly versionAt: Serve<typeof StoreRpcs.VersionAtRpc>
  readonly positionAt: Serve<typeof StoreRpcs.PositionAtRpc>
  readonly getVersion: Serve<typeof StoreRpcs.GetVersionRpc>
  readonly streamDetails: Serve<typeof StoreRpcs.StreamDetailsRpc>
  readonly hasEvents: Serve<typeof StoreRpcs.HasEventsRpc>
  readonly listStreams: Serve<typeof StoreRpcs.ListStreamsRpc>
  readonly loadSnapshot: Serve<typeof StoreRpcs.LoadSnapshotRpc>
  readonly listSnapshots: Serve<typeof StoreRpcs.ListSnapshotsRpc>
  /** Batches in order, without end: history first, then what commits, without a gap between the two. Of a stream that can have no event any more it fails. */
  readonly subscribe: (
    options: Omit<Rpc.Payload<typeof StoreRpcs.SubscribeRpc>, "store">
  ) => Stream.Stream<ReadonlyArray<RecordedEvent>, SubscribeError>
  readonly status: Effect.Effect<StoreRpcs.NodeStatus>
}
