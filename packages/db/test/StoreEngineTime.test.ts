import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Bisect from "../src/internal/sqlite/bisect.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { append, applyAt, event, History, historyArbitrary, limit, wholly } from "./helpers/reading.js"

/** Uses an engine on the file and closes it again. */
const using = <A>(use: (engine: Service) => A, filename = ":memory:") =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename }), use))

const tempFile = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
).pipe(Effect.map(folder => path.join(folder, "store.db")))

describe("the search for the last row that something is true of", () => {
  /** Rows at these places, with a count of how often they were asked for. */
  const rowsAt = (places: ReadonlyArray<number>) => {
    const asked: Array<number> = []
    const rowFrom = (place: number) => {
      asked.push(place)
      const found = places.find(at => at >= place)
      return found === undefined ? null : { place: found }
    }
    return { asked, rowFrom }
  }

  it("finds it whatever rows are missing, and looks at no place outside", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat({ max: 60 })).map(places => places.toSorted((a, b) => a - b)),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: -1, max: 60 }),
        fc.integer({ min: -1, max: 60 }),
        fc.constantFrom(undefined, "least" as const, "most" as const),
        (places, least, most, bound, near) => {
          const { asked, rowFrom } = rowsAt(places)
          const expected = places.findLast(place => place >= least && place <= most && place <= bound)
          assert.strictEqual(
            Bisect.lastThat(least, most, rowFrom, row => row.place <= bound, near),
            expected ?? null
          )
          for (const place of asked) assert.isTrue(place >= least && place <= most)
        }
      ),
      { numRuns: 1000 }
    )
  })

  it("looks at few rows of many, and at fewer where it is near the end that it is said to be near", () => {
    const looks = (bound: number, near?: "least" | "most") => {
      let count = 0
      const rowFrom = (place: number) => {
        count += 1
        return { place }
      }
      assert.strictEqual(
        Bisect.lastThat(0, 10_000_000, rowFrom, row => row.place <= bound, near),
        bound
      )
      return count
    }
    for (const bound of [0, 100, 9_876_543, 10_000_000]) assert.isAtMost(looks(bound), 24)
    for (const near of ["least", "most"] as const) {
      const at = (distance: number) => (near === "least" ? distance : 10_000_000 - distance)
      assert.isAtMost(looks(at(9_876_543), near), 50)
      assert.isAtMost(looks(at(100), near), 16)
      assert.isAtMost(looks(at(0), near), 3)
    }
  })
})

describe("times", () => {
  it("name the last event up to them, of the store and of each stream", () => {
    fc.assert(
      fc.property(historyArbitrary, fc.array(fc.integer({ min: 90, max: 300 })), (steps, times) => {
        Effect.runSync(
          using(engine => {
            const history = new History()
            for (const { at, operation } of steps) {
              applyAt(engine, at, operation)
              history.apply(at, operation)
            }
            const moments = new Set([...times, ...history.all.flatMap(({ epochUs }) => [epochUs - 1, epochUs])])
            for (const time of moments) {
              const then = history.all.filter(({ epochUs }) => epochUs <= time)
              assert.strictEqual(engine.positionAt(time), then.at(-1)?.position ?? -1)
              for (const { streamId } of engine.listStreams({ pattern: null, after: null, count: 10 }).streams) {
                // Age is a matter of who reads when, and not of what was at a time.
                const { firstVersion } = engine.streamDetails(streamId) ?? { firstVersion: 0 }
                const last = then.findLast(event => event.streamId === streamId && event.version >= firstVersion)
                assert.strictEqual(engine.versionAt(streamId, time), last?.version ?? -1)
              }
            }
          })
        )
      }),
      { numRuns: 60 }
    )
  })

  it.effect("are inclusive, and many events may have the same one", () =>
    using(engine => {
      applyAt(engine, 10, append("a", event(1), event(2)), append("b", event(1)))
      applyAt(engine, 20, append("a", event(3)))
      assert.deepStrictEqual([9, 10, 19, 20, 99].map(engine.positionAt), [-1, 2, 2, 3, 3])
      assert.deepStrictEqual(
        [0, 9, 10, 19, 20, Number.MAX_SAFE_INTEGER].map(time => engine.versionAt("a", time)),
        [-1, -1, 1, 1, 2, 2]
      )
    })
  )

  it.effect("before a stream's first kept event name none", () =>
    using(engine => {
      applyAt(engine, 10, append("a", event(1)))
      applyAt(engine, 20, append("a", event(2)), limit("a", { truncateBefore: 1 }))
      assert.deepStrictEqual(
        [10, 19, 20].map(time => engine.versionAt("a", time)),
        [-1, -1, 1]
      )
      assert.deepStrictEqual([10, 19, 20].map(engine.positionAt), [0, 0, 1])
    })
  )

  it.effect("in a store without events name none", () =>
    using(engine => {
      assert.strictEqual(engine.positionAt(Number.MAX_SAFE_INTEGER), -1)
      assert.strictEqual(engine.versionAt("a", 1), "not_found")
    })
  )

  it.scoped("find their way over rows that were removed", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(engine => {
        for (let n = 0; n < 40; n++) applyAt(engine, n * 10, append("a", event(n)))
      }, filename)
      const db = new Database(filename)
      const removed = "position BETWEEN 3 AND 25 OR position IN (0, 30, 39)"
      for (const table of ["events", "versions_0", "versions_1"]) db.exec(`DELETE FROM ${table} WHERE ${removed}`)
      db.close()
      yield* using(engine => {
        assert.deepStrictEqual([0, 10, 20, 100, 250, 260, 300, 310, 400].map(engine.positionAt), [-1, 1, 2, 2, 2, 26, 29, 31, 38]) // biome-ignore format: a table
        assert.strictEqual(engine.versionAt("a", 300), 29)
        const page = engine.readStream({ ...wholly({ from: 1, count: 3 }), streamId: "a" })
        assert.deepStrictEqual(typeof page === "string" ? [] : page.events.map(({ version }) => version), [1, 2, 26])
        assert.strictEqual(engine.readAll(wholly({ from: 1, count: 3 })).events.at(-1)?.position, 26)
      }, filename)
    })
  )
})
