/** What is said of a store for which it is no use to wait. To its readers and writers it looks like one that is about to have a leader again. */
import { NoQuorum, StoreNotFound } from "@reckon/client/StoreError"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** A backend that fails with `StoreNotFound`, for good, where the store was stopped, and says what its member is set aside for, where it is. */
export const backend = (options: {
  readonly store: string
  readonly backend: StoreBackend
  readonly isStopped: () => boolean
  readonly problem: () => string | undefined
}): StoreBackend => {
  const { backend, isStopped, problem, store } = options

  const explained = <E>(error: E): E | StoreNotFound | NoQuorum => {
    if (!(error instanceof NoQuorum)) return error
    if (isStopped()) return new StoreNotFound({ store })
    const detail = problem()
    return detail === undefined ? error : new NoQuorum({ store, detail })
  }
  const told =
    <P, A, E>(serve: (request: P) => Effect.Effect<A, E>) =>
    (request: P): Effect.Effect<A, E | StoreNotFound | NoQuorum> =>
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
