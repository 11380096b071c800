import Database from "better-sqlite3"
import { BrokenInvariant } from "./invariant.js"
import { applicationId, migrations } from "./schema.js"

export type Connection = Database.Database

/** Why a file is not used as a store. */
export type Reason = "damaged" | "foreign" | "newer" | "in_use" | "inaccessible"

/** Thrown here only; the public module turns it into its error. */
export class Refused extends Error {
  constructor(
    readonly reason: Reason,
    message: string
  ) {
    super(message)
  }
}

const reasonOf = (code: string): Reason => {
  if (code === "SQLITE_NOTADB") return "foreign"
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return "in_use"
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_ERROR") return "damaged"
  return "inaccessible"
}

const refusalOf = (cause: unknown): Refused => {
  if (cause instanceof Refused) return cause
  if (cause instanceof BrokenInvariant) return new Refused("damaged", cause.message)
  if (cause instanceof Database.SqliteError)
    return new Refused(reasonOf(cause.code), `${cause.message} (${cause.code})`)
  return new Refused("inaccessible", cause instanceof Error ? cause.message : String(cause))
}

const number = (db: Connection, sql: string): number => {
  const value = db.prepare<[], unknown>(sql).pluck().get()
  if (typeof value !== "number") throw new Refused("damaged", `"${sql}" answered ${String(value)}`)
  return value
}

/** Before a single byte of the file is changed: a mistyped path must not cost anyone their data. */
const checkIdentity = (db: Connection): { readonly version: number } => {
  const id = number(db, "PRAGMA application_id")
  const version = number(db, "PRAGMA user_version")
  const isEmpty = number(db, "SELECT count(*) FROM sqlite_schema") === 0
  if (id !== applicationId && !(id === 0 && version === 0 && isEmpty)) {
    throw new Refused("foreign", "it is an SQLite database, but not a store")
  }
  if (version > migrations.length) {
    throw new Refused("newer", `it is in format ${version}, this release reads formats up to ${migrations.length}`)
  }
  return { version }
}

const configureFile = (db: Connection, isNew: boolean): void => {
  // Larger pages mean shallower trees, but each commit writes whole pages to the WAL: of 2, 4 and 8 KiB, 4 took most events a second.
  if (isNew) db.pragma("page_size = 4096")
  db.pragma("journal_mode = WAL")
}

const configureConnection = (db: Connection): void => {
  // The Raft log is the durable copy and replays what a crash takes from here. This file has to be consistent, not synced: with NORMAL the WAL is
  // synced when it is checkpointed, before the pages it replaces are overwritten, and a commit is a write without a sync.
  db.pragma("synchronous = NORMAL")
  // Index entries of event ids go to random leaves. A checkpoint writes a leaf once however often it changed since the last one, so that fewer
  // checkpoints mean fewer writes; 4,000 pages keep the WAL near 16 MB, and what a restart has to read of it short.
  db.pragma("wal_autocheckpoint = 4000")
  // One huge batch must not leave its WAL behind at full length for ever.
  db.pragma("journal_size_limit = 67108864")
  // The inner pages and the busy leaves of both indexes for some millions of events (KiB, hence the sign).
  db.pragma("cache_size = -65536")
  db.pragma("temp_store = MEMORY")
  // Damage is found where a page is read and not where its nonsense is used.
  db.pragma("cell_size_check = ON")
  db.pragma("trusted_schema = OFF")
}

const migrate = (db: Connection, from: number): void => {
  migrations.slice(from).forEach((sql, at) => {
    db.transaction(() => {
      db.exec(sql)
      db.pragma(`application_id = ${applicationId}`)
      db.pragma(`user_version = ${from + at + 1}`)
    }).immediate()
  })
}

/** What a start can check at the price of a few page reads; a full check costs a scan of the file. */
const checkCounters = (db: Connection): void => {
  const behind = number(
    db,
    `SELECT (SELECT ifnull(max(position), -1) FROM events) > last_position
         OR (SELECT ifnull(max(id), 0) FROM streams) > last_stream
       FROM meta WHERE id = 0`
  )
  if (behind !== 0) throw new Refused("damaged", "it holds events or streams that its counters do not know of")
}

/**
 * Opens `filename`, or makes a new store there, brings it to the current format, and builds with `build` what runs on it. Whatever of that fails
 * throws a `Refused`, with the file closed.
 *
 * The file is locked for this connection alone. A second process on it would not harm the file but would break what the engine remembers of it, so it
 * is refused; and SQLite then keeps the index of the WAL in its heap, without shared memory and without a lock call per transaction. There is
 * no second connection for reads: it would run on the same thread, where it can overlap with nothing, and have a cache of its own to fill.
 */
export const open = <A>(
  filename: string,
  build: (db: Connection) => A
): { readonly db: Connection; readonly value: A } => {
  let db: Connection | null = null
  try {
    // The timeout covers a predecessor that is just closing. It blocks the thread, hence short.
    db = new Database(filename, { timeout: 1000 })
    db.pragma("locking_mode = EXCLUSIVE")
    const { version } = checkIdentity(db)
    configureFile(db, version === 0)
    configureConnection(db)
    migrate(db, version)
    checkCounters(db)
    return { db, value: build(db) }
  } catch (cause) {
    db?.close()
    throw refusalOf(cause)
  }
}
