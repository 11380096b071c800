/**
 * The faults that the original's changelog and code tell of, by number, each as a test that it must never happen here. The numbers are those of the list that the store was built against.
 *
 * Those that are asked for elsewhere, or whose room is not built yet:
 *
 * | number | what must never happen | room |
 * |---|---|---|
 * | 2, 4, 5, 6, 8, 12 | a subscription without its one live trigger, or with a dead subscriber | persistent subscriptions |
 * | 9 | a process group whose backbone dies unnoticed | `packages/otp`, `ProcessGroup.*.test.ts` |
 * | 13, 14, 15 | a filter that matches nothing, or crashes who asks; an alias that works in places | persistent subscriptions |
 * | 20 | a changed context that the transport tries again | `packages/client/test/Client.test.ts`, as `AppendConditionFailed` |
 * | 21 | a form of publish or subscribe that skips authorisation | channels, capabilities |
 * | 22 | error reasons without a limit in the log | `Telemetry.test.ts`, for handlers; the gateway's log, with its security |
 * | 24 | a write that lands in another node's private store | the cluster's coordinator |
 * | 27, 28, 36 | checkpoints that skip the first event, collide or go back | persistent subscriptions |
 * | 37, 38 | causation that never ends, and pictures of it that do not parse | `packages/client/test/Causation.test.ts`: a circle ends, all names are quoted |
 * | 39 | a link that goes on after it was stopped | links |
 * | 40 | a full queue that forgets what it had accepted | backpressure |
 * | 41, 42 | topics that cross channels, and double subscriptions that deliver twice | channels |
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Limits from "@reckon/client/Limits"
import * as Query from "@reckon/client/Query"
import type { StoreError } from "@reckon/client/StoreError"
import type { Append } from "@reckon/client/StoreRpcs"
import { StoreRpcs } from "@reckon/client/StoreRpcs"
import * as Members from "@reckon/cluster/Members"
import * as Gateway from "@reckon/gater/Gateway"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as Process from "@reckon/otp/Process"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { Database as SqliteDatabase } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import * as EventStore from "../src/EventStore.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import * as StoreConfig from "../src/StoreConfig.js"
import * as StoreNames from "../src/StoreNames.js"
import * as Stores from "../src/Stores.js"
import * as Telemetry from "../src/Telemetry.js"
import * as TelemetryEvents from "../src/TelemetryEvents.js"
import { append, applyNext, event, read, snapshot, versions } from "./helpers/events.js"
import { failed, folder, kill, processOf, settle, untilSo, whileTimePasses } from "./helpers/processes.js"

/** A test of an embedded store in memory. No time passes in it, so that nothing is ever tried again. */
const onStore = (name: string, test: (store: EventStore.Service) => Effect.Effect<void, unknown>) =>
  it.effect(name, () => Effect.provide(Effect.flatMap(EventStore.EventStore, test), EventStore.layerMemory))

const self = { name: "n1", address: { host: "127.0.0.1", port: 1 } }

/** A node with its process table in reach. */
const node = (dataDir: string) =>
  Stores.layer({ dataDir, stores: [], defaults: { mode: "single" } }).pipe(
    Layer.provideMerge(Layer.mergeAll(Process.layer, WorkerRegistry.layer)),
    Layer.provide(Members.layer(self, [])),
    Layer.provide(
      Layer.effect(
        RaftTransport.RaftTransport,
        Effect.map(RaftTransport.makeNetwork, network => network.transport(self.name))
      )
    ),
    Layer.provide(Logger.minimumLogLevel(LogLevel.None))
  )

const start = (id: string) =>
  Effect.flatMap(Stores.Stores, stores => stores.start({ id })).pipe(
    Effect.flatMap(store => Effect.map(EventStore.fromStore(store), service => ({ store, service })))
  )

const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), chunk => [...chunk])

const all = (service: EventStore.Service) => collect(service.readAllStream())

describe("it must never happen that", () => {
  // ── what a store says of itself ──

  onStore("1: a stream that keeps nothing counts as events, or cannot be asked about", store =>
    Effect.gen(function* () {
      assert.strictEqual(yield* store.hasEvents(), false)
      yield* store.append("a", "no_stream", [event(1), event(2)])
      assert.strictEqual(yield* store.hasEvents(), true)
      yield* store.setStreamMetadata("a", { truncateBefore: 2 })
      assert.strictEqual(yield* store.hasEvents(), false)
      assert.deepStrictEqual((yield* store.read("a")).events, [])
      assert.strictEqual(yield* store.exists("a"), true)
      yield* store.append("b", "any", [event(3)])
      assert.strictEqual(yield* store.hasEvents(), true)
      yield* store.deleteStream("b")
      assert.strictEqual(yield* store.hasEvents(), false)
    })
  )

  it.effect("3: a telemetry handler is detached over an event that it cannot take", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      let seen = 0
      yield* telemetry.attach("strict", [TelemetryEvents.streamDeleted], ({ metadata }) => {
        seen += 1
        if (metadata.version % 2 === 0) throw new Error("bad key: reason")
      })
      yield* telemetry.attachDefault({ minimumLevel: LogLevel.Debug })
      for (const version of [0, 1, 2, 3]) {
        yield* telemetry.execute(TelemetryEvents.streamDeleted, {}, { store_id: "s", stream_id: "a", version })
        yield* settle
      }
      assert.strictEqual(seen, 4)
      const handlers = yield* telemetry.list
      assert.deepStrictEqual(
        handlers.map(({ failures, id }) => [id, failures]),
        [
          ["strict", 2],
          ["reckon_db_logger_handler", 0]
        ]
      )
    }).pipe(Effect.provide(Telemetry.layer), Logger.withMinimumLogLevel(LogLevel.None))
  )

  // ── several stores, and one alone ──

  it.scoped("7: two stores share files, or one's recovery touches the other", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* Effect.gen(function* () {
        const stores = yield* Stores.Stores
        const orders = yield* start("orders")
        const parts = yield* start("parts")
        yield* orders.service.append("a", "no_stream", [event(1)])
        yield* parts.service.append("a", "no_stream", [event(2), event(3)])
        const inUse = fs
          .readdirSync(dataDir, { recursive: true, encoding: "utf8" })
          .filter(file => /sqlite$/.test(file))
        assert.deepStrictEqual(inUse.sort(), [
          "stores/orders/events.sqlite",
          "stores/orders/raft.sqlite",
          "stores/parts/events.sqlite",
          "stores/parts/raft.sqlite"
        ])
        yield* stores.stop("orders")
        yield* parts.service.append("a", 1, [event(4)])
        fs.writeFileSync(path.join(dataDir, "stores/orders/events.sqlite"), "this is no store")
        assert.strictEqual((yield* Effect.flip(stores.start({ id: "orders" })))._tag, "StoreFileRefused")
        yield* kill(StoreNames.coreSup("parts"))
        yield* untilSo(Effect.map(parts.store.backend.status, ({ leader }) => leader !== null))
        assert.strictEqual((yield* all(parts.service)).length, 3)
      }).pipe(Effect.provide(node(dataDir)))
      const found = yield* Effect.flatMap(start("parts"), ({ service }) => all(service)).pipe(
        Effect.provide(node(dataDir))
      )
      assert.strictEqual(found.length, 3)
    })
  )

  it.scoped("10: a store that is alone has no leader, or what depends on one outlives it", () =>
    whileTimePasses(
      Effect.gen(function* () {
        const { service, store } = yield* start("orders")
        const followed = yield* service
          .subscribe({ streamId: null, from: "origin" })
          .pipe(Stream.take(5), Stream.runCollect, Effect.fork)
        const victims = [StoreNames.store, StoreNames.leaderTracker, StoreNames.leaderSup, StoreNames.coreSup]
        for (const [n, victim] of victims.entries()) {
          yield* service.append("a", "any", [event(n)])
          const { leader, role } = yield* store.backend.status
          assert.deepStrictEqual([leader, role], ["n1", "leader"])
          const dependant = yield* processOf(StoreNames.emitterSup("orders"))
          yield* kill(victim("orders"))
          yield* Effect.sleep("1 second")
          const isOther = (yield* processOf(StoreNames.emitterSup("orders"))) !== dependant
          assert.strictEqual(isOther, victim === StoreNames.leaderSup || victim === StoreNames.coreSup)
        }
        yield* service.append("a", "any", [event(4)])
        assert.deepStrictEqual(
          [...(yield* Fiber.join(followed))].map(({ version }) => version),
          [0, 1, 2, 3, 4]
        )
      })
    ).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(folder, node))))
  )

  onStore("11: an option that is left out is a crash", store =>
    Effect.gen(function* () {
      const config = yield* Effect.orDie(StoreConfig.make({ id: "orders", dataDir: "somewhere" }))
      for (const [key, value] of Object.entries(config)) assert.isDefined(value, key)
      yield* store.append("a", "any", [event(1)], {})
      yield* store.appendBatch([append("b", "any", event(1))], {})
      yield* store.saveSnapshot(snapshot("a", 0), {})
      yield* store.setStreamMetadata("a", {})
      yield* store.deleteStream("b", {})
      yield* store.deleteSnapshots("b", {})
      assert.strictEqual((yield* store.read("a", {})).events.length, 1)
      assert.strictEqual((yield* store.readAll({})).events.length, 1)
      assert.strictEqual((yield* store.query(Query.all, {})).events.length, 1)
      assert.strictEqual((yield* store.loadSnapshot("a", {})).version, 0)
      assert.strictEqual((yield* collect(store.listStreams({}))).length, 1)
    })
  )

  onStore("16: a result is wrapped twice", store =>
    Effect.gen(function* () {
      const keys = (value: object) => Object.keys(value).sort()
      const appended = ["alreadyPresent", "position", "streamId", "version"]
      assert.deepStrictEqual(keys(yield* store.append("a", "any", [event(1)])), appended)
      const [first] = yield* store.appendBatch([append("b", "any", event(1))])
      assert.deepStrictEqual(keys(first ?? {}), appended)
      const [one, other] = yield* store.appendAll([append("c", "any", event(1)), append("c", 7, event(2))])
      assert.deepStrictEqual(one === undefined || Either.isLeft(one) ? [] : keys(one.right), appended)
      assert.strictEqual(other !== undefined && Either.isLeft(other) && other.left._tag, "WrongExpectedVersion")
      assert.strictEqual(yield* store.getVersion("a"), 0)
      assert.deepStrictEqual(keys(yield* store.read("a")), ["events", "isEnd", "next"])
      assert.strictEqual((yield* Effect.flip(store.read("none")))._tag, "StreamNotFound")
    })
  )

  // ── numbers ──

  for (const boundary of [1_000_000, 1_000_000_000_000]) {
    it.scoped(`17: the order of versions and positions breaks at ${boundary}`, () =>
      Effect.gen(function* () {
        const filename = path.join(yield* folder, "events.sqlite")
        yield* Effect.scoped(
          Effect.map(SqliteStoreEngine.make({ filename }), engine => applyNext(engine, append("a", "any", event(0))))
        )
        // As if all of its events but the last one before the boundary had been appended and truncated.
        const last = boundary - 3
        const db = new SqliteDatabase(filename)
        db.exec(`UPDATE events SET version = ${last}, position = ${last};
          UPDATE versions_1 SET version = ${last}, position = ${last};
          UPDATE streams SET version = ${last}, position = ${last}, first_version = ${last};
          UPDATE meta SET last_position = ${last}`)
        db.close()
        const engine = yield* SqliteStoreEngine.make({ filename })
        for (const n of [1, 2, 3, 4, 5]) applyNext(engine, append("a", last + n - 1, event(n)))
        const expected = [-3, -2, -1, 0, 1, 2].map(ahead => boundary + ahead)
        assert.strictEqual(engine.getVersion("a"), boundary + 2)
        assert.deepStrictEqual(versions(read(engine, "a")), expected)
        assert.deepStrictEqual(versions(read(engine, "a", boundary - 1, 2)), [boundary - 1, boundary])
        assert.deepStrictEqual(versions(read(engine, "a", boundary + 9, 9, "backward")), expected.toReversed())
        const page = { from: 0, count: 10, bytesMax: boundary, asOf: null, nowUs: 0 } as const
        const positions = (events: ReadonlyArray<{ readonly position: number }>) =>
          events.map(({ position }) => position)
        assert.deepStrictEqual(positions(engine.readAll({ ...page, direction: "forward" }).events), expected)
        const found = engine.readQuery({
          ...page,
          from: boundary,
          direction: "backward",
          query: Query.eventTypes("thing-happened")
        })
        assert.deepStrictEqual(positions(found.events), expected.slice(0, 4).toReversed())
      })
    )
  }

  // ── what is asked and answered ──

  it.effect("18: the gateway takes other messages than the contract has", () =>
    Effect.gen(function* () {
      const handlers = yield* Gateway.make(Limits.defaults)
      assert.deepStrictEqual(Object.keys(handlers).sort(), [...StoreRpcs.requests.keys()].sort())
    }).pipe(Effect.provide(WorkerRegistry.layer))
  )

  it("19: a source imports what its package does not declare, and a clean install does not bring", () => {
    const room = path.resolve(import.meta.dirname, "..")
    const {
      dependencies,
      peerDependencies
    }: Record<string, Record<string, string>> = JSON.parse(fs.readFileSync(path.join(room, "package.json"), "utf8"))
    const declared = { ...dependencies, ...peerDependencies }
    const imported = fs
      .readdirSync(path.join(room, "src"), { recursive: true, encoding: "utf8" })
      .filter(file => file.endsWith(".ts"))
      .flatMap(file => [
        ...fs.readFileSync(path.join(room, "src", file), "utf8").matchAll(/^\S.* from "((?:@[^/"]+\/)?[^./"@][^/"]*)/gm)
      ])
      .map(match => match[1] ?? "")
      .filter(name => !name.startsWith("node:"))
    assert.include(imported, "msgpackr")
    assert.include(imported, "@reckon/client")
    assert.deepStrictEqual(
      [...new Set(imported)].filter(name => !(name in declared)),
      []
    )
  })

  onStore("23, 26: what cannot succeed is tried again, or takes any time to fail", store =>
    Effect.gen(function* () {
      yield* store.append("a", "any", [event(1)])
      yield* store.append("gone", "any", [event(1)])
      yield* store.tombstoneStream("gone")
      const condition = { query: Query.all, after: -1 }
      const permanent: ReadonlyArray<readonly [StoreError["_tag"], Effect.Effect<unknown, StoreError>]> = [
        ["InvalidRequest", store.append("", "any", [event(2)])],
        ["InvalidRequest", store.appendBatch([])],
        ["InvalidRequest", store.read("a", { count: -1 })],
        ["InvalidRequest", store.saveSnapshot(snapshot("a", -1))],
        ["EventTooLarge", store.append("a", "any", [event(2, { data: new Uint8Array(5 * 1024 * 1024) })])],
        ["WrongExpectedVersion", store.append("a", 7, [event(2)])],
        ["EventIdConflict", store.append("a", "any", [event(1, { eventType: "another" })])],
        ["AppendConditionFailed", store.append("a", "any", [event(2)], { condition })],
        ["StreamTombstoned", store.append("gone", "any", [event(2)])],
        ["StreamNotFound", store.read("none")],
        ["SnapshotNotFound", store.loadSnapshot("a")],
        ["SnapshotOutOfRange", store.saveSnapshot(snapshot("a", 5))]
      ]
      for (const [tag, request] of permanent) assert.deepStrictEqual(yield* failed(request), [tag, false])
      // A snapshot that is saved is confirmed: it is there when the answer is.
      yield* store.saveSnapshot(snapshot("a", 0))
      assert.strictEqual((yield* store.loadSnapshot("a")).version, 0)
    })
  )

  onStore("25: `hasEvents` answers anything but true or false", store =>
    Effect.gen(function* () {
      assert.isFalse(yield* store.hasEvents())
      yield* store.append("a", "any", [event(1)])
      assert.isTrue(yield* store.hasEvents())
    })
  )

  onStore("29: a version conflict looks different from one request to the next", store =>
    Effect.gen(function* () {
      yield* store.append("a", "any", [event(1), event(2)])
      const conflict = (expected: Append["expectedVersion"], streamId = "a") => ({
        streamId,
        expected,
        actual: streamId === "a" ? 1 : -1,
        retryable: false
      })
      const shapeOf = (error: StoreError) => {
        if (error._tag !== "WrongExpectedVersion") return error._tag
        const { actual, expected, retryable, streamId } = error
        return { streamId, expected, actual, retryable }
      }
      for (const expected of ["no_stream", 0, 2] as const) {
        const refused: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [
          store.append("a", expected, [event(3)]),
          store.appendBatch([append("b", "any", event(1)), append("a", expected, event(3))]),
          Effect.flatMap(store.appendAll([append("a", expected, event(3))]), ([answer]) => answer ?? Effect.void),
          store.deleteStream("a", { expectedVersion: expected }),
          store.tombstoneStream("a", { expectedVersion: expected })
        ]
        for (const request of refused) {
          assert.deepStrictEqual(shapeOf(yield* Effect.flip(request)), conflict(expected))
        }
      }
      for (const expected of ["stream_exists", 0] as const) {
        const error = yield* Effect.flip(store.append("none", expected, [event(3)]))
        assert.deepStrictEqual(shapeOf(error), conflict(expected, "none"))
      }
      assert.strictEqual((yield* all(store)).length, 2)
    })
  )

  onStore("30: an or of queries finds anything but the union", store =>
    Effect.gen(function* () {
      const word = fc.constantFrom("x", "y", "z")
      for (let n = 0; n < 60; n++) {
        const tags = ["x", "y", "z"].filter((_, bit) => (n >> bit) % 2 === 1)
        yield* store.append(`s${n % 4}`, "any", [event(n, { tags, eventType: `T${n % 3}` })])
      }
      const query = fc.oneof(
        fc.array(word, { maxLength: 3 }).map(tags => Query.allTags(...new Set(tags))),
        fc.array(word, { maxLength: 3 }).map(tags => Query.anyTag(...new Set(tags))),
        fc.constantFrom("T0", "T1", "T9").map(type => Query.eventTypes(type)),
        fc.constantFrom("s1", "s*", "?2").map(Query.streams)
      )
      const found = (query: Query.Query) =>
        Effect.map(collect(store.queryStream(query)), events => events.map(({ position }) => position))
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(query, query, async (one, other) => {
            const [left, right, both] = await Promise.all(
              [one, other, Query.or(one, other)].map(asked => Effect.runPromise(found(asked)))
            )
            const union = new Set([...(left ?? []), ...(right ?? [])])
            assert.deepStrictEqual(
              both,
              [...union].sort((a, b) => a - b)
            )
          }),
          { numRuns: 50 }
        )
      )
    })
  )

  // ── appends ──

  onStore("31: of two appends at the same time with the same expectation both win, or none", store =>
    Effect.gen(function* () {
      for (let round = 0; round < 20; round++) {
        const expected = round === 0 ? "no_stream" : round - 1
        const results = yield* Effect.forEach(
          [0, 1, 2, 3],
          n => Effect.either(store.append("a", expected, [event(round * 4 + n)])),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(results.filter(Either.isRight).length, 1)
        assert.strictEqual(yield* store.getVersion("a"), round)
      }
    })
  )

  onStore("32: a batch is written in part", store =>
    Effect.gen(function* () {
      yield* store.append("a", "any", [event(1)])
      const seat = { query: Query.all, after: -1 }
      const half: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [
        // The second event of one stream has the id of another event.
        store.append("a", "any", [event(2), event(1, { eventType: "another" })]),
        // The last of three streams is not what it should be.
        store.appendBatch([append("b", "any", event(1)), append("c", "any", event(1)), append("a", 5, event(3))]),
        // Everything holds but the condition.
        store.appendBatch([append("b", "any", event(1)), append("c", "any", event(1))], { condition: seat })
      ]
      for (const request of half) yield* Effect.flip(request)
      assert.deepStrictEqual(
        (yield* all(store)).map(({ eventId }) => eventId),
        [event(1).eventId]
      )
      assert.deepStrictEqual(
        (yield* collect(store.listStreams())).map(({ streamId }) => streamId),
        ["a"]
      )
    })
  )

  onStore("33: a version falls, or is given again, when events are truncated", store =>
    Effect.gen(function* () {
      yield* store.append("a", "no_stream", [event(1), event(2), event(3)])
      for (const [n, metadata] of [{ truncateBefore: 2 }, { truncateBefore: 100 }, { maxCount: 1 }, {}].entries()) {
        yield* store.setStreamMetadata("a", metadata)
        assert.strictEqual(yield* store.getVersion("a"), n + 2)
        assert.strictEqual((yield* store.append("a", n + 2, [event(n + 4)])).version, n + 3)
      }
      yield* store.deleteStream("a")
      assert.strictEqual((yield* store.append("a", "no_stream", [event(10)])).version, 7)
    })
  )

  onStore("34: events behind a snapshot are removed by whatever is done about the ones before it", store =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: 10 }, (_, n) => n)
      yield* store.append(
        "a",
        "no_stream",
        numbers.map(n => event(n))
      )
      yield* store.saveSnapshot(snapshot("a", 4))
      assert.strictEqual((yield* store.read("a")).events.length, 10)
      yield* store.setStreamMetadata("a", { truncateBefore: 5 })
      yield* store.saveSnapshot(snapshot("a", 6), { keep: 1 })
      const { version } = yield* store.loadSnapshot("a")
      const tail = yield* collect(store.readStream("a", { from: version + 1 }))
      assert.deepStrictEqual([version, ...tail.map(event => event.version)], [6, 7, 8, 9])
    })
  )

  onStore("35: a stream that is created anew shows a snapshot of the old one", store =>
    Effect.gen(function* () {
      yield* store.append("a", "no_stream", [event(1), event(2), event(3)])
      for (const version of [0, 2]) yield* store.saveSnapshot(snapshot("a", version))
      yield* store.deleteStream("a")
      yield* store.append("a", "no_stream", [event(4)])
      for (const version of [undefined, 0, 2, 3]) {
        assert.strictEqual((yield* Effect.flip(store.loadSnapshot("a", { version })))._tag, "SnapshotNotFound")
      }
      assert.deepStrictEqual(yield* collect(store.listSnapshots("a")), [])
      assert.deepStrictEqual(yield* failed(store.saveSnapshot(snapshot("a", 2))), ["SnapshotOutOfRange", false])
      yield* store.saveSnapshot(snapshot("a", 3))
      assert.strictEqual((yield* store.loadSnapshot("a")).version, 3)
    })
  )
})
