import { assert, describe, it } from "@effect/vitest"
import { Client, Event, type StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Gateway from "./helpers/gateway.js"

const event = (type: string) => Event.json({ type, data: {} })

const typesOf = (events: Iterable<Event.RecordedEvent>) => [...events].map(recorded => recorded.eventType)

describe("subscribing over the network", () => {
  const fill = (store: Gateway.MemoryStore, streamId: string, from: number, count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, index) => from + index),
      number =>
        Effect.map(
          event(`E${number}`),
          (one): StoreRpcs.Append => ({ streamId, expectedVersion: "any", events: [one] })
        ).pipe(Effect.map(append => store.append(append)))
    )

  it.scopedLive("delivers history, then what commits, and resumes elsewhere without gap or double", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const first = yield* Gateway.make(store, { pageMax: 4 })
      const second = yield* Gateway.make(store, { pageMax: 4 })
      const client = yield* Client.make({ endpoints: [first.endpoint, second.endpoint] })
      yield* fill(store, "s", 0, 10)
      const got: Array<string> = []
      const fiber = yield* client.subscribe({ streamId: "s", from: "origin" }).pipe(
        Stream.take(30),
        Stream.runForEach(recorded => Effect.sync(() => got.push(recorded.eventType))),
        Effect.fork
      )
      const until = (count: number) => Effect.repeat(Effect.sleep(2), { until: () => got.length >= count })
      yield* until(7)
      first.cut()
      yield* until(10)
      yield* fill(store, "s", 10, 5)
      yield* until(15)
      yield* first.vanish
      yield* fill(store, "s", 15, 5)
      yield* until(20)
      second.cut()
      yield* fill(store, "s", 20, 10)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        got,
        Array.from({ length: 30 }, (_, index) => `E${index}`)
      )
    })
  )

  it.scopedLive("`current` means the moment of subscribing, also after a loss before the first event", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store)
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      yield* fill(store, "s", 0, 3)
      for (const streamId of ["s", null]) {
        const before = store.all.length
        gateway.tags.length = 0
        const fiber = yield* client
          .subscribe({ streamId, from: "current" })
          .pipe(Stream.take(2), Stream.runCollect, Effect.fork)
        yield* Effect.repeat(Effect.sleep(2), { until: () => gateway.tags.includes("Subscribe") })
        gateway.cut()
        yield* fill(store, "s", before, 2)
        assert.deepStrictEqual(typesOf(yield* Fiber.join(fiber)), [`E${before}`, `E${before + 1}`])
      }
    })
  )

  it.scopedLive("what a node ends is taken up again where it ended", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store, { pageMax: 1, batchesMax: 2 })
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      yield* fill(store, "s", 0, 5)
      const got = yield* Stream.runCollect(Stream.take(client.subscribe({ streamId: "s", from: "origin" }), 5))
      assert.deepStrictEqual(typesOf(got), ["E0", "E1", "E2", "E3", "E4"])
    })
  )

  it.scopedLive("a node that breaks on it twice would break on it again", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(new Gateway.MemoryStore())
      gateway.before = tag => (tag === "Subscribe" ? Effect.dieMessage("out of order") : Effect.void)
      const client = yield* Client.make({ endpoints: [gateway.endpoint], timeout: "1 minute" })
      const error = yield* Effect.flip(Stream.runDrain(client.subscribe({ streamId: null, from: "origin" })))
      assert.strictEqual(error._tag, "Unreachable")
      assert.include(error.message, "out of order")
      assert.strictEqual(gateway.tags.filter(tag => tag === "Subscribe").length, 2)
    })
  )

  it.scopedLive("fails with what was in the way when nobody serves it", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store)
      const client = yield* Client.make({ endpoints: [gateway.endpoint], timeout: "300 millis" })
      yield* fill(store, "s", 0, 1)
      const got: Array<string> = []
      const fiber = yield* client.subscribe({ streamId: null, from: 0 }).pipe(
        Stream.tap(recorded => Effect.sync(() => got.push(recorded.eventType))),
        Stream.runDrain,
        Effect.flip,
        Effect.fork
      )
      yield* Effect.repeat(Effect.sleep(2), { until: () => got.length > 0 })
      yield* gateway.vanish
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Unreachable")
      assert.deepStrictEqual(got, ["E0"])
    })
  )
})
