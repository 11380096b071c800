import { EventStore } from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as Effect from "effect/Effect"
import type { Definition } from "./names.js"
import { collect, equal, failsWith, seed, versions } from "./steps.js"

/** The times are those the store gave, and may be the same for all: what must come out follows from them alone. */
const withTimes = (streamId: string) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    for (let append = 0; append < 5; append++) yield* seed(streamId, 2)
    const events = yield* collect(store.readStream(streamId))
    const times = [...new Set(events.map(({ epochUs }) => epochUs))]
    return { store, events, times }
  })

export const time: ReadonlyArray<Definition> = [
  {
    name: "the version that a stream had at a time",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const streamId = stream("a")
        const { events, store, times } = yield* withTimes(streamId)
        for (const at of times.flatMap(at => [at - 1, at, at + 1])) {
          const expected = events.filter(({ epochUs }) => epochUs <= at).at(-1)?.version ?? -1
          yield* equal(yield* store.versionAt(streamId, at), expected)
        }
        yield* equal(yield* store.versionAt(streamId, -1), -1)
        yield* equal(yield* store.versionAt(streamId, Number.MAX_SAFE_INTEGER), 9)
        yield* failsWith(store.versionAt(stream("missing"), 0), { _tag: "StreamNotFound" })
      })
  },
  {
    name: "the events that a stream had at a time, forward, backward and limited",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const streamId = stream("a")
        const { events, store, times } = yield* withTimes(streamId)
        for (const at of times) {
          const expected = versions(events.filter(({ epochUs }) => epochUs <= at))
          yield* equal(versions(yield* collect(store.readUntil(streamId, at))), expected)
          yield* equal(
            versions(yield* collect(store.readUntil(streamId, at, { direction: "backward", limit: 3 }))),
            expected.toReversed().slice(0, 3)
          )
        }
        yield* equal(yield* collect(store.readUntil(streamId, (times[0] ?? 0) - 1)), [])
        yield* equal((yield* collect(store.readUntil(streamId, Number.MAX_SAFE_INTEGER))).length, 10)
        yield* failsWith(collect(store.readUntil(stream("missing"), 0)), { _tag: "StreamNotFound" })
      })
  },
  {
    name: "the events of a stream between two times, both inclusive",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const streamId = stream("a")
        const { events, store, times } = yield* withTimes(streamId)
        for (const from of times) {
          for (const to of times) {
            const expected = versions(events.filter(({ epochUs }) => from <= epochUs && epochUs <= to))
            yield* equal(versions(yield* collect(store.readRange(streamId, from, to))), from > to ? [] : expected)
          }
        }
        const [first = 0] = times
        const last = times.at(-1) ?? 0
        yield* equal(
          versions(yield* collect(store.readRange(streamId, first, last, { direction: "backward", limit: 2 }))),
          [9, 8]
        )
        yield* equal(yield* collect(store.readRange(streamId, last + 1, last + 2)), [])
      })
  },
  {
    name: "the events of a stream pattern between two times",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* seed(stream("a1"), 2)
        yield* seed(stream("b"), 2)
        yield* seed(stream("a2"), 2)
        const query = Query.streams(stream("a?"))
        const all = yield* collect(store.queryStream(query))
        const from = all[1]?.epochUs ?? 0
        const to = all[2]?.epochUs ?? 0
        const expected = all.filter(({ epochUs }) => from <= epochUs && epochUs <= to)
        yield* equal(yield* collect(store.queryRange(query, from, to)), expected)
        yield* equal(
          yield* collect(store.queryRange(query, from, to, { direction: "backward" })),
          expected.toReversed()
        )
        yield* equal(yield* collect(store.queryRange(query, to + 1, from)), [])
      })
  },
  {
    name: "the position that the store had at a time",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const { events, store } = yield* withTimes(stream("a"))
        const all = yield* collect(store.readAllStream({ from: events[0]?.position }))
        for (const { epochUs } of events) {
          const expected = all.filter(event => event.epochUs <= epochUs).at(-1)?.position
          yield* equal(yield* store.positionAt(epochUs), expected)
        }
        yield* equal(yield* store.positionAt(-1), -1)
      })
  }
]
