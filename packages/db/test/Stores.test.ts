import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { StoreError } from "@reckon/client/StoreError"
import * as Members from "@reckon/cluster/Members"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as Process from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { quickTime } from "../../otp/test/helpers/quickTime.js"
import * as EventStore from "../src/EventStore.js"
import * as Store from "../src/Store.js"
import * as StoreConfig from "../src/StoreConfig.js"
import * as StoreNames from "../src/StoreNames.js"
import * as Stores from "../src/Stores.js"
import { append, event } from "./helpers/events.js"
import { folder, kill, processOf, settle, untilSo, whileTimePasses } from "./helpers/processes.js"

const self = { name: "n1", address: { host: "127.0.0.1", port: 1 } }

/** The node among others, which do not answer. */
const membership = (peers: ReadonlyArray<typeof self>) =>
  Layer.merge(
    Members.layer(self, peers),
    Layer.effect(
      RaftTransport.RaftTransport,
      Effect.map(RaftTransport.makeNetwork, network => network.transport("n1"))
    )
  )

/** A node that is alone, with its stores in a folder of their own. */
const node = (
  stores: ReadonlyArray<string>,
  options: Partial<Stores.Options> = {},
  peers: ReadonlyArray<typeof self> = []
) =>
  Layer.unwrapScoped(Effect.map(folder, dataDir => Stores.layer({ dataDir, ...options, stores }))).pipe(
    Layer.provideMerge(WorkerRegistry.layer),
    Layer.provide(membership(peers)),
    Layer.provideMerge(Process.layer),
    Layer.provide(Logger.minimumLogLevel(LogLevel.None))
  )

const write = (store: Store.Store, n: number) => store.backend.append([append(`s${n % 7}`, "any", event(n))])

const idsIn = (store: Store.Store) =>
  Effect.map(
    store.backend.readAll({ from: 0, count: 1000, direction: "forward", asOf: null, consistency: "linearizable" }),
    page => page.events.map(({ eventId }) => eventId)
  )

const idsOf = (...ns: ReadonlyArray<number>) => ns.map(n => event(n).eventId)

const hasLeader = (store: Store.Store) => Effect.map(store.backend.status, ({ leader }) => leader !== null)

describe("the stores of a node", () => {
  it.effect("are those it was started with, each named once, in folders of their own", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      assert.deepStrictEqual(yield* stores.which, ["orders", "parts"])
      const orders = yield* stores.get("orders")
      assert.deepStrictEqual(
        fs.readdirSync(orders.config.dataDir).filter(name => name.endsWith(".sqlite")),
        ["events.sqlite", "raft.sqlite"]
      )
      assert.strictEqual(path.basename(orders.config.dataDir), "orders")
      assert.strictEqual(orders.config.mode, "cluster")
      assert.deepStrictEqual(
        yield* Effect.flip(stores.get("others")).pipe(Effect.map(error => error._tag)),
        "StoreNotFound"
      )
      assert.deepStrictEqual(
        (yield* stores.statuses).map(({ healthy, leader, store }) => [store, leader, healthy]),
        [
          ["parts", "n1", true],
          ["orders", "n1", true]
        ]
      )
    }).pipe(Effect.provide(node(["parts", "orders", "orders"])))
  )

  it.effect("come and go at run time, as children of reckon_db_sup", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const registry = yield* WorkerRegistry.WorkerRegistry
      const children = Effect.map(Supervisor.whichChildren(StoreNames.reckonDbSup), found => found.map(({ id }) => id))
      const started = yield* stores.start({ id: "orders" })
      assert.strictEqual(yield* stores.get("orders"), started)
      assert.deepStrictEqual(yield* children, ["reckon_db_system_orders"])
      assert.deepStrictEqual(yield* registry.stores, ["orders"])
      yield* stores.stop("orders")
      assert.deepStrictEqual(yield* children, [])
      assert.deepStrictEqual(yield* stores.which, [])
      assert.deepStrictEqual(yield* registry.stores, [])
      assert.strictEqual((yield* Effect.flip(registry.pick("orders")))._tag, "StoreNotFound")
      assert.strictEqual((yield* Effect.flip(stores.stop("orders")))._tag, "StoreNotFound")
    }).pipe(Effect.provide(node([])))
  )

  it.effect("find all their data when they are started again, and take events at once", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      for (const life of [0, 1, 2]) {
        const store = yield* stores.start({ id: "orders" })
        yield* write(store, life)
        assert.deepStrictEqual(yield* idsIn(store), idsOf(0, 1, 2).slice(0, life + 1))
        yield* stores.stop("orders")
      }
    }).pipe(Effect.provide(node([])))
  )

  it.effect("cut their logs where their settings say", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const cutAt = (id: string, log: StoreConfig.StoreOptions["log"]) =>
        Effect.gen(function* () {
          const store = yield* stores.start({ id, log })
          for (let n = 0; n < 50; n++) yield* write(store, n)
          yield* stores.stop(id)
          const left = RaftLog.make({ filename: path.join(store.config.dataDir, "raft.sqlite") })
          const base = yield* Effect.scoped(Effect.map(left, log => log.base().index))
          assert.strictEqual((yield* idsIn(yield* stores.start({ id }))).length, 50)
          return base
        })
      assert.strictEqual(yield* cutAt("orders", undefined), 0)
      assert.isAbove(yield* cutAt("parts", { entriesMax: 20, tailEntries: 5 }), 20)
    }).pipe(Effect.provide(node([])))
  )

  it.effect("cut their logs where the node's defaults say, where nothing is said of one alone", () =>
    Effect.gen(function* () {
      const { config } = yield* Effect.flatMap(Stores.Stores, stores => stores.get("orders"))
      assert.include(config.log, { entriesMax: 30_000, tailEntries: 9 })
    }).pipe(
      Effect.provide(
        node(["orders"], {
          memory: true,
          defaults: { log: { entriesMax: 30_000, tailEntries: 9 } }
        })
      )
    )
  )

  it.effect("are not started twice at a time, under one name or in one folder", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const [one, other] = yield* Effect.all(
        [stores.start({ id: "orders" }), stores.start({ id: "orders" })].map(Effect.either),
        {
          concurrency: 2
        }
      )
      assert.isTrue(one !== undefined && Either.isRight(one))
      assert.isTrue(other !== undefined && Either.isLeft(other) && other.left._tag === "StoreAlreadyStarted")
      const { config } = yield* stores.get("orders")
      const refused = yield* Effect.flip(stores.start({ id: "parts", dataDir: config.dataDir }))
      assert.deepStrictEqual(refused._tag === "StoreFileRefused" && [refused.reason, refused.filename], [
        "in_use",
        path.join(config.dataDir, "events.sqlite")
      ])
      assert.deepStrictEqual(yield* stores.which, ["orders"])
      yield* stores.start({ id: "parts" })
    }).pipe(Effect.provide(node([])))
  )

  it.effect("are started although who asked for it has gone", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      for (const turns of [1, 4, 16, 64]) {
        const starting = yield* Effect.fork(stores.start({ id: "orders" }))
        yield* Effect.replicateEffect(Effect.yieldNow(), turns)
        yield* Fiber.interrupt(starting)
        yield* write(yield* stores.get("orders"), turns)
        yield* stores.stop("orders")
      }
      assert.deepStrictEqual(yield* idsIn(yield* stores.start({ id: "orders" })), idsOf(1, 4, 16, 64))
    }).pipe(Effect.provide(node([])))
  )

  it.effect("are stopped also where their tree gives up meanwhile", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const stopping = yield* Effect.fork(stores.stop("orders"))
      yield* Effect.yieldNow()
      yield* kill(StoreNames.reckonDbSup)
      yield* Fiber.join(stopping)
      yield* stores.stop("parts")
      assert.deepStrictEqual(yield* stores.which, [])
    }).pipe(Effect.provide(node(["orders", "parts"])))
  )

  it.effect("are refused with names and settings that make no sense, which are named", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      for (const [options, key] of [
        [{ id: "../orders" }, "id"],
        [{ id: "orders", writerPoolSize: 0 }, "writerPoolSize"]
      ] as const) {
        const refused = yield* Effect.flip(stores.start(options))
        assert.deepStrictEqual(refused._tag === "InvalidConfig" && refused.problems.map(problem => problem.key), [key])
      }
      assert.deepStrictEqual(yield* stores.which, [])
    }).pipe(Effect.provide(node([])))
  )

  it.effect("whose files are damaged do not start, say so, and leave the others alone", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const orders = yield* stores.get("orders")
      const dataDir = path.join(path.dirname(orders.config.dataDir), "parts")
      fs.mkdirSync(dataDir)
      fs.writeFileSync(path.join(dataDir, "events.sqlite"), "this is no database, however long it may be")
      const refused = yield* Effect.flip(stores.start({ id: "parts" }))
      assert.strictEqual(refused._tag === "StoreFileRefused" && refused.reason, "foreign")
      assert.include(refused.message, `move the folder ${dataDir} away and start the node again`)
      fs.rmSync(path.join(dataDir, "events.sqlite"))
      fs.writeFileSync(path.join(dataDir, "raft.sqlite"), "")
      assert.strictEqual((yield* Effect.flip(stores.start({ id: "parts" })))._tag, "RaftLogError")
      // Whose clients would wait for it, were it this node's.
      assert.deepStrictEqual(yield* Effect.flatMap(WorkerRegistry.WorkerRegistry, ({ stores }) => stores), ["orders"])
      yield* write(orders, 1)
      assert.deepStrictEqual(yield* idsIn(orders), idsOf(1))
    }).pipe(Effect.provide(node(["orders"])))
  )

  it.effect("know nothing of each other: neither a crash nor a stop is felt next door", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const [orders, parts] = [yield* stores.get("orders"), yield* stores.get("parts")]
      yield* write(orders, 1)
      yield* write(parts, 2)
      const names = [StoreNames.systemSup, StoreNames.coreSup, StoreNames.store, StoreNames.streamsWriter]
      const before = yield* Effect.forEach(names, name => processOf(name("parts")))
      yield* kill(StoreNames.coreSup("orders"))
      yield* kill(StoreNames.store("orders"))
      yield* write(parts, 3)
      yield* stores.stop("orders")
      yield* write(parts, 4)
      assert.deepStrictEqual(yield* idsIn(parts), idsOf(2, 3, 4))
      assert.deepStrictEqual(yield* Effect.forEach(names, name => processOf(name("parts"))), before)
    }).pipe(Effect.provide(node(["orders", "parts"])))
  )

  it.effect("in single mode are this node's alone, however many there are beside it", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Stores.Stores, stores => stores.start({ id: "orders", mode: "single" }))
      yield* whileTimePasses(write(store, 1))
      assert.include(yield* store.backend.status, { leader: "n1", healthy: true })
    }).pipe(Effect.provide(node([], {}, [{ name: "n2", address: { host: "127.0.0.1", port: 2 } }])))
  )

  it.effect("that are alone have a leader again as soon as their process is", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Stores.Stores, stores => stores.get("orders"))
      for (const n of [1, 2, 3]) {
        yield* write(store, n)
        yield* kill(StoreNames.store("orders"))
        yield* untilSo(hasLeader(store))
      }
      assert.deepStrictEqual(yield* idsIn(store), idsOf(1, 2, 3))
      assert.deepStrictEqual((yield* store.backend.status).leader, "n1")
    }).pipe(Effect.provide(node(["orders"])))
  )

  it.effect("that have no leader are not healthy", () =>
    Effect.gen(function* () {
      const statuses = yield* Effect.flatMap(Stores.Stores, stores => stores.statuses)
      assert.deepStrictEqual(
        statuses.map(({ healthy, lastPosition, leader, role }) => [healthy, lastPosition, leader, role]),
        [[false, -1, null, "follower"]]
      )
    }).pipe(
      Effect.provide(
        node(
          ["orders"],
          { memory: true },
          [2, 3].map(n => ({ name: `n${n}`, address: { host: "127.0.0.1", port: n } }))
        )
      )
    )
  )

  it.scoped("whose processes are not there have nothing, and say so", () =>
    Effect.gen(function* () {
      const { backend } = yield* Store.make(yield* StoreConfig.make({ id: "orders", dataDir: "/nowhere" }))
      assert.include(yield* backend.status, { leader: null, lastPosition: -1, appliedIndex: 0, healthy: false })
    }).pipe(Effect.provide(Layer.merge(membership([]), Process.layer)))
  )

  it.effect("that have no leader are asked anew for as long as their `timeout` says", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const store = yield* EventStore.fromStore(yield* stores.start({ id: "orders", timeout: "1 minute" }))
      const refused = yield* Effect.flip(whileTimePasses(store.append("a", "any", [event(1)])))
      assert.strictEqual(refused._tag, "NoQuorum")
      assert.isAbove(yield* Clock.currentTimeMillis, 30_000)
    }).pipe(
      Effect.provide(node([], { memory: true }, [{ name: "n2", address: { host: "127.0.0.1", port: 2 } }])),
      Effect.provide(quickTime)
    )
  )

  it.effect("that are stopped while appends are under way answer each of them once, and truly", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const store = yield* stores.start({ id: "orders" })
      const ends = new Map<number, Array<string>>()
      const told = (n: number, end: string) => ends.set(n, [...(ends.get(n) ?? []), end])
      const appending = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 300 }, (_, n) => n),
          n =>
            Effect.matchEffect(
              Effect.zipRight(
                Effect.iterate(0, { while: i => i < n % 40, body: i => Effect.as(Effect.yieldNow(), i + 1) }),
                write(store, n)
              ),
              {
                onSuccess: ([answer]) => Effect.sync(() => told(n, answer?._tag ?? "none")),
                onFailure: (error: StoreError) => Effect.sync(() => told(n, error._tag))
              }
            ),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.yieldNow()
      yield* Effect.yieldNow()
      yield* stores.stop("orders")
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(appending)
      assert.deepStrictEqual(
        [...ends.values()].map(({ length }) => length),
        Array.from({ length: 300 }, () => 1)
      )
      const again = new Set(yield* idsIn(yield* stores.start({ id: "orders" })))
      const count = { written: 0, refused: 0 }
      for (const [n, [end]] of ends) {
        const isThere = again.has(event(n).eventId)
        if (end === "Right") count.written++
        if (end === "NoQuorum" || end === "Overloaded") count.refused++
        if (end === "Right") assert.isTrue(isThere, `${n} was acknowledged`)
        else if (end !== "OutcomeUnknown") assert.isFalse(isThere, `${n} was refused: ${end}`)
      }
      assert.isAbove(count.written, 0)
      assert.isAbove(count.refused, 0)
    }).pipe(Effect.provide(node([])))
  )

  it.effect("that were stopped are not served any more, and whoever has one in hand is told so at once", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const store = yield* stores.start({ id: "orders" })
      const service = yield* EventStore.fromStore(store)
      yield* service.append("a", "any", [event(1)])
      const live = yield* Effect.fork(Stream.runDrain(service.subscribe({ streamId: "a", from: "origin" })))
      yield* settle
      yield* stores.stop("orders")

      const page = { from: 0, count: 1, direction: "forward", asOf: null } as const
      const requests: Readonly<Record<string, Effect.Effect<unknown, StoreError>>> = {
        live: Fiber.join(live),
        append: service.append("a", "any", [event(2)]),
        delete: service.deleteStream("a"),
        read: service.read("a"),
        "local read": service.read("a", { consistency: "local" }),
        "of the backend": store.backend.readAll({ ...page, consistency: "linearizable" }),
        subscription: Stream.runDrain(service.subscribe({ streamId: null, from: "origin" })),
        "subscription from now on": Stream.runDrain(service.subscribe({ streamId: null, from: "current" }))
      }
      const told = yield* Effect.forEach(Object.entries(requests), ([name, request]) =>
        Effect.map(
          Effect.raceFirst(Effect.flip(request), Effect.as(settle, { _tag: "nothing yet" })),
          ({ _tag }) => [name, _tag] as const
        )
      )
      assert.deepStrictEqual(
        told,
        Object.keys(requests).map(name => [name, "StoreNotFound"] as const)
      )
    }).pipe(Effect.provide(node([])))
  )

  it.effect("in memory outlive the deaths of their processes", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Stores.Stores, stores => stores.get("orders"))
      yield* write(store, 1)
      yield* kill(StoreNames.store("orders"))
      yield* untilSo(hasLeader(store))
      yield* write(store, 2)
      assert.deepStrictEqual(yield* idsIn(store), idsOf(1, 2))
      assert.isFalse(fs.existsSync(store.config.dataDir))
    }).pipe(Effect.provide(node(["orders"], { memory: true })))
  )

  it.scopedLive("are its own also while one of them is being started again", () =>
    Effect.gen(function* () {
      const registry = yield* WorkerRegistry.WorkerRegistry
      assert.deepStrictEqual(yield* registry.stores, ["orders", "parts"])
      const core = Option.getOrThrow(yield* Process.whereis(StoreNames.coreSup("orders")))
      yield* Process.exit(core, ExitReason.killed)
      const met = new Set<string>()
      // Until there is another core, which serves.
      for (let served = 0; served < 50; ) {
        const picked = yield* Effect.either(registry.pick("orders"))
        met.add(Either.isRight(picked) ? "served" : picked.left._tag)
        const now = yield* Process.whereis(StoreNames.coreSup("orders"))
        const isAnother = Option.isSome(now) && now.value !== core
        if (isAnother && Either.isRight(picked)) served += 1
        yield* Effect.yieldNow()
      }
      assert.deepStrictEqual([...met].sort(), ["NoQuorum", "served"])
      assert.strictEqual((yield* Effect.flip(registry.pick("others")))._tag, "StoreNotFound")
    }).pipe(Effect.provide(node(["orders", "parts"])))
  )
})
