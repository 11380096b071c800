/** How the WAL gets into the file: with small limits, on a table of our own. */
import { once } from "node:events"
import * as fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import * as os from "node:os"
import * as path from "node:path"
import { setImmediate } from "node:timers/promises"
import workerThreads, { Worker } from "node:worker_threads"
import { assert, describe, it, vi } from "@effect/vitest"
import { Database as Sqlite } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../src/internal/sqlite/checkpoints.js"
import * as Database from "../src/internal/sqlite/database.js"
import * as Queries from "../src/internal/sqlite/query.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../src/internal/sqlite/writer.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { logFrom } from "./helpers/crash.js"
import { append, applyNext, event } from "./helpers/events.js"
import { dump, withWriter } from "./helpers/writer.js"

const limits: Checkpoints.Limits = { framesLong: 100, framesMost: 400, framesLeft: 20 }

const framesOf = (db: Database.Connection): number =>
  Number(db.prepare<[], [number, number, number]>("PRAGMA wal_checkpoint(NOOP)").raw().get()?.[1])

/** A file with a writer that leaves copying to its checkpoints. */
const openWith = (limits: Checkpoints.Limits) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))
      const filename = path.join(folder, "store.db")
      const db = new Sqlite(filename)
      db.pragma("journal_mode = WAL")
      db.pragma("wal_autocheckpoint = 0")
      db.exec("CREATE TABLE pages (id INTEGER PRIMARY KEY, data BLOB)")
      const insert = db.prepare<[Uint8Array]>("INSERT INTO pages (data) VALUES (?)")
      const checkpoints = Checkpoints.make(db, limits)
      return {
        folder,
        filename,
        db,
        checkpoints,
        /** One commit of about so many frames. */
        write: (frames: number) => {
          db.transaction(() => {
            for (let frame = 0; frame < frames; frame++) insert.run(new Uint8Array(4000))
          })()
          checkpoints.afterCommit()
        },
        frames: () => framesOf(db),
        walBytes: () => fs.statSync(`${filename}-wal`).size,
        rows: (connection: Database.Connection = db) => connection.prepare("SELECT count(*) FROM pages").pluck().get()
      }
    }),
    ({ checkpoints, db, folder }) =>
      Effect.sync(() => {
        checkpoints.close()
        db.close()
        fs.rmSync(folder, { recursive: true })
      })
  )

const open = openWith(limits)

/** What is asked of threads. */
const watched = Effect.acquireRelease(
  Effect.sync(() => vi.spyOn(Worker.prototype, "postMessage")),
  spy => Effect.sync(() => spy.mockRestore())
)

/** That the thread itself has done what was asked of it last. */
const assertCopied = (requests: Effect.Effect.Success<typeof watched>) => {
  const [request] = requests.mock.lastCall ?? []
  assert.strictEqual(Atomics.load(request.cell, 0), request.copied)
}

/** The thread takes the time it takes. */
const awaitCopy = (checkpoints: Checkpoints.Checkpoints) =>
  Effect.promise(async () => {
    while (!checkpoints.isCopied()) await setImmediate()
  })

/** The file as it is without its WAL. */
const rowsInFile = (filename: string, folder: string, rows: (db: Database.Connection) => unknown) => {
  const copy = path.join(folder, "copy.db")
  fs.copyFileSync(filename, copy)
  const db = new Sqlite(copy)
  try {
    return rows(db)
  } finally {
    db.close()
  }
}

describe("a WAL", () => {
  it.scoped("that is short stays where it is", () =>
    Effect.gen(function* () {
      const { checkpoints, frames, write } = yield* open
      write(50)
      assert.isFalse(checkpoints.isCopied())
      assert.isBelow(frames(), limits.framesLong)
      assert.isAtLeast(frames(), 50)
    })
  )

  it.scoped("that has become long is copied while the writer goes on, and cut to nothing when the rest is copied", () =>
    Effect.gen(function* () {
      const { checkpoints, filename, folder, frames, rows, walBytes, write } = yield* open
      write(150)
      write(10)
      yield* awaitCopy(checkpoints)
      write(10)
      assert.isAtLeast(Number(rowsInFile(filename, folder, rows)), 150)
      assert.isTrue(checkpoints.complete())
      assert.strictEqual(rowsInFile(filename, folder, rows), 170)
      assert.strictEqual(walBytes(), 0)
      write(50)
      assert.isBelow(frames(), limits.framesLong)
      assert.isAbove(walBytes(), 0)
      assert.isFalse(checkpoints.isCopied())
      assert.strictEqual(rows(), 220)
    })
  )

  it.scoped("is asked for once, however much is committed until it is copied", () =>
    Effect.gen(function* () {
      const requests = yield* watched
      const { checkpoints, write } = yield* open
      for (let commit = 0; commit < 5; commit++) write(70)
      assert.strictEqual(requests.mock.calls.length, 1)
      yield* awaitCopy(checkpoints)
    })
  )

  it.scoped("goes back to the thread as long as much was committed meanwhile", () =>
    Effect.gen(function* () {
      const { checkpoints, db, filename, folder, rows, write } = yield* open
      write(150)
      db.exec("BEGIN; INSERT INTO pages (data) SELECT data FROM pages LIMIT 50")
      yield* awaitCopy(checkpoints)
      db.exec("COMMIT")
      checkpoints.proceed()
      yield* awaitCopy(checkpoints)
      assert.strictEqual(rowsInFile(filename, folder, rows), 200)
      checkpoints.proceed()
      assert.isFalse(checkpoints.isCopied())
      assert.isTrue(checkpoints.complete())
    })
  )

  it.scoped("begins anew in the long run, though there is always something in it that is not copied", () =>
    Effect.gen(function* () {
      const entriesOf = (index: number) => logFrom(index, 10, 32)
      const limits: Checkpoints.Limits = { framesLong: 300, framesMost: 100_000, framesLeft: 2_000 }
      const { folder } = yield* open
      const { db, value } = Database.open(path.join(folder, "log.db"), db => {
        const catalog = Catalog.make(db)
        const checkpoints = Checkpoints.make(db, limits)
        return {
          checkpoints,
          writer: Writer.make(db, catalog, SnapshotRows.make(db, catalog), Queries.make(db, catalog), checkpoints)
        }
      })
      const walFrames = () => framesOf(db)
      let restarts = 0
      let end = 0
      for (let before = 0; restarts < 3 && end < 3_000; end += 10) {
        value.writer.apply(entriesOf(end + 1))
        if (!db.inTransaction && walFrames() < before) restarts++
        if (!db.inTransaction) before = walFrames()
        yield* Effect.promise(() => setImmediate())
      }
      assert.strictEqual(restarts, 3)
      value.writer.commit()
      value.checkpoints.close()
      withWriter(({ db: undisturbed, writer }) => {
        for (let index = 1; index <= end; index += 10) writer.apply(entriesOf(index))
        assert.deepStrictEqual(dump(db), dump(undisturbed))
      })
      db.close()
    })
  )

  it("that is copied while a transaction is open has its rest copied between that one and the next", () => {
    const proceeded: Array<boolean> = []
    let isCopied = false
    const { db, value: writer } = Database.open(":memory:", db => {
      const catalog = Catalog.make(db)
      return Writer.make(db, catalog, SnapshotRows.make(db, catalog), Queries.make(db, catalog), {
        afterCommit: () => {},
        isCopied: () => isCopied,
        proceed: () => {
          proceeded.push(db.inTransaction)
          isCopied = false
        }
      })
    })
    writer.apply(logFrom(1, 10))
    assert.isTrue(db.inTransaction)
    isCopied = true
    writer.apply(logFrom(11, 10))
    writer.apply(logFrom(21, 10))
    assert.deepStrictEqual(proceeded, [false])
    assert.isTrue(db.inTransaction)
    db.close()
  })

  it.scoped("that grows faster than it is copied is waited for", () =>
    Effect.gen(function* () {
      const { frames, rows, write } = yield* open
      // The loop never lets go of the thread, nor does it look whether a copy is done.
      for (let commit = 0; commit < 100; commit++) {
        write(60)
        assert.isBelow(frames(), limits.framesMost + 70)
      }
      assert.strictEqual(rows(), 6_000)
    })
  )

  it.scoped("that much is added to during each copy is waited for as well, and begins anew", () =>
    Effect.gen(function* () {
      const { checkpoints, db, frames, rows, walBytes, write } = yield* open
      write(150)
      // What the writer does with an open transaction when a copy is done.
      for (let copies = 0; walBytes() > 0; copies++) {
        db.exec("BEGIN; INSERT INTO pages (data) SELECT data FROM pages LIMIT 50")
        yield* awaitCopy(checkpoints)
        db.exec("COMMIT")
        checkpoints.proceed()
        assert.isBelow(frames(), limits.framesMost, `after ${copies} copies`)
      }
      assert.isAbove(Number(rows()), limits.framesMost - 70)
    })
  )

  it.scoped("is not complete in the file as long as somebody outside reads an older state", () =>
    Effect.gen(function* () {
      const { checkpoints, filename, write } = yield* open
      write(10)
      const reader = new Sqlite(filename)
      reader.exec("BEGIN; SELECT * FROM pages LIMIT 1")
      reader.prepare("SELECT count(*) FROM pages").get()
      write(10)
      assert.isFalse(checkpoints.complete())
      reader.close()
      assert.isTrue(checkpoints.complete())
    })
  )

  it.scoped(
    "that somebody outside reads from to its end is complete in the file, and stays until they are through",
    () =>
      Effect.gen(function* () {
        const { checkpoints, db, filename, frames, rows, walBytes, write } = yield* open
        write(10)
        const reader = new Sqlite(filename)
        reader.exec("BEGIN; SELECT * FROM pages LIMIT 1")
        assert.strictEqual(rows(reader), 10)
        const before = { bytes: walBytes(), patience: db.pragma("busy_timeout", { simple: true }) }
        assert.isTrue(checkpoints.complete())
        assert.deepStrictEqual({ bytes: walBytes(), patience: db.pragma("busy_timeout", { simple: true }) }, before)
        write(10)
        assert.strictEqual(rows(reader), 10)
        reader.close()
        assert.isAbove(frames(), 0)
        assert.isTrue(checkpoints.complete())
        assert.strictEqual(walBytes(), 0)
        assert.strictEqual(rows(), 20)
      })
  )

  it.scoped("that the thread cannot copy is copied by the writer", () =>
    Effect.gen(function* () {
      const { checkpoints, filename, folder, rows, write } = yield* open
      // The writer has the file open, the thread looks for it by its name.
      fs.renameSync(filename, `${filename}.away`)
      write(150)
      yield* awaitCopy(checkpoints)
      fs.renameSync(`${filename}.away`, filename)
      const pages = rowsInFile(filename, folder, db => db.pragma("page_count", { simple: true }))
      assert.strictEqual(pages, 1, "nothing but the file's head")
      assert.isTrue(checkpoints.complete())
      assert.strictEqual(rowsInFile(filename, folder, rows), 150)
    })
  )

  it.scoped("that is being copied when its file is closed is gone afterwards, with all of it in the file", () =>
    Effect.gen(function* () {
      const requests = yield* watched
      const { checkpoints, db, filename, folder, write } = yield* openWith({
        framesLong: 100,
        framesMost: 100_000,
        framesLeft: 20
      })
      // From here on the thread is there, and begins at once.
      write(150)
      yield* awaitCopy(checkpoints)
      assert.isTrue(checkpoints.complete())
      write(5_000)
      checkpoints.close()
      assertCopied(requests)
      db.close()
      assert.deepStrictEqual(fs.readdirSync(folder), ["store.db"])
      const again = new Sqlite(filename)
      assert.strictEqual(again.prepare("SELECT count(*) FROM pages").pluck().get(), 5_150)
      assert.strictEqual(again.pragma("integrity_check", { simple: true }), "ok")
      again.close()
    })
  )

  it.scoped("whose thread has died is copied by the writer", () =>
    Effect.gen(function* () {
      const requests = yield* watched
      const { checkpoints, filename, folder, rows, write } = yield* open
      write(150)
      const [thread] = requests.mock.contexts
      assert.instanceOf(thread, Worker)
      yield* Effect.promise(() => thread.terminate())
      yield* awaitCopy(checkpoints)
      checkpoints.proceed()
      assert.strictEqual(rowsInFile(filename, folder, rows), 150)
      write(150)
      yield* awaitCopy(checkpoints)
      assert.isTrue(checkpoints.complete())
      assert.strictEqual(rowsInFile(filename, folder, rows), 300)
      // The next store has a thread again.
      const next = yield* open
      next.write(150)
      yield* awaitCopy(next.checkpoints)
      assert.isAbove(Number(rowsInFile(next.filename, next.folder, rows)), 0)
    })
  )

  it.scoped("for which no thread can be started, as in a bundle, is copied by the writer, and that is told", () =>
    Effect.gen(function* () {
      const warning = vi.spyOn(process, "emitWarning").mockReturnValue()
      const worker = vi.spyOn(workerThreads, "Worker").mockImplementation(() => {
        throw new Error("Cannot find module")
      })
      syncBuiltinESMExports()
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          worker.mockRestore()
          syncBuiltinESMExports()
          warning.mockRestore()
        })
      )
      const { checkpoints, filename, folder, rows, write } = yield* open
      write(150)
      yield* awaitCopy(checkpoints)
      checkpoints.proceed()
      assert.strictEqual(rowsInFile(filename, folder, rows), 150)
      assert.strictEqual(warning.mock.calls.length, 1)
    })
  )

  it.scoped(
    "of one store is copied whatever becomes of the others, which share the thread, and the last one ends it",
    () =>
      Effect.gen(function* () {
        const requests = yield* watched
        const one = yield* open
        const two = yield* open
        one.write(150)
        two.write(150)
        one.checkpoints.close()
        yield* awaitCopy(two.checkpoints)
        two.checkpoints.proceed()
        two.write(150)
        yield* awaitCopy(two.checkpoints)
        assertCopied(requests)
        const [thread, ...others] = requests.mock.contexts
        assert.isTrue(others.length > 0 && others.every(other => other === thread))
        assert.instanceOf(thread, Worker)
        const ended = once(thread, "exit")
        two.checkpoints.close()
        yield* Effect.promise(() => ended)
      })
  )
})

describe("a store", () => {
  const megabyte = 1_000_000
  const fill = (engine: Service, from: number, to: number) => {
    for (let n = from; n <= to; n++) applyNext(engine, append("a", "any", event(n, { data: new Uint8Array(megabyte) })))
  }

  it.scoped(
    "leaves its WAL to the thread when it is long, and has it back before it closes or becomes another one",
    () =>
      Effect.gen(function* () {
        const requests = yield* watched
        const { folder } = yield* open
        const [one, two, copy] = [
          path.join(folder, "one.db"),
          path.join(folder, "two.db"),
          path.join(folder, "copy.db")
        ]
        const newer = yield* SqliteStoreEngine.make({ filename: ":memory:" })
        for (let n = 1; n <= 200; n++) applyNext(newer, append("a", "any", event(n)))
        yield* newer.snapshot(copy)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const closed = yield* SqliteStoreEngine.make({ filename: one })
            const replaced = yield* SqliteStoreEngine.make({ filename: two })
            fill(closed, 1, 12)
            assert.strictEqual(requests.mock.calls.length, 0)
            assert.isBelow(fs.statSync(one).size, megabyte)
            fill(replaced, 1, 20)
            assert.isAbove(requests.mock.calls.length, 0)
            yield* replaced.install(copy)
            assertCopied(requests)
            assert.strictEqual(replaced.lastPosition(), 199)
            const before = requests.mock.calls.length
            fill(closed, 13, 20)
            assert.isAbove(requests.mock.calls.length, before)
          })
        )
        assertCopied(requests)
        const again = yield* SqliteStoreEngine.make({ filename: one })
        assert.strictEqual(again.lastPosition(), 19)
      })
  )
})
