/**
 * The SQLite file behind `RaftLog`: schema, checksums, and the one place where its durability settings are made.
 */

import * as fs from "node:fs"
import * as path from "node:path"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import xxhash from "xxhash-wasm"
import { type Kind, type LogEntry, sizeBytes } from "../../LogEntry.js"
import type { HardState } from "../../RaftCore.js"
import { RaftLogError } from "../../RaftError.js"
import type { Write } from "../../RaftLog.js"

/** Format 1 had no configurations. Its logs are taken over as they are; only the index that finds configurations is new. */
const formatVersion = 2

/** How a kind is stored: by its place here, for ever. */
const kinds: ReadonlyArray<Kind> = ["noop", "command", "configuration"]

/** `application_id` in the file's header, "RKLG": a foreign database is told apart from ours before anything is read from it. */
const applicationId = 0x524b4c47

/** How long another process that has the file may take to let go of it. */
const lockWaitMillis = 1_000

interface EntryRow {
  readonly idx: number
  readonly term: number
  readonly kind: number
  readonly checksum: number
  readonly payload: Uint8Array
}

interface HardStateRow {
  readonly term: number
  readonly voted_for: string | null
  readonly checksum: number
}

export interface LogDatabase {
  readonly hardState: () => HardState
  readonly lastIndex: () => number
  readonly termAt: (index: number) => number
  readonly entries: (from: number, to: number, bytesMax: number) => ReadonlyArray<LogEntry>
  readonly configurations: () => ReadonlyArray<LogEntry>
  /** All changes in one synced transaction. */
  readonly write: (changes: ReadonlyArray<Write>) => void
}

/** New directory entries are durable only once their directory is synced; SQLite does so for its journal, not for the database file itself. */
const syncDirectory = (filename: string) => {
  const handle = fs.openSync(path.dirname(filename), "r")
  try {
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}

export const openLogDatabase = (filename: string): Effect.Effect<LogDatabase, RaftLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const hasher = yield* Effect.promise(() => xxhash())
    const refuse = (detail: string, cause?: unknown) =>
      new RaftLogError({ filename, detail: cause === undefined ? detail : `${detail} (${String(cause)})` })

    const database = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          if (filename !== ":memory:") fs.mkdirSync(path.dirname(filename), { recursive: true })
          return new Database(filename, { timeout: lockWaitMillis })
        },
        catch: cause => refuse("cannot be opened; check that its folder exists and is writable", cause)
      }),
      opened => Effect.sync(() => opened.close())
    )

    const refuseDamage = (what: string) =>
      refuse(
        `${what} is damaged. Nothing of this log can be trusted any more: stop the node, set its data folder aside and let it rejoin empty`
      )

    yield* Effect.try({
      try: () => {
        const version = database.pragma("user_version", { simple: true })
        if (version === 0) {
          const tables = database.prepare("SELECT count(*) FROM sqlite_master").pluck().get()
          if (tables !== 0) throw refuse("is a database of something else; choose another data folder")
        } else if (database.pragma("application_id", { simple: true }) !== applicationId) {
          throw refuse("is a database of something else; choose another data folder")
        } else if (version !== formatVersion && version !== 1) {
          throw refuse(
            `has format ${String(version)}, this program reads ${formatVersion}; run the version that wrote it`
          )
        }
        // One process at a time: a second one that opens the same log is turned away instead of voting with the same name.
        database.pragma("locking_mode = EXCLUSIVE")
        database.pragma("journal_mode = WAL")
        // FULL, not the NORMAL that better-sqlite3 chooses for WAL: a commit must be on the disk before it is acknowledged.
        database.pragma("synchronous = FULL")
        // The log is written in order and read at its end: a larger WAL only means fewer checkpoints in the way of commits.
        database.pragma("wal_autocheckpoint = 4000")
        if (version !== formatVersion) {
          database.transaction(() => {
            if (version === 0) {
              database.exec(`
                CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL,
                  checksum INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
                CREATE TABLE hard_state (id INTEGER PRIMARY KEY CHECK (id = 0), term INTEGER NOT NULL, voted_for TEXT,
                  checksum INTEGER NOT NULL) STRICT;
              `)
            }
            // Partial, so that it costs nothing where no configuration is written, and finds the few there are in a log of any length.
            database.exec("CREATE INDEX configurations ON entries (idx) WHERE kind = 2")
            database.pragma(`application_id = ${applicationId}`)
            database.pragma(`user_version = ${formatVersion}`)
          })()
          if (filename !== ":memory:") syncDirectory(filename)
        }
      },
      catch: cause => {
        if (cause instanceof RaftLogError) return cause
        return cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_BUSY")
          ? refuse("is in use by another process; stop that one or choose another data folder")
          : refuse("is not a log of this program, or is damaged", cause)
      }
    })

    const insert = database.prepare("INSERT INTO entries (idx, term, kind, checksum, payload) VALUES (?, ?, ?, ?, ?)")
    const cut = database.prepare("DELETE FROM entries WHERE idx >= ?")
    const setHardState = database.prepare(
      "INSERT INTO hard_state (id, term, voted_for, checksum) VALUES (0, ?, ?, ?) ON CONFLICT DO UPDATE SET term = excluded.term, voted_for = excluded.voted_for, checksum = excluded.checksum"
    )
    const getHardState = database.prepare<[], HardStateRow>("SELECT term, voted_for, checksum FROM hard_state")
    const getLast = database.prepare<[], number>("SELECT idx FROM entries ORDER BY idx DESC LIMIT 1").pluck()
    const getTerm = database.prepare<[number], number>("SELECT term FROM entries WHERE idx = ?").pluck()
    const getEntries = database.prepare<[number, number], EntryRow>(
      "SELECT idx, term, kind, checksum, payload FROM entries WHERE idx BETWEEN ? AND ? ORDER BY idx"
    )
    const getConfigurations = database.prepare<[], EntryRow>(
      "SELECT idx, term, kind, checksum, payload FROM entries WHERE kind = 2 ORDER BY idx"
    )

    /** The header fields seed the payload's hash, so that an entry moved to another index or term fails its check as well. */
    const entryChecksum = (index: number, term: number, kind: number, payload: Uint8Array) =>
      hasher.h32Raw(payload, hasher.h32(`${index}/${term}/${kind}`))
    const hardStateChecksum = (term: number, votedFor: string | undefined) =>
      hasher.h32(JSON.stringify([term, votedFor ?? null]))

    const decode = (row: EntryRow): LogEntry => {
      const kind = kinds[row.kind]
      if (kind === undefined || entryChecksum(row.idx, row.term, row.kind, row.payload) !== row.checksum) {
        throw refuseDamage(`entry ${row.idx} of term ${row.term}`)
      }
      return { index: row.idx, term: row.term, kind, payload: row.payload }
    }

    const stored = getHardState.get()
    if (stored !== undefined && hardStateChecksum(stored.term, stored.voted_for ?? undefined) !== stored.checksum) {
      return yield* refuseDamage("the record of term and vote")
    }
    const lastIndex = getLast.get() ?? 0

    const write = database.transaction((changes: ReadonlyArray<Write>) => {
      let hardState: HardState | undefined
      for (const change of changes) {
        if (change.truncateFrom !== undefined) cut.run(change.truncateFrom)
        for (const entry of change.entries) {
          const kind = kinds.indexOf(entry.kind)
          const checksum = entryChecksum(entry.index, entry.term, kind, entry.payload)
          insert.run(entry.index, entry.term, kind, checksum, entry.payload)
        }
        hardState = change.hardState ?? hardState
      }
      if (hardState !== undefined) {
        const { term, votedFor } = hardState
        setHardState.run(term, votedFor ?? null, hardStateChecksum(term, votedFor))
      }
    })

    return {
      hardState: () => ({ term: stored?.term ?? 0, votedFor: stored?.voted_for ?? undefined }),
      lastIndex: () => lastIndex,
      termAt: index => {
        const term = getTerm.get(index)
        if (term === undefined) throw refuseDamage(`the row of entries at ${index}`)
        return term
      },
      entries: (from, to, bytesMax) => {
        const found: Array<LogEntry> = []
        let bytes = 0
        for (const row of getEntries.iterate(from, to)) {
          // Entries are numbered without gap, and a crash can only have cut whole transactions off the end.
          if (row.idx !== from + found.length) throw refuseDamage(`the row of entries at ${from + found.length}`)
          bytes += sizeBytes(row)
          if (found.length > 0 && bytes > bytesMax) break
          found.push(decode(row))
        }
        return found
      },
      configurations: () => getConfigurations.all().map(decode),
      write: changes => {
        write.immediate(changes)
      }
    }
  })
