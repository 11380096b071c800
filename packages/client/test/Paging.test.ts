import { assert, describe, it } from "@effect/vitest"
import { Query, Snapshot } from "@reckon/client"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { collect, event, failure, make, types } from "./helpers/embedded.js"

const all = <E>(streams: Stream.Stream<{ readonly streamId: string }, E>) =>
  Effect.map(collect(streams), found => found.map(({ streamId }) => streamId))

describe("paging", () => {
  it.effect("goes on behind an empty page that is not the last, in both directions", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make({ rowsMax: 2 })
      for (let index = 0; index < 12; index++) {
        yield* store.append(`s-${index}`, "any", [yield* event(index % 6 === 5 ? "Rare" : `Common${index}`)])
      }
      const rare = Query.eventTypes("Rare")
      assert.deepStrictEqual(yield* store.query(rare), { events: [], isEnd: false, next: 2 })
      const forward = yield* collect(store.queryStream(rare))
      assert.deepStrictEqual(
        forward.map(({ position }) => position),
        [5, 11]
      )
      const backward = yield* collect(store.queryStream(rare, { direction: "backward" }))
      assert.deepStrictEqual(
        backward.map(({ position }) => position),
        [11, 5]
      )
      hooks.tags.length = 0
      assert.deepStrictEqual(yield* types(store.queryStream(Query.none)), [])
      assert.strictEqual(hooks.tags.length, 6)
    })
  )

  it.effect("passes over the hidden events of a stream page by page", () =>
    Effect.gen(function* () {
      const { store } = yield* make({ rowsMax: 2 })
      for (let index = 0; index < 9; index++) yield* store.append("s", "any", [yield* event(`E${index}`)])
      yield* store.setStreamMetadata("s", { truncateBefore: 7 })
      assert.deepStrictEqual(yield* types(store.readStream("s")), ["E7", "E8"])
      assert.deepStrictEqual(yield* types(store.readStream("s", { direction: "backward" })), ["E8", "E7"])
      assert.deepStrictEqual(yield* types(store.readAllStream({ from: 3 })), ["E7", "E8"])
    })
  )

  it.effect("asks for a page when it is pulled, and for no more events than are wanted", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make({ pageMax: 2 })
      for (let index = 0; index < 10; index++) yield* store.append("s", "any", [yield* event(`E${index}`)])
      hooks.tags.length = 0
      assert.deepStrictEqual(yield* types(Stream.take(store.readStream("s"), 2)), ["E0", "E1"])
      assert.deepStrictEqual(hooks.tags, ["Read"])
      assert.deepStrictEqual(yield* types(store.readStream("s", { from: 3, count: 3 })), ["E3", "E4", "E5"])
      assert.deepStrictEqual(hooks.tags, ["Read", "Read", "Read"])
      assert.deepStrictEqual(yield* types(store.readStream("s", { count: 0 })), [])
    })
  )

  it.effect("sees an event once that is appended while it reads, or not at all", () =>
    Effect.gen(function* () {
      const { hooks, memory, store } = yield* make({ pageMax: 2 })
      for (let index = 0; index < 5; index++) yield* store.append("s", "any", [yield* event(`E${index}`)])
      let more = 0
      hooks.before = () =>
        Effect.gen(function* () {
          if (more >= 3) return
          const late = yield* Effect.orDie(event(`Late${more++}`))
          memory.append({ streamId: "s", expectedVersion: "any", events: [late] })
        })
      const forward = yield* types(store.readStream("s"))
      assert.deepStrictEqual(forward, ["E0", "E1", "E2", "E3", "E4", "Late0", "Late1", "Late2"])
      more = 0
      const backward = yield* types(store.readAllStream({ direction: "backward", from: 3 }))
      assert.deepStrictEqual(backward, ["E3", "E2", "E1", "E0"])
    })
  )

  it.effect("a cursor that stands still is a defect, not an endless loop", () =>
    Effect.gen(function* () {
      const { store } = yield* make({
        instead: { ReadAll: ({ from }) => Effect.succeed({ events: [], isEnd: false, next: from }) }
      })
      const exit = yield* Effect.exit(Stream.runDrain(store.readAllStream()))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    })
  )

  it.effect("a request that makes no sense fails as `InvalidRequest` and reaches nobody", () =>
    Effect.gen(function* () {
      const { hooks, store } = yield* make()
      const bad: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
        store.read("s", { count: 1001 }),
        store.read("s", { from: 0.5 }),
        store.read("", {}),
        store.readAll({ count: -1 }),
        store.readAll({ asOf: -2 }),
        store.query(Query.eventTypes("")),
        store.getVersion("a\u0000b"),
        store.versionAt("s", Number.NaN),
        store.loadSnapshot("s", { version: -1 }),
        store.setStreamMetadata("s", { maxCount: 0 }),
        store.deleteStream("s", { expectedVersion: -1 }),
        Stream.runDrain(store.readStream("s", { count: -1 })),
        Stream.runDrain(store.listStreams({ pattern: "" })),
        Stream.runDrain(store.readUntil("s", 1.5)),
        Stream.runDrain(store.subscribe({ streamId: null, from: -1 })),
        Stream.runDrain(store.subscribe({ streamId: "", from: "origin" }))
      ]
      for (const request of bad) assert.strictEqual(yield* failure(request), "InvalidRequest")
      assert.deepStrictEqual(hooks.tags, [])
      const { message } = yield* Effect.flip(store.read("s", { count: 1001 }))
      assert.match(message, /^count: /)
    })
  )

  it.effect("lists streams behind a name, by pattern, over pages without a match", () =>
    Effect.gen(function* () {
      const { store } = yield* make({ rowsMax: 2 })
      for (const name of ["a-1", "a-2", "b-1", "b-2", "c-1", "c-2", "c-3"]) {
        yield* store.append(name, "any", [yield* event("E")])
      }
      yield* store.deleteStream("b-2")
      assert.deepStrictEqual(yield* all(store.listStreams()), ["a-1", "a-2", "b-1", "c-1", "c-2", "c-3"])
      assert.deepStrictEqual(yield* all(store.listStreams({ pattern: "c-*" })), ["c-1", "c-2", "c-3"])
      assert.deepStrictEqual(yield* all(store.listStreams({ pattern: "?-2", after: "a-2" })), ["c-2"])
      assert.deepStrictEqual(yield* all(store.listStreams({ after: "c-3" })), [])
    })
  )

  it.effect("lists snapshots by rising version, over pages", () =>
    Effect.gen(function* () {
      const { store } = yield* make({ pageMax: 2 })
      yield* store.append("s", "any", yield* Effect.replicateEffect(event("E"), 6))
      const versions = Effect.map(collect(store.listSnapshots("s")), found => found.map(({ version }) => version))
      for (const version of [4, 0, 2, 5, 1]) {
        yield* store.saveSnapshot(yield* Snapshot.json({ streamId: "s", version, data: version }))
      }
      assert.deepStrictEqual(yield* versions, [0, 1, 2, 4, 5])
      yield* store.saveSnapshot(yield* Snapshot.json({ streamId: "s", version: 3, data: 3 }), { keep: 2 })
      assert.deepStrictEqual(yield* versions, [4, 5])
      yield* store.deleteSnapshots("s", { version: 4 })
      assert.deepStrictEqual(yield* versions, [5])
    })
  )
})
