/**
 * What a gateway needs of a store. The store implements it; the gateway knows nothing of how.
 *
 * @since 0.1.0
 */
import type { RecordedEvent } from "@reckon/client/Event"
import type { AppendError, RequestError, StreamNotFound } from "@reckon/client/StoreError"
import type {
  Append,
  Appended,
  Consistency,
  Direction,
  EventPage,
  NodeStatus,
  StreamInfo,
  SubscribeFrom
} from "@reckon/client/StoreRpcs"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category models
 */
export interface PageOptions {
  readonly from: number
  readonly count: number
  readonly direction: typeof Direction.Type
  readonly consistency: Consistency
}

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreBackend {
  /** Answers each append on its own; fails as a whole where none could be tried, or where it is not known what became of them. */
  readonly append: (
    appends: ReadonlyArray<Append>
  ) => Effect.Effect<ReadonlyArray<Either.Either<Appended, AppendError>>, RequestError>
  readonly read: (
    options: PageOptions & { readonly streamId: string }
  ) => Effect.Effect<EventPage, RequestError | StreamNotFound>
  readonly readAll: (options: PageOptions) => Effect.Effect<EventPage, RequestError>
  readonly getVersion: (options: {
    readonly streamId: string
    readonly consistency: Consistency
  }) => Effect.Effect<number, RequestError>
  readonly listStreams: (options: {
    readonly after: string | null
    readonly count: number
    readonly consistency: Consistency
  }) => Effect.Effect<{ readonly streams: ReadonlyArray<StreamInfo>; readonly isEnd: boolean }, RequestError>
  /** Batches in order, without end: history first, then what commits, without a gap between the two. */
  readonly subscribe: (options: {
    readonly streamId: string | null
    readonly from: SubscribeFrom
  }) => Stream.Stream<ReadonlyArray<RecordedEvent>, RequestError>
  readonly status: Effect.Effect<NodeStatus>
}
