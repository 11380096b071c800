import { EventStore } from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as Effect from "effect/Effect"
import type { Definition } from "./names.js"
import { collect, equal, event, failsWith, seed, series, versions } from "./steps.js"

export const deleting: ReadonlyArray<Definition> = [
  {
    name: "a deleted stream has nothing to read",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 3)
        yield* store.deleteStream(streamId)
        yield* failsWith(store.read(streamId), { _tag: "StreamDeleted", streamId })
        yield* equal(yield* store.exists(streamId), false)
        yield* equal(yield* store.getVersion(streamId), -1)
        yield* equal(yield* collect(store.queryStream(Query.streams(streamId))), [])
        const details = yield* store.streamDetails(streamId)
        yield* equal([details.state, details.count, details.lastVersion], ["deleted", 0, 2])
      })
  },
  {
    name: "a stream that is created anew goes on with the next version and shows nothing of the old one",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        const old = yield* series(3)
        yield* store.append(streamId, "no_stream", old)
        yield* store.deleteStream(streamId)
        const appended = yield* store.append(streamId, "no_stream", yield* series(2))
        yield* equal(appended.version, 4)
        const { events, isEnd } = yield* store.read(streamId)
        yield* equal([versions(events), isEnd], [[3, 4], true])
        const backward = yield* collect(store.readStream(streamId, { direction: "backward" }))
        yield* equal(versions(backward), [4, 3])
        yield* equal(yield* store.getVersion(streamId), 4)
        const late = yield* store.append(streamId, "no_stream", old)
        yield* equal([late.version, late.alreadyPresent], [2, 3], "an append that was made before is still known")
        yield* equal(yield* store.getVersion(streamId), 4)
      })
  },
  {
    name: "a delete holds its expectation against the stream as it is, and can be repeated",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 3)
        yield* failsWith(store.deleteStream(streamId, { expectedVersion: 1 }), {
          _tag: "WrongExpectedVersion",
          expected: 1,
          actual: 2
        })
        yield* store.deleteStream(streamId, { expectedVersion: 2 })
        yield* store.deleteStream(streamId, { expectedVersion: 2 })
        yield* store.deleteStream(stream("missing"))
        yield* failsWith(store.deleteStream(stream("missing"), { expectedVersion: "stream_exists" }), {
          _tag: "WrongExpectedVersion",
          actual: -1
        })
      })
  },
  {
    name: "a tombstoned stream is gone for good",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 2)
        yield* store.tombstoneStream(streamId, { expectedVersion: 1 })
        yield* store.tombstoneStream(streamId)
        yield* failsWith(store.read(streamId), { _tag: "StreamTombstoned", streamId })
        yield* failsWith(store.append(streamId, "any", yield* series(1)), { _tag: "StreamTombstoned", streamId })
        yield* failsWith(store.deleteStream(streamId), { _tag: "StreamTombstoned", streamId })
        yield* failsWith(store.setStreamMetadata(streamId, { maxCount: 1 }), { _tag: "StreamTombstoned", streamId })
        yield* equal(yield* store.exists(streamId), false)
        yield* equal((yield* store.streamDetails(streamId)).state, "tombstoned")
        yield* store.tombstoneStream(stream("never"))
        yield* failsWith(store.append(stream("never"), "no_stream", yield* series(1)), { _tag: "StreamTombstoned" })
      })
  },
  {
    name: "no query finds events of a deleted stream",
    test: ({ stream, tag, type }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const field = tag("field")
        const one = Effect.map(event({}, { type: type("T"), tags: [tag("t")], metadata: { [field]: 1 } }), event => [
          event
        ])
        yield* store.append(stream("a"), "any", yield* one)
        yield* store.append(stream("b"), "any", yield* one)
        yield* store.deleteStream(stream("a"))
        for (const query of [Query.eventTypes(type("T")), Query.anyTag(tag("t")), Query.metadata(field, 1)]) {
          const events = yield* collect(store.queryStream(query))
          yield* equal(
            events.map(({ streamId }) => streamId),
            [stream("b")]
          )
        }
      })
  }
]
