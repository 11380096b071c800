import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Database } from "@reckon/raft/Sqlite"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { replace } from "../src/internal/sqlite/database.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { append, applyNext, bytes, event, readAll } from "./helpers/events.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)

const stores: ReadonlyArray<readonly [string, (folder: string, name: string) => string]> = [
  ["in a file", (folder, name) => path.join(folder, name)],
  ["in memory", () => ":memory:"]
]

const fill = (engine: Service, from: number, to: number, size = 0) => {
  for (let n = from; n <= to; n++)
    applyNext(engine, append(`s${n % 3}`, "any", event(n, { data: new Uint8Array(size) })))
}

const standing = (engine: Service) => ({
  events: readAll(engine, 0, 10_000).events,
  applied: [engine.appliedIndex(), engine.appliedTerm()],
  last: engine.lastPosition(),
  counts: [engine.streamCount(), engine.eventCount()],
  streams: engine.listStreams({ pattern: null, after: null, count: 100 })
})

describe.each(stores)("a copy of a store %s", (_, place) => {
  it.scoped("installed elsewhere it is the same store, and goes on like it", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const one = yield* SqliteStoreEngine.make({ filename: place(dir, "one.db") })
      const two = yield* SqliteStoreEngine.make({ filename: place(dir, "two.db") })
      fill(one, 1, 50)
      // What the other has in its caches must not be taken for the new store's.
      applyNext(two, append("s0", "any", event(900), event(901)), append("old", "any", event(902)))
      const copy = path.join(dir, "copy.db")
      assert.deepStrictEqual(yield* one.snapshot(copy), { index: 50 })
      yield* two.install(copy)
      assert.isFalse(fs.existsSync(copy))
      assert.deepStrictEqual(standing(two), standing(one))
      assert.strictEqual(two.getVersion("old"), -1)
      for (const engine of [one, two]) fill(engine, 40, 60)
      assert.deepStrictEqual(standing(two), standing(one))
      assert.strictEqual(one.eventCount(), 60)
    })
  )

  it.scoped("holds all that was applied while it was being made", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const engine = yield* SqliteStoreEngine.make({ filename: place(dir, "one.db") })
      fill(engine, 1, 1_000, 4_000)
      const copy = path.join(dir, "copy.db")
      const copying = yield* Effect.fork(engine.snapshot(copy))
      let n = 1_000
      while ((yield* Fiber.poll(copying))._tag === "None") {
        n += 1
        fill(engine, n, n)
        yield* Effect.promise(() => new Promise(resolve => setImmediate(resolve)))
      }
      const { index } = yield* Fiber.join(copying)
      assert.isAtLeast(index, 1_000)
      assert.isAtMost(index, n)
      const other = yield* SqliteStoreEngine.make({ filename: copy })
      assert.strictEqual(other.appliedIndex(), index)
      assert.deepStrictEqual(readAll(other, 0, 10_000).events, readAll(engine, 0, index).events)
    })
  )

  it.scoped("leaves nothing behind when it is interrupted, and the store serves on", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const engine = yield* SqliteStoreEngine.make({ filename: place(dir, "one.db") })
      fill(engine, 1, 1_000, 4_000)
      const copy = path.join(dir, "copy.db")
      const copying = yield* Effect.fork(engine.snapshot(copy))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(copying)
      assert.isFalse(fs.existsSync(copy))
      fill(engine, 1_001, 1_001)
      assert.deepStrictEqual(yield* engine.snapshot(copy), { index: 1_001 })
    })
  )

  it.scoped("is refused when it is none, and nothing is changed", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const engine = yield* SqliteStoreEngine.make({ filename: place(dir, "one.db") })
      fill(engine, 1, 10)
      const before = standing(engine)
      const file = path.join(dir, "copy.db")
      const reasons: Array<string> = []
      const foreign = () => {
        fs.rmSync(file)
        new Database(file).exec("CREATE TABLE t (x)").close()
      }
      const newer = () => {
        fs.rmSync(file)
        const db = new Database(file)
        db.pragma(`application_id = ${0x52434b4e}`)
        db.pragma("user_version = 999")
        db.close()
      }
      for (const make of [() => fs.writeFileSync(file, bytes("not a store at all, ".repeat(99))), foreign, newer]) {
        make()
        reasons.push((yield* Effect.flip(engine.install(file))).reason)
        assert.deepStrictEqual(standing(engine), before)
      }
      assert.deepStrictEqual(reasons, ["foreign", "foreign", "newer"])
      fill(engine, 11, 11)
      assert.strictEqual(engine.eventCount(), 11)
    })
  )

  it.scoped("may take a store to where it is already, and does not take it back", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const engine = yield* SqliteStoreEngine.make({ filename: place(dir, "one.db") })
      fill(engine, 1, 10)
      const copy = path.join(dir, "copy.db")
      const before = standing(engine)
      yield* engine.snapshot(copy)
      yield* engine.install(copy)
      assert.deepStrictEqual(standing(engine), before)
      yield* engine.snapshot(copy)
      fill(engine, 11, 12)
      const defect = yield* Effect.flip(Effect.sandbox(engine.install(copy)))
      assert.include(Cause.pretty(defect), "a copy does not take the store back")
      assert.strictEqual(engine.eventCount(), 12)
    })
  )
})

/** What happens at each sync before it is done, while the scope is open. */
const whenSynced = (before: (handle: number) => void) => {
  const { fsyncSync } = fs
  const become = (sync: typeof fsyncSync) =>
    Effect.sync(() => {
      Object.assign(fs, { fsyncSync: sync })
      syncBuiltinESMExports()
    })
  const watched = (handle: number) => {
    before(handle)
    fsyncSync(handle)
  }
  return Effect.acquireRelease(become(watched), () => become(fsyncSync))
}

describe("a finished copy", () => {
  it.scoped("is synced before anybody is told of it", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const engine = yield* SqliteStoreEngine.make({ filename: ":memory:" })
      fill(engine, 1, 5)
      const copy = path.join(dir, "copy.db")
      const synced: Array<number> = []
      yield* whenSynced(handle => synced.push(fs.fstatSync(handle).ino))
      yield* engine.snapshot(copy)
      assert.include(synced, fs.statSync(copy).ino)
    })
  )

  it.scoped("that cannot be synced is none, and is gone", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const engine = yield* SqliteStoreEngine.make({ filename: ":memory:" })
      fill(engine, 1, 5)
      const copy = path.join(dir, "copy.db")
      const failed = yield* whenSynced(() => {
        throw new Error("EIO: i/o error, fsync")
      }).pipe(Effect.zipRight(Effect.flip(engine.snapshot(copy))), Effect.scoped)
      assert.include(failed, { reason: "inaccessible", detail: "EIO: i/o error, fsync" })
      assert.isFalse(fs.existsSync(copy))
      assert.deepStrictEqual(yield* engine.snapshot(copy), { index: 5 })
    })
  )
})

describe("an installed copy", () => {
  it.scoped("is there although the old store's WAL could not be brought into its file when that was closed", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const [one, two] = [path.join(dir, "one.db"), path.join(dir, "two.db")]
      const old = yield* SqliteStoreEngine.make({ filename: one })
      fill(old, 1, 40, 100_000)
      for (const suffix of ["", "-wal"]) fs.copyFileSync(one + suffix, two + suffix)
      assert.isAbove(fs.statSync(`${two}-wal`).size, 1_000_000)
      const copy = path.join(dir, "copy.db")
      const newer = yield* SqliteStoreEngine.make({ filename: ":memory:" })
      fill(newer, 101, 180)
      yield* newer.snapshot(copy)
      replace(new Database(":memory:"), two, copy, () => {}).db.close()
      const installed = yield* SqliteStoreEngine.make({ filename: two })
      assert.deepStrictEqual(standing(installed), standing(newer))
    })
  )

  it.scoped("is there after a restart, and no WAL of the old store is read into it", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const filename = path.join(dir, "two.db")
      const copy = path.join(dir, "copy.db")
      const one = yield* SqliteStoreEngine.make({ filename: path.join(dir, "one.db") })
      fill(one, 1, 50, 1_000)
      yield* one.snapshot(copy)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const two = yield* SqliteStoreEngine.make({ filename })
          fill(two, 901, 940, 2_000)
          assert.isAbove(fs.statSync(`${filename}-wal`).size, 0)
          yield* two.install(copy)
          assert.deepStrictEqual(standing(two), standing(one))
        })
      )
      const again = yield* SqliteStoreEngine.make({ filename })
      assert.deepStrictEqual(standing(again), standing(one))
      assert.deepStrictEqual(
        fs.readdirSync(dir).filter(name => name.startsWith("copy")),
        []
      )
    })
  )
})
