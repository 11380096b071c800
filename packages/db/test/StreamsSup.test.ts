import { assert, describe, it } from "@effect/vitest"
import * as Members from "@reckon/cluster/Members"
import * as Observer from "@reckon/otp/Observer"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Store from "../src/Store.js"
import * as StoreConfig from "../src/StoreConfig.js"
import { StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import { streamsSup } from "../src/supervision/StreamsSup.js"
import { append, event } from "./helpers/events.js"
import { kill, processOf, provided } from "./helpers/processes.js"

const alone = Layer.mergeAll(
  Members.layer({ name: "node1", address: { host: "127.0.0.1", port: 5100 } }, []),
  Layer.effect(
    RaftTransport.RaftTransport,
    Effect.map(RaftTransport.makeNetwork, network => network.transport("node1"))
  )
)

const first = { from: 0, count: 10, direction: "forward", asOf: null, consistency: "local" } as const
const sup = StoreNames.streamsSup("orders")
const writers = StoreNames.streamsWriter("orders")
const readers = StoreNames.streamsReader("orders")

const makeStore = (settings?: StoreConfig.StoreSettingsOptions) =>
  Effect.gen(function* () {
    const store = yield* Store.make(yield* StoreConfig.make({ id: "orders", dataDir: "/nowhere", ...settings }))
    yield* store.engine.provide(yield* StoreEngine)
    return store
  }).pipe(Effect.provide(alone))

describe("streams_sup", () => {
  it.effect("has the writers and the readers as pools, by the names of the original", () =>
    Effect.gen(function* () {
      const store = yield* makeStore()
      yield* Supervisor.start({ children: [streamsSup(store)] })
      assert.deepStrictEqual(
        (yield* Supervisor.whichChildren(sup)).map(({ id, restart, type }) => [id, restart, type]),
        [
          [readers, "permanent", "supervisor"],
          [writers, "permanent", "supervisor"]
        ]
      )
      for (const [pool, size] of [
        [writers, 1],
        [readers, 4]
      ] as const) {
        // No partition has a process before it is needed.
        const counts = { specs: size, active: 0, supervisors: 0, workers: size }
        assert.deepStrictEqual(yield* Supervisor.countChildren(pool), counts)
      }
      yield* store.backend.readAll(first)
      const observed = Observer.format(yield* Observer.snapshot)
      assert.include(observed, `${readers}/0`)
      assert.notInclude(observed, `${writers}/`)
    }).pipe(provided, Effect.scoped)
  )

  it.effect("the pools have the sizes, and stay without work for the times, that are set for each", () =>
    Effect.gen(function* () {
      const store = yield* makeStore({
        writerPoolSize: 3,
        readerPoolSize: 2,
        writerIdleTimeout: "40 seconds",
        readerIdleTimeout: "20 seconds"
      })
      yield* Supervisor.start({ children: [streamsSup(store)] })
      const sizes = Effect.forEach([writers, readers], pool => Supervisor.countChildren(pool))
      const active = Effect.map(sizes, pools => pools.map(counts => counts.active))
      assert.deepStrictEqual(
        (yield* sizes).map(({ workers }) => workers),
        [3, 2]
      )
      // Nobody leads here: the writer is left with its answer, and without work.
      const refused = yield* Effect.fork(Effect.flip(store.backend.append([append("a", "any", event(1))])))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(refused))._tag, "NoQuorum")
      yield* store.backend.readAll(first)
      assert.deepStrictEqual(yield* active, [1, 1])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* active, [1, 0])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* active, [0, 0])
    }).pipe(provided, Effect.scoped)
  )

  it.effect("a reader that is gone for want of work is not restarted, one that is killed is", () =>
    Effect.gen(function* () {
      const store = yield* makeStore({ readerPoolSize: 1, readerIdleTimeout: "10 seconds" })
      yield* Supervisor.start({ children: [streamsSup(store)] })
      const active = Effect.map(Supervisor.countChildren(readers), counts => counts.active)
      yield* store.backend.readAll(first)
      yield* kill(`${readers}/0`)
      assert.strictEqual(yield* active, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* active, 0)
    }).pipe(provided, Effect.scoped)
  )

  it.effect("a pool whose workers keep dying is restarted alone, and serves again", () =>
    Effect.gen(function* () {
      const store = yield* makeStore({ readerPoolSize: 1 })
      yield* Supervisor.start({ children: [streamsSup(store)] })
      const before = [yield* processOf(writers), yield* processOf(readers)]
      for (let deaths = 0; deaths <= 10; deaths++) {
        yield* store.backend.readAll(first)
        yield* kill(`${readers}/0`)
      }
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* processOf(writers), before[0])
      assert.notStrictEqual(yield* processOf(readers), before[1])
      assert.deepStrictEqual((yield* store.backend.readAll(first)).events, [])
    }).pipe(provided, Effect.scoped)
  )
})
