import { EventStore } from "@reckon/client/EventStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Definition } from "./names.js"
import { appendOf, collect, equal, event, failsWith, numbers, seed, series, upTo, versions } from "./steps.js"

const contents = (streamId: string) =>
  Effect.flatMap(EventStore, store => Effect.flatMap(collect(store.readStream(streamId)), numbers))

export const appending: ReadonlyArray<Definition> = [
  {
    name: "an append to a new stream begins at version 0",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const appended = yield* store.append(stream("a"), "no_stream", yield* series(1))
        yield* equal(appended.version, 0)
        yield* equal(appended.alreadyPresent, 0)
        const batch = yield* store.append(stream("b"), "no_stream", yield* series(5))
        yield* equal(batch.version, 4)
        yield* equal(batch.position > appended.position, true)
      })
  },
  {
    name: "an expectation of an exact version is met by that version alone",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 1)
        yield* equal((yield* store.append(streamId, 0, yield* series(1))).version, 1)
        yield* failsWith(store.append(streamId, 0, yield* series(1)), {
          _tag: "WrongExpectedVersion",
          streamId,
          expected: 0,
          actual: 1
        })
        yield* failsWith(store.append(streamId, 5, yield* series(1)), {
          _tag: "WrongExpectedVersion",
          expected: 5,
          actual: 1
        })
        yield* failsWith(store.append(stream("new"), 0, yield* series(1)), {
          _tag: "WrongExpectedVersion",
          expected: 0,
          actual: -1
        })
      })
  },
  {
    name: "any, no_stream and stream_exists",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* failsWith(store.append(streamId, "stream_exists", yield* series(1)), {
          _tag: "WrongExpectedVersion",
          expected: "stream_exists",
          actual: -1
        })
        yield* equal((yield* store.append(streamId, "any", yield* series(1))).version, 0)
        yield* equal((yield* store.append(streamId, "any", yield* series(1))).version, 1)
        yield* equal((yield* store.append(streamId, "stream_exists", yield* series(1))).version, 2)
        yield* failsWith(store.append(streamId, "no_stream", yield* series(1)), {
          _tag: "WrongExpectedVersion",
          expected: "no_stream",
          actual: 2
        })
      })
  },
  {
    name: "an append of nothing checks the expectation and creates nothing",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* equal((yield* store.append(streamId, "no_stream", [])).version, -1)
        yield* equal(yield* store.exists(streamId), false)
        yield* failsWith(store.append(streamId, 3, []), { _tag: "WrongExpectedVersion", expected: 3, actual: -1 })
        yield* seed(streamId, 2)
        yield* equal((yield* store.append(streamId, 1, [])).version, 1)
      })
  },
  {
    name: "of appends with the same expectation at the same time exactly one wins",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        const results = yield* Effect.forEach(
          upTo(19),
          number => Effect.flatMap(event({ number }), one => Effect.either(store.append(streamId, "no_stream", [one]))),
          { concurrency: "unbounded" }
        )
        yield* equal(results.filter(Either.isRight).length, 1)
        for (const result of results) {
          if (Either.isLeft(result)) yield* equal(result.left._tag, "WrongExpectedVersion")
        }
        yield* equal(versions(yield* collect(store.readStream(streamId))), [0])
      })
  },
  {
    name: "versions are dense however many append at the same time",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* Effect.forEach(upTo(29), () => seed(streamId, 3), { concurrency: "unbounded", discard: true })
        const all = yield* collect(store.readStream(streamId))
        yield* equal(versions(all), upTo(89))
        const positions = all.map(({ position }) => position)
        yield* equal(
          positions,
          [...new Set(positions)].sort((a, b) => a - b)
        )
      })
  },
  {
    name: "the same events again are the same append, whatever the expectation says by now",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        const two = yield* series(2)
        const first = yield* store.append(streamId, "no_stream", two)
        yield* seed(streamId, 1)
        const again = yield* store.append(streamId, "no_stream", two)
        yield* equal(again, { ...first, alreadyPresent: 2 })
        yield* equal(yield* store.getVersion(streamId), 2)
      })
  },
  {
    name: "the same event id with other content is refused",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        const id = "01234567-89ab-4def-8123-456789abcdef"
        yield* store.append(streamId, "any", [yield* event({ number: 1 }, { id })])
        yield* failsWith(store.append(streamId, "any", [yield* event({ number: 2 }, { id })]), {
          _tag: "EventIdConflict",
          eventId: id,
          version: 0
        })
        const elsewhere = yield* store.append(stream("b"), "no_stream", [yield* event({ number: 2 }, { id })])
        yield* equal(elsewhere.alreadyPresent, 0)
      })
  },
  {
    name: "events come back as they were written",
    test: ({ stream, tag, type }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        const written = {
          eventId: "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
          eventType: type("Raw Ω 🐝"),
          data: Uint8Array.from(upTo(255)),
          dataContentType: "application/octet-stream",
          metadata: new TextEncoder().encode(`{"who":"é","at":1.5}`),
          metadataContentType: "application/json",
          tags: [tag("b"), tag("a"), tag("Ω")]
        }
        const bare = { ...(yield* event(null)), metadata: null, data: new Uint8Array(0) }
        const appended = yield* store.append(streamId, "any", [written, bare])
        const { events } = yield* store.read(streamId)
        const [first, second] = events
        yield* equal(first, {
          ...written,
          streamId,
          version: 0,
          position: appended.position - 1,
          epochUs: first?.epochUs
        })
        yield* equal(second?.metadata, null)
        yield* equal(second?.data.length, 0)
      })
  },
  {
    name: "independent appends succeed and fail each on its own, those of one stream in order",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const results = yield* store.appendAll([
          yield* appendOf(stream("a"), "no_stream", 2),
          yield* appendOf(stream("b"), 7, 1),
          yield* appendOf(stream("a"), 1, 1)
        ])
        yield* equal(
          results.map(result => (Either.isRight(result) ? result.right.version : result.left._tag)),
          [1, "WrongExpectedVersion", 2]
        )
      })
  },
  {
    name: "a batch over several streams is written as a whole",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* seed(stream("a"), 1)
        const appended = yield* store.appendBatch([
          yield* appendOf(stream("a"), 0, 2),
          yield* appendOf(stream("b"), "no_stream", 3)
        ])
        yield* equal(
          appended.map(({ streamId, version }) => [streamId, version]),
          [
            [stream("a"), 2],
            [stream("b"), 2]
          ]
        )
        yield* equal(yield* contents(stream("b")), [0, 1, 2])
      })
  },
  {
    name: "a batch with one expectation that does not hold writes nothing",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* seed(stream("b"), 1)
        yield* failsWith(
          store.appendBatch([
            yield* appendOf(stream("a"), "no_stream", 2),
            yield* appendOf(stream("b"), 4, 1),
            yield* appendOf(stream("c"), "any", 1)
          ]),
          { _tag: "WrongExpectedVersion", streamId: stream("b"), expected: 4, actual: 0 }
        )
        yield* equal(yield* store.exists(stream("a")), false)
        yield* equal(yield* store.exists(stream("c")), false)
        yield* equal(yield* store.getVersion(stream("b")), 0)
      })
  },
  {
    name: "a repeated batch writes nothing twice",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const batch = [yield* appendOf(stream("a"), "no_stream", 2), yield* appendOf(stream("b"), "no_stream", 1)]
        const first = yield* store.appendBatch(batch)
        const again = yield* store.appendBatch(batch)
        yield* equal(
          again,
          first.map((appended, at) => ({ ...appended, alreadyPresent: at === 0 ? 2 : 1 }))
        )
        yield* equal(yield* store.getVersion(stream("a")), 1)
      })
  },
  {
    name: "a batch names each stream once",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const batch = [yield* appendOf(stream("a"), "any", 1), yield* appendOf(stream("a"), "any", 1)]
        yield* failsWith(store.appendBatch(batch), { _tag: "InvalidRequest" })
        yield* failsWith(store.appendBatch([]), { _tag: "InvalidRequest" })
        yield* equal(yield* store.exists(stream("a")), false)
      })
  },
  {
    name: "names and ids that are none are refused with words, and nothing is written",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const one = yield* series(1)
        for (const name of ["", "x".repeat(513), "a\u0000b", "\ud800"]) {
          yield* failsWith(store.append(name, "any", one), { _tag: "InvalidRequest" })
          yield* failsWith(store.getVersion(name), { _tag: "InvalidRequest" })
          yield* failsWith(store.deleteStream(name), { _tag: "InvalidRequest" })
        }
        for (const expected of [-3, 1.5, Number.NaN]) {
          yield* failsWith(store.append(stream("a"), expected, one), { _tag: "InvalidRequest" })
        }
        const odd = one.map(event => ({ ...event, eventId: "NOT-A-UUID" }))
        yield* failsWith(store.append(stream("a"), "any", odd), { _tag: "InvalidRequest" })
        yield* equal(yield* store.exists(stream("a")), false)
      })
  }
]
