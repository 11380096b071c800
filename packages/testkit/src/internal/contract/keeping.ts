import { EventStore } from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as Effect from "effect/Effect"
import type { Definition } from "./names.js"
import { collect, equal, failsWith, seed, series, timePasses, versions } from "./steps.js"

export const keeping: ReadonlyArray<Definition> = [
  {
    name: "a stream keeps the last events only, if it is told so",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 5)
        yield* store.setStreamMetadata(streamId, { maxCount: 3 })
        yield* equal(versions(yield* collect(store.readStream(streamId))), [2, 3, 4])
        yield* equal((yield* seed(streamId, 2)).version, 6)
        yield* equal(versions(yield* collect(store.readStream(streamId))), [4, 5, 6])
        yield* equal(versions((yield* store.read(streamId, { from: 0, count: 2 })).events), [4, 5])
        yield* equal(versions((yield* store.read(streamId, { from: 5, direction: "backward" })).events), [5, 4])
        const details = yield* store.streamDetails(streamId)
        yield* equal([details.firstVersion, details.lastVersion, details.count], [4, 6, 3])
        yield* equal(versions(yield* collect(store.queryStream(Query.streams(streamId)))), [4, 5, 6])
      })
  },
  {
    name: "a stream keeps what is young enough only, if it is told so",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        const aDay = 86_400_000_000
        yield* seed(streamId, 3)
        yield* store.setStreamMetadata(streamId, { maxAgeUs: aDay })
        yield* equal(versions(yield* collect(store.readStream(streamId))), [0, 1, 2])
        yield* store.setStreamMetadata(streamId, { maxAgeUs: 1_000 })
        yield* timePasses("200 millis")
        yield* equal(yield* collect(store.readStream(streamId)), [])
        yield* equal((yield* store.read(streamId, { direction: "backward" })).events, [])
        yield* equal(yield* collect(store.queryStream(Query.streams(streamId))), [])
        yield* equal(yield* store.getVersion(streamId), 2)
        // What was too old is not young again because more is kept from now on.
        yield* store.setStreamMetadata(streamId, { maxAgeUs: aDay })
        yield* equal((yield* seed(streamId, 2)).version, 4)
        yield* equal(versions(yield* collect(store.readStream(streamId))), [3, 4])
        yield* equal(versions(yield* collect(store.queryStream(Query.streams(streamId)))), [3, 4])
      })
  },
  {
    name: "what is hidden stays hidden",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 5)
        yield* store.setStreamMetadata(streamId, { truncateBefore: 3 })
        yield* store.setStreamMetadata(streamId, {})
        yield* equal(versions(yield* collect(store.readStream(streamId))), [3, 4])
        yield* store.setStreamMetadata(streamId, { truncateBefore: 1 })
        yield* equal(versions(yield* collect(store.readStream(streamId))), [3, 4])
      })
  },
  {
    name: "a stream that keeps nothing is there all the same, and its versions go on",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 3)
        yield* store.setStreamMetadata(streamId, { truncateBefore: 1_000_000 })
        yield* equal((yield* store.read(streamId)).events, [])
        yield* equal((yield* store.read(streamId, { direction: "backward" })).events, [])
        yield* equal(yield* store.getVersion(streamId), 2)
        yield* failsWith(store.append(streamId, "no_stream", yield* series(1)), {
          _tag: "WrongExpectedVersion",
          actual: 2
        })
        yield* equal((yield* store.append(streamId, 2, yield* series(1))).version, 3)
      })
  },
  {
    name: "the limits of a stream can be set before it has events",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* store.setStreamMetadata(streamId, { maxCount: 2 })
        yield* equal(yield* store.exists(streamId), false)
        yield* failsWith(store.read(streamId), { _tag: "StreamNotFound" })
        yield* equal((yield* store.append(streamId, "no_stream", yield* series(5))).version, 4)
        yield* equal(versions(yield* collect(store.readStream(streamId))), [3, 4])
      })
  },
  {
    name: "limits that are none are refused",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        for (const metadata of [{ maxCount: 0 }, { maxAgeUs: -1 }, { truncateBefore: 1.5 }]) {
          yield* failsWith(store.setStreamMetadata(stream("a"), metadata), { _tag: "InvalidRequest" })
        }
      })
  }
]
