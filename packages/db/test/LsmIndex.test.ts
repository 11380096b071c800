import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Database from "../src/internal/sqlite/database.js"
import * as LsmIndex from "../src/internal/sqlite/lsmIndex.js"

type Entry = [stream: number, version: number, position: number]

const makeIndex = (db: Database.Connection) => LsmIndex.make<Entry>(db, "versions", ["stream", "version", "position"])

/** Uses an empty store in memory. */
const withStore = <A>(use: (db: Database.Connection) => A): A => {
  const { db } = Database.open(":memory:", () => null)
  try {
    return use(db)
  } finally {
    db.close()
  }
}

const countOf = (db: Database.Connection, table: string): number =>
  db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0

const young = (db: Database.Connection): number => countOf(db, "versions_1") + countOf(db, "versions_2")

/** What happens to an index: a batch that is kept or rolled back, or a new process. */
type Step =
  | { readonly _tag: "Batch"; readonly streams: ReadonlyArray<readonly [number, boolean]>; readonly isKept: boolean }
  | { readonly _tag: "Restart" }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      _tag: fc.constant("Batch" as const),
      streams: fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 150 }),
      isKept: fc.boolean()
    })
  },
  { weight: 1, arbitrary: fc.constant({ _tag: "Restart" as const }) }
)

/** A stream for each entry, spread over all of them. */
const scattered = (n: number): number => (n * 7919) % 10_007

describe("an index in parts", () => {
  it("has what a sorted list has, each entry once, whatever was moved, rolled back or started anew", () => {
    fc.assert(
      fc.property(fc.array(step, { size: "medium", maxLength: 60 }), steps =>
        withStore(db => {
          let index = makeIndex(db)
          let kept: ReadonlyArray<Entry> = []
          for (const next of steps) {
            if (next._tag === "Restart") {
              index = makeIndex(db)
              continue
            }
            const last = new Map(kept.map(([stream, version]) => [stream, version]))
            db.exec("BEGIN")
            const entries = next.streams.map(([stream, isNear], at): Entry => {
              const version = (last.get(stream) ?? -1) + 1
              last.set(stream, version)
              const entry: Entry = [stream, version, kept.length + at]
              index.insert(isNear, ...entry)
              return entry
            })
            index.merge(kept.length + entries.length)
            db.exec(next.isKept ? "COMMIT" : "ROLLBACK")
            if (next.isKept) kept = [...kept, ...entries]
            else index.forget()
            const found = db.prepare("SELECT * FROM versions ORDER BY stream, version").raw().all()
            assert.deepStrictEqual(
              found,
              kept.toSorted(([a, v], [b, w]) => a - b || v - w)
            )
          }
        })
      ),
      { numRuns: 60 }
    )
  })

  it("keeps little young, and moves with a batch little more than that brings", () =>
    withStore(db => {
      const index = makeIndex(db)
      let mostMoved = 0
      let mostYoung = 0
      for (let events = 0; events < 60_000; events += 100) {
        const before = countOf(db, "versions_0")
        for (let n = events; n < events + 100; n++) index.insert(false, scattered(n), n, n)
        index.merge(events + 100)
        mostMoved = Math.max(mostMoved, countOf(db, "versions_0") - before)
        mostYoung = Math.max(mostYoung, young(db) / Math.max(events, 10_000))
      }
      assert.strictEqual(countOf(db, "versions"), 60_000)
      // Twice the hundred, for as many batches as are moved for at a time.
      assert.isAtMost(mostMoved, 800)
      // A sixteenth in each of two parts, and what a batch brings beyond.
      assert.isAtMost(mostYoung, 0.2)
    }))

  it("keeps little young where a process lives for a few batches only", () =>
    withStore(db => {
      for (let life = 0; life < 200; life++) {
        const index = makeIndex(db)
        for (let n = life * 300; n < (life + 1) * 300; n++) {
          index.insert(false, scattered(n), n, n)
          if (n % 10 === 9) index.merge(n)
        }
      }
      assert.strictEqual(countOf(db, "versions"), 60_000)
      assert.isAtMost(young(db), 2 * (60_000 / 16))
    }))

  it("has near entries in its old part at once", () =>
    withStore(db => {
      const index = makeIndex(db)
      index.insert(true, 1, 0, 0)
      index.insert(false, 2, 0, 1)
      assert.deepStrictEqual([0, 1, 2].map(part => countOf(db, `versions_${part}`)), [1, 1, 0]) // biome-ignore format: a table
    }))
})
