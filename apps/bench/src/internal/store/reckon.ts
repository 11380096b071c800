/** Reckon, wherever the store is: embedded in this process, or a cluster across sockets. */

import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as EventStore from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as DbEventStore from "@reckon/db/EventStore"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Adapter, failed, SubjectFailed } from "./adapter.js"
import { folderBytes, ownMemory, residentMemory } from "./disk.js"
import type { Append, NewEvent } from "./workload.js"

const encoder = new TextEncoder()

const encode = ({ data, id, tag, type }: NewEvent): Event.NewEvent => ({
  eventId: id,
  eventType: type,
  data: encoder.encode(JSON.stringify(data)),
  dataContentType: Event.contentTypeJson,
  metadata: null,
  metadataContentType: Event.contentTypeJson,
  tags: [tag]
})

const expectedOf = ({ version }: Append) => (version < 0 ? "no_stream" : version)

const size = <E>(events: Stream.Stream<unknown, E>) => Effect.map(Stream.runCount(events), Number)

/** Reads are linearizable, as they are by default; events come as records, their data as bytes. */
export const fromService = (
  store: EventStore.Service,
  about: Pick<Adapter, "about" | "bytes" | "memory">
): Adapter => ({
  ...about,
  append: append =>
    store
      .append(append.stream, expectedOf(append), append.events.map(encode))
      .pipe(Effect.asVoid, Effect.mapError(failed)),
  load: appends =>
    store
      .appendAll(
        appends.map(append => ({
          streamId: append.stream,
          expectedVersion: expectedOf(append),
          events: append.events.map(encode)
        }))
      )
      .pipe(Effect.flatMap(Either.all), Effect.asVoid, Effect.mapError(failed)),
  reads: {
    stream: (stream, count) =>
      store.read(stream, { from: 0, count }).pipe(
        Effect.map(page => page.events.length),
        Effect.catchTag("StreamNotFound", () => Effect.succeed(0)),
        Effect.mapError(failed)
      ),
    all: (from, count) =>
      store.readAll({ from, count }).pipe(
        Effect.map(page => page.events.length),
        Effect.mapError(failed)
      ),
    tagged: (tag, from, count) =>
      store.query(Query.anyTag(tag), { from, count }).pipe(
        Effect.map(page => page.events.length),
        Effect.mapError(failed)
      ),
    typed: (type, from, count) =>
      store.query(Query.eventTypes(type), { from, count }).pipe(
        Effect.map(page => page.events.length),
        Effect.mapError(failed)
      ),
    asOf: (asOf, from, count) =>
      store.readAll({ from, count, asOf }).pipe(
        Effect.map(page => page.events.length),
        Effect.mapError(failed)
      ),
    time: {
      at: position =>
        store.readAll({ from: position, count: 1 }).pipe(
          Effect.mapError(failed),
          Effect.flatMap(page =>
            page.events[0] === undefined
              ? new SubjectFailed({ what: `no event has the position ${position}` })
              : Effect.succeed(page.events[0].epochUs)
          )
        ),
      versionAt: (stream, epochUs) => Effect.mapError(store.versionAt(stream, epochUs), failed),
      until: (stream, epochUs) => Effect.mapError(size(store.readUntil(stream, epochUs)), failed)
    },
    snapshots: {
      save: (streamId, version, data) =>
        store
          .saveSnapshot({
            streamId,
            version,
            data,
            dataContentType: "application/octet-stream",
            metadata: null,
            metadataContentType: Event.contentTypeJson
          })
          .pipe(Effect.mapError(failed)),
      latest: stream =>
        Effect.mapBoth(store.loadSnapshot(stream), { onFailure: failed, onSuccess: snapshot => snapshot.version })
    }
  },
  versions: store.listStreams().pipe(
    Stream.runCollect,
    Effect.mapBoth({
      onFailure: failed,
      onSuccess: streams => new Map(Chunk.map(streams, ({ streamId, version }) => [streamId, version] as const))
    })
  )
})

const log = "Raft log: SQLite, WAL, synchronous=FULL, one sync for all that waits; store file: synchronous=NORMAL"

/** A store in this process, its files in `folder`. */
export const embedded = (folder: string): Effect.Effect<Adapter, SubjectFailed, Scope.Scope> =>
  Layer.build(DbEventStore.layer({ dataDir: folder })).pipe(
    Effect.mapError(failed),
    Effect.map(context =>
      fromService(Context.get(context, EventStore.EventStore), {
        about: `${log}; no client, no encoding between`,
        bytes: folderBytes(folder),
        memory: ownMemory
      })
    )
  )

/** Where a cluster is found, and its files. */
export interface ClusterPlace {
  readonly endpoints: ReadonlyArray<string>
  readonly folder: string
}

/** The three nodes of a cluster, asked from this process. Its memory is that of the node that leads. */
export const cluster = ({
  endpoints,
  folder
}: ClusterPlace): Effect.Effect<Adapter, SubjectFailed, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function* () {
    const executor = yield* Effect.context<CommandExecutor.CommandExecutor>()
    const client = yield* Client.make({ endpoints, timeout: "30 seconds" })
    const leader = Effect.forEach(endpoints, client.status).pipe(
      Effect.flatMap(statuses => Effect.fromNullable(statuses.find(({ role }) => role === "leader")))
    )
    return fromService(client, {
      about: `three processes, asked from a fourth; ${log}`,
      bytes: Effect.map(folderBytes(folder), bytes => bytes / endpoints.length),
      memory: leader.pipe(
        Effect.mapError(failed),
        Effect.flatMap(({ pid }) => residentMemory(pid)),
        Effect.provide(executor)
      )
    })
  }).pipe(Effect.mapError(failed))
