import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { configuration, type LogEntry } from "@reckon/raft/LogEntry"
import * as RaftLog from "@reckon/raft/RaftLog"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => path.join(fs.mkdtempSync(path.join(os.tmpdir(), "reckon-log-")), "raft.sqlite")),
  file => Effect.sync(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }))
)

const entry = (index: number, term: number, text = `entry ${index}`): LogEntry => ({
  index,
  term,
  kind: "command",
  payload: new TextEncoder().encode(text)
})

const texts = (entries: ReadonlyArray<LogEntry>) => entries.map(each => new TextDecoder().decode(each.payload))

const use = <A>(filename: string, f: (log: RaftLog.RaftLog["Type"]) => A) =>
  RaftLog.make({ filename }).pipe(Effect.map(f), Effect.scoped)

const logWriter = path.resolve(import.meta.dirname, "helpers/logWriter.mjs")

describe("RaftLog", () => {
  it.scoped("keeps entries, term and vote over a reopening", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        assert.deepStrictEqual([log.lastIndex(), log.term(0)], [0, 0])
        log.stage({ hardState: { term: 2, votedFor: "n1" }, entries: [entry(1, 1), entry(2, 2)] })
        log.stage({ entries: [entry(3, 2)] })
        log.flush()
      })
      yield* use(filename, log => {
        assert.deepStrictEqual(log.hardState(), { term: 2, votedFor: "n1" })
        assert.deepStrictEqual([1, 2, 3].map(log.term), [1, 2, 2])
        assert.deepStrictEqual(texts(log.entries(1, 3, 1e6)), ["entry 1", "entry 2", "entry 3"])
      })
    })
  )

  it.scoped("what was staged but not flushed is not there after a reopening", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ entries: [entry(1, 1)] })
        log.flush()
        log.stage({ hardState: { term: 9, votedFor: undefined }, entries: [entry(2, 1)] })
        assert.strictEqual(log.lastIndex(), 2)
      })
      yield* use(filename, log => {
        assert.strictEqual(log.lastIndex(), 1)
        assert.strictEqual(log.hardState().term, 0)
      })
    })
  )

  it.scoped("truncation and the entries that replace it are one write", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ entries: [entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1)] })
        log.flush()
        log.stage({ truncateFrom: 2, entries: [entry(2, 3, "other 2")] })
        assert.deepStrictEqual([log.lastIndex(), log.term(1), log.term(2)], [2, 1, 3])
        log.flush()
      })
      yield* use(filename, log => {
        assert.strictEqual(log.lastIndex(), 2)
        assert.deepStrictEqual(texts(log.entries(1, 2, 1e6)), ["entry 1", "other 2"])
      })
    })
  )

  it.scoped("pages end at the byte limit but have at least one entry, also beyond what is kept in memory", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const large = "x".repeat(1024 * 1024)
      yield* use(filename, log => {
        for (let index = 1; index <= 40; index++) log.stage({ entries: [entry(index, 1, `${index} ${large}`)] })
        assert.strictEqual(log.entries(1, 40, 10).length, 1)
        assert.strictEqual(log.entries(1, 40, 2.5 * 1024 * 1024).length, 2)
        assert.deepStrictEqual(
          log.entries(30, 33, 1e9).map(each => each.index),
          [30, 31, 32, 33]
        )
      })
    })
  )

  it.scoped("an entry whose bytes have changed is refused with its index", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ entries: [entry(1, 1), entry(2, 1)] })
        log.flush()
      })
      const damaged = new Database(filename)
      damaged.prepare("UPDATE entries SET payload = ? WHERE idx = 2").run(Buffer.from("entry 9"))
      damaged.close()
      yield* use(filename, log => {
        assert.deepStrictEqual(texts(log.entries(1, 1, 1e6)), ["entry 1"])
        assert.throws(() => log.entries(1, 2, 1e6), /entry 2 of term 1 is damaged/)
      })
    })
  )

  it.scoped("a damaged record of term and vote is refused at opening", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: { term: 5, votedFor: "n2" }, entries: [] })
        log.flush()
      })
      const damaged = new Database(filename)
      damaged.prepare("UPDATE hard_state SET voted_for = 'n3'").run()
      damaged.close()
      const opened = yield* Effect.either(use(filename, log => log.lastIndex()))
      assert(Either.isLeft(opened))
      assert.match(opened.left.message, /term and vote is damaged/)
    })
  )

  it.scoped("finds its configurations at a reopening, uncut ones and only them", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const change = (index: number, ...learners: ReadonlyArray<string>) =>
        configuration(index, 1, { voters: ["a"], learners, removed: [] })
      yield* use(filename, log => {
        log.stage({ entries: [entry(1, 1), change(2, "b"), entry(3, 1), change(4, "b", "c")] })
        log.flush()
        log.stage({ truncateFrom: 4, entries: [change(4, "b", "d")] })
        assert.deepStrictEqual(
          log.configurations().map(({ index }) => index),
          [2, 4]
        )
      })
      yield* use(filename, log => {
        // bytes come back as a Buffer, which is one
        const found = log.configurations().map(each => ({ ...each, payload: new Uint8Array(each.payload) }))
        assert.deepStrictEqual(found, [change(2, "b"), change(4, "b", "d")])
      })
    })
  )

  it.scoped("a log of format 1 is read as it is, and takes configurations from then on", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: { term: 2, votedFor: "a" }, entries: [entry(1, 1), entry(2, 2)] })
        log.flush()
      })
      const old = new Database(filename)
      old.exec("DROP INDEX configurations")
      old.pragma("user_version = 1")
      old.close()
      yield* use(filename, log => {
        assert.deepStrictEqual(texts(log.entries(1, 2, 1e6)), ["entry 1", "entry 2"])
        assert.deepStrictEqual(log.hardState(), { term: 2, votedFor: "a" })
        assert.deepStrictEqual(log.configurations(), [])
        log.stage({ entries: [configuration(3, 2, { voters: ["a"], learners: [], removed: ["b"] })] })
        log.flush()
      })
      yield* use(filename, log => assert.lengthOf(log.configurations(), 1))
      const newer = new Database(filename)
      newer.pragma("user_version = 3")
      newer.close()
      const refused = yield* Effect.flip(use(filename, log => log.lastIndex()))
      assert.match(refused.message, /has format 3, this program reads 2/)
    })
  )

  it.scoped("a gap in the row of entries is refused", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ entries: [entry(1, 1), entry(2, 1), entry(3, 1)] })
        log.flush()
      })
      const damaged = new Database(filename)
      damaged.prepare("DELETE FROM entries WHERE idx = 2").run()
      damaged.close()
      const opened = yield* Effect.flip(use(filename, log => log.lastIndex()))
      assert.match(opened.message, /row of entries at 2 is damaged/)
    })
  )

  it.scoped("a foreign file, a foreign database and a second process are turned away with words", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      fs.writeFileSync(filename, "this is no database, just a text that is long enough to be looked at".repeat(20))
      const text = yield* Effect.flip(use(filename, log => log.lastIndex()))
      assert.match(text.message, /not a log of this program/)

      fs.rmSync(filename)
      const foreign = new Database(filename)
      foreign.exec("CREATE TABLE notes (text)")
      foreign.close()
      const other = yield* Effect.flip(use(filename, log => log.lastIndex()))
      assert.match(other.message, /database of something else/)

      fs.rmSync(filename)
      yield* RaftLog.make({ filename })
      const second = yield* Effect.flip(use(filename, log => log.lastIndex()))
      assert.match(second.message, /in use by another process/)
    })
  )

  it("every entry announced as durable is there after kill -9", { timeout: 60_000 }, () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      for (const killAfter of [1, 7, 150]) {
        const announced = yield* Effect.async<number>(resume => {
          const writer = spawn(process.execPath, [logWriter, filename, "1000000"], {
            stdio: ["ignore", "pipe", "inherit"]
          })
          let output = ""
          writer.stdout.on("data", data => {
            output += String(data)
            if (output.split("\n").length > killAfter + 2) writer.kill("SIGKILL")
          })
          writer.once("close", () => resume(Effect.succeed(Number(output.trim().split("\n").at(-1)))))
        })
        yield* use(filename, log => {
          assert.isAtLeast(log.lastIndex(), announced)
          assert.deepStrictEqual(texts(log.entries(announced, announced, 1e6)), [`entry ${announced}`])
          assert.deepStrictEqual(log.hardState(), { term: 3, votedFor: "a" })
        })
      }
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  const strace = spawnSync("strace", ["-V"]).status === 0
  it(
    `each flush is synced by the operating system${strace ? "" : " (strace is absent: not counted here)"}`,
    {
      timeout: 60_000
    },
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        if (!strace) return
        const flushes = 25
        const summary = path.join(path.dirname(filename), "syncs")
        const traced = spawnSync(
          "strace",
          [
            "-f",
            "-qq",
            "-e",
            "trace=fdatasync,fsync",
            "-o",
            summary,
            process.execPath,
            logWriter,
            filename,
            `${flushes}`
          ],
          { encoding: "utf8" }
        )
        assert.strictEqual(traced.status, 0, traced.stderr)
        const syncs = fs
          .readFileSync(summary, "utf8")
          .split("\n")
          .filter(line => line.includes("sync(")).length
        assert.isAtLeast(syncs, flushes)
      }).pipe(Effect.scoped, Effect.runPromise)
  )
})
