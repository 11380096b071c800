import { assert, describe, it } from "@effect/vitest"
import { configuration, noop } from "@reckon/raft/LogEntry"
import * as Effect from "effect/Effect"
import {
  all,
  entry,
  flushEach,
  hardState,
  type Log,
  refusal,
  row,
  storedRows,
  tamper,
  temporaryFile,
  texts,
  use
} from "./helpers/raftLog.js"

/** The rows of a closed file, each by its first and its last entry. */
const rows = (filename: string) =>
  tamper(filename, database =>
    database
      .prepare<[], { readonly idx: number; readonly count: number }>("SELECT idx, count FROM entries ORDER BY idx")
      .all()
      .map(({ count, idx }) => [idx, idx + count - 1])
  )

/** Entries 1–10 of term 1, durable, in one row. */
const fill = (log: Log) => {
  log.stage({ hardState: hardState(1), entries: row(1, 10, 1) })
  log.flush()
}

const numbers = (from: number, to: number) => texts(row(from, to, 1))

describe("the rows of a Raft log's file", () => {
  it.scoped("commands that are made durable together share one, whichever change they came in", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 3, 1) })
        log.stage({ entries: row(4, 5, 1) })
        log.flush()
        log.stage({ entries: row(6, 7, 1) })
        log.flush()
        flushEach(log, row(8, 9, 1))
      })
      assert.deepStrictEqual(rows(filename), [
        [1, 5],
        [6, 7],
        [8, 8],
        [9, 9]
      ])
      yield* use(filename, log => assert.deepStrictEqual(all(log), numbers(1, 9)))
    })
  )

  it.scoped("those of another term, no-ops and configurations have their own", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const members = configuration(4, 2, { voters: ["a"], learners: [], removed: [] })
      const entries = [...row(1, 2, 1), noop(3, 2), members, ...row(5, 6, 2), ...row(7, 8, 3), noop(9, 4), noop(10, 5)]
      yield* use(filename, log => {
        log.stage({ hardState: hardState(5), entries })
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [
        [1, 2],
        [3, 3],
        [4, 4],
        [5, 6],
        [7, 8],
        [9, 9],
        [10, 10]
      ])
      yield* use(filename, log => {
        const found = log.entries(1, 10, 1e6)
        assert.deepStrictEqual(
          found.map(({ index, kind, term }) => ({ index, kind, term })),
          entries.map(({ index, kind, term }) => ({ index, kind, term }))
        )
        assert.deepStrictEqual(
          log.configurations().map(({ index }) => index),
          [4]
        )
      })
    })
  )

  it.scoped("are bounded by entries and by bytes; what is larger stands alone, as it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const large = [
        entry(301, 1, "x".repeat(200_000)),
        entry(302, 1, "y".repeat(40_000)),
        entry(303, 1, "z".repeat(40_000))
      ]
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [...row(1, 300, 1), ...large] })
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [
        [1, 256],
        [257, 300],
        [301, 301],
        [302, 302],
        [303, 303]
      ])
      yield* use(filename, log => assert.deepStrictEqual(all(log), [...numbers(1, 300), ...texts(large)]))
    })
  )

  it.scoped("payloads of no bytes are entries like others", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const entries = [entry(1, 1, ""), entry(2, 1, ""), entry(3, 1, "three"), entry(4, 1, "")]
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries })
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [[1, 4]])
      yield* use(filename, log => assert.deepStrictEqual(all(log), ["", "", "three", ""]))
    })
  )

  it.scoped("a read begins and ends anywhere in them, and is cut by bytes as if each entry had its own", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.stage({ entries: row(11, 20, 1) })
        log.flush()
      })
      yield* use(filename, log => {
        for (let from = 1; from <= 20; from++) {
          for (let to = from; to <= 20; to++)
            assert.deepStrictEqual(texts(log.entries(from, to, 1e6)), numbers(from, to))
        }
        // Each weighs its text and 32 bytes.
        assert.deepStrictEqual(texts(log.entries(8, 20, 3 * 40)), numbers(8, 10))
        assert.deepStrictEqual(texts(log.entries(8, 20, 3 * 40 + 40)), numbers(8, 11))
        assert.deepStrictEqual(texts(log.entries(8, 20, 1)), numbers(8, 8))
        assert.deepStrictEqual([1, 10, 11, 20].map(log.term), [1, 1, 1, 1])
      })
    })
  )

  it.scoped("whoever keeps one entry that was read keeps no more than its own bytes", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, fill)
      yield* use(filename, log => {
        const [found] = log.entries(5, 5, 1e6)
        assert.deepStrictEqual([found?.payload.byteLength, found?.payload.buffer.byteLength], [7, 7])
      })
    })
  )
})

describe("a cut within a row of a Raft log", () => {
  it.scoped("leaves its beginning, and what comes after goes on behind it", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, fill)
      yield* use(filename, log => {
        log.stage({ hardState: hardState(2), truncateFrom: 7, entries: [entry(7, 2, "other 7")] })
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [
        [1, 6],
        [7, 7]
      ])
      yield* use(filename, log => {
        assert.deepStrictEqual(all(log), [...numbers(1, 6), "other 7"])
        assert.deepStrictEqual([6, 7].map(log.term), [1, 2])
        log.stage({ truncateFrom: 2, entries: [] })
        log.flush()
        log.stage({ truncateFrom: 1, entries: [entry(1, 2, "other 1")] })
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [[1, 1]])
      yield* use(filename, log => assert.deepStrictEqual(all(log), ["other 1"]))
    })
  )

  it.scoped("that follows its writing before any flush does as well", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 6, 1) })
        log.stage({ truncateFrom: 4, entries: [entry(4, 1, "second 4")] })
        log.stage({ truncateFrom: 3, entries: [entry(3, 1, "third 3"), entry(4, 1, "third 4")] })
        log.flush()
      })
      yield* use(filename, log => assert.deepStrictEqual(all(log), ["entry 1", "entry 2", "third 3", "third 4"]))
    })
  )

  it.scoped("mends nothing: a row that was damaged is refused, not written anew", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 3_000, 1) })
        log.flush()
      })
      tamper(filename, database =>
        database.exec("UPDATE entries SET payload = CAST(payload || x'00' AS BLOB) WHERE idx = 769")
      )
      yield* use(filename, log => {
        log.stage({ truncateFrom: 800, entries: [] })
        assert.throws(() => log.flush(), /one of the entries 769 to 1024 of term 1 is damaged/)
      })
      yield* use(filename, log => assert.strictEqual(log.lastIndex(), 3_000))
    })
  )

  it.scoped("is not forgotten: the row as it was before, put back from an older copy, does not fit to the next", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, fill)
      const old = tamper(filename, database =>
        database.prepare("SELECT checksum, payload, count FROM entries WHERE idx = 1").get()
      )
      yield* use(filename, log => {
        log.stage({ truncateFrom: 6, entries: [] })
        log.flush()
        log.stage({ entries: row(6, 3_000, 1) })
        log.flush()
      })
      tamper(filename, database =>
        database
          .prepare("UPDATE entries SET checksum = :checksum, payload = :payload, count = :count WHERE idx = 1")
          .run(old)
      )
      yield* use(filename, log => {
        assert.throws(() => log.entries(1, 20, 1e6), /row of entries at 11 is damaged/)
        assert.deepStrictEqual(texts(log.entries(6, 8, 1e6)), numbers(6, 8))
      })
    })
  )

  it.scoped("comes with the rest of its write or not at all", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, fill)
      tamper(filename, database =>
        database.exec(
          "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.idx = 7 BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
      )
      yield* use(filename, log => {
        log.stage({ truncateFrom: 7, entries: [entry(7, 1, "other 7")] })
        assert.throws(() => log.flush(), /full/)
      })
      yield* use(filename, log => assert.deepStrictEqual(all(log), numbers(1, 10)))
    })
  )
})

describe("a base within a row of a Raft log", () => {
  it.scoped("hides its first entries, also after a reopening; the row goes when the base has passed it", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.stage({ entries: row(11, 20, 1) })
        log.flush()
        log.compact(4)
        log.flush()
      })
      assert.strictEqual(storedRows(filename), 2)
      yield* use(filename, log => {
        assert.deepStrictEqual([log.firstIndex(), log.lastIndex()], [5, 20])
        assert.deepStrictEqual(all(log), numbers(5, 20))
        assert.throws(() => log.entries(4, 4, 1e6), /read from inside the log/)
        log.compact(10)
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [[11, 20]])
      yield* use(filename, log => assert.deepStrictEqual(all(log), numbers(11, 20)))
    })
  )

  it.scoped("at its end, and the log's: nothing is left, and the log goes on", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.compact(9)
        log.flush()
        log.compact(10)
        log.flush()
      })
      assert.deepStrictEqual(rows(filename), [])
      yield* use(filename, log => {
        log.stage({ entries: row(11, 12, 1) })
        log.flush()
        assert.deepStrictEqual(all(log), numbers(11, 12))
      })
    })
  )

  it.scoped("with a cut right behind it, or further on, leaves what lies between", () =>
    Effect.gen(function* () {
      for (const cut of [5, 6, 8]) {
        const filename = yield* temporaryFile
        yield* use(filename, log => {
          fill(log)
          log.compact(4)
          log.flush()
          log.stage({ hardState: hardState(2), truncateFrom: cut, entries: [entry(cut, 2, "other")] })
          log.flush()
        })
        yield* use(filename, log => assert.deepStrictEqual(all(log), [...numbers(5, cut - 1), "other"]))
      }
    })
  )

  it.scoped("the row that it divides is checked at the opening like the others", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.compact(4)
        log.flush()
      })
      tamper(filename, database =>
        database.exec("UPDATE entries SET payload = CAST(payload || x'00' AS BLOB) WHERE idx = 1")
      )
      assert.match(yield* refusal(filename), /one of the entries 1 to 10 of term 1 is damaged/)
      tamper(filename, database => database.exec("DELETE FROM entries"))
      assert.match(yield* refusal(filename), /row of entries at 10 is damaged/)
    })
  )

  it.scoped("nothing is left to delete while it stands there", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, fill)
      yield* use(filename, log => {
        log.compact(4)
        log.flush()
        const before = log.stats().lastFlushMillis
        log.flush()
        // A flush that has nothing to do is none.
        assert.strictEqual(log.stats().lastFlushMillis, before)
      })
    })
  )
})
