import { assert, describe, it } from "@effect/vitest"
import { type Event, type EventStore, Query, type StoreError } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Stream from "effect/Stream"
import { collect, event, failure, make, types } from "./helpers/embedded.js"
import type { MemoryStore } from "./helpers/memoryStore.js"

/** Three events at 10, two at 20, one at 30, in two streams. */
const filled = (pageMax?: number) =>
  Effect.gen(function* () {
    const made = yield* make({ pageMax })
    const write = (nowUs: number, streamId: string, type: string) =>
      Effect.gen(function* () {
        made.memory.nowUs = nowUs
        yield* made.store.append(streamId, "any", [yield* event(type)])
      })
    yield* write(10, "s", "A")
    yield* write(10, "other", "B")
    yield* write(10, "s", "C")
    yield* write(20, "s", "D")
    yield* write(20, "other", "E")
    yield* write(30, "s", "F")
    return made
  })

describe("reading by time", () => {
  it.effect("an event exactly at a bound is included, at both ends", () =>
    Effect.gen(function* () {
      const { store } = yield* filled(1)
      assert.deepStrictEqual(yield* types(store.readUntil("s", 20)), ["A", "C", "D"])
      assert.deepStrictEqual(yield* types(store.readUntil("s", 19)), ["A", "C"])
      assert.deepStrictEqual(yield* types(store.readUntil("s", 9)), [])
      assert.deepStrictEqual(yield* types(store.readRange("s", 10, 20)), ["A", "C", "D"])
      assert.deepStrictEqual(yield* types(store.readRange("s", 11, 30)), ["D", "F"])
      assert.deepStrictEqual(yield* types(store.readRange("s", 20, 20)), ["D"])
      assert.deepStrictEqual(yield* types(store.readRange("s", 21, 29)), [])
      assert.deepStrictEqual(yield* types(store.queryRange(Query.all, 20, 30)), ["D", "E", "F"])
      assert.deepStrictEqual(yield* types(store.queryRange(Query.streams("o*"), 0, 20)), ["B", "E"])
    })
  )

  it.effect("a range that ends before it begins is empty, and nobody is asked", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* filled()
      hooks.tags.length = 0
      assert.deepStrictEqual(yield* types(store.readRange("s", 20, 10)), [])
      assert.deepStrictEqual(yield* types(store.queryRange(Query.all, 20, 10)), [])
      assert.deepStrictEqual(hooks.tags, [])
    })
  )

  it.effect("backward the last comes first, and a limit counts from there", () =>
    Effect.gen(function* () {
      const { store } = yield* filled(1)
      const backward = { direction: "backward", limit: 2 } as const
      assert.deepStrictEqual(yield* types(store.readUntil("s", 25, backward)), ["D", "C"])
      assert.deepStrictEqual(yield* types(store.readRange("s", 10, 30, backward)), ["F", "D"])
      assert.deepStrictEqual(yield* types(store.queryRange(Query.all, 10, 20, backward)), ["E", "D"])
      assert.deepStrictEqual(yield* types(store.readRange("s", 10, 30, { limit: 1 })), ["A"])
    })
  )

  it.effect("says of a stream that has nothing to read why", () =>
    Effect.gen(function* () {
      const { store } = yield* filled()
      assert.strictEqual(yield* failure(types(store.readUntil("none", 20))), "StreamNotFound")
      yield* store.deleteStream("s")
      assert.strictEqual(yield* failure(types(store.readRange("s", 10, 20))), "StreamDeleted")
      yield* store.tombstoneStream("s")
      assert.strictEqual(yield* failure(types(store.readUntil("s", 20))), "StreamTombstoned")
    })
  )

  it.effect("a store is read as it was at a position, and as it was when it was empty", () =>
    Effect.gen(function* () {
      const { store } = yield* filled(2)
      const at = (epochUs: number) =>
        Effect.flatMap(store.positionAt(epochUs), asOf => types(store.readAllStream({ asOf })))
      assert.deepStrictEqual(yield* at(20), ["A", "B", "C", "D", "E"])
      assert.deepStrictEqual(yield* at(5), [])
      const backward = store.queryStream(Query.streams("s"), { asOf: 3, direction: "backward" })
      assert.deepStrictEqual(yield* types(backward), ["D", "C", "A"])
    })
  )

  it.effect("`local` bounds from a node that is behind let in nothing from before the range", () =>
    Effect.gen(function* () {
      const behind = yield* make({
        instead: {
          VersionAt: ({ epochUs }) => Effect.succeed(epochUs === 20 ? 2 : -1),
          PositionAt: ({ epochUs }) => Effect.succeed(epochUs === 20 ? 4 : -1)
        }
      })
      for (const [nowUs, type] of [
        [10, "A"],
        [10, "C"],
        [20, "D"]
      ] as const) {
        behind.memory.nowUs = nowUs
        yield* behind.store.append("s", "any", [yield* event(type)])
      }
      const local = { consistency: "local" } as const
      assert.deepStrictEqual(yield* types(behind.store.readRange("s", 15, 20, local)), ["D"])
      assert.deepStrictEqual(yield* types(behind.store.queryRange(Query.all, 15, 20, local)), ["D"])
    })
  )
})

// -----------------------------------------------------------------------------
// against the naive answer
// -----------------------------------------------------------------------------

type Step = readonly ["append" | "delete" | "truncate", stream: string, type: string, number: number]

const step: FastCheck.Arbitrary<Step> = FastCheck.tuple(
  FastCheck.constantFrom<Step[0]>("append", "append", "append", "append", "append", "append", "delete", "truncate"),
  FastCheck.constantFrom("s", "t"),
  FastCheck.constantFrom("A", "B"),
  FastCheck.nat(3)
)

/** `number` is how many microseconds an append comes after the one before, or where a stream is truncated. */
const play = (memory: MemoryStore, [what, streamId, type, number]: Step) =>
  Effect.gen(function* () {
    switch (what) {
      case "append":
        memory.nowUs = (memory.nowUs ?? 0) + number
        return memory.append({ streamId, expectedVersion: "any", events: [yield* event(type)] })
      case "delete":
        return memory.deleteStream({ streamId, expectedVersion: "any", tombstone: false })
      case "truncate":
        return memory.setMetadata(streamId, { maxAgeUs: null, maxCount: null, truncateBefore: number })
    }
  })

const scenario = FastCheck.record({
  steps: FastCheck.array(step, { minLength: 1, maxLength: 30 }),
  pageMax: FastCheck.integer({ min: 1, max: 4 }),
  rowsMax: FastCheck.integer({ min: 1, max: 5 }),
  fromUs: FastCheck.integer({ min: -1, max: 25 }),
  lengthUs: FastCheck.integer({ min: -2, max: 25 }),
  direction: FastCheck.constantFrom("forward" as const, "backward" as const),
  limit: FastCheck.option(FastCheck.nat(8), { nil: undefined })
})

type Scenario = typeof scenario extends FastCheck.Arbitrary<infer S> ? S : never

const check = ({ direction, fromUs, lengthUs, limit, pageMax, rowsMax, steps }: Scenario) =>
  Effect.gen(function* () {
    const { hooks, memory, store } = yield* make({ pageMax, rowsMax })
    for (const one of steps) yield* play(memory, one)

    // Somebody else appends before each page, and between the two bounds of a range.
    let asked = 0
    hooks.before = tag =>
      Effect.gen(function* () {
        const isFirstBound = (tag === "VersionAt" || tag === "PositionAt") && asked++ === 0
        if (!isFirstBound) yield* Effect.orDie(play(memory, ["append", "s", "B", 0]))
      })

    const toUs = fromUs + lengthUs
    const options = { direction, limit }
    const same = (
      feed: Stream.Stream<Event.RecordedEvent, EventStore.ReadFailure | StoreError.StreamError>,
      keep: (event: Event.RecordedEvent) => boolean
    ) =>
      Effect.gen(function* () {
        asked = 0
        const kept = memory.all.filter(event => memory.isVisible(event) && keep(event))
        const expected = (direction === "forward" ? kept : kept.reverse()).slice(0, limit)
        assert.deepStrictEqual(yield* collect(feed), expected)
      })

    const within = ({ epochUs }: Event.RecordedEvent) => epochUs >= fromUs && epochUs <= toUs
    if (memory.absence("s") === undefined) {
      yield* same(store.readRange("s", fromUs, toUs, options), event => event.streamId === "s" && within(event))
      yield* same(store.readUntil("s", toUs, options), event => event.streamId === "s" && event.epochUs <= toUs)
    }
    yield* same(
      store.queryRange(Query.eventTypes("B"), fromUs, toUs, options),
      event => event.eventType === "B" && within(event)
    )
    const asOf = Math.max(-1, memory.all.length - 4)
    yield* same(store.readAllStream({ asOf, direction, count: limit }), event => event.position <= asOf)
  })

describe("reading by time and by page", () => {
  it("gives what looking at every event gives, whatever a page carries and whoever appends meanwhile", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(scenario, one => Effect.runPromise(check(one))),
      { numRuns: 200 }
    ))
})
