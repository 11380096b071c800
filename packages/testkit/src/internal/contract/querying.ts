import * as Causation from "@reckon/client/Causation"
import * as EventMetadata from "@reckon/client/EventMetadata"
import { EventStore } from "@reckon/client/EventStore"
import * as EventType from "@reckon/client/EventType"
import * as Query from "@reckon/client/Query"
import * as StreamDefinition from "@reckon/client/StreamDefinition"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Definition } from "./names.js"
import { collect, equal, event, numbers, seed, upTo } from "./steps.js"

const found = (query: Query.Query) =>
  Effect.flatMap(EventStore, store => Effect.flatMap(collect(store.queryStream(query)), numbers))

export const querying: ReadonlyArray<Definition> = [
  {
    name: "by tags, any of them or all of them",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const [a, b, c] = [tag("a"), tag("b"), tag("c")]
        const tagged = [[a], [a, b], [b, c], [], [a, b, c]]
        for (const [number, tags] of tagged.entries()) {
          yield* store.append(stream(`s${number % 2}`), "any", [yield* event({ number }, { tags })])
        }
        yield* equal(yield* found(Query.anyTag(a)), [0, 1, 4])
        yield* equal(yield* found(Query.anyTag(a, c)), [0, 1, 2, 4])
        yield* equal(yield* found(Query.allTags(a, b)), [1, 4])
        yield* equal(yield* found(Query.allTags(a, b, c)), [4])
        yield* equal(yield* found(Query.allTags(a, tag("unknown"))), [])
        yield* equal(yield* found(Query.anyTag(tag("unknown"), b)), [1, 2, 4])
        yield* equal(yield* found(Query.anyTag(a.toUpperCase())), [])
        yield* equal(yield* found(Query.anyTag()), [])
        yield* equal(yield* found(Query.allTags()), [])
      })
  },
  {
    name: "by types, in commit order across streams",
    test: ({ stream, type }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        for (const number of upTo(8)) {
          const one = yield* event({ number }, { type: type(`T${number % 3}`) })
          yield* store.append(stream(`s${number % 2}`), "any", [one])
        }
        yield* equal(yield* found(Query.eventTypes(type("T0"))), [0, 3, 6])
        yield* equal(yield* found(Query.eventTypes(type("T0"), type("T2"))), [0, 2, 3, 5, 6, 8])
        yield* equal(yield* found(Query.eventTypes(type("T9"))), [])
        yield* equal(yield* found(Query.eventTypes()), [])
      })
  },
  {
    name: "by a field of the metadata, by value and type of the value",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const field = tag("field")
        const values = ["x", "y", 1, "1", true, null, { deep: "x" }, "x"]
        for (const [number, value] of values.entries()) {
          yield* store.append(stream("a"), "any", [
            yield* event({ number }, { metadata: { other: 0, [field]: value } })
          ])
        }
        yield* seed(stream("a"), 1)
        yield* equal(yield* found(Query.metadata(field, "x")), [0, 7])
        yield* equal(yield* found(Query.metadata(field, 1)), [2])
        yield* equal(yield* found(Query.metadata(field, "1")), [3])
        yield* equal(yield* found(Query.metadata(field, true)), [4])
        yield* equal(yield* found(Query.metadata(field, "z")), [])
      })
  },
  {
    name: "by what caused them, and by the conversation they are part of",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const conversation = tag("conversation")
        /** Says what it says of its cause as `EventMetadata.causedBy` does. */
        const follow = (number: number, causation_id?: string) =>
          Effect.gen(function* () {
            const metadata = causation_id === undefined ? {} : { causation_id, correlation_id: conversation }
            const one = yield* event({ number }, { metadata })
            yield* store.append(stream(`s${number % 2}`), "any", [one])
            return one.eventId
          })
        const root = yield* follow(0)
        const first = yield* follow(1, root)
        yield* follow(2, root)
        yield* follow(3, first)
        yield* follow(4)
        const last = yield* follow(5, root)
        yield* equal(yield* found(Query.causedBy(root)), [1, 2, 5])
        yield* equal(yield* found(Query.causedBy(first)), [3])
        yield* equal(yield* found(Query.causedBy(last)), [])
        yield* equal(yield* found(Query.correlatedWith(conversation)), [1, 2, 3, 5])
        yield* equal(yield* found(Query.correlatedWith(root)), [])
        const page = yield* store.query(Query.causedBy(root), { count: 2, direction: "backward" })
        yield* equal(yield* numbers(page.events), [5, 2])
        const rest = yield* store.query(Query.causedBy(root), { from: page.next, direction: "backward" })
        yield* equal({ numbers: yield* numbers(rest.events), isEnd: rest.isEnd }, { numbers: [1], isEnd: true })
      })
  },
  {
    name: "from an event back to what it all began with, and from there to all that came of it",
    test: ({ stream, tag, type }) =>
      Effect.gen(function* () {
        const Happened = EventType.make(type("Happened"), Schema.Struct({ number: Schema.Int }))
        const streams = StreamDefinition.make({ name: stream, events: [Happened] })
        /** Appends an event, to one of three streams, and answers it as it is read. */
        const happen = (number: number) =>
          Effect.gen(function* () {
            const store = yield* EventStore
            const name = `s${number % 3}`
            const { version } = yield* Effect.catchTag(
              streams.append(name, "any", [Happened.make({ number })]),
              "EventNotEncodable",
              Effect.die
            )
            const { events } = yield* store.read(stream(name), { from: version, count: 1 })
            return yield* Effect.orDie(Effect.fromNullable(events[0]))
          })
        const root = yield* happen(0)
        const first = yield* happen(1).pipe(EventMetadata.causedBy(root))
        const second = yield* happen(2).pipe(EventMetadata.causedBy(root))
        yield* happen(3)
        const last = yield* happen(4).pipe(EventMetadata.causedBy(second))
        const strange = yield* happen(5).pipe(EventMetadata.annotate({ causation_id: tag("command") }))

        const chain = yield* Causation.chain(last)
        yield* equal({ ...chain, events: yield* numbers(chain.events) }, { events: [0, 2, 4], end: "root" })
        yield* equal((yield* Causation.chain(strange)).end, "unknown_cause")
        const edges = [
          { cause: root.eventId, effect: first.eventId },
          { cause: root.eventId, effect: second.eventId },
          { cause: second.eventId, effect: last.eventId }
        ]
        for (const graph of [yield* Causation.graph(first), yield* Causation.conversation(root.eventId)]) {
          yield* equal(
            { ...graph, nodes: yield* numbers(graph.nodes) },
            { nodes: [0, 1, 2, 4], edges, roots: [root.eventId], isComplete: true }
          )
        }
        const { isComplete, nodes } = yield* Causation.descendants(root.eventId, { limit: 2 })
        yield* equal({ isComplete, nodes: yield* numbers(nodes) }, { isComplete: false, nodes: [1, 2] })
      })
  },
  {
    name: "by the name of the stream",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        for (const [number, word] of ["eu-1", "us-1", "eu-2", "eu-1"].entries()) {
          yield* store.append(stream(word), "any", [yield* event({ number })])
        }
        yield* equal(yield* found(Query.streams(stream("eu-*"))), [0, 2, 3])
        yield* equal(yield* found(Query.streams(stream("??-1"))), [0, 1, 3])
        yield* equal(yield* found(Query.streams(stream("eu-1"))), [0, 3])
        yield* equal(yield* found(Query.streams(stream("eu"))), [])
      })
  },
  {
    name: "criteria of one item together, items apart, no event twice",
    test: ({ stream, tag, type }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        for (const number of upTo(11)) {
          const one = yield* event(
            { number },
            {
              type: type(number % 2 === 0 ? "Even" : "Odd"),
              tags: [tag(number % 3 === 0 ? "three" : "rest")],
              metadata: { half: number < 6 ? "first" : "second", of: stream("") }
            }
          )
          yield* store.append(stream(`s${number % 4}`), "any", [one])
        }
        const evenThrees = { types: [type("Even")], tags: [tag("three")] }
        yield* equal(yield* found(Query.make(evenThrees)), [0, 6])
        yield* equal(yield* found(Query.make({ ...evenThrees, metadata: [{ field: "half", value: "second" }] })), [6])
        yield* equal(yield* found(Query.make(evenThrees, { tags: [tag("three")] })), [0, 3, 6, 9])
        yield* equal(yield* found(Query.make({ types: [type("Odd")], stream: stream("s1") })), [1, 5, 9])
        yield* equal(
          yield* found(Query.or(Query.eventTypes(type("Odd")), Query.allTags(tag("three")))),
          [0, 1, 3, 5, 6, 7, 9, 11]
        )
      })
  },
  {
    name: "query pages follow each other by their cursor, in both directions",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        for (const number of upTo(19)) {
          yield* store.append(stream("a"), "any", [
            yield* event({ number }, { tags: number % 2 === 0 ? [tag("even")] : [] })
          ])
        }
        const even = upTo(19).filter(number => number % 2 === 0)
        for (const direction of ["forward", "backward"] as const) {
          const seen: Array<unknown> = []
          let from: number | undefined
          for (let pages = 0; pages < 30; pages++) {
            const page = yield* store.query(Query.anyTag(tag("even")), { direction, count: 3, from })
            seen.push(...(yield* numbers(page.events)))
            if (page.isEnd) break
            from = page.next
          }
          yield* equal(seen, direction === "forward" ? even : even.toReversed())
        }
      })
  }
]
