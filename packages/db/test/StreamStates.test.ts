import { assert, describe, it } from "@effect/vitest"
import { byteLength, type NewEvent } from "@reckon/client/Event"
import type { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import { unlimited } from "@reckon/client/StreamMetadata"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import { type Operation, single } from "../src/Command.js"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../src/internal/sqlite/checkpoints.js"
import * as EventRows from "../src/internal/sqlite/eventRows.js"
import { migrations } from "../src/internal/sqlite/schema.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../src/internal/sqlite/writer.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { type Service, StoreEngine } from "../src/StoreEngine.js"
import { deleted, done, plain, success, tombstoned, wrongVersion } from "./helpers/answers.js"
import {
  append,
  applyAt,
  bytes,
  deleteStream,
  entries,
  event,
  id,
  read,
  saveSnapshot,
  setMetadata,
  snapshot,
  tombstone,
  versions
} from "./helpers/events.js"
import { withWriter } from "./helpers/writer.js"

type Apply = (at: number, ...operations: ReadonlyArray<Operation>) => ReturnType<typeof plain>

const test = (name: string, use: (engine: Service, apply: Apply) => void) =>
  it.effect(name, () =>
    StoreEngine.pipe(
      Effect.map(engine => use(engine, (at, ...operations) => plain(applyAt(engine, at, ...operations)))),
      Effect.provide(SqliteStoreEngine.layerMemory)
    )
  )

const one = (...fields: Parameters<typeof append>): Operation => single(append(...fields))

const sizeOf = (...events: ReadonlyArray<NewEvent>): number => events.reduce((sum, each) => sum + byteLength(each), 0)

/** A stream `a` of three events, at the times 10, 20 and 30. */
const three = [event(1, { tags: ["x", "🧾"] }), event(2, { metadata: bytes("{}") }), event(3, { eventType: "ü🧾" })]
const fill = (apply: Apply) => {
  for (const [at, each] of three.entries()) apply(10 * (at + 1), one("a", "any", each))
}

describe("deleting a stream", () => {
  test("hides its events, its name and its size; its version and limits stay", (engine, apply) => {
    fill(apply)
    apply(30, setMetadata("a", { maxAgeUs: 500, maxCount: 50, truncateBefore: 1 }))
    assert.deepStrictEqual(apply(40, deleteStream("a")), [done])
    assert.strictEqual(read(engine, "a"), "deleted")
    assert.strictEqual(engine.getVersion("a"), -1)
    assert.deepStrictEqual(engine.listStreams({ pattern: null, after: null, count: 9 }).streams, [])
    assert.deepStrictEqual([engine.streamCount(), engine.eventCount()], [0, 3])
    assert.deepStrictEqual(engine.streamDetails("a"), {
      streamId: "a",
      state: "deleted",
      firstVersion: 3,
      lastVersion: 2,
      count: 0,
      bytes: 0,
      createdUs: 10,
      updatedUs: 30,
      metadata: { maxAgeUs: 500, maxCount: 50, truncateBefore: null }
    })
  })

  test("an append creates it anew: no events to its expectation, versions that go on, a new birthday", (engine, apply) => {
    fill(apply)
    apply(40, deleteStream("a"))
    assert.deepStrictEqual(apply(50, one("a", 2, event(4))), [wrongVersion("a", 2, -1)])
    assert.deepStrictEqual(apply(50, one("a", "stream_exists", event(4))), [wrongVersion("a", "stream_exists", -1)])
    assert.deepStrictEqual(apply(50, one("a", "no_stream")), [success("a", -1, -1)])
    assert.deepStrictEqual(apply(50, one("a", "no_stream", event(4))), [success("a", 3, 3)])
    assert.deepStrictEqual(apply(60, one("a", 3, event(5))), [success("a", 4, 4)])
    assert.deepStrictEqual(versions(read(engine, "a")), [3, 4])
    assert.strictEqual(engine.streamCount(), 1)
    assert.deepStrictEqual(engine.streamDetails("a"), {
      streamId: "a",
      state: "active",
      firstVersion: 3,
      lastVersion: 4,
      count: 2,
      bytes: sizeOf(event(4), event(5)),
      createdUs: 50,
      updatedUs: 60,
      metadata: unlimited
    })
  })

  test("an append from before the deletion, repeated, is present and creates nothing", (engine, apply) => {
    fill(apply)
    apply(40, deleteStream("a"))
    assert.deepStrictEqual(apply(50, one("a", "no_stream", ...three)), [success("a", 2, 2, 3)])
    assert.strictEqual(read(engine, "a"), "deleted")
    const again = apply(50, one("a", "no_stream", ...three, event(4)))
    assert.deepStrictEqual(again, [success("a", 3, 3, 3)])
    assert.deepStrictEqual(versions(read(engine, "a")), [3])
  })

  test("holds the expectation against what the stream was before", (engine, apply) => {
    fill(apply)
    for (const [expected, actual] of [
      ["no_stream", 2],
      [1, 2],
      [3, 2]
    ] as const) {
      assert.deepStrictEqual(apply(40, deleteStream("a", expected)), [wrongVersion("a", expected, actual)])
    }
    assert.strictEqual(engine.getVersion("a"), 2)
    assert.deepStrictEqual(apply(40, deleteStream("a", 2)), [done])
  })

  test("again, it succeeds for those who expect what it was when it was deleted", (_, apply) => {
    fill(apply)
    apply(40, deleteStream("a"))
    for (const expected of ["any", "stream_exists", 2] as const) {
      assert.deepStrictEqual(apply(50, deleteStream("a", expected)), [done])
    }
    for (const expected of ["no_stream", 1, 3] as const) {
      assert.deepStrictEqual(apply(50, deleteStream("a", expected)), [wrongVersion("a", expected, 2)])
    }
  })

  test("that never had an event creates nothing, and fails for those who expect some", (engine, apply) => {
    apply(1, setMetadata("planned", { maxCount: 1 }))
    const planned = engine.streamDetails("planned")
    for (const streamId of ["never", "planned"]) {
      assert.deepStrictEqual(apply(2, deleteStream(streamId), deleteStream(streamId, "no_stream")), [done, done])
      for (const expected of ["stream_exists", 0, 4] as const) {
        assert.deepStrictEqual(apply(2, deleteStream(streamId, expected)), [wrongVersion(streamId, expected, -1)])
      }
    }
    assert.isNull(engine.streamDetails("never"))
    assert.deepStrictEqual(engine.streamDetails("planned"), planned)
  })

  test("of which all events are truncated deletes it", (engine, apply) => {
    fill(apply)
    apply(40, setMetadata("a", { truncateBefore: 9 }))
    assert.strictEqual(engine.getVersion("a"), 2)
    assert.deepStrictEqual(apply(50, deleteStream("a", 2)), [done])
    assert.strictEqual(engine.streamDetails("a")?.state, "deleted")
  })
})

describe("tombstoning a stream", () => {
  const filled: ReadonlyArray<Operation> = [one("a", "any", ...three)]
  const before: ReadonlyArray<readonly [string, ReadonlyArray<Operation>, ExpectedVersion, ExpectedVersion]> = [
    ["an active", filled, 2, "no_stream"],
    ["a deleted", [...filled, deleteStream("a")], 2, "no_stream"],
    ["a tombstoned", [...filled, tombstone("a")], 2, 3],
    ["a missing", [], "no_stream", "stream_exists"],
    ["a merely planned", [setMetadata("a", { maxCount: 3 })], "no_stream", 0]
  ]

  for (const [what, operations, met, unmet] of before) {
    test(`${what} one: it takes no event any more`, (engine, apply) => {
      apply(40, ...operations)
      const actual = engine.streamDetails("a")?.lastVersion ?? -1
      assert.deepStrictEqual(apply(50, tombstone("a", unmet)), [wrongVersion("a", unmet, actual)])
      assert.deepStrictEqual(apply(50, tombstone("a", met)), [done])
      assert.deepStrictEqual(apply(60, tombstone("a"), tombstone("a", met)), [done, done])
      for (const operation of [
        one("a", "any", event(9)),
        one("a", "no_stream", event(9)),
        one("a", "any"),
        deleteStream("a"),
        deleteStream("a", 77),
        setMetadata("a", {}),
        saveSnapshot(snapshot("a", 0))
      ]) {
        assert.deepStrictEqual(apply(60, operation), [tombstoned("a")])
      }
      assert.strictEqual(read(engine, "a"), "tombstoned")
      assert.deepStrictEqual([engine.getVersion("a"), engine.streamCount()], [-1, 0])
      const gone = { state: "tombstoned", count: 0, bytes: 0, lastVersion: actual } as const
      assert.include(engine.streamDetails("a"), gone)
    })
  }

  test("an append from before, repeated, is still present; another content is still a conflict", (_, apply) => {
    fill(apply)
    apply(40, tombstone("a"))
    assert.deepStrictEqual(apply(50, one("a", "no_stream", ...three)), [success("a", 2, 2, 3)])
    assert.deepStrictEqual(apply(50, one("a", "any", ...three, event(4))), [tombstoned("a")])
    assert.containSubset(apply(50, one("a", "any", event(1))), [{ _tag: "EventIdConflict", eventId: id(1) }])
  })
})

describe("a stream's limits", () => {
  test("maxCount keeps the last so many, at once and with each append", (engine, apply) => {
    fill(apply)
    apply(40, setMetadata("a", { maxCount: 2 }))
    assert.deepStrictEqual(versions(read(engine, "a")), [1, 2])
    apply(50, one("a", 2, event(4)))
    assert.deepStrictEqual(versions(read(engine, "a")), [2, 3])
    assert.strictEqual(engine.streamDetails("a")?.bytes, sizeOf(event(3, { eventType: "ü🧾" }), event(4)))
    apply(60, one("a", 3, event(5), event(6), event(7)))
    assert.deepStrictEqual(versions(read(engine, "a")), [5, 6])
    assert.strictEqual(engine.streamDetails("a")?.bytes, sizeOf(event(6), event(7)))
    assert.deepStrictEqual([engine.streamDetails("a")?.count, engine.eventCount()], [2, 7])
  })

  test("truncateBefore cuts what there is, and beyond the last event no more than that", (engine, apply) => {
    fill(apply)
    apply(40, setMetadata("a", { truncateBefore: 1 }))
    assert.deepStrictEqual(versions(read(engine, "a")), [1, 2])
    assert.strictEqual(engine.streamDetails("a")?.bytes, sizeOf(...three.slice(1)))
    apply(40, setMetadata("a", { truncateBefore: Number.MAX_SAFE_INTEGER }))
    assert.deepStrictEqual(versions(read(engine, "a")), [])
    assert.include(engine.streamDetails("a"), { firstVersion: 3, lastVersion: 2, count: 0, bytes: 0, state: "active" })
    assert.strictEqual(engine.streamDetails("a")?.metadata.truncateBefore, 3)
    assert.deepStrictEqual([engine.getVersion("a"), engine.streamCount(), engine.hasEvents(40)], [2, 1, false])
    assert.deepStrictEqual(apply(50, one("a", 2, event(4))), [success("a", 3, 3)])
    assert.deepStrictEqual(versions(read(engine, "a")), [3])
  })

  test("maxAgeUs hides by the reader's clock, and leaves counts and bytes alone", (engine, apply) => {
    fill(apply)
    apply(30, setMetadata("a", { maxAgeUs: 10 }))
    const at = (nowUs: number) =>
      versions(engine.readStream({ streamId: "a", from: 0, count: 9, direction: "forward", bytesMax: 1e9, nowUs }))
    assert.deepStrictEqual([at(20), at(30), at(31), at(41)], [[0, 1, 2], [1, 2], [2], []])
    assert.include(engine.streamDetails("a"), { count: 3, bytes: sizeOf(...three) })
  })

  test("what was hidden stays hidden when limits are taken back", (engine, apply) => {
    fill(apply)
    apply(30, setMetadata("a", { truncateBefore: 1 }), setMetadata("a", {}))
    assert.deepStrictEqual(versions(read(engine, "a")), [1, 2])
    apply(30, setMetadata("a", { maxCount: 1 }), setMetadata("a", { maxCount: 9 }))
    assert.deepStrictEqual(versions(read(engine, "a")), [2])
    apply(30, setMetadata("a", { truncateBefore: 0 }))
    assert.deepStrictEqual(versions(read(engine, "a")), [2])
    assert.strictEqual(engine.streamDetails("a")?.bytes, sizeOf(...three.slice(2)))
  })

  test("what is too old when maxAgeUs is replaced stays hidden, whatever replaces it", (engine, apply) => {
    for (const next of [{}, { maxAgeUs: 1_000 }, { maxAgeUs: 1 }]) {
      const name = JSON.stringify(next)
      const from = engine.lastPosition() + 1
      for (const at of [10, 20, 30]) apply(100 * from + at, one(name, "any", event(at)))
      apply(100 * from + 30, setMetadata(name, { maxAgeUs: 9 }), setMetadata(name, next))
      assert.deepStrictEqual(versions(read(engine, name)), [2])
      assert.strictEqual(engine.streamDetails(name)?.count, 1)
    }
  })

  test("age is reckoned at the last event's time where the command's is earlier", (engine, apply) => {
    fill(apply)
    apply(30, setMetadata("a", { maxAgeUs: 10 }))
    apply(0, setMetadata("a", {}))
    assert.deepStrictEqual(versions(read(engine, "a")), [1, 2])
  })

  test("of a stream without events are kept for when it has some", (engine, apply) => {
    assert.deepStrictEqual(apply(5, setMetadata("new", { maxCount: 1, truncateBefore: 7 })), [done])
    assert.strictEqual(read(engine, "new"), "not_found")
    assert.deepStrictEqual([engine.streamCount(), engine.getVersion("new")], [0, -1])
    assert.deepStrictEqual(engine.streamDetails("new"), {
      streamId: "new",
      state: "active",
      firstVersion: 0,
      lastVersion: -1,
      count: 0,
      bytes: 0,
      createdUs: 0,
      updatedUs: 0,
      metadata: { maxAgeUs: null, maxCount: 1, truncateBefore: 0 }
    })
    assert.deepStrictEqual(apply(6, one("new", "no_stream", event(1), event(2))), [success("new", 1, 1)])
    assert.deepStrictEqual(versions(read(engine, "new")), [1])
    assert.include(engine.streamDetails("new"), { createdUs: 6, updatedUs: 6, bytes: sizeOf(event(2)) })
  })

  test("of a deleted stream can be set, and count when it is created anew", (engine, apply) => {
    fill(apply)
    apply(40, deleteStream("a"), setMetadata("a", { maxCount: 1, truncateBefore: 99 }))
    assert.include(engine.streamDetails("a"), { state: "deleted", firstVersion: 3 })
    assert.deepStrictEqual(apply(50, saveSnapshot(snapshot("a", 2))), [deleted("a")])
    apply(50, one("a", "no_stream", event(4), event(5)))
    assert.deepStrictEqual(versions(read(engine, "a")), [4])
    assert.strictEqual(engine.streamDetails("a")?.metadata.truncateBefore, 3)
  })

  test("survive the stream's deletion, but for the cut", (engine, apply) => {
    fill(apply)
    apply(40, setMetadata("a", { maxAgeUs: 7, maxCount: 1, truncateBefore: 1 }), deleteStream("a"))
    apply(50, one("a", "any", event(4), event(5)))
    assert.deepStrictEqual(versions(read(engine, "a")), [4])
    const metadata = { maxAgeUs: 7, maxCount: 1, truncateBefore: null }
    assert.deepStrictEqual(engine.streamDetails("a")?.metadata, metadata)
  })
})

describe("what keeping count of the bytes costs", () => {
  it("an append to a full stream looks at the events it hides, a cut at those it hides or those it leaves", () => {
    const looks: Array<string> = []
    const verbose = (sql: unknown) => {
      const range = /SELECT kind, tags.*version >= \+(\d+).*version < \+(\d+)/s.exec(String(sql))
      if (range !== null) looks.push(`${range[1]}-${range[2]}`)
    }
    const db = new Database(":memory:", { verbose })
    for (const migration of migrations) migration(db)
    const catalog = Catalog.make(db)
    const snapshots = SnapshotRows.make(db, catalog)
    const writer = Writer.make(db, catalog, snapshots, { firstMatch: () => null }, Checkpoints.make(db))
    const run = (...operations: ReadonlyArray<Operation>) => {
      looks.length = 0
      writer.apply(entries(writer.head().appliedIndex + 1, [{ at: 1, operations }]))
      return looks.map(look => look.replace(".0", ""))
    }
    const events = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => event(from + n))
    assert.deepStrictEqual(run(one("a", "any", ...events(0, 100))), [])
    assert.deepStrictEqual(run(setMetadata("a", { truncateBefore: 20, maxCount: 80 })), ["0-20"])
    assert.deepStrictEqual(run(one("a", "any", event(100))), ["20-21"])
    assert.deepStrictEqual(run(one("a", "any", ...events(101, 104))), ["21-24"])
    assert.deepStrictEqual(run(setMetadata("a", { truncateBefore: 102, maxCount: 80 })), ["102-104"])
    assert.deepStrictEqual(run(deleteStream("a")), [])
    db.close()
  })

  it("lengths are told from the rows' heads: payloads are not read for them", () =>
    withWriter(({ db }) => {
      const lengthOnly = 0x40
      const program = db.prepare<[number, number, number], { opcode: string; p2: number; p5: number }>(
        `EXPLAIN ${EventRows.queries.sizes}`
      )
      const columns = program.all(1, 1, 1).filter(({ opcode, p2 }) => opcode === "Column" && p2 >= 7)
      assert.deepStrictEqual(
        // Once for each part of the index of versions.
        columns.map(({ p2, p5 }) => [p2, p5 & lengthOnly]).sort(([a = 0], [b = 0]) => a - b),
        [7, 7, 7, 8, 8, 8].map(column => [column, lengthOnly])
      )
    }))
})
