import { EventStore } from "@reckon/client/EventStore"
import * as Query from "@reckon/client/Query"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Definition } from "./names.js"
import { appendOf, collect, equal, event, failsWith, seed, upTo } from "./steps.js"

export const conditions: ReadonlyArray<Definition> = [
  {
    name: "a condition fails with the position of the event that breaks it, and nothing is written",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const tagged = (word: string) => Effect.map(event({}, { tags: [tag(word)] }), one => [one])
        const seen = yield* store.append(stream("a"), "any", yield* tagged("seat"))
        const taken = yield* store.append(stream("b"), "any", yield* tagged("seat"))
        yield* store.append(stream("b"), "any", yield* tagged("seat"))
        yield* failsWith(
          store.append(stream("c"), "any", yield* tagged("seat"), {
            condition: { query: Query.allTags(tag("seat")), after: seen.position }
          }),
          { _tag: "AppendConditionFailed", after: seen.position, position: taken.position }
        )
        yield* equal(yield* store.exists(stream("c")), false)
      })
  },
  {
    name: "a condition whose query nothing matches behind the position holds",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const seat = yield* event({}, { tags: [tag("seat")] })
        const first = yield* store.append(stream("a"), "any", [seat], {
          condition: { query: Query.allTags(tag("seat")), after: -1 }
        })
        yield* store.append(stream("a"), "any", [yield* event({}, { tags: [tag("other")] })])
        const second = yield* store.append(stream("a"), "any", [yield* event({}, { tags: [tag("seat")] })], {
          condition: { query: Query.allTags(tag("seat")), after: first.position }
        })
        yield* equal(second.version, 2)
      })
  },
  {
    name: "within an item types are or-ed and tags and-ed, and items are or-ed",
    test: ({ stream, tag, type }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* store.append(stream("a"), "any", [yield* event({}, { type: type("A"), tags: [tag("x")] })])
        const holds = (...items: ReadonlyArray<Partial<Query.Item>>) =>
          Effect.flatMap(event({}), one =>
            Effect.map(
              Effect.either(
                store.append(stream("b"), "any", [one], { condition: { query: Query.make(...items), after: -1 } })
              ),
              Either.isRight
            )
          )
        yield* equal(yield* holds({ types: [type("A"), type("B")], tags: [tag("x")] }), false)
        yield* equal(yield* holds({ types: [type("B")], tags: [tag("x")] }), true)
        yield* equal(yield* holds({ types: [type("A")], tags: [tag("x"), tag("y")] }), true)
        yield* equal(yield* holds({ types: [type("B")] }, { tags: [tag("x")] }), false)
        yield* equal(yield* holds(), true)
      })
  },
  {
    name: "of conditional appends at the same time on the same query exactly one wins",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const query = Query.allTags(tag("seat"))
        const results = yield* Effect.forEach(
          upTo(15),
          number =>
            Effect.flatMap(event({ number }, { tags: [tag("seat")] }), one =>
              Effect.either(store.append(stream(`s${number}`), "any", [one], { condition: { query, after: -1 } }))
            ),
          { concurrency: "unbounded" }
        )
        yield* equal(results.filter(Either.isRight).length, 1)
        for (const result of results) {
          if (Either.isLeft(result)) yield* equal(result.left._tag, "AppendConditionFailed")
        }
        yield* equal((yield* collect(store.queryStream(query))).length, 1)
      })
  },
  {
    name: "a repeated conditional append succeeds though its own events match",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const one = yield* event({}, { tags: [tag("seat")] })
        const condition = { query: Query.allTags(tag("seat")), after: -1 }
        const first = yield* store.append(stream("a"), "no_stream", [one], { condition })
        const again = yield* store.append(stream("a"), "no_stream", [one], { condition })
        yield* equal(again, { ...first, alreadyPresent: 1 })
      })
  },
  {
    name: "a batch has its condition judged with its expectations",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* store.append(stream("x"), "any", [yield* event({}, { tags: [tag("seat")] })])
        const condition = { query: Query.allTags(tag("seat")), after: -1 }
        const batch = [yield* appendOf(stream("a"), "no_stream", 1), yield* appendOf(stream("b"), "no_stream", 1)]
        yield* failsWith(store.appendBatch(batch, { condition }), { _tag: "AppendConditionFailed" })
        yield* equal(yield* store.exists(stream("a")), false)
        const free = { query: Query.allTags(tag("free")), after: -1 }
        yield* equal((yield* store.appendBatch(batch, { condition: free })).length, 2)
      })
  },
  {
    name: "a condition with a long past behind it is judged by all of that, and by what has come since",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const tagged = (word: string) => Effect.map(event({}, { tags: [tag(word)] }), one => [one])
        const seat = { query: Query.allTags(tag("seat")), after: -1 }
        const taken = yield* store.append(stream("early"), "any", yield* tagged("early"))
        yield* seed(stream("past"), 400)
        yield* seed(stream("past"), 400)
        const first = yield* tagged("seat")
        const written = yield* store.append(stream("a"), "no_stream", first, { condition: seat })
        yield* seed(stream("past"), 400)
        yield* seed(stream("past"), 400)
        yield* equal(yield* store.append(stream("a"), "no_stream", first, { condition: seat }), {
          ...written,
          alreadyPresent: 1
        })
        for (const [word, { position }] of [
          ["seat", written],
          ["early", taken]
        ] as const) {
          const condition = { query: Query.allTags(tag(word)), after: -1 }
          yield* failsWith(store.append(stream("b"), "any", yield* tagged("other"), { condition }), {
            _tag: "AppendConditionFailed",
            after: -1,
            position
          })
        }
        yield* store.deleteStream(stream("early"))
        const condition = { query: Query.allTags(tag("early")), after: -1 }
        yield* equal((yield* store.append(stream("b"), "any", yield* tagged("other"), { condition })).version, 0)
      })
  },
  {
    name: "events of a deleted stream break no condition",
    test: ({ stream, tag }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* store.append(stream("a"), "any", [yield* event({}, { tags: [tag("seat")] })])
        yield* store.deleteStream(stream("a"))
        yield* seed(stream("other"), 1)
        const one = yield* event({}, { tags: [tag("seat")] })
        const condition = { query: Query.allTags(tag("seat")), after: -1 }
        yield* equal((yield* store.append(stream("b"), "any", [one], { condition })).version, 0)
      })
  }
]
