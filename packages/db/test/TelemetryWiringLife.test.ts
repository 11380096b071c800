import { assert, describe, it } from "@effect/vitest"
import * as GenServer from "@reckon/otp/GenServer"
import * as Process from "@reckon/otp/Process"
import type * as RaftCore from "@reckon/raft/RaftCore"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import * as EventStore from "../src/EventStore.js"
import * as LeaderTracker from "../src/LeaderTracker.js"
import * as StoreNames from "../src/StoreNames.js"
import * as Telemetry from "../src/Telemetry.js"
import * as TelemetryEvents from "../src/TelemetryEvents.js"
import { event } from "./helpers/events.js"
import { folder, isRunning, kill, settle, untilSo, whileTimePasses } from "./helpers/processes.js"
import { listen, type Told, withTold } from "./helpers/told.js"

const store_id = "default"
const node = "embedded"

const silent = Logger.minimumLogLevel(LogLevel.None)

const named = (told: Told, ...names: ReadonlyArray<string>) => told.filter(([name]) => names.includes(name))

const logger = "reckon_db_logger_handler"

/** The handlers of a store's telemetry. */
const attached = Effect.flatMap(Telemetry.Telemetry, ({ list }) => Effect.map(list, all => all.map(({ id }) => id)))

// -----------------------------------------------------------------------------
// stores and leaders
// -----------------------------------------------------------------------------

describe("a store's life", () => {
  it.effect("is told from its start to its stop: up, a leader, down", () =>
    Effect.gen(function* () {
      const told = yield* withTold(() => TestClock.adjust("90 seconds"))
      assert.sameDeepMembers(named(told, "store.started", "store.stopped", "cluster.leader.elected"), [
        ["cluster.leader.elected", { system_time: 0 }, { store_id, leader: node, previous_leader: null }],
        ["store.started", { system_time: 0 }, { store_id, mode: "single", data_dir: "memory" }],
        ["store.stopped", { system_time: 90_000_000, uptime_ms: 90_000 }, { store_id, reason: "Shutdown" }]
      ])
      assert.strictEqual(told.at(-1)?.[0], "store.stopped")
    })
  )

  it.scoped("has the store's folder in it", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const telemetry = yield* Telemetry.make
      const told = yield* listen(telemetry)
      const layer = EventStore.layer({ dataDir, store: "orders" })
      yield* Effect.void.pipe(
        Effect.provide(Layer.provide(layer, Layer.succeed(Telemetry.Telemetry, telemetry))),
        Effect.provide(silent)
      )
      const data_dir = `${dataDir}/stores/orders`
      assert.deepStrictEqual(
        named(told, "store.started").map(([, , metadata]) => metadata),
        [{ store_id: "orders", mode: "single", data_dir }]
      )
    })
  )

  it.effect("is told anew when its supervisors start its core again", () =>
    Effect.gen(function* () {
      const told = yield* withTold((store, told) =>
        Effect.gen(function* () {
          told.length = 0
          yield* kill(StoreNames.coreSup("default"))
          yield* whileTimePasses(store.append("a", "any", [event(1)]))
          assert.deepStrictEqual(
            named(told, "store.started", "store.stopped").map(([name]) => name),
            ["store.stopped", "store.started"]
          )
        })
      ).pipe(Effect.provide(silent))
      assert.strictEqual(named(told, "store.started").length, 1)
    })
  )

  it.effect("has each role of its member in it, and a leader who is elected again in a later term", () =>
    Effect.gen(function* () {
      yield* withTold((store, told) =>
        Effect.gen(function* () {
          const first = named(told, "cluster.role.changed").at(-1)
          assert.deepStrictEqual(first?.[2], { store_id, node, role: "leader", leader: node })
          const term = (found: typeof first) => (found !== undefined && "term" in found[1] ? Number(found[1].term) : 0)
          told.length = 0
          yield* kill(StoreNames.store("default"))
          yield* whileTimePasses(store.append("a", "any", [event(1)]))
          const roles = named(told, "cluster.role.changed")
          assert.deepStrictEqual(roles.at(-1)?.[2], { store_id, node, role: "leader", leader: node })
          assert.isAbove(term(roles.at(-1)), term(first))
          assert.deepStrictEqual(
            named(told, "cluster.leader.elected").map(([, , metadata]) => metadata),
            [{ store_id, leader: node, previous_leader: node }]
          )
        })
      ).pipe(Effect.provide(silent))
    })
  )
})

describe("the watch over a store's leaders", () => {
  const seen = (...changes: ReadonlyArray<readonly [RaftCore.RoleChanged["role"], number, string | undefined]>) =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.make
      const told = yield* listen(telemetry)
      const table = yield* Process.ProcessTable
      const lost: Array<number> = []
      const watch: LeaderTracker.Watch = LeaderTracker.watch({
        store: "orders",
        node: "n1",
        telemetry,
        table,
        onLost: () => lost.push(watch.current().term)
      })
      for (const [role, term, leader] of changes) {
        yield* watch.onRoleChanged({ _tag: "RoleChanged", role, term, leader })
      }
      return { lost, told, watch }
    }).pipe(Effect.scoped, Effect.provide(Process.layer))

  it.effect(
    "tells of a leader once a term, who led before, also where nobody did for a while, and of each time that nobody does any more",
    () =>
      Effect.gen(function* () {
        const { lost, told, watch } = yield* seen(
          ["follower", 1, "n2"],
          ["follower", 2, undefined],
          ["candidate", 3, undefined],
          ["leader", 3, "n1"],
          ["follower", 5, "n1"],
          ["follower", 5, undefined],
          ["follower", 5, "n1"],
          ["follower", 6, "n3"]
        )
        const elected = (leader: string, previous_leader: string | null) => ({
          store_id: "orders",
          leader,
          previous_leader
        })
        assert.deepStrictEqual(
          named(told, "cluster.leader.elected").map(([, , metadata]) => metadata),
          [elected("n2", null), elected("n1", "n2"), elected("n1", "n1"), elected("n3", "n1")]
        )
        assert.strictEqual(named(told, "cluster.role.changed").length, 8)
        assert.deepStrictEqual(watch.current(), { leader: "n3", term: 6 })
        // In these terms there was none any more, and whoever was told found it so.
        assert.deepStrictEqual(lost, [2, 5])
      })
  )

  it.effect("is where a tracker that starts late, or again, learns who leads", () =>
    withTold(() =>
      Effect.gen(function* () {
        const tracker = StoreNames.leaderTracker("default")
        const get = GenServer.named(LeaderTracker.LeaderTrackerProtocol, tracker).call("Get")
        const before = yield* get
        assert.strictEqual(before.leader, node)
        yield* kill(tracker)
        yield* untilSo(isRunning(tracker))
        assert.deepStrictEqual(yield* get, before)
      })
    ).pipe(Effect.provide(silent))
  )
})

// -----------------------------------------------------------------------------
// handlers
// -----------------------------------------------------------------------------

describe("an embedded store's telemetry", () => {
  it.effect(
    "is there to attach to, without the host having any; a handler that breaks does the store no harm, one that is detached hears no more",
    () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const telemetry = yield* Telemetry.Telemetry
        const heard: Array<number> = []
        yield* telemetry.attach("broken", [TelemetryEvents.streamWriteStop, TelemetryEvents.streamWriteStart], () => {
          throw new Error("broken")
        })
        yield* telemetry.attach("hearing", [TelemetryEvents.streamWriteStop], ({ metadata }) => {
          heard.push(metadata.new_version)
        })
        for (const n of [0, 1]) assert.strictEqual((yield* store.append("a", "any", [event(n)])).version, n)
        yield* settle
        yield* telemetry.detach("hearing")
        assert.strictEqual((yield* store.append("a", 1, [event(2)])).version, 2)
        yield* settle
        assert.deepStrictEqual(heard, [0, 1])
        const broken = (yield* telemetry.list).find(({ id }) => id === "broken")
        assert.deepStrictEqual([broken?.failures, broken?.dropped], [6, 0])
        assert.strictEqual((yield* store.read("a")).events.length, 3)
      }).pipe(Effect.provide(EventStore.layerMemory), Effect.provide(silent))
  )

  it.effect("is the host's where it has one, and stays after the store has gone", () =>
    Effect.gen(function* () {
      const host = yield* Telemetry.Telemetry
      const told = yield* listen(host)
      const used = Effect.provide(Telemetry.Telemetry, EventStore.layerMemory)
      assert.strictEqual(yield* used, host)
      assert.strictEqual(told.at(-1)?.[0], "store.stopped")
      assert.deepStrictEqual(yield* attached, [logger])
    }).pipe(Effect.scoped, Effect.provide(Telemetry.layer), Effect.provide(silent))
  )

  it.effect("keeps the default handler that the host has attached as it is", () =>
    Effect.gen(function* () {
      const host = yield* Telemetry.Telemetry
      yield* host.attachDefault({ minimumLevel: LogLevel.Error })
      yield* Effect.provide(EventStore.EventStore, EventStore.layerMemory)
      assert.deepStrictEqual(yield* attached, [logger])
      assert.isFalse(host.isObserved(TelemetryEvents.storeStarted))
    }).pipe(Effect.provide(Telemetry.layer), Effect.provide(silent))
  )

  it.effect(
    "has the handlers that the settings name: the logger unless they say otherwise, and nothing of single requests",
    () =>
      Effect.gen(function* () {
        const heard = Effect.gen(function* () {
          const { isObserved } = yield* Telemetry.Telemetry
          const { storeStarted, streamReadStart, streamWriteStop } = TelemetryEvents
          return [yield* attached, isObserved(storeStarted), isObserved(streamWriteStop), isObserved(streamReadStart)]
        })
        const having = (telemetryHandlers: EventStore.Options["telemetryHandlers"]) =>
          Effect.provide(heard, EventStore.layerMemoryWith({ telemetryHandlers }))
        assert.deepStrictEqual(yield* having(undefined), [[logger], true, false, false])
        assert.deepStrictEqual(yield* having([]), [[], false, false, false])
        assert.deepStrictEqual(yield* having(["opentelemetry"]), [[], false, true, false])
      }).pipe(Effect.provide(silent))
  )

  it.effect("has them also beside other stores in one graph of layers", () =>
    Effect.gen(function* () {
      const having = (store: string) =>
        Effect.map(Effect.zip(attached, Telemetry.Telemetry), ([handlers, { isObserved }]) => {
          heard.push([handlers, isObserved(TelemetryEvents.streamWriteStop)])
        }).pipe(
          Layer.effectDiscard,
          Layer.provide(EventStore.layerMemoryWith({ store, telemetryHandlers: ["logger", "opentelemetry"] }))
        )
      const heard: Array<unknown> = []
      yield* Effect.void.pipe(Effect.provide(Layer.merge(having("orders"), having("parts"))))
      assert.deepStrictEqual(heard, [
        [[logger], true],
        [[logger], true]
      ])
    }).pipe(Effect.provide(silent))
  )

  it.scoped("has those that the environment names", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const having = (handlers: string) => {
        const provider = ConfigProvider.fromMap(
          new Map([
            ["RECKON_DATA_DIR", dataDir],
            ["RECKON_TELEMETRY_HANDLERS", handlers]
          ])
        )
        return Effect.provide(attached, Layer.provide(EventStore.layerConfig(), Layer.setConfigProvider(provider)))
      }
      assert.deepStrictEqual(yield* having("none"), [])
      assert.deepStrictEqual(yield* having("logger"), [logger])
    }).pipe(Effect.provide(silent))
  )

  it.effect("is in the log of a host that wants to know everything, to its last word", () =>
    Effect.gen(function* () {
      const logged: Array<readonly [string, object]> = []
      const remember = Logger.make(({ annotations, message }) => {
        logged.push([String(message), Object.fromEntries(annotations)])
      })
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1)])
        yield* store.deleteStream("a")
      }).pipe(
        Effect.provide(EventStore.layerMemory),
        Effect.provide(
          Layer.merge(Logger.replace(Logger.defaultLogger, remember), Logger.minimumLogLevel(LogLevel.Debug))
        )
      )
      const events = logged.filter(([message]) => message.startsWith("reckon_db."))
      assert.sameDeepMembers(events, [
        ["reckon_db.cluster.leader.elected", { system_time: 0, store_id, leader: node, previous_leader: "null" }],
        ["reckon_db.store.started", { system_time: 0, store_id, mode: "single", data_dir: "memory" }],
        ["reckon_db.stream.deleted", { system_time: 0, store_id, stream_id: "a", version: 0 }],
        ["reckon_db.store.stopped", { system_time: 0, uptime_ms: 0, store_id, reason: "Shutdown" }]
      ])
      assert.strictEqual(events.at(-1)?.[0], "reckon_db.store.stopped")
    })
  )
})
