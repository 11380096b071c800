import { assert, describe, it } from "@effect/vitest"
import { ExpectedVersion, Limits, Query, Snapshot, StoreError, type StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { event, failure, make, types, typesOf } from "./helpers/embedded.js"

const append = (
  streamId: string,
  type: string,
  expectedVersion: ExpectedVersion.ExpectedVersion = "any"
): Effect.Effect<StoreRpcs.Append, StoreError.InvalidRequest> =>
  Effect.map(event(type), one => ({ streamId, expectedVersion, events: [one] }))

const unknown = new StoreError.OutcomeUnknown({ detail: "the leader was lost" })
const alone = new StoreError.NoQuorum({ store: "default", detail: "alone" })

/** Fails the first time only. */
const once = (error: StoreError.RequestError) => {
  let failed = false
  return () =>
    Effect.suspend(() => {
      if (failed) return Effect.void
      failed = true
      return Effect.fail(error)
    })
}

/** With all the time it takes. */
const waited = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

describe("a batch of appends", () => {
  it.effect("is answered in its order, and written whole or not at all", () =>
    Effect.gen(function* () {
      const { memory, store } = yield* make()
      const written = yield* store.appendBatch([yield* append("b", "B"), yield* append("a", "A", "no_stream")])
      assert.deepStrictEqual(written, [
        { streamId: "b", version: 0, position: 0, alreadyPresent: 0 },
        { streamId: "a", version: 0, position: 1, alreadyPresent: 0 }
      ])
      const refused = store.appendBatch([yield* append("c", "C"), yield* append("a", "D", 7)])
      assert.deepInclude(yield* Effect.flip(refused), { _tag: "WrongExpectedVersion", streamId: "a", actual: 0 })
      assert.deepStrictEqual(typesOf(memory.all), ["B", "A"])
    })
  )

  it.effect("that names a stream twice, or none, reaches nobody", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make()
      const twice = yield* Effect.flip(store.appendBatch([yield* append("a", "A"), yield* append("a", "B")]))
      assert.strictEqual(twice._tag, "InvalidRequest")
      assert.include(twice.message, `"a"`)
      assert.strictEqual(yield* failure(store.appendBatch([])), "InvalidRequest")
      assert.deepStrictEqual(hooks.tags, [])
    })
  )

  it.effect("of an unknown outcome is made again and written once", () =>
    Effect.gen(function* () {
      const { hooks, memory, store } = yield* make()
      const batch = [yield* append("a", "A", "no_stream"), yield* append("b", "B", "no_stream")]
      hooks.after = once(unknown)
      const condition = { query: Query.eventTypes("A"), after: -1 }
      const written = yield* waited(store.appendBatch(batch, { condition }))
      assert.deepStrictEqual(
        written.map(({ alreadyPresent }) => alreadyPresent),
        [1, 1]
      )
      assert.deepStrictEqual(typesOf(memory.all), ["A", "B"])
      assert.deepStrictEqual(hooks.tags, ["AppendBatch", "AppendBatch"])
    })
  )

  it.effect("is not called refused by a condition that an earlier attempt may yet meet", () =>
    Effect.gen(function* () {
      const { hooks, memory, store } = yield* make()
      const taken = { query: Query.streams("names"), after: -1 }
      yield* store.append("names", "any", [yield* event("Taken")])
      const batch = [yield* append("a", "A")]
      assert.deepInclude(yield* Effect.flip(store.appendBatch(batch, { condition: taken })), {
        _tag: "AppendConditionFailed",
        after: -1,
        position: 0
      })
      hooks.before = once(unknown)
      assert.strictEqual(yield* failure(waited(store.appendBatch(batch, { condition: taken }))), "OutcomeUnknown")
      // The first attempt arrives after all, when what was in its way is gone.
      yield* store.deleteStream("names")
      assert.isTrue(Either.isRight(memory.appendBatch(batch, taken)))
    })
  )
})

describe("an append", () => {
  it.effect("with a condition is held against the whole store", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make()
      const free = { query: Query.anyTag("name:x"), after: -1 }
      const first = yield* store.append("a", "no_stream", [yield* event("A", { tags: ["name:x"] })], {
        condition: free
      })
      assert.deepStrictEqual(first, { streamId: "a", version: 0, position: 0, alreadyPresent: 0 })
      const second = store.append("b", "any", [yield* event("B")], { condition: free })
      assert.strictEqual(yield* failure(second), "AppendConditionFailed")
      yield* store.append("b", "any", [yield* event("B")], { condition: { ...free, after: first.position } })
      assert.deepStrictEqual(hooks.tags, ["AppendBatch", "AppendBatch", "AppendBatch"])
    })
  )

  it.effect("leaves at once, and those of an `appendAll` together, in requests of a bounded size", () =>
    Effect.gen(function* () {
      const { hooks, memory, store } = yield* make({ limits: { eventBytesMax: 500, requestBytesMax: 1000 } })
      const big = {
        streamId: "s",
        expectedVersion: "any",
        events: [yield* event("Big", { data: "x".repeat(600) })]
      } as const
      const appends = [
        yield* append("s", "A"),
        yield* append("t", "B"),
        big,
        yield* append("s", "C", 5),
        { streamId: "", expectedVersion: "any", events: [] } as const,
        ...(yield* Effect.forEach(["D", "E", "F", "G", "H"], type => append("s", type)))
      ]
      const results = yield* store.appendAll(appends)
      assert.deepStrictEqual(
        results.map(result => Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: ({ version }) => version })),
        [0, 0, "EventTooLarge", "WrongExpectedVersion", "InvalidRequest", 1, 2, 3, 4, 5]
      )
      assert.isAbove(hooks.requests.length, 1)
      for (const request of hooks.requests) {
        assert.isTrue(Either.isRight(Limits.checkAppends(request, { eventBytesMax: 500, requestBytesMax: 1000 })))
      }
      assert.deepStrictEqual(typesOf(memory.all), ["A", "B", "D", "E", "F", "G", "H"])
      assert.deepStrictEqual(yield* store.appendAll([]), [])
    })
  )

  it.effect(
    "is one of an `appendAll` that leaves in requests of no more events and tags than the contract allows",
    () =>
      Effect.gen(function* () {
        const { hooks, store } = yield* make()
        const tags = Array.from({ length: 49 }, (_, nth) => `t${nth}`)
        const third = Limits.eventsMax / 150
        const appends = yield* Effect.forEach(["a", "b", "c", "d"], streamId =>
          Effect.map(Effect.replicateEffect(event("A", { tags }), Math.floor(third)), events => ({
            streamId,
            expectedVersion: "any" as const,
            events
          }))
        )
        const results = yield* store.appendAll(appends)
        assert.deepStrictEqual(results.map(Either.isRight), [true, true, true, true])
        assert.deepStrictEqual(
          hooks.requests.map(request => request.map(({ streamId }) => streamId)),
          [["a", "b", "c"], ["d"]]
        )
      })
  )

  it.effect("whose events have a tag twice reaches nobody", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make()
      const doubled = yield* event("A", { tags: ["x", "y", "x"] })
      assert.strictEqual(yield* failure(store.append("s", "any", [doubled])), "InvalidRequest")
      assert.strictEqual(
        yield* failure(store.appendBatch([{ streamId: "s", expectedVersion: "any", events: [doubled] }])),
        "InvalidRequest"
      )
      assert.deepStrictEqual(hooks.tags, [])
    })
  )

  it.effect("of an unknown outcome is made again, also when its stream was deleted in between", () =>
    Effect.gen(function* () {
      const { hooks, memory, store } = yield* make()
      const lost = once(unknown)
      hooks.after = tag =>
        Effect.tapError(lost(), () =>
          Effect.sync(
            () => tag === "Append" && memory.deleteStream({ streamId: "s", expectedVersion: "any", tombstone: true })
          )
        )
      const answer = yield* waited(store.append("s", "no_stream", [yield* event("A")]))
      assert.deepStrictEqual(answer, { streamId: "s", version: 0, position: 0, alreadyPresent: 1 })
      assert.deepStrictEqual(typesOf(memory.all), ["A"])
    })
  )
})

const tags = ["DeleteStream", "SetStreamMetadata", "SaveSnapshot", "DeleteSnapshots"] as const

describe("a write that has no ids", () => {
  const writes = Effect.gen(function* () {
    const made = yield* make()
    yield* made.store.append("s", "any", [yield* event("A"), yield* event("B")])
    const snapshot = yield* Snapshot.json({ streamId: "s", version: 1, data: {} })
    const { store } = made
    const all: Record<(typeof tags)[number], Effect.Effect<void, StoreError.StoreError>> = {
      DeleteStream: store.deleteStream("s"),
      SetStreamMetadata: store.setStreamMetadata("s", { maxCount: 1 }),
      SaveSnapshot: store.saveSnapshot(snapshot),
      DeleteSnapshots: store.deleteSnapshots("s")
    }
    return { ...made, writes: all }
  })

  for (const tag of tags) {
    it.effect(`${tag} is made again where it surely had no effect`, () =>
      Effect.gen(function* () {
        const { hooks, writes: all } = yield* writes
        hooks.tags.length = 0
        hooks.before = once(alone)
        yield* waited(all[tag])
        assert.deepStrictEqual(hooks.tags, [tag, tag])
      })
    )

    it.effect(`${tag} is not made again where it may have had one: others may have written since`, () =>
      Effect.gen(function* () {
        const { hooks, writes: all } = yield* writes
        hooks.tags.length = 0
        hooks.after = once(unknown)
        assert.strictEqual(yield* failure(waited(all[tag])), "OutcomeUnknown")
        assert.deepStrictEqual(hooks.tags, [tag])
      })
    )
  }

  it.effect("a snapshot that is too large reaches nobody", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make({ limits: { eventBytesMax: 100, requestBytesMax: 100 } })
      const snapshot = yield* Snapshot.json({ streamId: "s", version: 0, data: "x".repeat(200) })
      const error = yield* Effect.flip(store.saveSnapshot(snapshot))
      assert.deepInclude(error, { _tag: "RequestTooLarge", bytes: 202, limitBytes: 100 })
      assert.deepStrictEqual(hooks.tags, [])
    })
  )

  it.effect("metadata asks for nothing where it says nothing", () =>
    Effect.gen(function* () {
      const { store } = yield* make()
      yield* store.append("s", "any", yield* Effect.forEach(["A", "B", "C"], type => event(type)))
      yield* store.setStreamMetadata("s", { maxCount: 2 })
      assert.deepStrictEqual(yield* types(store.readStream("s")), ["B", "C"])
      yield* store.setStreamMetadata("s", { truncateBefore: 1 })
      const { firstVersion, metadata } = yield* store.streamDetails("s")
      assert.strictEqual(firstVersion, 1)
      assert.deepStrictEqual(metadata, { maxAgeUs: null, maxCount: null, truncateBefore: 1 })
    })
  )
})

describe("repeating in this process", () => {
  it.effect("goes on until it is served, and gives up when its time is up", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make({ timeout: "2 seconds" })
      hooks.before = once(new StoreError.Overloaded({ detail: "busy" }))
      assert.strictEqual(yield* waited(store.getVersion("s")), -1)
      hooks.before = () => alone
      const fiber = yield* Effect.fork(Effect.flip(store.append("s", "any", [yield* event("A")])))
      yield* TestClock.adjust("1900 millis")
      assert.strictEqual((yield* Fiber.poll(fiber))._tag, "None")
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), alone)
    })
  )

  it.effect("an error that a repetition cannot mend comes back at once", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make()
      assert.strictEqual(yield* failure(store.read("s")), "StreamNotFound")
      assert.strictEqual(yield* failure(store.loadSnapshot("s")), "SnapshotNotFound")
      assert.deepStrictEqual(hooks.tags, ["Read", "LoadSnapshot"])
    })
  )

  it.effect("wants a store's name that is one", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* failure(make({ name: "not a name" })), "InvalidRequest")
    })
  )
})
