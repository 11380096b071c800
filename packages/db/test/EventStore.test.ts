import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import type { StoreError } from "@reckon/client/StoreError"
import { pageEventsMax } from "@reckon/client/StoreRpcs"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as EventStore from "../src/EventStore.js"
import { append, event, snapshot } from "./helpers/events.js"
import { failed, folder, settle } from "./helpers/processes.js"

const places = [
  ["in memory", EventStore.layerMemory],
  ["in a folder", Layer.unwrapScoped(Effect.map(folder, dataDir => EventStore.layer({ dataDir })))]
] as const

const ids = <E, R>(events: Stream.Stream<{ readonly eventId: string }, E, R>) =>
  Effect.map(Stream.runCollect(events), found => Chunk.toReadonlyArray(found).map(({ eventId }) => eventId))

const idsOf = (...ns: ReadonlyArray<number>) => ns.map(n => event(n).eventId)

for (const [place, layer] of places) {
  describe(`an embedded store ${place}`, () => {
    it.effect("appends, one by one and several at once, each with its own answer", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        assert.strictEqual(store.store, "default")
        const first = yield* store.append("a", "no_stream", [event(1), event(2)])
        assert.deepStrictEqual([first.version, first.position, first.alreadyPresent], [1, 1, 0])
        const answers = yield* store.appendAll([
          append("a", 1, event(3)),
          append("a", 1, event(4)),
          append("b", "any", event(1, { eventType: "another" })),
          append("a", "no_stream", event(1), event(2))
        ])
        assert.deepStrictEqual(
          answers.map(answer => (Either.isLeft(answer) ? answer.left._tag : answer.right.version)),
          [2, "WrongExpectedVersion", 0, 1]
        )
        assert.deepStrictEqual(yield* ids(store.readStream("a")), idsOf(1, 2, 3))
        assert.strictEqual(yield* store.getVersion("a"), 2)
        assert.isTrue(yield* store.exists("b"))
      }).pipe(Effect.provide(layer))
    )

    it.effect("refuses what a gateway would refuse, before anything is written", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const refused: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [
          store.append("", "any", [event(1)]),
          store.append("a", -7, [event(1)]),
          store.append("a", "any", [event(1, { eventId: "not-a-uuid" })]),
          store.append("a", "any", [event(1, { tags: ["t", "t"] })]),
          store.appendBatch([append("a", "any", event(1)), append("a", "any", event(2))])
        ]
        for (const each of refused) assert.deepStrictEqual(yield* failed(each), ["InvalidRequest", false])
        const huge = event(1, { data: new Uint8Array(5 * 1024 * 1024) })
        assert.deepStrictEqual(yield* failed(store.append("a", "any", [huge])), ["EventTooLarge", false])
        assert.isFalse(yield* store.hasEvents())
      }).pipe(Effect.provide(layer))
    )

    it.effect("appends to several streams all or nothing, and under a condition", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const seat = Query.allTags("seat:1")
        const sold = (n: number) => event(n, { tags: ["seat:1"] })
        yield* store.appendBatch([append("a", "no_stream", event(1)), append("b", "no_stream", event(2))])
        const half = store.appendBatch([append("a", 0, event(3)), append("b", 7, event(4))])
        assert.deepStrictEqual(yield* failed(half), ["WrongExpectedVersion", false])
        const condition = { query: seat, after: 1 }
        yield* store.append("c", "any", [sold(5)], { condition })
        const late = store.append("d", "any", [sold(6)], { condition })
        assert.deepStrictEqual(yield* failed(late), ["AppendConditionFailed", false])
        const again = yield* store.append("c", "any", [sold(5)], { condition })
        assert.strictEqual(again.alreadyPresent, 1)
        assert.deepStrictEqual(yield* ids(store.readAllStream()), idsOf(1, 2, 5))
      }).pipe(Effect.provide(layer))
    )

    it.effect("deletes a stream, creates it anew, and deletes it for good", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1), event(2)])
        yield* store.deleteStream("a", { expectedVersion: 1 })
        assert.deepStrictEqual(yield* failed(store.read("a")), ["StreamDeleted", false])
        assert.isFalse(yield* store.exists("a"))
        assert.strictEqual((yield* store.append("a", "no_stream", [event(3)])).version, 2)
        assert.deepStrictEqual(yield* ids(store.readStream("a")), idsOf(3))
        yield* store.tombstoneStream("a")
        assert.deepStrictEqual(yield* failed(store.read("a")), ["StreamTombstoned", false])
        assert.deepStrictEqual(yield* failed(store.append("a", "any", [event(4)])), ["StreamTombstoned", false])
        assert.strictEqual((yield* store.streamDetails("a")).state, "tombstoned")
        assert.deepStrictEqual(yield* failed(store.read("b")), ["StreamNotFound", false])
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps of a stream what its metadata says, by count and by age", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1), event(2), event(3)])
        yield* store.setStreamMetadata("a", { maxCount: 2 })
        assert.deepStrictEqual(yield* ids(store.readStream("a")), idsOf(2, 3))
        yield* store.setStreamMetadata("a", { maxAgeUs: 1_000_000 })
        yield* TestClock.adjust("900 millis")
        yield* store.append("a", 2, [event(4)])
        yield* TestClock.adjust("900 millis")
        assert.deepStrictEqual(yield* ids(store.readStream("a")), idsOf(4))
        assert.deepStrictEqual(yield* ids(store.readAllStream()), idsOf(4))
        const { firstVersion, lastVersion } = yield* store.streamDetails("a")
        assert.deepStrictEqual([firstVersion, lastVersion], [1, 3])
      }).pipe(Effect.provide(layer))
    )

    it.effect("saves, lists, loads and deletes snapshots", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1), event(2), event(3)])
        for (const version of [0, 1, 2]) yield* store.saveSnapshot(snapshot("a", version), { keep: 2 })
        assert.deepStrictEqual(yield* failed(store.saveSnapshot(snapshot("a", 3))), ["SnapshotOutOfRange", false])
        assert.strictEqual((yield* store.loadSnapshot("a")).version, 2)
        assert.deepStrictEqual(yield* failed(store.loadSnapshot("a", { version: 0 })), ["SnapshotNotFound", false])
        const listed = Chunk.toReadonlyArray(yield* Stream.runCollect(store.listSnapshots("a")))
        assert.deepStrictEqual(
          listed.map(({ version }) => version),
          [1, 2]
        )
        yield* store.deleteSnapshots("a", { version: 2 })
        assert.strictEqual((yield* store.loadSnapshot("a")).version, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("answers queries, and what was so at a position or at a time", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* TestClock.adjust("1 second")
        yield* store.append("order-1", "any", [event(1, { eventType: "Placed", tags: ["tea"] })])
        yield* TestClock.adjust("1 second")
        yield* store.append("order-2", "any", [event(2, { eventType: "Placed" }), event(3, { eventType: "Paid" })])
        assert.deepStrictEqual(yield* ids(store.queryStream(Query.eventTypes("Placed"))), idsOf(1, 2))
        const either = Query.or(Query.anyTag("tea"), Query.eventTypes("Paid"))
        assert.deepStrictEqual(yield* ids(store.queryStream(either, { direction: "backward" })), idsOf(3, 1))
        assert.deepStrictEqual(yield* ids(store.queryStream(Query.streams("order-*"), { asOf: 1 })), idsOf(1, 2))
        assert.deepStrictEqual(
          [
            yield* store.positionAt(1_999_999),
            yield* store.positionAt(2_000_000),
            yield* store.versionAt("order-2", 2_000_000)
          ],
          [0, 2, 1]
        )
        assert.deepStrictEqual(yield* ids(store.queryRange(Query.all, 1_500_000, 2_000_000)), idsOf(2, 3))
        const streams = yield* Stream.runCollect(store.listStreams({ pattern: "*-2" }))
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(streams).map(({ streamId }) => streamId),
          ["order-2"]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("follows all events over deletions and re-creations: none missed, none twice", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1)])
        yield* store.deleteStream("a")
        yield* store.append("b", "any", [event(2)])
        const got: Array<string> = []
        const following = yield* store.subscribe({ streamId: null, from: "origin" }).pipe(
          Stream.runForEach(({ eventId }) => Effect.sync(() => got.push(eventId))),
          Effect.fork
        )
        yield* settle
        yield* store.append("a", "any", [event(3)])
        yield* settle
        yield* store.tombstoneStream("b")
        yield* store.append("c", "any", [event(4)])
        yield* settle
        assert.deepStrictEqual(got, idsOf(2, 3, 4))
        yield* Fiber.interrupt(following)
      }).pipe(Effect.provide(layer))
    )

    it.effect("answers an append that is made while a long read goes on before the read ends", () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        for (let page = 0; page < 8; page++) {
          yield* store.append(
            "long",
            "any",
            Array.from({ length: pageEventsMax }, (_, n) => event(page * pageEventsMax + n))
          )
        }
        const order: Array<string> = []
        const reading = yield* store.readStream("long").pipe(
          Stream.chunks,
          Stream.runForEach(() => Effect.sync(() => order.push("page"))),
          Effect.fork
        )
        yield* Effect.yieldNow()
        yield* store.append("other", "any", [event(100_000)])
        order.push("appended")
        yield* Fiber.join(reading)
        assert.strictEqual(order.length, 9)
        assert.isBelow(order.indexOf("appended"), 4)
      }).pipe(Effect.provide(layer))
    )
  })
}
