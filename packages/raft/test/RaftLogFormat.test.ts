import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { configuration } from "@reckon/raft/LogEntry"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import xxhash from "xxhash-wasm"
import {
  all,
  entry,
  flushEach,
  hardState,
  refusal,
  row,
  storedRows,
  tamper,
  temporaryFile,
  use
} from "./helpers/raftLog.js"
import { whereReadOnly } from "./helpers/rights.js"

/** A file as the programs before wrote it. */
const oldLog = (filename: string, version: 1 | 2, terms: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const hasher = yield* Effect.promise(() => xxhash())
    tamper(filename, database => {
      database.exec(`
        CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL,
          checksum INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
        CREATE TABLE hard_state (id INTEGER PRIMARY KEY CHECK (id = 0), term INTEGER NOT NULL, voted_for TEXT,
          checksum INTEGER NOT NULL) STRICT;
      `)
      if (version === 2) database.exec("CREATE INDEX configurations ON entries (idx) WHERE kind = 2")
      database.pragma(`application_id = ${0x524b4c47}`)
      database.pragma(`user_version = ${version}`)
      database.pragma("journal_mode = WAL")
      const insert = database.prepare("INSERT INTO entries (idx, term, kind, checksum, payload) VALUES (?, ?, ?, ?, ?)")
      const lastTerm = terms[terms.length - 1] ?? 0
      const members = configuration(2, lastTerm, { voters: ["a"], learners: ["b"], removed: [] })
      for (const [at, term] of terms.entries()) {
        const isConfiguration = version === 2 && at === 1
        const payload = isConfiguration ? members.payload : entry(at + 1, term).payload
        const kind = isConfiguration ? 2 : 1
        insert.run(at + 1, term, kind, hasher.h32Raw(payload, hasher.h32(`${at + 1}/${term}/${kind}`)), payload)
      }
      const checksum = hasher.h32(JSON.stringify([7, "a"]))
      database.prepare("INSERT INTO hard_state VALUES (0, 7, 'a', ?)").run(checksum)
    })
  })

/** Entries 1 and 2 of term 1, 3 and 4 of term 2, as the program before wrote them: its tables and checksums. */
const formatThree = (filename: string) =>
  Effect.gen(function* () {
    const hasher = yield* Effect.promise(() => xxhash())
    const incarnation = "made by format 3"
    const seed = hasher.h32(incarnation)
    tamper(filename, database => {
      database.pragma("auto_vacuum = INCREMENTAL")
      database.exec(`
        CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL,
          checksum INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
        CREATE INDEX configurations ON entries (idx) WHERE kind = 2;
        CREATE TABLE member (id INTEGER PRIMARY KEY CHECK (id = 0), incarnation TEXT NOT NULL, term INTEGER NOT NULL,
          voted_for TEXT, base_index INTEGER NOT NULL, base_term INTEGER NOT NULL, configuration_index INTEGER,
          configuration BLOB, last_index INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
      `)
      database.pragma(`application_id = ${0x524b4c47}`)
      database.pragma("user_version = 3")
      database.pragma("journal_mode = WAL")
      const insert = database.prepare("INSERT INTO entries (idx, term, kind, checksum, payload) VALUES (?, ?, 1, ?, ?)")
      for (const [at, term] of [1, 1, 2, 2].entries()) {
        const { index, payload } = entry(at + 1, term)
        insert.run(index, term, hasher.h32Raw(payload, hasher.h32(`${index}/${term}/1`, seed)), payload)
      }
      const fields = JSON.stringify([incarnation, 2, "a", 0, 0, null, 4])
      database
        .prepare("INSERT INTO member VALUES (0, ?, 2, 'a', 0, 0, NULL, NULL, 4, ?)")
        .run(incarnation, hasher.h32Raw(new Uint8Array(0), hasher.h32(fields)))
    })
  })

const storedEntries = (filename: string) =>
  tamper(filename, database => database.prepare("SELECT idx, term, kind, checksum, payload FROM entries").all())

const userVersion = (filename: string) =>
  tamper(filename, database => database.pragma("user_version", { simple: true }))

describe("the format of a Raft log's file", () => {
  it.scoped("a log of format 1 is taken over with its entries, term and vote", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* oldLog(filename, 1, [1, 1, 2])
      const incarnation = yield* use(filename, log => {
        assert.deepStrictEqual(all(log), ["entry 1", "entry 2", "entry 3"])
        assert.deepStrictEqual([1, 2, 3].map(log.term), [1, 1, 2])
        assert.deepStrictEqual(log.hardState(), { term: 7, votedFor: "a" })
        assert.deepStrictEqual(log.base(), { index: 0, term: 0, configuration: undefined })
        log.stage({ entries: [configuration(4, 7, { voters: ["a"], learners: [], removed: ["b"] })] })
        log.flush()
        return log.incarnation
      })
      assert.strictEqual(userVersion(filename), 4)
      yield* use(filename, log => {
        assert.strictEqual(log.incarnation, incarnation)
        assert.lengthOf(log.configurations(), 1)
        assert.strictEqual(log.lastIndex(), 4)
      })
    })
  )

  it.scoped("a log of format 2 is taken over with its configurations, and can be compacted", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* oldLog(filename, 2, [1, 1, 2, 2])
      yield* use(filename, log => {
        assert.deepStrictEqual(
          log.configurations().map(({ index }) => index),
          [2]
        )
        log.compact(3)
        log.flush()
      })
      yield* use(filename, log => {
        assert.deepStrictEqual(log.base(), {
          index: 3,
          term: 2,
          configuration: { index: 2, configuration: { voters: ["a"], learners: ["b"], removed: [] } }
        })
        assert.deepStrictEqual(all(log), ["entry 4"])
      })
    })
  )

  it.scoped("a log of format 3 is taken over as it is, and its rows and new ones stand side by side", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* formatThree(filename)
      const before = storedEntries(filename)
      const first = yield* use(filename, log => {
        assert.deepStrictEqual(all(log), ["entry 1", "entry 2", "entry 3", "entry 4"])
        assert.deepStrictEqual(log.hardState(), { term: 2, votedFor: "a" })
        return log.incarnation
      })
      assert.strictEqual(first, "made by format 3")
      assert.strictEqual(userVersion(filename), 4)
      assert.deepStrictEqual(storedEntries(filename), before)
      yield* use(filename, log => {
        log.stage({ truncateFrom: 4, entries: row(4, 9, 2) })
        log.flush()
      })
      assert.strictEqual(storedRows(filename), 4)
      yield* use(filename, log => {
        assert.deepStrictEqual(
          all(log),
          Array.from({ length: 9 }, (_, at) => `entry ${at + 1}`)
        )
        assert.deepStrictEqual([1, 2, 3, 9].map(log.term), [1, 1, 2, 2])
        log.compact(6)
        assert.deepStrictEqual(all(log), ["entry 7", "entry 8", "entry 9"])
      })
    })
  )

  it.scoped("a damaged log of format 3 is refused, and nothing is mended on the way", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* formatThree(filename)
      tamper(filename, database => database.exec("UPDATE entries SET payload = x'00' WHERE idx = 2"))
      assert.match(yield* refusal(filename), /entry 2 of term 1 is damaged/)
    })
  )

  it.scoped("a taking over that fails half-way leaves the old format, whole and readable", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* oldLog(filename, 2, [1, 1, 2])
      const payload = tamper(filename, database => {
        const found = database.prepare("SELECT payload FROM entries WHERE idx = 3").pluck().get()
        database.prepare("UPDATE entries SET payload = ? WHERE idx = 3").run(Buffer.from("entry 9"))
        return found
      })
      assert.match(yield* refusal(filename), /entry 3 of term 2 is damaged/)
      assert.strictEqual(userVersion(filename), 2)
      tamper(filename, database => database.prepare("UPDATE entries SET payload = ? WHERE idx = 3").run(payload))
      yield* use(filename, log => assert.strictEqual(log.lastIndex(), 3))
    })
  )

  it.scoped("an old log with a hole, or with a damaged vote, is refused instead of taken over", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* oldLog(filename, 2, [1, 1, 2])
      tamper(filename, database => database.exec("UPDATE hard_state SET voted_for = 'b'"))
      assert.match(yield* refusal(filename), /record of term and vote is damaged/)
      tamper(filename, database =>
        database.exec("UPDATE hard_state SET voted_for = 'a'; DELETE FROM entries WHERE idx = 1")
      )
      assert.match(yield* refusal(filename), /row of entries up to 3, which has 2, is damaged/)
    })
  )

  it.scoped("a newer format is refused, and left as it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => log.lastIndex())
      tamper(filename, database => database.pragma("user_version = 5"))
      assert.match(yield* refusal(filename), /has format 5, this program reads up to 4; run the version that wrote it/)
      assert.strictEqual(userVersion(filename), 5)
    })
  )
})

describe("the incarnation of a Raft log", () => {
  it.scoped("is drawn for a new log, and the same at every opening", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* temporaryFile, yield* temporaryFile]
      const drawn = yield* use(first, log => log.incarnation)
      assert.match(drawn, /^[0-9a-f]{32}$/)
      assert.strictEqual(yield* use(first, log => log.incarnation, drawn), drawn)
      assert.notStrictEqual(yield* use(second, log => log.incarnation), drawn)
    })
  )

  it.scoped("another than the expected one is refused, with what to do", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => log.lastIndex(), "first life")
      const refused = yield* Effect.flip(use(filename, log => log.lastIndex(), "second life"))
      assert.match(refused.message, /incarnation first life, this member expects second life/)
      assert.match(refused.message, /Put the right file in its place/)
    })
  )

  it.scoped("a row of another log is damage, even if all else in it is the same", () =>
    Effect.gen(function* () {
      const files = [yield* temporaryFile, yield* temporaryFile]
      for (const filename of files) {
        yield* use(filename, log => {
          log.stage({ hardState: hardState(1), entries: [] })
          flushEach(log, row(1, 3, 1))
        })
      }
      const [ours = "", theirs = ""] = files
      tamper(ours, database => {
        database.exec(`ATTACH '${theirs}' AS theirs; REPLACE INTO entries SELECT * FROM theirs.entries WHERE idx = 2`)
      })
      assert.match(yield* refusal(ours), /entry 2 of term 1 is damaged/)
      tamper(ours, database => {
        database.exec(`ATTACH '${theirs}' AS theirs; REPLACE INTO member SELECT * FROM theirs.member`)
      })
      assert.match(yield* refusal(ours), /entry 3 of term 1 is damaged/)
    })
  )
})

describe("the file of a Raft log in its folder", () => {
  /** The folders that are synced while `effect` runs. */
  const syncedDirectories = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const { fsyncSync, openSync } = fs
        const opened = new Map<number, string>()
        const synced: Array<string> = []
        fs.openSync = (...args) => {
          const handle = openSync(...args)
          opened.set(handle, String(args[0]))
          return handle
        }
        fs.fsyncSync = handle => {
          synced.push(opened.get(handle) ?? "")
          fsyncSync(handle)
        }
        syncBuiltinESMExports()
        return { synced, openSync, fsyncSync }
      }),
      ({ synced }) => Effect.as(effect, synced),
      ({ fsyncSync, openSync }) =>
        Effect.sync(() => {
          Object.assign(fs, { fsyncSync, openSync })
          syncBuiltinESMExports()
        })
    )

  it.scoped("its name and those of the folders made for it are synced when it is created", () =>
    Effect.gen(function* () {
      const folder = path.dirname(yield* temporaryFile)
      const filename = path.join(folder, "groups", "orders", "raft.sqlite")
      const synced = yield* syncedDirectories(use(filename, log => log.lastIndex()))
      for (const each of [path.dirname(filename), path.join(folder, "groups"), folder]) assert.include(synced, each)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(filename)), ["raft.sqlite"])
    })
  )

  it.scoped("its name is synced again at an opening, for whoever was killed in between", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => log.lastIndex())
      const synced = yield* syncedDirectories(use(filename, log => log.lastIndex()))
      assert.include(synced, path.dirname(filename))
    })
  )

  it.scoped("what a creation cut short has left is no log, and not in the way of the next", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      fs.writeFileSync(`${filename}.new`, "half a database")
      yield* use(filename, log => assert.strictEqual(log.lastIndex(), 0))
      assert.deepStrictEqual(fs.readdirSync(path.dirname(filename)), ["raft.sqlite"])
    })
  )

  it.scoped("a creation that fails when all but its name is there is refused, and not in the way of the next", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      // A link that leads nowhere has the name, and no file.
      fs.symlinkSync("nowhere", filename)
      assert.match(yield* refusal(filename), /cannot be opened.*EEXIST: file already exists/)
      fs.rmSync(filename)
      yield* use(filename, log => assert.strictEqual(log.lastIndex(), 0))
      assert.deepStrictEqual(fs.readdirSync(path.dirname(filename)), ["raft.sqlite"])
    })
  )

  it.scoped("a folder that cannot be is refused with words", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      fs.writeFileSync(file, "no folder")
      assert.match(yield* refusal(path.join(file, "raft.sqlite")), /cannot be opened; check that its folder exists/)
    })
  )

  it.scoped("nobody else reads or writes it while it is open", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const meddle = (statement: string) => {
        const other = new Database(filename, { timeout: 0 })
        try {
          return other.exec(statement)
        } finally {
          other.close()
        }
      }
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [entry(1, 1)] })
        log.flush()
        assert.throws(() => meddle("SELECT * FROM member"), /locked/)
        assert.throws(() => meddle("DELETE FROM entries"), /locked/)
      })
      meddle("SELECT * FROM member")
    })
  )

  it.scoped("a file that may be read and not written is refused with words, and not at the first write", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, all)
      assert.match(
        yield* whereReadOnly(filename, refusal(filename)),
        /check the disk, its space and the rights on the file/
      )
      assert.deepStrictEqual(yield* use(filename, all), [])
    })
  )

  it.scoped("a foreign database and a second process are turned away with words", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      tamper(filename, database => database.exec("CREATE TABLE notes (text)"))
      assert.match(yield* refusal(filename), /database of something else/)
      fs.rmSync(filename)
      yield* use(filename, all)
      yield* Effect.acquireRelease(
        Effect.sync(() => new Database(filename)),
        other => Effect.sync(() => other.close())
      ).pipe(Effect.map(other => other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")))
      assert.match(yield* refusal(filename), /in use by another process/)
    })
  )
})
