import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { configuration } from "@reckon/raft/LogEntry"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import { makeRefusals } from "../src/internal/log/refusal.js"
import {
  all,
  entry,
  flushEach,
  hardState,
  type Log,
  refusal,
  row,
  tamper,
  temporaryFile,
  texts,
  use
} from "./helpers/raftLog.js"

const advice = /Stop this member, move its whole folder away and start it with an empty one, which its peers fill/

/** Entries 1–3 of term 1 and 4–6 of term 2, durable, each in a row of its own. */
const fill = (log: Log) => {
  log.stage({ hardState: hardState(2, "a"), entries: [] })
  flushEach(log, [...row(1, 3, 1), ...row(4, 6, 2)])
}

/** The same, in two rows. */
const fillTogether = (log: Log) => {
  log.stage({ hardState: hardState(2, "a"), entries: [...row(1, 3, 1), ...row(4, 6, 2)] })
  log.flush()
}

/** How an opening refuses a log to which this was done. */
const refusalAfter = (damage: string | ((database: Database.Database) => unknown), filled = fill) =>
  Effect.gen(function* () {
    const filename = yield* temporaryFile
    yield* use(filename, filled)
    tamper(filename, database => (typeof damage === "string" ? database.exec(damage) : damage(database)))
    const message = yield* refusal(filename)
    assert.match(message, advice)
    assert.include(message, filename)
    return message
  })

const overwrite = (filename: string, at: number, bytes: Uint8Array) => {
  const handle = fs.openSync(filename, "r+")
  fs.writeSync(handle, bytes, 0, bytes.byteLength, at)
  fs.closeSync(handle)
}

describe("damage to a Raft log is refused at its opening, with what to do", () => {
  it.scoped("an entry whose payload, term or kind has changed", () =>
    Effect.gen(function* () {
      const payload = yield* refusalAfter("UPDATE entries SET payload = x'00' WHERE idx = 3")
      assert.match(payload, /entry 3 of term 1 is damaged/)
      const term = yield* refusalAfter("UPDATE entries SET term = 2 WHERE idx = 3")
      assert.match(term, /entry 3 of term 2 is damaged/)
      const kind = yield* refusalAfter("UPDATE entries SET kind = 0 WHERE idx = 3")
      assert.match(kind, /entry 3 of term 1 is damaged/)
    })
  )

  it.scoped("entries that have changed places", () =>
    Effect.gen(function* () {
      const message = yield* refusalAfter(
        "UPDATE entries SET idx = 10 WHERE idx = 2; UPDATE entries SET idx = 2 WHERE idx = 3; UPDATE entries SET idx = 3 WHERE idx = 10"
      )
      assert.match(message, /entry 3 of term 1 is damaged/)
    })
  )

  it.scoped("a hole, a lost beginning, a lost end and an end too many", () =>
    Effect.gen(function* () {
      const lost = (where: string) => refusalAfter(`DELETE FROM entries WHERE ${where}`)
      assert.match(yield* lost("idx = 3"), /row of entries at 3 is damaged/)
      assert.match(yield* lost("idx = 1"), /row of entries at 1 is damaged/)
      assert.match(yield* lost("idx >= 5"), /row of entries at 6 is damaged/)
      assert.match(yield* lost("true"), /row of entries at 6 is damaged/)
      const more = yield* refusalAfter(
        "INSERT INTO entries SELECT 7, term, kind, checksum, payload, count FROM entries WHERE idx = 6"
      )
      assert.match(more, /row of entries at 7 is damaged/)
    })
  )

  it.scoped("entries that share a row: their bytes, their term, how many they are, and the row itself", () =>
    Effect.gen(function* () {
      const after = (damage: string) => refusalAfter(damage, fillTogether)
      const lengths = yield* after(
        "UPDATE entries SET payload = CAST(x'000000060000000800000007' || substr(payload, 13) AS BLOB) WHERE idx = 4"
      )
      assert.match(lengths, /one of the entries 4 to 6 of term 2 is damaged/)
      const flipped = yield* after(
        "UPDATE entries SET payload = CAST(replace(payload, '5', '7') AS BLOB) WHERE idx = 4"
      )
      assert.match(flipped, /one of the entries 4 to 6 of term 2 is damaged/)
      assert.match(
        yield* after("UPDATE entries SET payload = x'' WHERE idx = 4"),
        /one of the entries 4 to 6 of term 2 is damaged/
      )
      assert.match(
        yield* after("UPDATE entries SET term = 2 WHERE idx = 1"),
        /one of the entries 1 to 3 of term 2 is damaged/
      )
      assert.match(yield* after("UPDATE entries SET count = 2 WHERE idx = 1"), /row of entries at 3 is damaged/)
      assert.match(yield* after("UPDATE entries SET count = 4 WHERE idx = 1"), /row of entries at 4 is damaged/)
      assert.match(yield* after("UPDATE entries SET count = 2, idx = 5 WHERE idx = 4"), /one of the entries 5 to 6/)
      assert.match(yield* after("DELETE FROM entries WHERE idx = 1"), /row of entries at 3 is damaged/)
    })
  )

  it.scoped("a record of term, vote, base or end that has changed, or is gone", () =>
    Effect.gen(function* () {
      for (const change of ["term = 3", "voted_for = 'b'", "base_index = 1", "base_term = 1", "last_index = 5"]) {
        const message = yield* refusalAfter(`UPDATE member SET ${change}`)
        assert.match(message, /the record of term, vote and configuration is damaged/)
      }
      assert.match(yield* refusalAfter("DELETE FROM member"), /the record of term, vote and configuration is damaged/)
    })
  )

  it.scoped("a record whose configuration, or the place of that, has changed", () =>
    Effect.gen(function* () {
      const filled = (log: Log) => {
        const change = configuration(1, 1, { voters: ["a"], learners: ["b"], removed: [] })
        log.stage({ hardState: hardState(1), entries: [change, ...row(2, 3, 1)] })
        log.flush()
        log.compact(2)
        log.flush()
      }
      const another = `CAST(replace(configuration, '"b"', '"c"') AS BLOB)`
      for (const change of [`configuration = ${another}`, "configuration_index = 2", "configuration_index = NULL"]) {
        const message = yield* refusalAfter(`UPDATE member SET ${change} WHERE configuration_index = 1`, filled)
        assert.match(message, /the record of term, vote and configuration is damaged/)
      }
    })
  )

  it.scoped("a record of an earlier term, put back from an older copy", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 1, 1) })
        log.flush()
      })
      const old = tamper(filename, database => database.prepare("SELECT * FROM member").get())
      yield* use(filename, log => {
        log.stage({ hardState: hardState(2), truncateFrom: 1, entries: [entry(1, 2)] })
        log.flush()
      })
      tamper(filename, database =>
        database.prepare("UPDATE member SET term = :term, voted_for = :voted_for, checksum = :checksum").run(old)
      )
      assert.match(yield* refusal(filename), /whose term 1 is below that of the last entry, 2, is damaged/)
    })
  )

  it.scoped("a file that is a text, empty, full of zeros, or shorter than it was", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const refusalOf = (content: Uint8Array | string) =>
        Effect.suspend(() => {
          fs.writeFileSync(filename, content)
          return Effect.tap(refusal(filename), message => assert.match(message, advice))
        })
      assert.match(yield* refusalOf("no database, just a text ".repeat(100)), /not a log of this program/)
      assert.match(yield* refusalOf(""), /the file, which is empty, is damaged/)
      assert.match(yield* refusalOf(new Uint8Array(16_384)), /not a log of this program/)
      fs.rmSync(filename)
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 500, 1) })
        log.flush()
      })
      const whole = fs.readFileSync(filename)
      for (const pages of [1, 2, 4]) yield* refusalOf(whole.subarray(0, pages * 4096))
      fs.writeFileSync(filename, whole)
      yield* use(filename, log => assert.lengthOf(all(log), 500))
    })
  )

  it.scoped("a -wal without its database", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      fs.writeFileSync(`${filename}-wal`, "")
      assert.match(yield* refusal(filename), /is not there, but its -wal is/)
    })
  )
})

describe("damage to an old entry of a long Raft log", () => {
  it.scoped.each([
    ["payload = x'00'", 1024],
    ["count = 255", 1023]
  ] as const)("does not slow down the opening, and is refused with its index when it is read: %s", ([change, last]) =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 3_000, 1) })
        log.flush()
      })
      // The rows of 256 entries from 769, from 1025 and from 1537 on.
      tamper(filename, database =>
        database.exec(`UPDATE entries SET ${change} WHERE idx = 769; DELETE FROM entries WHERE idx IN (1025, 1537)`)
      )
      yield* use(filename, log => {
        assert.deepStrictEqual(texts(log.entries(768, 768, 1e6)), ["entry 768"])
        const damaged = new RegExp(`one of the entries 769 to ${last} of term 1 is damaged`)
        assert.throws(() => log.entries(700, 800, 1e6), damaged)
        assert.throws(() => log.entries(800, 800, 1e6), damaged)
        assert.throws(() => log.entries(1_100, 1_100, 1e6), /row of entries at 1100 is damaged/)
        assert.throws(() => log.entries(1_200, 1_300, 1e6), /row of entries at 1200 is damaged/)
        assert.deepStrictEqual(texts(log.entries(1_281, 1_281, 1e6)), ["entry 1281"])
        assert.throws(() => log.entries(1_530, 1_600, 1e6), /row of entries at 1537 is damaged/)
        assert.throws(() => log.entries(1_530, 1_900, 1_000), /row of entries at 1537 is damaged/)
      })
    })
  )

  it.scoped("is refused at the opening where it would hide the beginning of a term", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(2), entries: [...row(1, 700, 1), ...row(701, 3_500, 2)] })
        log.flush()
      })
      tamper(filename, database => database.exec("UPDATE entries SET term = 1 WHERE idx = 1725"))
      assert.match(yield* refusal(filename), /one of the entries 1725 to 1980 of term 1 is damaged/)
    })
  )

  it.scoped("a page that went bad is refused when it is read", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [] })
        for (let index = 1; index <= 2_000; index++) log.stage({ entries: [entry(index, 1, "x".repeat(1_000))] })
        log.flush()
      })
      const at = tamper(filename, database =>
        database
          .prepare<[], number>(
            "SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'overflow' LIMIT 1 OFFSET 88"
          )
          .pluck()
          .get()
      )
      overwrite(filename, ((at ?? 0) - 1) * 4096, new Uint8Array(4096))
      yield* use(filename, log => assert.throws(() => log.entries(1, 1_000, 1e9), /the file .* is damaged/))
    })
  )
})

describe("a Raft log that the disk does not read, or does not write", () => {
  it("is told from one that is no log, and from one in use, for it may be used again", () => {
    const { fromCause } = makeRefusals("raft.sqlite")
    const told = (code: string) => fromCause(new Database.SqliteError("disk I/O error", code))
    for (const code of [
      "SQLITE_IOERR_READ",
      "SQLITE_IOERR_SHORT_READ",
      "SQLITE_IOERR_CORRUPTFS",
      "SQLITE_CORRUPT",
      "SQLITE_FULL",
      "SQLITE_IOERR_WRITE",
      "SQLITE_IOERR_FSYNC",
      "SQLITE_IOERR_SHMSIZE",
      "SQLITE_READONLY",
      "SQLITE_CANTOPEN"
    ]) {
      assert.deepInclude(told(code), { mayPass: true, retryable: false })
      assert.match(told(code).message, /check/)
    }
    assert.match(told("SQLITE_CORRUPT").message, advice)
    for (const code of ["SQLITE_BUSY", "SQLITE_NOTADB", "SQLITE_ERROR"]) assert.isFalse(told(code).mayPass)
  })

  it("is so where the file system says it, but for a folder that is not there or not to be written", () => {
    const { fromCause } = makeRefusals("raft.sqlite")
    const told = (code: string, syscall: string) => fromCause(Object.assign(new Error(code), { code, syscall }))
    assert.deepInclude(told("EIO", "read"), { mayPass: true })
    assert.match(told("EIO", "read").message, /cannot be read; check the disk/)
    for (const code of ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE"]) assert.isTrue(told(code, "open").mayPass, code)
    for (const code of ["ENOENT", "EACCES", "ENOTDIR"]) assert.isFalse(told(code, "open").mayPass, code)
  })

  it.scoped("has room where its folder takes a file, which is gone then, and none where it does not", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        const before = fs.readdirSync(path.dirname(filename))
        assert.isTrue(log.hasRoom())
        assert.deepStrictEqual(fs.readdirSync(path.dirname(filename)), before)
        fs.mkdirSync(`${filename}.room`)
        try {
          assert.isFalse(log.hasRoom())
        } finally {
          fs.rmdirSync(`${filename}.room`)
        }
      })
      yield* use(":memory:", log => assert.isTrue(log.hasRoom()))
    })
  )
})
