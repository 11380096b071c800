/**
 * The SQLite database behind `RaftLog`: the one place where its durability settings are made, its rows are read and checked, and
 * changes are written.
 */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import xxhash, { type XXHashAPI } from "xxhash-wasm"
import * as Folder from "../../Folder.js"
import { type LogEntry, overheadBytes, sizeBytes } from "../../LogEntry.js"
import type { HardState } from "../../RaftCore.js"
import type { RaftLogError } from "../../RaftError.js"
import type { Piece } from "../../RaftLog.js"
import { Database } from "../../Sqlite.js"
import * as file from "./file.js"
import { createLog, formatVersion, readFormat, setMemberStatement, takeOver } from "./format.js"
import { makeLeftovers } from "./leftovers.js"
import { makeRefusals, type Refusals } from "./refusal.js"
import {
  baseColumns,
  baseOf,
  type EntryRow,
  entryColumns,
  hardStateColumns,
  lastOf,
  type MemberRow,
  makeRows,
  memberChecksum,
  memberColumns,
  type Rows,
  type StoredBase
} from "./rows.js"
import type { StoredTerms } from "./termRuns.js"
import { takeTurn } from "./turn.js"
import { findWalDamage } from "./walFile.js"

/** How long whoever has the file may take to let go of it. */
const lockWaitMillis = 1_000

let compiling: Promise<XXHashAPI> | undefined

/** WebAssembly, compiled by the first who asks. */
const compiledHash: Effect.Effect<XXHashAPI> = Effect.promise(() => {
  compiling ??= xxhash()
  return compiling
})

/** Pages of the -wal from which on a commit also checkpoints: 16 MiB. Larger than SQLite's, so that checkpoints are seldom in the way of commits. */
const walPagesMax = 4_000
/** What the -wal may keep of the disk after one transaction has made it larger. */
const walBytesKept = 32 * 1024 * 1024

/** What is checked of the newest entries at every opening, whatever the log's length; older ones are checked when they are read. */
const checkedEntriesMax = 1_024
const checkedBytesMax = 4 * 1024 * 1024

/** A change in the order in which its parts take effect: cut, begin after `base`, append. */
export interface Change {
  readonly hardState?: HardState | undefined
  readonly truncateFrom?: number | undefined
  readonly base?: StoredBase | undefined
  readonly entries: ReadonlyArray<LogEntry>
}

export interface LogDatabase extends StoredTerms {
  readonly incarnation: string
  readonly hardState: HardState
  readonly base: StoredBase
  readonly entries: (from: number, to: number, bytesMax: number) => ReadonlyArray<LogEntry>
  /** Those above the base that end at `through` or before it. Of a row without its payload nothing is checked. */
  readonly pieces: (through: number) => ReadonlyArray<Piece>
  /** Those above the base, in their order. */
  readonly configurations: () => ReadonlyArray<LogEntry>
  /** The newest up to this index, above the base. */
  readonly configurationAt: (index: number) => LogEntry | undefined
  /** All changes, and a part of what deletion has left, in one synced transaction. */
  readonly write: (changes: ReadonlyArray<Change>) => void
  /** Whether entries before the base are still to be deleted, or free pages to be given back. */
  readonly hasLeftovers: () => boolean
  readonly bytesOnDisk: () => number
  readonly hasRoom: () => boolean
  readonly fromCause: Refusals["fromCause"]
}

export interface OpenOptions {
  readonly filename: string
  /** That of a new file. */
  readonly incarnation: string
  /** Whether an existing file must have that one as well. */
  readonly isExpected: boolean
  /** Whether all of an existing file is checked, and not the newest entries only. */
  readonly isInDoubt: boolean
}

export const openLogDatabase = (options: OpenOptions): Effect.Effect<LogDatabase, RaftLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const { filename } = options
    const isInMemory = filename === ":memory:"
    const refusals = makeRefusals(filename, options.isInDoubt)
    const { damaged, fromCause, refuse } = refusals
    const attempt = <A>(f: () => A) => Effect.try({ try: f, catch: fromCause })
    if (!isInMemory) yield* takeTurn({ filename, waitMillis: lockWaitMillis, onHeld: refusals.inUse })
    const hasher = yield* compiledHash

    const create = (database: Database.Database) => createLog(database, hasher, options.incarnation)
    if (!isInMemory) yield* attempt(() => prepareFile(filename, create, refusals))
    const database = yield* Effect.acquireRelease(
      attempt(() => new Database(filename, { timeout: lockWaitMillis, fileMustExist: !isInMemory })),
      opened => Effect.sync(() => opened.close())
    )
    const stored = yield* attempt(() => {
      if (isInMemory) create(database)
      const version = readFormat(database, refusals)
      configure(database)
      if (version !== formatVersion) takeOver(database, version, hasher, options.incarnation, refusals)
      // SQLite opens a file that it must not write for reading alone, and says so only when something is written.
      database.exec("UPDATE member SET term = term WHERE FALSE")
      const row = database.prepare<[], MemberRow>(`SELECT ${memberColumns} FROM member`).get()
      if (row === undefined || memberChecksum(hasher, row) !== row.checksum) {
        throw damaged("the record of term, vote and configuration")
      }
      if (options.isInDoubt) {
        const sound = database.pragma("integrity_check(1)", { simple: true })
        if (sound !== "ok") throw damaged(`the file (${sound})`.replaceAll("\n", " "))
      }
      if (options.isExpected && row.incarnation !== options.incarnation) {
        throw refuse(
          `is the log of incarnation ${row.incarnation}, this member expects ${options.incarnation}: it belongs to another member, or to an earlier life of this one. Put the right file in its place; without one, let the member join as a new one`
        )
      }
      return row
    })
    const rows = makeRows(hasher, stored.incarnation)
    return yield* attempt(() => makeLogDatabase(database, rows, stored, refusals, options.isInDoubt))
  })

/** What is to be known and done of the file before SQLite sees it. */
const prepareFile = (filename: string, create: (database: Database.Database) => void, refusals: Refusals): void => {
  const { damaged, refuse } = refusals
  const wal = file.walOf(filename)
  file.removeUnfinished(filename)
  const found = fs.statSync(filename, { throwIfNoEntry: false })
  if (found === undefined) {
    if (fs.existsSync(wal)) {
      throw refuse(
        `is not there, but its -wal is: the log was lost or moved without it. Put the file back, or ${wal} away`
      )
    }
    file.createFile(filename, create)
    return
  }
  if (found.size === 0) throw damaged("the file, which is empty,")
  const damage = findWalDamage(wal)
  if (damage !== undefined) throw damaged(damage)
  // Whoever created it may have been killed before this.
  Folder.sync(file.directoryOf(filename))
}

const configure = (database: Database.Database): void => {
  // One process at a time: a second one that opens the same log is turned away instead of voting with the same name.
  database.pragma("locking_mode = EXCLUSIVE")
  database.pragma("journal_mode = WAL")
  // FULL, not the NORMAL that better-sqlite3 chooses for WAL: a commit must be on the disk before it is acknowledged.
  database.pragma("synchronous = FULL")
  // Where a plain fsync leaves the data in the drive's cache, as on macOS, ask for the one that does not.
  database.pragma("fullfsync = ON")
  database.pragma("checkpoint_fullfsync = ON")
  database.pragma(`wal_autocheckpoint = ${walPagesMax}`)
  database.pragma(`journal_size_limit = ${walBytesKept}`)
  database.pragma("cell_size_check = ON")
  // Every life begins with an empty -wal. What a torn write left in an old one could be taken for a part of what comes next.
  database.pragma("wal_checkpoint(TRUNCATE)")
}

const makeLogDatabase = (
  database: Database.Database,
  rows: Rows,
  stored: MemberRow,
  { damaged, fromCause }: Refusals,
  isInDoubt: boolean
): LogDatabase => {
  const insert = database.prepare(`INSERT INTO entries (${entryColumns}) VALUES (?, ?, ?, ?, ?, ?)`)
  const cut = database.prepare("DELETE FROM entries WHERE idx >= +?")
  const setMember = database.prepare(setMemberStatement)
  const select = `SELECT ${entryColumns} FROM entries WHERE`
  /** The row that has the entry, if any has. */
  const getRowAt = database.prepare<[number], EntryRow>(`${select} idx <= +? ORDER BY idx DESC LIMIT 1`)
  const fromRowAt = "idx >= (SELECT coalesce(max(idx), 0) FROM entries WHERE idx <= +?)"
  const getRows = database.prepare<[number, number], EntryRow>(`${select} ${fromRowAt} AND idx <= +? ORDER BY idx`)
  const getNewest = database.prepare<[number], EntryRow>(`${select} ${fromRowAt} ORDER BY idx DESC`)
  const getSizes = database
    .prepare<[number, number], [idx: number, count: number, bytes: number]>(
      `SELECT idx, count, length(payload) FROM entries WHERE ${fromRowAt} AND idx <= +? ORDER BY idx`
    )
    .raw()
  const getConfigurations = database.prepare<[number, number], EntryRow>(
    `${select} kind = 2 AND idx > +? AND idx <= +? ORDER BY idx`
  )
  const getConfigurationAt = database.prepare<[number, number], EntryRow>(
    `${select} kind = 2 AND idx > +? AND idx <= +? ORDER BY idx DESC LIMIT 1`
  )

  let member = stored
  const leftovers = makeLeftovers(database, stored)

  const decode = (row: EntryRow, from?: number, to?: number): ReadonlyArray<LogEntry> => {
    const entries = rows.decodeEntries(row, from, to)
    if (entries !== undefined) return entries
    throw damaged(
      row.count === 1
        ? `entry ${row.idx} of term ${row.term}`
        : `one of the entries ${row.idx} to ${lastOf(row)} of term ${row.term}`
    )
  }
  const damagedRow = (index: number) => damaged(`the row of entries at ${index}`)
  const checked = <A>(f: () => A): A => {
    try {
      return f()
    } catch (cause) {
      throw fromCause(cause)
    }
  }

  const checkTail = () => {
    let expected = stored.last_index
    let bytes = 0
    let termMax = stored.term
    for (const row of getNewest.iterate(stored.base_index + 1)) {
      const last = lastOf(row)
      // Of an empty log: what compaction has left.
      if (last <= stored.base_index) break
      if (last !== expected) throw damagedRow(Math.max(last, expected))
      decode(row)
      if (row.term > termMax && expected === stored.last_index) {
        throw damaged(
          `the record of term and vote, whose term ${termMax} is below that of the last entry, ${row.term},`
        )
      }
      if (row.term > termMax) throw damagedRow(expected + 1)
      termMax = row.term
      expected = row.idx - 1
      bytes += row.payload.byteLength + row.count * overheadBytes
      const isMuch = bytes > checkedBytesMax || stored.last_index - expected >= checkedEntriesMax
      if (isMuch && !isInDoubt) return
    }
    if (expected > stored.base_index) throw damagedRow(expected)
  }
  checkTail()

  /** Of a row whose end is cut off the beginning is written anew. */
  const cutFrom = (index: number) => {
    const row = getRowAt.get(index - 1)
    const divided = row !== undefined && lastOf(row) >= index ? row : undefined
    cut.run(divided?.idx ?? index)
    if (divided !== undefined) insertEntries(decode(divided, divided.idx, index - 1))
  }

  const insertEntries = (entries: ReadonlyArray<LogEntry>): number =>
    rows.encodeEntries(entries, row => {
      insert.run(row.idx, row.term, row.kind, row.checksum, row.payload, row.count)
    })

  const write = database.transaction((changes: ReadonlyArray<Change>): MemberRow => {
    let next: Omit<MemberRow, "checksum"> = member
    let end = member.last_index
    let appended: Array<LogEntry> = []
    let appendedRows = 0
    let appendedBytes = 0
    const append = () => {
      appendedRows += insertEntries(appended)
      appended = []
    }
    for (const { base, entries, hardState, truncateFrom } of changes) {
      if (hardState !== undefined) next = { ...next, ...hardStateColumns(hardState) }
      if (truncateFrom !== undefined) {
        append()
        cutFrom(truncateFrom)
        end = Math.min(end, truncateFrom - 1)
      }
      if (base !== undefined) {
        leftovers.expect()
        next = { ...next, ...baseColumns(base) }
        end = Math.max(end, base.index)
      }
      for (const entry of entries) {
        appended.push(entry)
        appendedBytes += sizeBytes(entry)
        end = entry.index
      }
    }
    append()
    const sealed = changes.length === 0 ? member : rows.sealMember({ ...next, last_index: end })
    if (sealed !== member) setMember.run(sealed)
    leftovers.clear(sealed, appendedRows, appendedBytes)
    return sealed
  })

  return {
    incarnation: stored.incarnation,
    hardState: { term: stored.term, votedFor: stored.voted_for ?? undefined },
    base: baseOf(stored),
    lastIndex: stored.last_index,
    termAt: index => {
      const row = getRowAt.get(index)
      if (row === undefined || lastOf(row) < index) throw damagedRow(index)
      decode(row)
      return row.term
    },
    fallAt: damagedRow,
    entries: (from, to, bytesMax) =>
      checked(() => {
        const found: Array<LogEntry> = []
        let bytes = 0
        for (const row of getRows.iterate(from, to)) {
          const next = from + found.length
          const last = lastOf(row)
          // Only the first may begin before what is asked for.
          if (last < next || row.idx > next || (row.idx < next && found.length > 0)) throw damagedRow(next)
          for (const entry of decode(row, next, Math.min(last, to))) {
            bytes += sizeBytes(entry)
            if (found.length > 0 && bytes > bytesMax) return found
            found.push(entry)
          }
        }
        if (found.length <= to - from) throw damagedRow(from + found.length)
        return found
      }),
    pieces: through =>
      checked(() =>
        getSizes
          .all(member.base_index + 1, through)
          .map(([idx, count, bytes]) => ({ lastIndex: lastOf({ idx, count }), bytes: bytes + count * overheadBytes }))
          .filter(({ lastIndex }) => lastIndex > member.base_index && lastIndex <= through)
      ),
    configurations: () =>
      checked(() => getConfigurations.all(member.base_index, member.last_index).flatMap(row => decode(row))),
    configurationAt: index =>
      checked(() => {
        const row = getConfigurationAt.get(member.base_index, index)
        return row && decode(row)[0]
      }),
    write: changes => {
      member = checked(() => write.immediate(changes))
    },
    hasLeftovers: leftovers.remain,
    hasRoom: () => database.memory || file.hasRoom(database.name),
    bytesOnDisk: () => (database.memory ? leftovers.databaseBytes() : file.bytesOnDisk(database.name)),
    fromCause
  }
}
