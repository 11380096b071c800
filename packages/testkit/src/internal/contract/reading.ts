import { EventStore } from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as Effect from "effect/Effect"
import type { Definition } from "./names.js"
import { collect, equal, failsWith, seed, upTo, versions } from "./steps.js"

export const reading: ReadonlyArray<Definition> = [
  {
    name: "a stream is read forward and backward from any version",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 10)
        const read = (options: Parameters<typeof store.read>[1]) =>
          Effect.map(store.read(streamId, options), ({ events }) => versions(events))
        yield* equal(yield* read({ count: 5 }), [0, 1, 2, 3, 4])
        yield* equal(yield* read({ from: 4, count: 5, direction: "backward" }), [4, 3, 2, 1, 0])
        yield* equal(yield* read({ from: 3, count: 3 }), [3, 4, 5])
        yield* equal(yield* read({ direction: "backward", count: 2 }), [9, 8])
        yield* equal(yield* read({ from: 1_000_000, direction: "backward", count: 1 }), [9])
        yield* equal(yield* read({ from: 10 }), [])
        yield* equal(yield* read({ count: 0 }), [])
      })
  },
  {
    name: "pages follow each other by their cursor, in both directions, and the last one says so",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 10)
        for (const direction of ["forward", "backward"] as const) {
          const seen: Array<number> = []
          let from: number | undefined
          for (let pages = 0; pages < 20; pages++) {
            const page = yield* store.read(streamId, { direction, count: 3, from })
            seen.push(...versions(page.events))
            if (page.isEnd) break
            from = page.next
          }
          yield* equal(seen, direction === "forward" ? upTo(9) : upTo(9).reverse())
        }
      })
  },
  {
    name: "a stream that never was is not found",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* failsWith(store.read(streamId), { _tag: "StreamNotFound", streamId })
        yield* failsWith(collect(store.readStream(streamId)), { _tag: "StreamNotFound", streamId })
        yield* equal(yield* store.getVersion(streamId), -1)
        yield* equal(yield* store.exists(streamId), false)
        yield* failsWith(store.streamDetails(streamId), { _tag: "StreamNotFound", streamId })
      })
  },
  {
    name: "a stream of more events than a page is read whole",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 2500)
        yield* equal(versions(yield* collect(store.readStream(streamId))), upTo(2499))
        yield* equal(
          versions(yield* collect(store.readStream(streamId, { direction: "backward", from: 2000, count: 1500 }))),
          upTo(2000).reverse().slice(0, 1500)
        )
      })
  },
  {
    name: "all events are read in commit order, forward and backward, at times that never decrease",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const first = yield* seed(stream("a"), 2)
        yield* seed(stream("b"), 2)
        const last = yield* seed(stream("a"), 1)
        const from = first.position - 1
        const forward = yield* collect(store.readAllStream({ from, count: last.position - from + 1 }))
        const backward = yield* collect(
          store.readAllStream({ from: last.position, direction: "backward", count: last.position - from + 1 })
        )
        yield* equal(
          forward.map(({ position }) => position),
          upTo(last.position).slice(from)
        )
        yield* equal(backward, forward.toReversed())
        for (const [at, { epochUs }] of forward.entries()) {
          yield* equal(epochUs >= (forward[at - 1]?.epochUs ?? 0), true)
        }
      })
  },
  {
    name: "a store is read as it was at a position",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const first = yield* seed(stream("a"), 2)
        const then = yield* seed(stream("b"), 1)
        yield* seed(stream("a"), 3)
        const own = Query.streams(`${stream("")}*`)
        const positions = (direction: "forward" | "backward") =>
          Effect.map(collect(store.queryStream(own, { asOf: then.position, direction })), events =>
            events.map(({ position }) => position)
          )
        yield* equal(yield* positions("forward"), [first.position - 1, first.position, then.position])
        yield* equal(yield* positions("backward"), [then.position, first.position, first.position - 1])
        const all = yield* store.readAll({ from: then.position, asOf: then.position })
        yield* equal(all.events.length, 1)
        yield* equal(all.isEnd, true)
      })
  },
  {
    name: "streams are listed in order, by pattern, without those that were deleted",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        for (const word of ["b2", "a1", "a2", "b1", "c"]) yield* seed(stream(word), 1)
        yield* store.deleteStream(stream("a2"))
        const list = (pattern: string, after?: string) =>
          Effect.map(collect(store.listStreams({ pattern: stream(pattern), after })), streams =>
            streams.map(({ streamId }) => streamId)
          )
        yield* equal(yield* list("*"), ["a1", "b1", "b2", "c"].map(stream))
        yield* equal(yield* list("b?"), ["b1", "b2"].map(stream))
        yield* equal(yield* list("*1"), ["a1", "b1"].map(stream))
        yield* equal(yield* list("*", stream("b1")), ["b2", "c"].map(stream))
        yield* equal(yield* list("nothing*"), [])
        yield* equal(yield* store.hasEvents(), true)
      })
  },
  {
    name: "a stream as a whole",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* seed(stream("a"), 3)
        yield* seed(stream("a"), 1)
        const { events } = yield* store.read(stream("a"))
        const details = yield* store.streamDetails(stream("a"))
        yield* equal(
          { ...details, bytes: details.bytes > 0 },
          {
            streamId: stream("a"),
            state: "active",
            firstVersion: 0,
            lastVersion: 3,
            count: 4,
            bytes: true,
            createdUs: events[0]?.epochUs,
            updatedUs: events[3]?.epochUs,
            metadata: { maxAgeUs: null, maxCount: null, truncateBefore: null }
          }
        )
      })
  }
]
