/** A store that answers every request by saying which one it was. */
import { InvalidRequest, type RequestError } from "@reckon/client/StoreError"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** `serve` runs before a request is answered. */
export const make = (
  serve: (method: string) => Effect.Effect<void, RequestError> = () => Effect.void
): StoreBackend => {
  const named = (method: string) => () =>
    Effect.zipRight(serve(method), Effect.fail(new InvalidRequest({ message: method })))
  return {
    append: named("append"),
    appendBatch: named("appendBatch"),
    deleteStream: named("deleteStream"),
    setStreamMetadata: named("setStreamMetadata"),
    saveSnapshot: named("saveSnapshot"),
    deleteSnapshots: named("deleteSnapshots"),
    read: named("read"),
    readAll: named("readAll"),
    query: named("query"),
    versionAt: named("versionAt"),
    positionAt: named("positionAt"),
    getVersion: named("getVersion"),
    streamDetails: named("streamDetails"),
    hasEvents: named("hasEvents"),
    listStreams: named("listStreams"),
    loadSnapshot: named("loadSnapshot"),
    listSnapshots: named("listSnapshots"),
    subscribe: () => Stream.never,
    status: Effect.succeed({
      node: "node-1",
      store: "default",
      role: "leader",
      leader: "node-1",
      term: 1,
      commitIndex: 0,
      appliedIndex: 0,
      lastPosition: -1,
      pid: 1,
      healthy: true,
      problem: null
    })
  }
}
