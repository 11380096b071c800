import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as EventRows from "../src/internal/sqlite/eventRows.js"
import * as Reader from "../src/internal/sqlite/reader.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { logFrom } from "./helpers/crash.js"
import {
  append,
  applyNext,
  commandArbitrary,
  entries,
  event,
  eventArbitrary,
  id,
  read,
  readAll,
  textArbitrary,
  versions
} from "./helpers/events.js"
import { isSearch } from "./helpers/plan.js"
import { whereReadOnly } from "./helpers/rights.js"
import { dump } from "./helpers/writer.js"

const tempFile = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
).pipe(Effect.map(folder => path.join(folder, "store.db")))

/** Uses an engine on the file and closes it again. */
const using = <A>(filename: string, use: (engine: Service) => A) =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename }), use))

/** Looks into the file, or changes it, behind the engine's back. */
const direct = <A>(filename: string, use: (db: Database.Database) => A): A => {
  const db = new Database(filename)
  try {
    return use(db)
  } finally {
    db.close()
  }
}

const dumpOf = (filename: string) => direct(filename, dump)

const refusal = (filename: string) =>
  Effect.flip(using(filename, engine => engine.appliedIndex())).pipe(
    Effect.tap(error => {
      assert.strictEqual(error._tag, "StoreFileRefused")
      assert.include(error.message, filename)
    })
  )

describe("the file", () => {
  it.scoped("keeps everything across a restart", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const before = yield* using(filename, engine => {
        applyNext(engine, append("a", "any", event(1), event(2)), append("b", "any", event(1)))
        return readAll(engine)
      })
      yield* using(filename, engine => {
        assert.deepStrictEqual(readAll(engine), before)
        assert.strictEqual(engine.appliedIndex(), 1)
        assert.strictEqual(engine.appliedTerm(), 1)
        assert.strictEqual(engine.lastPosition(), 2)
        assert.strictEqual(engine.streamCount(), 2)
        applyNext(engine, append("c", "no_stream", event(1)), append("a", 1, event(1), event(3)))
        assert.strictEqual(engine.getVersion("a"), 2)
        assert.deepStrictEqual(versions(read(engine, "c")), [0])
      })
    })
  )

  it.scoped("is in WAL mode, and a checkpoint brings what is applied from the WAL into the file", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(filename, engine => {
        const size = 3_000_000
        applyNext(engine, append("a", "any", event(1, { data: new Uint8Array(size) })))
        assert.isAbove(fs.statSync(`${filename}-wal`).size, size)
        assert.isBelow(fs.statSync(filename).size, size)
        assert.strictEqual(engine.checkpoint(), 1)
        assert.isAbove(fs.statSync(filename).size, size)
      })
    })
  )

  it.scoped("a checkpoint tells only of what is in the file, while somebody outside reads it", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(filename, engine => {
        applyNext(engine, append("a", "any", event(1)))
        assert.strictEqual(engine.checkpoint(), 1)
        direct(filename, outside => {
          outside.exec("BEGIN")
          outside.prepare("SELECT count(*) FROM events").get()
          applyNext(engine, append("a", "any", event(2)))
          assert.strictEqual(engine.checkpoint(), 1)
        })
        assert.strictEqual(engine.checkpoint(), 2)
      })
      // What an earlier life has left may not be synced yet.
      yield* using(filename, engine => {
        direct(filename, outside => {
          outside.exec("BEGIN")
          outside.prepare("SELECT count(*) FROM events").get()
          applyNext(engine, append("a", "any", event(3)))
          assert.strictEqual(engine.checkpoint(), 0)
        })
        assert.strictEqual(engine.checkpoint(), 3)
      })
    })
  )

  it.effect("a checkpoint in memory has nothing to do", () =>
    using(":memory:", engine => {
      applyNext(engine, append("a", "any", event(1)))
      assert.strictEqual(engine.checkpoint(), 1)
    })
  )

  it.scoped("holds the same rows however the entries were grouped", () =>
    Effect.gen(function* () {
      const folder = path.dirname(yield* tempFile)
      let run = 0
      const rowsAfter = (apply: (engine: Service) => void) => {
        const filename = path.join(folder, `${run++}.db`)
        Effect.runSync(using(filename, apply))
        return dumpOf(filename)
      }
      const ids = fc.nat({ max: 9 }).map(id)
      const commands = fc.array(
        commandArbitrary({ streams: fc.oneof(fc.constantFrom("a", "b"), textArbitrary), events: eventArbitrary(ids) }),
        { minLength: 1, maxLength: 8 }
      )
      fc.assert(
        fc.property(commands, fc.array(fc.integer({ min: 1, max: 4 })), (given, sizes) => {
          const log = entries(1, given)
          const whole = rowsAfter(engine => void engine.apply(log))
          const split = rowsAfter(engine => {
            let rest = log
            for (const size of sizes) {
              engine.apply(rest.slice(0, size))
              rest = rest.slice(size)
            }
            engine.apply(rest)
          })
          assert.deepStrictEqual(split, whole)
        }),
        { numRuns: 40 }
      )
    })
  )

  it.scoped("orders versions and positions by number, beyond 10^6 and 10^12", () =>
    Effect.gen(function* () {
      for (const start of [999_998, 999_999_999_998]) {
        const filename = yield* tempFile
        yield* using(filename, engine => applyNext(engine, append("a", "any", event(1))))
        direct(filename, db => {
          for (const table of ["events", "versions_1"]) {
            db.prepare(`UPDATE ${table} SET version = ?, position = ?`).run(start, start)
          }
          db.prepare("UPDATE streams SET version = ?, position = ?").run(start, start)
          db.prepare("UPDATE meta SET last_position = ?").run(start)
        })
        const expected = [start, start + 1, start + 2, start + 3]
        yield* using(filename, engine => {
          applyNext(engine, append("a", start, event(2), event(3)))
          applyNext(engine, append("a", start + 2, event(4)))
          assert.deepStrictEqual(versions(read(engine, "a", start)), expected)
          assert.deepStrictEqual(versions(read(engine, "a", start + 9, 9, "backward")), expected.toReversed())
          assert.deepStrictEqual(
            readAll(engine).events.map(event => event.position),
            expected
          )
        })
      }
    })
  )

  it.scoped("gives no version or position out twice after events were removed", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(filename, engine => applyNext(engine, append("a", "any", event(1), event(2), event(3))))
      direct(filename, db => db.exec("DELETE FROM events; UPDATE meta SET event_count = 0"))
      yield* using(filename, engine => {
        assert.strictEqual(engine.getVersion("a"), 2)
        assert.deepStrictEqual(read(engine, "a"), { events: [], isEnd: true, next: 3 })
        assert.deepStrictEqual(readAll(engine), { events: [], isEnd: true, next: 3 })
        applyNext(engine, append("a", 2, event(4)))
        assert.deepStrictEqual(versions(read(engine, "a")), [3])
        assert.strictEqual(engine.lastPosition(), 3)
      })
    })
  )

  it.scoped("answers every query through an index, without sorting", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(filename, engine => applyNext(engine, append("a", "any", event(1))))
      direct(filename, db => {
        const queries = { ...Reader.queries, ...EventRows.queries, ...SnapshotRows.queries, ...Catalog.queries }
        for (const [name, sql] of Object.entries(queries)) {
          const parameters = sql
            .split("?")
            .slice(1)
            .map(() => 1)
          const steps = db.prepare<Array<number>, string>(`EXPLAIN QUERY PLAN ${sql}`)
          const plan = steps
            .raw()
            .all(...parameters)
            .map(step => String(step[3]))
          assert.isNotEmpty(plan)
          for (const step of plan) {
            // All names in order are read along the index of names, up to the limit.
            const ordered = name === "streamNames" && /^SCAN streams USING (COVERING )?INDEX/.test(step)
            // The steps of a subquery follow, each on its own.
            const inner = step.startsWith("SCALAR SUBQUERY ")
            assert.isTrue(ordered || inner || isSearch(step), `${name}: ${step}`)
          }
        }
      })
    })
  )

  it.scoped("needs little more room than the events", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const count = 2000
      yield* using(filename, engine => {
        for (let n = 0; n < count; n++)
          applyNext(engine, append(`s-${n % 20}`, "any", event(n, { data: new Uint8Array(300) })))
      })
      assert.isBelow(fs.statSync(filename).size / count, 450)
    })
  )
})

describe("a file that is refused", () => {
  it.scoped("foreign: no SQLite database", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      fs.writeFileSync(filename, "these are a person's notes and not a database. ".repeat(100))
      const before = fs.readFileSync(filename)
      assert.strictEqual((yield* refusal(filename)).reason, "foreign")
      assert.deepStrictEqual(fs.readFileSync(filename), before)
    })
  )

  it.scoped("foreign: someone else's SQLite database", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      direct(filename, db => db.exec("CREATE TABLE invoices (id INTEGER PRIMARY KEY)"))
      const before = fs.readFileSync(filename)
      assert.strictEqual((yield* refusal(filename)).reason, "foreign")
      assert.deepStrictEqual(fs.readFileSync(filename), before)
    })
  )

  it.scoped("newer: of a later release, with both versions in the words", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(filename, () => {})
      direct(filename, db => db.pragma("user_version = 99"))
      const error = yield* refusal(filename)
      assert.strictEqual(error.reason, "newer")
      assert.match(error.detail, /format 99.*up to 3/)
      assert.isFalse(error.retryable)
    })
  )

  it.scoped("damaged: broken pages, a missing table, no counters, counters that are behind", () =>
    Effect.gen(function* () {
      const damages: ReadonlyArray<(filename: string) => void> = [
        filename => {
          const bytes = fs.readFileSync(filename)
          fs.writeFileSync(filename, bytes.fill(0xab, 200))
        },
        filename => direct(filename, db => db.exec("DROP TABLE kinds")),
        filename => direct(filename, db => db.exec("DELETE FROM meta")),
        filename => direct(filename, db => db.exec("UPDATE meta SET last_position = 0")),
        filename => direct(filename, db => db.exec("UPDATE meta SET last_stream = 0"))
      ]
      for (const harm of damages) {
        const filename = yield* tempFile
        yield* using(filename, engine => applyNext(engine, append("a", "any", event(1), event(2))))
        harm(filename)
        assert.strictEqual((yield* refusal(filename)).reason, "damaged")
      }
    })
  )

  it.scoped("in use: by another engine, and free again when that closes", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* SqliteStoreEngine.make({ filename })
          const error = yield* refusal(filename)
          assert.strictEqual(error.reason, "in_use")
          assert.isTrue(error.retryable)
        })
      )
      assert.strictEqual(yield* using(filename, engine => engine.appliedIndex()), 0)
    })
  )

  it.scoped("inaccessible: it, or what is locked for it, may be read and not written", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(filename, engine => applyNext(engine, append("a", "any", event(1))))
      for (const readOnly of [filename, `${filename}-lock`]) {
        assert.strictEqual((yield* whereReadOnly(readOnly, refusal(filename))).reason, "inaccessible")
        assert.strictEqual(fs.statSync(`${filename}-lock`).size, 0)
      }
    })
  )

  it.scoped("inaccessible: no such folder", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* tempFile, "missing", "store.db")
      assert.strictEqual((yield* refusal(filename)).reason, "inaccessible")
    })
  )
})

describe("a crash", () => {
  const hooks = new URL("./helpers/typescript-hooks.mjs", import.meta.url).href
  const register = `import { register } from "node:module"; register(${JSON.stringify(hooks)})`

  /** What Node.js runs a child process with. */
  const program = (child: "crash-child" | "crash-copying-child") => [
    "--import",
    `data:text/javascript,${encodeURIComponent(register)}`,
    fileURLToPath(new URL(`./helpers/${child}.ts`, import.meta.url))
  ]

  /** Starts a process that applies the log until it kills itself, or says that a checkpoint got to `index`, and is killed. */
  const applyUntilKilled = (
    child: "crash-child" | "crash-copying-child",
    filename: string,
    options: { readonly index?: number; readonly arguments?: ReadonlyArray<string> }
  ) =>
    Effect.async<{ readonly signal: string | null; readonly reported: number; readonly errors: string }>(resume => {
      const running = spawn(process.execPath, [...program(child), filename, ...(options.arguments ?? [])], {
        stdio: ["ignore", "pipe", "pipe"]
      })
      let output = ""
      let errors = ""
      const reported = () => Math.max(0, ...output.split("\n").slice(0, -1).map(Number))
      running.stdout.on("data", chunk => {
        output += String(chunk)
        if (reported() >= (options.index ?? Number.POSITIVE_INFINITY)) running.kill("SIGKILL")
      })
      running.stderr.on("data", chunk => {
        errors += String(chunk)
      })
      running.on("close", (_, signal) => resume(Effect.succeed({ signal, reported: reported(), errors })))
      return Effect.sync(() => running.kill("SIGKILL"))
    })

  const checkIntegrity = (filename: string) =>
    direct(filename, db => assert.strictEqual(db.pragma("integrity_check", { simple: true }), "ok"))

  /** Replays the log from where the file stands, and compares the file with one that was never disturbed. */
  const checkReplay = (filename: string, weight = 1) =>
    Effect.gen(function* () {
      const end = yield* using(filename, engine => {
        engine.apply(logFrom(engine.appliedIndex() + 1, 333, weight))
        return engine.appliedIndex()
      })
      const undisturbed = yield* tempFile
      yield* using(undisturbed, engine => {
        for (let index = 1; index <= end; index += 333) {
          engine.apply(logFrom(index, Math.min(333, end + 1 - index), weight))
        }
      })
      assert.deepStrictEqual(dumpOf(filename), dumpOf(undisturbed))
    })

  it.scoped(
    "at any time leaves whole batches, at least those before the checkpoint, and replaying the log brings the rest",
    () =>
      Effect.gen(function* () {
        const filename = yield* tempFile
        for (const index of [60, 1500]) {
          const { errors, reported, signal } = yield* applyUntilKilled("crash-child", filename, { index })
          assert.strictEqual(signal, "SIGKILL", errors)
          checkIntegrity(filename)
          const applied = yield* using(filename, engine => engine.appliedIndex())
          assert.isAtLeast(applied, reported)
          assert.strictEqual(applied % 20, 0)
        }
        yield* checkReplay(filename)
      })
  )

  it.scoped("while a thread copies the WAL into the file takes nothing from either", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const weight = 32
      for (const moment of ["begun", "grown", "begun"]) {
        const { errors, signal } = yield* applyUntilKilled("crash-copying-child", filename, {
          arguments: [moment, `${weight}`]
        })
        assert.strictEqual(signal, "SIGKILL", errors)
        assert.isAbove(fs.statSync(`${filename}-wal`).size, 16_000_000)
        checkIntegrity(filename)
        const applied = yield* using(filename, engine => engine.appliedIndex())
        assert.isAbove(applied, 0)
        assert.strictEqual(applied % 20, 0)
      }
      yield* checkReplay(filename, weight)
    })
  )

  it.scoped(
    "in the middle of a batch leaves nothing of it, and may take the batches since the checkpoint with it",
    () =>
      Effect.gen(function* () {
        const filename = yield* tempFile
        const { errors, signal } = yield* applyUntilKilled("crash-child", filename, { arguments: ["100"] })
        assert.strictEqual(signal, "SIGKILL", errors)
        checkIntegrity(filename)
        yield* using(filename, engine => {
          assert.include([60, 80, 100], engine.appliedIndex())
          assert.strictEqual(engine.getVersion("deadly"), -1)
        })
        yield* checkReplay(filename)
      })
  )

  const strace = spawnSync("strace", ["-V"]).status === 0
  it.scoped(
    `of the machine takes nothing that a checkpoint told of, which is synced${strace ? "" : " (strace is absent: not seen here)"}`,
    () =>
      Effect.gen(function* () {
        if (!strace) return
        const filename = yield* tempFile
        const calls = `${filename}.calls`
        const options = ["-f", "-y", "-qq", "-e", "trace=fdatasync,fsync,write", "-o", calls]
        spawnSync("strace", [...options, process.execPath, ...program("crash-child"), filename, "120"])
        const [, second = ""] = fs.readFileSync(calls, "utf8").split(/write\(1<.*"\d+\\n"/)
        const synced = Array.from(second.matchAll(/sync\(\d+<(.*?)>/g), ([, file]) => file)
        assert.includeMembers(synced, [`${filename}-wal`, filename])
      })
  )
})
