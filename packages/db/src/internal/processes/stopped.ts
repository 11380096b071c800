/** What is said of a store that was stopped. To its readers and writers it looks like one whose processes are about to come back. */
import { NoQuorum, StoreNotFound } from "@reckon/client/StoreError"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** A backend that fails with `StoreNotFound`, for good, where a store that is not stopped would have a leader again. */
export const backend = (options: {
  readonly store: string
  readonly backend: StoreBackend
  readonly isStopped: () => boolean
}): StoreBackend => {
  const { backend, isStopped, store } = options

  const explained = <E>(error: E): E | StoreNotFound =>
    error instanceof NoQuorum && isStopped() ? new StoreNotFound({ store }) : error
  const told =
    <P, A, E>(serve: (request: P) => Effect.Effect<A, E>) =>
    (request: P): Effect.Effect<A, E | StoreNotFound> =>
      Effect.mapError(serve(request), explained)

  return {
    append: told(backend.append),
    appendBatch: told(backend.appendBatch),
    deleteStream: told(backend.deleteStream),
    setStreamMetadata: told(backend.setStreamMetadata),
    saveSnapshot: told(backend.saveSnapshot),
    deleteSnapshots: told(backend.deleteSnapshots),
    read: told(backend.read),
    readAll: told(backend.readAll),
    query: told(backend.query),
    versionAt: told(backend.versionAt),
    positionAt: told(backend.positionAt),
    getVersion: told(backend.getVersion),
    streamDetails: told(backend.streamDetails),
    hasEvents: told(backend.hasEvents),
    listStreams: told(backend.listStreams),
    loadSnapshot: told(backend.loadSnapshot),
    listSnapshots: told(backend.listSnapshots),
    subscribe: request => Stream.mapError(backend.subscribe(request), explained),
    status: backend.status
  }
}
