import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import { NoQuorum } from "@reckon/client/StoreError"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as EventStore from "../src/EventStore.js"
import * as Observed from "../src/internal/processes/observed.js"
import * as Stores from "../src/Stores.js"
import * as Telemetry from "../src/Telemetry.js"
import { append, bytes, event, snapshot } from "./helpers/events.js"
import { settle } from "./helpers/processes.js"
import { listen, type Told, withTold } from "./helpers/told.js"

const store_id = "default"

/** One second after 1970. Nothing takes time here but where a test says so. */
const system_time = 1_000_000
const duration = 0

/** The store has been up for a second and is listened to from then on. */
const test = (name: string, body: (store: EventStore.Service, told: Told) => Effect.Effect<void, unknown>) =>
  it.effect(name, () =>
    withTold((store, told) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        told.length = 0
        yield* body(store, told)
      })
    )
  )

/** Does something of which nothing is to be told. */
const silently = <A, E>(told: Told, effect: Effect.Effect<A, E>) =>
  Effect.tap(effect, () => Effect.sync(() => told.splice(0)))

describe("a store tells of", () => {
  // ── writes ──

  test("an append: when it arrives what is asked, and then what was done", (store, told) =>
    Effect.gen(function* () {
      yield* store.append("a", "no_stream", [event(1), event(2)])
      const stream = { store_id, stream_id: "a" }
      assert.deepStrictEqual(told, [
        ["stream.write.start", { system_time }, { ...stream, event_count: 2, expected_version: "no_stream" }],
        ["stream.write.stop", { duration, event_count: 2 }, { ...stream, new_version: 1 }]
      ])
    }))

  test("an append that is there already, with the events that it wrote: none", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1)]))
      yield* store.append("a", "any", [event(1), event(2)])
      yield* store.append("a", 0, [event(1), event(2)])
      const written = told.filter(([name]) => name === "stream.write.stop").map(([, measurements]) => measurements)
      assert.deepStrictEqual(written, [
        { duration, event_count: 1 },
        { duration, event_count: 0 }
      ])
    }))

  test("an append that is refused, with why", (store, told) =>
    Effect.gen(function* () {
      yield* Effect.flip(store.append("a", 4, [event(1)]))
      const reason = { reason: "WrongExpectedVersion", detail: 'stream "a" has no events, expected 4' }
      assert.deepStrictEqual(told, [
        ["stream.write.start", { system_time }, { store_id, stream_id: "a", event_count: 1, expected_version: 4 }],
        ["stream.write.error", { duration }, { store_id, stream_id: "a", ...reason }]
      ])
    }))

  test("each of several appends that came together", (store, told) =>
    Effect.gen(function* () {
      yield* store.appendAll([append("a", "any", event(1)), append("b", 7, event(2)), append("c", "any", event(3))])
      assert.deepStrictEqual(
        told.map(([name, , metadata]) => [name, "stream_id" in metadata && metadata.stream_id]),
        [
          ["stream.write.start", "a"],
          ["stream.write.start", "b"],
          ["stream.write.start", "c"],
          ["stream.write.stop", "a"],
          ["stream.write.error", "b"],
          ["stream.write.stop", "c"]
        ]
      )
    }))

  test("a batch as one write, with the position of its last event", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("b", "any", [event(1)]))
      yield* store.appendBatch([append("a", "any", event(2), event(3)), append("b", 0, event(1))])
      const batch = { store_id, stream_count: 2 }
      assert.deepStrictEqual(told, [
        ["batch.write.start", { system_time }, { ...batch, event_count: 3 }],
        ["batch.write.stop", { duration, event_count: 2 }, { ...batch, position: 2 }]
      ])
      yield* silently(told, Effect.void)
      yield* Effect.flip(store.appendBatch([append("a", 0, event(4)), append("c", "any", event(5))]))
      const reason = { reason: "WrongExpectedVersion", detail: 'stream "a" is at version 1, expected 0' }
      assert.deepStrictEqual(told, [
        ["batch.write.start", { system_time }, { ...batch, event_count: 2 }],
        ["batch.write.error", { duration }, { ...batch, ...reason }]
      ])
    }))

  test("an append condition that did not hold, with the position that broke it", (store, told) =>
    Effect.gen(function* () {
      const sold = (n: number) => event(n, { tags: ["seat:1"] })
      yield* silently(told, store.append("a", "any", [event(1), sold(2)]))
      const condition = { query: Query.allTags("seat:1"), after: 0 }
      const refused = yield* Effect.flip(store.append("b", "any", [sold(3)], { condition }))
      const batch = { store_id, stream_count: 1 }
      assert.deepStrictEqual(told, [
        ["batch.write.start", { system_time }, { ...batch, event_count: 1 }],
        ["append_condition.failed", { system_time, position: 1 }, { store_id }],
        ["batch.write.error", { duration }, { ...batch, reason: "AppendConditionFailed", detail: refused.message }]
      ])
    }))

  test("a stream that is deleted, and one that is deleted for good, with the last version they had", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1), event(2)]))
      yield* store.deleteStream("a")
      yield* store.tombstoneStream("a")
      yield* store.deleteStream("never")
      assert.deepStrictEqual(told, [
        ["stream.deleted", { system_time }, { store_id, stream_id: "a", version: 1 }],
        ["stream.tombstoned", { system_time }, { store_id, stream_id: "a", version: 1 }],
        ["stream.deleted", { system_time }, { store_id, stream_id: "never", version: -1 }]
      ])
      yield* silently(told, Effect.void)
      yield* Effect.flip(store.deleteStream("a", { expectedVersion: 7 }))
      assert.deepStrictEqual(told, [])
    }))

  // ── reads ──

  test("a page of a stream: when it is asked for, and how many events it has", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1), event(2), event(3)]))
      yield* store.read("a", { from: 1, count: 10, direction: "backward" })
      const stream = { store_id, stream_id: "a" }
      assert.deepStrictEqual(told, [
        ["stream.read.start", { system_time }, { ...stream, start_version: 1, count: 10, direction: "backward" }],
        ["stream.read.stop", { duration, event_count: 2 }, stream]
      ])
    }))

  test("a read of a stream that is not there, with why", (store, told) =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(store.read("b"))
      const reason = { reason: "StreamNotFound", detail: message }
      assert.deepStrictEqual(told[1], ["stream.read.error", { duration }, { store_id, stream_id: "b", ...reason }])
      assert.strictEqual(told.length, 2)
    }))

  test("each page of a long stream, and a read of all of them once", (store, told) =>
    Effect.gen(function* () {
      for (const from of [0, 800]) {
        const events = Array.from({ length: 800 }, (_, n) => event(from + n))
        yield* silently(told, store.append("a", "any", events))
      }
      yield* Stream.runDrain(store.readStream("a"))
      assert.deepStrictEqual(
        told.filter(([name]) => name === "stream.read.stop").map(([, measurements]) => measurements),
        [
          { duration, event_count: 1_000 },
          { duration, event_count: 600 }
        ]
      )
      yield* silently(told, Effect.void)
      yield* Stream.runDrain(store.readUntil("a", system_time))
      assert.deepStrictEqual(told.at(-1), [
        "temporal.read_until",
        { duration, event_count: 1_600 },
        { store_id, stream_id: "a", timestamp: system_time }
      ])
    }))

  test("a page of all events, and of those that match a query", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1), event(2, { tags: ["t"] })]))
      yield* store.readAll({ from: 0, count: 5 })
      yield* store.query(Query.anyTag("t"), { from: 9, count: 7, direction: "backward" })
      const forward = { store_id, start_position: 0, count: 5, direction: "forward" }
      const backward = { store_id, start_position: 9, count: 7, direction: "backward" }
      assert.deepStrictEqual(told, [
        ["query.read.start", { system_time }, forward],
        ["query.read.stop", { duration, event_count: 2 }, { store_id }],
        ["query.read.start", { system_time }, backward],
        ["query.read.stop", { duration, event_count: 1 }, { store_id }]
      ])
    }))

  test("what was looked up about a time", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1), event(2)]))
      yield* store.versionAt("a", 1_000_000)
      yield* store.positionAt(999_999)
      yield* Effect.flip(store.versionAt("b", 1_000_000))
      const stream = { store_id, stream_id: "a" }
      assert.deepStrictEqual(told, [
        ["temporal.version_at", { duration }, { ...stream, timestamp: 1_000_000, version: 1 }],
        ["temporal.position_at", { duration }, { store_id, timestamp: 999_999, position: -1 }]
      ])
    }))

  test("a read up to a time or between two, when it is through or its reader has enough, and not when it fails", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1), event(2)]))
      yield* TestClock.adjust("1 second")
      yield* silently(told, store.append("a", "any", [event(3)]))
      const slow = Stream.tap(store.readUntil("a", 1_500_000), () => TestClock.adjust("2 millis"))
      yield* Stream.runDrain(slow)
      yield* Stream.runDrain(store.readRange("a", 1_500_000, 2_000_000))
      yield* Stream.runHead(store.readUntil("a", 500_000))
      yield* Stream.runHead(store.readUntil("a", 2_000_000))
      yield* Effect.flip(Stream.runDrain(store.readUntil("b", 2_000_000)))
      const stream = { store_id, stream_id: "a" }
      assert.deepStrictEqual(
        told.filter(([name]) => name.startsWith("temporal.read")),
        [
          ["temporal.read_until", { duration: 4_000_000, event_count: 2 }, { ...stream, timestamp: 1_500_000 }],
          [
            "temporal.read_range",
            { duration, event_count: 1 },
            { ...stream, timestamp: { from: 1_500_000, to: 2_000_000 } }
          ],
          ["temporal.read_until", { duration, event_count: 0 }, { ...stream, timestamp: 500_000 }],
          ["temporal.read_until", { duration, event_count: 3 }, { ...stream, timestamp: 2_000_000 }]
        ]
      )
    }))

  // ── snapshots ──

  test("snapshots that are saved, read and deleted, with their sizes", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1), event(2)]))
      const saved = snapshot("a", 1, { data: bytes("12345"), metadata: bytes("678") })
      yield* store.saveSnapshot(saved)
      yield* Effect.flip(store.saveSnapshot(snapshot("a", 9)))
      yield* store.loadSnapshot("a")
      yield* Effect.flip(store.loadSnapshot("a", { version: 0 }))
      yield* store.deleteSnapshots("a", { version: 1 })
      yield* store.deleteSnapshots("a")
      const stream = { store_id, stream_id: "a" }
      assert.deepStrictEqual(told, [
        ["snapshot.created", { system_time, duration, size_bytes: 8 }, { ...stream, version: 1 }],
        ["snapshot.read", { duration, size_bytes: 8 }, { ...stream, version: 1 }],
        ["snapshot.deleted", { system_time }, { ...stream, version: 1 }],
        ["snapshot.deleted", { system_time }, { ...stream, version: null }]
      ])
    }))

  test("nothing that has no event, and nothing that is refused before it gets to it", (store, told) =>
    Effect.gen(function* () {
      yield* silently(told, store.append("a", "any", [event(1)]))
      yield* store.getVersion("a")
      yield* store.exists("a")
      yield* store.hasEvents()
      yield* store.streamDetails("a")
      yield* store.setStreamMetadata("a", { maxCount: 5 })
      yield* Stream.runDrain(store.listStreams())
      yield* Stream.runDrain(store.listSnapshots("a"))
      const following = yield* Effect.fork(Stream.runDrain(store.subscribe({ streamId: null, from: "origin" })))
      yield* settle
      yield* Fiber.interrupt(following)
      yield* Effect.flip(store.append("", "any", [event(1)]))
      assert.deepStrictEqual(told, [])
    }))

  it.effect("its doings under its own name, where there are others beside it", () =>
    withTold((store, told) =>
      Effect.gen(function* () {
        const parts = yield* Effect.flatMap(
          Effect.flatMap(Stores.Stores, stores => stores.start({ id: "parts" })),
          started => EventStore.fromStore(started)
        )
        told.length = 0
        yield* store.append("a", "any", [event(1)])
        yield* parts.append("a", "any", [event(1)])
        assert.deepStrictEqual(
          told.map(([, , metadata]) => "store_id" in metadata && metadata.store_id),
          ["default", "default", "parts", "parts"]
        )
      })
    )
  )
})

// -----------------------------------------------------------------------------
// the decorator by itself
// -----------------------------------------------------------------------------

const page = { from: 0, count: 10, direction: "forward", consistency: "local" } as const

/** One request of each kind that has events, in an order in which all succeed. */
const requests: ReadonlyArray<(backend: StoreBackend) => Effect.Effect<unknown, unknown>> = [
  backend => backend.append([append("a", "any", event(1)), append("b", 5, event(2))]),
  backend => backend.appendBatch({ appends: [append("c", "any", event(3))], condition: null }),
  backend => backend.saveSnapshot({ snapshot: snapshot("a", 0), keep: null }),
  backend => backend.loadSnapshot({ streamId: "a", version: null, consistency: "local" }),
  backend => backend.deleteSnapshots({ streamId: "a", version: 0 }),
  backend => backend.read({ streamId: "a", ...page }),
  backend => backend.readAll({ ...page, asOf: null }),
  backend => backend.query({ ...page, asOf: null, query: Query.all }),
  backend => backend.versionAt({ streamId: "a", epochUs: 0, consistency: "local" }),
  backend => backend.positionAt({ epochUs: 0, consistency: "local" }),
  backend => backend.deleteStream({ streamId: "a", expectedVersion: "any", tombstone: false }),
  backend => backend.deleteStream({ streamId: "c", expectedVersion: "any", tombstone: true }),
  backend => backend.read({ streamId: "a", ...page }),
  backend => backend.versionAt({ streamId: "c", epochUs: 0, consistency: "local" })
]

const exits = (backend: StoreBackend) =>
  Effect.forEach(requests, request => Effect.map(Effect.exit(request(backend)), Exit.mapError(String)))

const backendOf = Effect.map(
  Effect.flatMap(Stores.Stores, stores => stores.get("default")),
  ({ backend }) => backend
)

describe("an observed backend", () => {
  it.effect("answers as the one that it is made of, also where those who watch it break", () =>
    Effect.gen(function* () {
      const plain = yield* Effect.provide(Effect.flatMap(backendOf, exits), EventStore.layerMemory)
      const watched = yield* Effect.gen(function* () {
        const telemetry = yield* Telemetry.Telemetry
        yield* listen(telemetry)
        const backend = yield* Observed.backend({
          store: "observed",
          telemetry,
          backend: yield* backendOf,
          lastVersion: () => {
            throw new Error("not known")
          }
        })
        return yield* exits(backend)
      }).pipe(Effect.scoped, Effect.provide(EventStore.layerMemory))
      assert.deepStrictEqual(watched, plain)
      assert.strictEqual(plain.filter(Exit.isFailure).length, 2)
    })
  )

  it.effect("looks at no clock and at no event where nobody listens", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.make
      const looked = () => {
        throw new Error("somebody looked")
      }
      const blind = { ...(yield* Effect.clock), unsafeCurrentTimeNanos: looked }
      const done = Effect.succeed([])
      const plain = yield* backendOf
      const backend = yield* Observed.backend({
        store: "observed",
        telemetry,
        backend: { ...plain, append: () => done, saveSnapshot: () => Effect.void, deleteStream: () => Effect.void },
        lastVersion: looked
      }).pipe(Effect.withClock(blind))
      const unseen = new Proxy(append("a", "any", event(1)), { get: looked })
      assert.deepStrictEqual(yield* backend.append([unseen]), [])
      yield* backend.saveSnapshot({ snapshot: new Proxy(snapshot("a", 1), { get: looked }), keep: null })
      yield* backend.deleteStream({ streamId: "a", expectedVersion: "any", tombstone: false })
    }).pipe(Effect.scoped, Effect.provide(EventStore.layerMemory))
  )

  it.effect("tells how long each request took", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.make
      const told = yield* listen(telemetry)
      const plain = yield* backendOf
      const late = <A, E>(request: Effect.Effect<A, E>) => Effect.zipRight(TestClock.adjust("5 millis"), request)
      const backend = yield* Observed.backend({
        store: "observed",
        telemetry,
        backend: {
          ...plain,
          append: appends => late(plain.append(appends)),
          appendBatch: request => late(plain.appendBatch(request)),
          saveSnapshot: request => late(plain.saveSnapshot(request)),
          loadSnapshot: request => late(plain.loadSnapshot(request)),
          read: request => late(plain.read(request)),
          readAll: request => late(plain.readAll(request)),
          query: request => late(plain.query(request)),
          versionAt: request => late(plain.versionAt(request)),
          positionAt: request => late(plain.positionAt(request))
        },
        lastVersion: () => 0
      })
      yield* exits(backend)
      const timed = told.flatMap(([name, measured]) => ("duration" in measured ? [[name, measured.duration]] : []))
      const all = [
        "stream.write.stop",
        "stream.write.error",
        "batch.write.stop",
        "snapshot.created",
        "snapshot.read",
        "stream.read.stop",
        "query.read.stop",
        "query.read.stop",
        "temporal.version_at",
        "temporal.position_at",
        "stream.read.error"
      ]
      assert.deepStrictEqual(
        timed,
        all.map(name => [name, 5_000_000])
      )
    }).pipe(Effect.scoped, Effect.provide(EventStore.layerMemory))
  )

  it.effect("tells of nothing saved, read or deleted where that failed", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.make
      const told = yield* listen(telemetry)
      const refused = Effect.fail(new NoQuorum({ store: "observed", detail: "no leader" }))
      const backend = yield* Observed.backend({
        store: "observed",
        telemetry,
        backend: {
          ...(yield* backendOf),
          saveSnapshot: () => refused,
          loadSnapshot: () => refused,
          deleteSnapshots: () => refused,
          deleteStream: () => refused
        },
        lastVersion: () => 0
      })
      const local = { streamId: "a", consistency: "local" } as const
      const failures = yield* Effect.all(
        [
          backend.saveSnapshot({ snapshot: snapshot("a", 0), keep: null }),
          backend.loadSnapshot({ ...local, version: null }),
          backend.deleteSnapshots({ streamId: "a", version: null }),
          backend.deleteStream({ streamId: "a", expectedVersion: "any", tombstone: false })
        ].map(request =>
          Effect.map(Effect.flip<unknown, { readonly _tag: string }, never>(request), ({ _tag }) => _tag)
        )
      )
      assert.deepStrictEqual(failures, ["NoQuorum", "NoQuorum", "NoQuorum", "NoQuorum"])
      assert.deepStrictEqual(told, [])
    }).pipe(Effect.scoped, Effect.provide(EventStore.layerMemory))
  )

  it.effect("is an error where an append is given up, which may yet take effect", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.make
      const told = yield* listen(telemetry)
      const plain = yield* backendOf
      const backend = yield* Observed.backend({
        store: "observed",
        telemetry,
        backend: { ...plain, append: () => Effect.never },
        lastVersion: () => 0
      })
      const appending = yield* Effect.fork(backend.append([append("a", "any", event(1))]))
      yield* settle
      yield* Fiber.interrupt(appending)
      assert.deepStrictEqual(told[1], [
        "stream.write.error",
        { duration },
        { store_id: "observed", stream_id: "a", reason: "Interrupted", detail: "" }
      ])
    }).pipe(Effect.scoped, Effect.provide(EventStore.layerMemory))
  )
})
