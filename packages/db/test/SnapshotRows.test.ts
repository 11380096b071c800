import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { single } from "../src/Command.js"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../src/internal/sqlite/checkpoints.js"
import * as Database from "../src/internal/sqlite/database.js"
import * as Queries from "../src/internal/sqlite/query.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../src/internal/sqlite/writer.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { type Service, StoreEngine } from "../src/StoreEngine.js"
import { deleted, done, notFound, outOfRange, plain, tombstoned } from "./helpers/answers.js"
import {
  append,
  applyAt,
  bytes,
  deleteSnapshots,
  deleteStream,
  entries,
  event,
  saveSnapshot,
  setMetadata,
  snapshot,
  tombstone
} from "./helpers/events.js"

type Apply = (
  ...operations: Parameters<typeof applyAt> extends [unknown, unknown, ...infer Rest] ? Rest : never
) => unknown

const test = (name: string, use: (engine: Service, apply: Apply) => void) =>
  it.effect(name, () =>
    StoreEngine.pipe(
      Effect.map(engine => use(engine, (...operations) => plain(applyAt(engine, 50, ...operations)))),
      Effect.provide(SqliteStoreEngine.layerMemory)
    )
  )

/** A stream with ten events. */
const ten = (streamId: string) => single(append(streamId, "any", ...Array.from({ length: 10 }, (_, n) => event(n))))

const kept = (engine: Service, streamId: string) =>
  engine.listSnapshots({ streamId, from: 0, count: 100 }).snapshots.map(({ version }) => version)

describe("saving a snapshot", () => {
  test("keeps it as it was given, with the time of its commit", (engine, apply) => {
    const saved = snapshot("a", 4, {
      data: bytes("state"),
      dataContentType: "text/plain",
      metadata: bytes("about"),
      metadataContentType: "x"
    })
    assert.deepStrictEqual(apply(ten("a"), saveSnapshot(saved)), [
      [{ streamId: "a", version: 9, position: 9, alreadyPresent: 0 }],
      done
    ])
    assert.deepStrictEqual(engine.loadSnapshot("a", 4), { ...saved, epochUs: 50 })
    assert.deepStrictEqual(engine.loadSnapshot("a", null), { ...saved, epochUs: 50 })
    assert.isNull(engine.loadSnapshot("a", 3))
    assert.deepStrictEqual(engine.listSnapshots({ streamId: "a", from: 0, count: 9 }), {
      snapshots: [{ streamId: "a", version: 4, epochUs: 50, bytes: 10 }],
      isEnd: true
    })
  })

  test("over one of the same version replaces all of it", (engine, apply) => {
    const old = { metadata: bytes("old"), dataContentType: "old", metadataContentType: "old" }
    apply(ten("a"), saveSnapshot(snapshot("a", 4, old)))
    applyAt(engine, 99, saveSnapshot(snapshot("a", 4, { data: bytes("new") })))
    assert.deepStrictEqual(engine.loadSnapshot("a", 4), { ...snapshot("a", 4, { data: bytes("new") }), epochUs: 99 })
    assert.deepStrictEqual(engine.listSnapshots({ streamId: "a", from: 0, count: 9 }).snapshots, [
      { streamId: "a", version: 4, epochUs: 99, bytes: 3 }
    ])
  })

  test("does not move the time of the store's events, and is never earlier than the last of them", (engine, apply) => {
    applyAt(engine, 70, ten("a"))
    apply(saveSnapshot(snapshot("a", 0)))
    assert.strictEqual(engine.loadSnapshot("a", 0)?.epochUs, 70)
    applyAt(engine, 500, saveSnapshot(snapshot("a", 1)))
    applyAt(engine, 80, single(append("a", "any", event(99))))
    assert.strictEqual(engine.streamDetails("a")?.updatedUs, 80)
  })

  test("is refused beyond the last version, and from before the stream was created anew", (engine, apply) => {
    apply(ten("a"))
    assert.deepStrictEqual(apply(saveSnapshot(snapshot("a", 9)), saveSnapshot(snapshot("a", 10))), [
      done,
      outOfRange("a", 10, 0, 9)
    ])
    apply(deleteStream("a"), single(append("a", "any", event(20), event(21))))
    assert.deepStrictEqual(apply(...[9, 10, 11, 12].map(version => saveSnapshot(snapshot("a", version)))), [
      outOfRange("a", 9, 10, 11),
      done,
      done,
      outOfRange("a", 12, 10, 11)
    ])
    assert.deepStrictEqual(kept(engine, "a"), [10, 11])
  })

  test("of versions that the stream hides is allowed: it is what makes hiding them safe", (engine, apply) => {
    apply(ten("a"), setMetadata("a", { truncateBefore: 8 }))
    assert.deepStrictEqual(apply(saveSnapshot(snapshot("a", 5))), [done])
    apply(setMetadata("a", { truncateBefore: 10 }))
    assert.deepStrictEqual(kept(engine, "a"), [5])
  })

  test("of a stream that is not there says why", (_, apply) => {
    apply(
      ten("deleted"),
      deleteStream("deleted"),
      ten("gone"),
      tombstone("gone"),
      setMetadata("planned", { maxCount: 1 })
    )
    const names = ["missing", "planned", "deleted", "gone"]
    assert.deepStrictEqual(apply(...names.map(name => saveSnapshot(snapshot(name, 0)))), [
      notFound("missing"),
      notFound("planned"),
      deleted("deleted"),
      tombstoned("gone")
    ])
  })

  test("with `keep` leaves the latest by version, whichever was saved last", (engine, apply) => {
    apply(ten("a"), ...[0, 2, 4, 6, 8].map(version => saveSnapshot(snapshot("a", version))))
    apply(ten("b"), saveSnapshot(snapshot("b", 1)))
    apply(saveSnapshot(snapshot("a", 5), 4))
    assert.deepStrictEqual(kept(engine, "a"), [4, 5, 6, 8])
    apply(saveSnapshot(snapshot("a", 9), 99))
    assert.deepStrictEqual(kept(engine, "a"), [4, 5, 6, 8, 9])
    apply(saveSnapshot(snapshot("a", 1), 2))
    assert.deepStrictEqual(kept(engine, "a"), [8, 9])
    apply(saveSnapshot(snapshot("a", 9), 1))
    assert.deepStrictEqual(kept(engine, "a"), [9])
    assert.deepStrictEqual(kept(engine, "b"), [1])
  })
})

describe("deleting snapshots", () => {
  test("of one version or all; what is not there need not be deleted", (engine, apply) => {
    apply(ten("a"), ten("b"), ...[1, 2, 3].map(version => saveSnapshot(snapshot("a", version))))
    apply(saveSnapshot(snapshot("b", 2)))
    assert.deepStrictEqual(apply(deleteSnapshots("a", 2), deleteSnapshots("a", 2), deleteSnapshots("a", 7)), [
      done,
      done,
      done
    ])
    assert.deepStrictEqual(kept(engine, "a"), [1, 3])
    assert.deepStrictEqual(apply(deleteSnapshots("a"), deleteSnapshots("a"), deleteSnapshots("missing")), [
      done,
      done,
      done
    ])
    assert.deepStrictEqual([kept(engine, "a"), kept(engine, "b")], [[], [2]])
    assert.isNull(engine.streamDetails("missing"))
  })

  for (const [what, remove] of [
    ["deleted", deleteStream("a")],
    ["tombstoned", tombstone("a")]
  ] as const) {
    test(`a stream that is ${what} loses its snapshots, and gets none of them back`, (engine, apply) => {
      apply(ten("a"), saveSnapshot(snapshot("a", 3)), ten("b"), saveSnapshot(snapshot("b", 3)), remove)
      assert.isNull(engine.loadSnapshot("a", null))
      apply(single(append("a", "any", event(50))))
      assert.deepStrictEqual([kept(engine, "a"), kept(engine, "b")], [[], [3]])
    })
  }

  test("a stream that is not deleted because of what was expected keeps them", (engine, apply) => {
    apply(ten("a"), saveSnapshot(snapshot("a", 3)), deleteStream("a", 4), tombstone("a", "no_stream"))
    assert.deepStrictEqual(kept(engine, "a"), [3])
  })
})

describe("the latest snapshot", () => {
  /** Some are too large to be kept in memory. */
  const change = fc.record({
    kind: fc.constantFrom("save", "save", "load", "delete", "deleteAll", "recreate"),
    version: fc.nat({ max: 9 }),
    size: fc.constantFrom(10, 8000, 9000)
  })

  const bornAt = (engine: Service) => engine.streamDetails("a")?.firstVersion ?? assert.fail("the stream is there")

  /** What the tables have, which loading one by its version asks. */
  const inTables = (engine: Service, streamId: string) => {
    const last = kept(engine, streamId).at(-1)
    return last === undefined ? null : engine.loadSnapshot(streamId, last)
  }

  test("is the one with the highest version, whatever was saved and deleted, and whoever wrote to what was loaded", (engine, apply) => {
    let ids = 0
    const recreate = () =>
      apply(deleteStream("a"), single(append("a", "any", ...Array.from({ length: 10 }, () => event(ids++)))))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), changes => {
        recreate()
        let born = bornAt(engine)
        for (const [at, { kind, size, version }] of changes.entries()) {
          const place = born + version
          const data = new Uint8Array(size).fill(at)
          if (kind === "save") apply(saveSnapshot(snapshot("a", place, { data, metadata: bytes(`${at}`) })))
          if (kind === "delete") apply(deleteSnapshots("a", place))
          if (kind === "deleteAll") apply(deleteSnapshots("a"))
          if (kind === "recreate") {
            recreate()
            born = bornAt(engine)
          }
          const loaded = engine.loadSnapshot("a", null)
          assert.deepStrictEqual(loaded, inTables(engine, "a"))
          loaded?.data.fill(255)
          loaded?.metadata?.fill(255)
          assert.deepStrictEqual(engine.loadSnapshot("a", null), inTables(engine, "a"))
        }
      }),
      { numRuns: 50 }
    )
  })

  it("is that of before where what saved it could not be committed", () => {
    const { db, value } = Database.open(":memory:", db => {
      const catalog = Catalog.make(db)
      const snapshots = SnapshotRows.make(db, catalog)
      return { snapshots, writer: Writer.make(db, catalog, snapshots, Queries.make(db, catalog), Checkpoints.make(db)) }
    })
    const { snapshots, writer } = value
    const latest = () => snapshots.load("a", null)?.version
    writer.apply(entries(1, [{ at: 1, operations: [ten("a"), saveSnapshot(snapshot("a", 3))] }]))
    writer.commit()
    writer.apply(entries(2, [{ at: 2, operations: [saveSnapshot(snapshot("a", 5))] }]))
    assert.strictEqual(latest(), 5)
    const full = vi.spyOn(Object.getPrototypeOf(db.prepare("COMMIT")), "run").mockImplementationOnce(() => {
      db.exec("ROLLBACK")
      throw new Error("database or disk is full")
    })
    assert.throws(writer.commit, /disk is full/)
    full.mockRestore()
    assert.strictEqual(latest(), 3)
    db.close()
  })
})
