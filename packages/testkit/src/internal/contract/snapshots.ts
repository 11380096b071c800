import { EventStore } from "@reckon/client/EventStore"
import * as Snapshot from "@reckon/client/Snapshot"
import * as Effect from "effect/Effect"
import type { Definition } from "./names.js"
import { collect, equal, failsWith, seed, versions } from "./steps.js"

const save = (streamId: string, version: number, options?: { readonly keep?: number; readonly data?: unknown }) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const snapshot = yield* Snapshot.json({ streamId, version, data: options?.data ?? { version } })
    yield* store.saveSnapshot(snapshot, { keep: options?.keep })
  })

const saved = (streamId: string) =>
  Effect.flatMap(EventStore, store => Effect.map(collect(store.listSnapshots(streamId)), versions))

export const snapshots: ReadonlyArray<Definition> = [
  {
    name: "the latest snapshot is that of the highest version, however they were saved",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 10)
        for (const version of [4, 9, 2]) yield* save(streamId, version)
        const latest = yield* store.loadSnapshot(streamId)
        yield* equal(latest.version, 9)
        yield* equal(yield* Snapshot.decodeData(latest), { version: 9 })
        yield* equal((yield* store.loadSnapshot(streamId, { version: 4 })).version, 4)
        yield* failsWith(store.loadSnapshot(streamId, { version: 5 }), { _tag: "SnapshotNotFound", version: 5 })
        yield* equal(yield* saved(streamId), [2, 4, 9])
      })
  },
  {
    name: "whether there is a snapshot, of any version or of one",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* equal(yield* store.hasSnapshot(streamId), false)
        yield* seed(streamId, 10)
        yield* equal(yield* store.hasSnapshot(streamId), false)
        for (const version of [2, 5]) yield* save(streamId, version)
        yield* equal(yield* store.hasSnapshot(streamId), true)
        const versions = [0, 2, 3, 5, 6]
        const found = yield* Effect.filter(versions, version => store.hasSnapshot(streamId, { version }))
        yield* equal(found, [2, 5])
        yield* store.deleteSnapshots(streamId, { version: 2 })
        yield* equal(yield* store.hasSnapshot(streamId, { version: 2 }), false)
        yield* store.deleteSnapshots(streamId)
        yield* equal(yield* store.hasSnapshot(streamId), false)
      })
  },
  {
    name: "a snapshot comes back as it was saved, and one of the same version takes its place",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 1)
        yield* save(streamId, 0, { data: "first" })
        const second = {
          streamId,
          version: 0,
          data: Uint8Array.of(0, 255, 7),
          dataContentType: "application/octet-stream",
          metadata: Uint8Array.of(1),
          metadataContentType: "application/x-mine"
        }
        yield* store.saveSnapshot(second)
        const { epochUs, ...loaded } = yield* store.loadSnapshot(streamId)
        yield* equal(loaded, second)
        const [info] = yield* collect(store.listSnapshots(streamId))
        yield* equal(info, { streamId, version: 0, epochUs, bytes: 4 })
      })
  },
  {
    name: "a version that the stream has not reached is refused",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const streamId = stream("a")
        yield* seed(streamId, 3)
        yield* failsWith(save(streamId, 3), { _tag: "SnapshotOutOfRange", version: 3, least: 0, most: 2 })
        yield* failsWith(save(stream("missing"), 0), { _tag: "StreamNotFound" })
        yield* equal(yield* saved(streamId), [])
      })
  },
  {
    name: "only the last snapshots stay, if it is said so",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const streamId = stream("a")
        yield* seed(streamId, 10)
        for (const version of [1, 3, 5]) yield* save(streamId, version)
        yield* save(streamId, 7, { keep: 2 })
        yield* equal(yield* saved(streamId), [5, 7])
      })
  },
  {
    name: "snapshots are deleted one by one or all at once",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 5)
        for (const version of [1, 2, 3]) yield* save(streamId, version)
        yield* store.deleteSnapshots(streamId, { version: 2 })
        yield* store.deleteSnapshots(streamId, { version: 2 })
        yield* equal(yield* saved(streamId), [1, 3])
        yield* store.deleteSnapshots(streamId)
        yield* store.deleteSnapshots(stream("missing"))
        yield* equal(yield* saved(streamId), [])
        yield* failsWith(store.loadSnapshot(streamId), { _tag: "SnapshotNotFound", streamId, version: null })
      })
  },
  {
    name: "a stream that is created anew never sees an old snapshot",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 3)
        yield* save(streamId, 2)
        yield* store.deleteStream(streamId)
        yield* failsWith(store.loadSnapshot(streamId), { _tag: "SnapshotNotFound" })
        yield* failsWith(save(streamId, 2), { _tag: "StreamDeleted" })
        yield* seed(streamId, 1)
        yield* failsWith(store.loadSnapshot(streamId), { _tag: "SnapshotNotFound" })
        yield* failsWith(save(streamId, 2), { _tag: "SnapshotOutOfRange", least: 3, most: 3 })
        yield* save(streamId, 3)
        yield* equal(yield* saved(streamId), [3])
      })
  },
  {
    name: "a snapshot outlives the events that went into it",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 5)
        yield* save(streamId, 2)
        yield* store.setStreamMetadata(streamId, { truncateBefore: 3 })
        const snapshot = yield* store.loadSnapshot(streamId)
        const tail = yield* collect(store.readStream(streamId, { from: snapshot.version + 1 }))
        yield* equal(versions(tail), [3, 4])
      })
  }
]
