/**
 * Reads of one store on this node, pages and subscriptions alike, from the node's own replica.
 *
 * A linearizable read first learns from the leader how far this replica must be and waits until it is; a local one takes it as it is.
 *
 * @since 0.1.0
 */
import type { RecordedEvent } from "@reckon/client/Event"
import { NoQuorum, Overloaded, StreamNotFound } from "@reckon/client/StoreError"
import { type Consistency, pageEventsMax } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import type * as ServiceHandle from "@reckon/otp/ServiceHandle"
import type { RaftClient } from "@reckon/raft/RaftClient"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CommitSignal } from "./CommitSignal.js"
import type { Service as Engine } from "./StoreEngine.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreReader
  extends Pick<StoreBackend, "read" | "readAll" | "getVersion" | "listStreams" | "subscribe"> {}

/** What one page carries at most, so that no read holds up the appends behind it for long. */
const pageBytesMax = 4 * 1024 * 1024

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly store: string
  readonly raft: RaftClient
  readonly engine: ServiceHandle.ServiceHandle<Engine>
  readonly signal: CommitSignal
}): StoreReader => {
  const { raft, signal, store } = options

  const engine = Effect.mapError(options.engine.get, () => new NoQuorum({ store, detail: "this node is starting it" }))

  const barrier: Effect.Effect<void, NoQuorum | Overloaded> = Effect.catchTags(raft.readBarrier, {
    NotLeader: () => Effect.fail(new NoQuorum({ store, detail: "no leader was elected in time" })),
    ReadTimeout: () => Effect.fail(new NoQuorum({ store, detail: "no majority confirmed the leader in time" })),
    Overloaded: () => Effect.fail(new Overloaded({ detail: "too many reads wait at the leader" }))
  })

  const query = <A>(consistency: Consistency, run: (engine: Engine) => A) =>
    Effect.map(consistency === "linearizable" ? Effect.zipRight(barrier, engine) : engine, run)

  /** The page that follows `next`, as soon as it has an event. */
  const pageFrom = (streamId: string | null, next: number): Effect.Effect<ReadonlyArray<RecordedEvent>, NoQuorum> =>
    Effect.gen(function* () {
      const current = yield* engine
      // Taken before the read: an event that commits after it will wake us.
      const position = current.lastPosition()
      const page = { from: next, count: pageEventsMax, direction: "forward" as const, bytesMax: pageBytesMax }
      const events =
        streamId === null ? current.readAll(page).events : (current.readStream({ ...page, streamId })?.events ?? [])
      if (events.length > 0) return events
      yield* signal.awaitPosition(position + 1)
      return yield* pageFrom(streamId, next)
    })

  const startOf = (current: Engine, streamId: string | null) =>
    streamId === null ? current.lastPosition() + 1 : current.getVersion(streamId) + 1

  return {
    read: ({ consistency, streamId, ...page }) =>
      query(consistency, current => current.readStream({ ...page, streamId, bytesMax: pageBytesMax })).pipe(
        Effect.filterOrFail(
          page => page !== null,
          () => new StreamNotFound({ streamId })
        )
      ),
    readAll: ({ consistency, ...page }) =>
      query(consistency, current => current.readAll({ ...page, bytesMax: pageBytesMax })),
    getVersion: ({ consistency, streamId }) => query(consistency, current => current.getVersion(streamId)),
    listStreams: ({ after, consistency, count }) =>
      query(consistency, current => current.listStreams({ after, count })),
    subscribe: ({ from, streamId }) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const first =
            from === "origin"
              ? 0
              : from === "current"
                ? yield* query("linearizable", current => startOf(current, streamId))
                : from
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
