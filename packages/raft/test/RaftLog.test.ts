import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { configuration } from "@reckon/raft/LogEntry"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { entry, hardState, type Log, row, tamper, temporaryFile, texts, use } from "./helpers/raftLog.js"

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
        log.stage({ hardState: hardState(1), entries: [entry(1, 1)] })
        log.flush()
        log.stage({ hardState: hardState(9), entries: [entry(2, 1)] })
        assert.strictEqual(log.lastIndex(), 2)
      })
      yield* use(filename, log => {
        assert.strictEqual(log.lastIndex(), 1)
        assert.strictEqual(log.hardState().term, 1)
      })
    })
  )

  it.scoped("reading what is durable flushes nothing, also from the file; reading what is staged there does", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const lastAfter = (f: (log: Log) => void) =>
        Effect.zipRight(
          use(filename, f),
          use(filename, log => log.lastIndex())
        )
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 10, 1) })
        log.flush()
      })
      // Each opening begins with nothing kept in memory.
      const untouched = yield* lastAfter(log => {
        log.stage({ entries: [entry(11, 1)] })
        assert.lengthOf(log.entries(1, 10, 1e6), 10)
      })
      assert.strictEqual(untouched, 10)
      const cut = yield* lastAfter(log => {
        log.stage({ truncateFrom: 8, entries: [] })
        assert.lengthOf(log.entries(1, 7, 1e6), 7)
      })
      assert.strictEqual(cut, 10)
      const written = yield* lastAfter(log => {
        log.stage({ truncateFrom: 9, entries: [entry(9, 1, "another")] })
        assert.deepStrictEqual(texts(log.entries(8, 9, 1e6)), ["entry 8", "another"])
      })
      assert.strictEqual(written, 9)
    })
  )

  it.scoped("truncation and the entries that replace it are one write", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(3), entries: row(1, 4, 1) })
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
        log.stage({ hardState: hardState(1), entries: [] })
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

  it.scoped("finds its configurations at a reopening, uncut ones and only them", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const change = (index: number, ...learners: ReadonlyArray<string>) =>
        configuration(index, 1, { voters: ["a"], learners, removed: [] })
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [entry(1, 1), change(2, "b"), entry(3, 1), change(4, "b", "c")] })
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

  it.scoped("nothing is acknowledged after a write that failed; a new opening has what was durable before", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 2, 1) })
        log.flush()
      })
      tamper(filename, database =>
        database.exec(
          "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.idx = 4 BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
      )
      yield* use(filename, log => {
        log.stage({ hardState: hardState(2), entries: [entry(3, 1), entry(4, 2)] })
        assert.isFalse(log.hasFailed())
        assert.throws(() => log.flush(), /full/)
        assert.isTrue(log.hasFailed())
        assert.throws(() => log.flush(), /failed before and must be opened anew/)
        log.stage({ entries: [entry(5, 2)] })
        assert.throws(() => log.flush(), /failed before and must be opened anew/)
      })
      yield* use(filename, log => assert.deepStrictEqual([log.lastIndex(), log.hasFailed()], [2, false]))
    })
  )

  it.scoped("an entry of a later term than the member's is a defect, so is a gap, a repetition, a falling term", () =>
    Effect.gen(function* () {
      const staging = (...writes: ReadonlyArray<RaftLog.Write>) =>
        use(":memory:", log => {
          for (const write of writes.slice(0, -1)) log.stage(write)
          assert.throws(() => writes.slice(-1).forEach(log.stage), /broken invariant/)
        })
      yield* staging({ hardState: hardState(1), entries: [entry(1, 2)] })
      yield* staging({ hardState: hardState(1), entries: [entry(2, 1)] })
      yield* staging({ hardState: hardState(3), entries: [entry(1, 3)] }, { entries: [entry(2, 2)] })
      yield* staging({ hardState: hardState(1), entries: [entry(1, 1)] }, { truncateFrom: 2, entries: [] })
      yield* staging({ hardState: hardState(2), entries: row(1, 3, 1) }, { entries: [entry(2, 2)] })
    })
  )

  it.scoped("tells its size and how long the newest flush took", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      let nanos = 0n
      const clock = { ...Clock.make(), unsafeCurrentTimeNanos: () => (nanos += 2_500_000n) }
      const log = yield* Effect.withClock(RaftLog.make({ filename }), clock)
      const empty = log.stats()
      assert.deepStrictEqual([empty.entries, empty.lastFlushMillis], [0, undefined])
      log.stage({ hardState: hardState(1), entries: [entry(1, 1, "x".repeat(100_000))] })
      log.flush()
      assert.deepStrictEqual([log.stats().entries, log.stats().lastFlushMillis], [1, 2.5])
      assert.isAtLeast(log.stats().bytesOnDisk, empty.bytesOnDisk + 100_000)
      const onDisk = ["", "-wal"].map(suffix => fs.statSync(`${filename}${suffix}`).size)
      assert.strictEqual(log.stats().bytesOnDisk, (onDisk[0] ?? 0) + (onDisk[1] ?? 0))
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
          assert.isAtLeast(log.firstIndex(), 25 * Math.floor(announced / 25) - 9)
          assert.strictEqual(
            texts(log.entries(log.firstIndex(), log.lastIndex(), 1e9)).at(0),
            `entry ${log.firstIndex()}`
          )
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
