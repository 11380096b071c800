import * as fs from "node:fs"
import * as path from "node:path"
import * as Folder from "@reckon/raft/Folder"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import { isUnread } from "./damage.js"
import { BrokenInvariant } from "./invariant.js"
import { applicationId, migrations } from "./schema.js"

export type Connection = Database.Database

/** Why a file is not used as a store. */
export type Reason = "damaged" | "unreadable" | "foreign" | "newer" | "in_use" | "inaccessible"

/** Thrown here only; the public module turns it into its error. */
export class Refused extends Error {
  constructor(
    readonly reason: Reason,
    message: string
  ) {
    super(message)
  }
}

/** Covers a predecessor that is just closing. It blocks the thread, hence short. */
const lockWaitMillis = 1_000

const reasonOf = (code: string): Reason => {
  if (code === "SQLITE_NOTADB") return "foreign"
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return "in_use"
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_ERROR") return "damaged"
  return isUnread(code) ? "unreadable" : "inaccessible"
}

const refusalOf = (cause: unknown): Refused => {
  if (cause instanceof Refused) return cause
  // The store alone writes what it parses: what cannot be parsed was changed by someone else.
  const isDamage = cause instanceof BrokenInvariant || cause instanceof SyntaxError
  if (isDamage) return new Refused("damaged", cause.message)
  if (cause instanceof Database.SqliteError) {
    const reason = reasonOf(cause.code)
    const words =
      reason === "in_use" ? "something else has it open, most likely a node on the same folder" : cause.message
    return new Refused(reason, `${words} (${cause.code})`)
  }
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
  // No commit copies the WAL: see `checkpoints.ts`.
  db.pragma("wal_autocheckpoint = 0")
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
  migrations.slice(from).forEach((migration, at) => {
    db.transaction(() => {
      migration(db)
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

/** A connection and what runs on it. */
export interface Opened<A> {
  readonly db: Connection
  readonly value: A
}

const onConnection = <A>(source: string | Buffer, build: (db: Connection) => A): Opened<A> => {
  let db: Connection | null = null
  try {
    db = new Database(source, { timeout: lockWaitMillis })
    const { version } = checkIdentity(db)
    configureFile(db, version === 0)
    configureConnection(db)
    migrate(db, version)
    // SQLite opens a file that it must not write for reading alone, and says so only when something is written.
    db.exec("UPDATE meta SET id = id WHERE FALSE")
    checkCounters(db)
    return { db, value: build(db) }
  } catch (cause) {
    db?.close()
    throw refusalOf(cause)
  }
}

/**
 * Takes the store in `filename` for the caller alone, until the answer is called. A second engine on it would not harm the file but break what the first
 * remembers of it, so it is refused with a `Refused`.
 *
 * What is locked is a file beside it, which stays empty. The store's own must be open to the thread that copies its WAL, and SQLite locks a file for a connection, not for a process.
 */
export const lock = (filename: string): (() => void) => {
  if (filename === ":memory:") return () => {}
  let db: Connection | null = null
  try {
    db = new Database(`${filename}-lock`, { timeout: lockWaitMillis })
    // A transaction that writes nothing has no use for the journal that would lie beside it.
    db.pragma("journal_mode = MEMORY")
    // Of a file that must not be written it locks nothing. The value is never written: nobody commits it.
    db.exec("BEGIN EXCLUSIVE; PRAGMA user_version = 1")
    const held = db
    return () => held.close()
  } catch (cause) {
    db?.close()
    throw refusalOf(cause)
  }
}

/**
 * Opens `filename`, or makes a new store there, brings it to the current format, and builds with `build` what runs on it. Whatever of that fails
 * throws a `Refused`, with the file closed.
 *
 * There is no second connection on this thread, where it could overlap with nothing and had a cache of its own to fill. The one that reads ahead runs on another, see `readThread.ts`.
 */
export const open = <A>(filename: string, build: (db: Connection) => A): Opened<A> => onConnection(filename, build)

/** Pages that are copied at a time: a megabyte, which takes about a millisecond. A database in memory is copied in one go, or each write would let the copy begin anew. */
const copyPages = (db: Connection): number => (db.memory ? 0x7fffffff : 256)

/**
 * Copies the database to a new file, synced, in small steps. SQLite carries what is written meanwhile over into the copy, because it is written
 * through the same connection, so that the copy is as the database is at its last step.
 */
export const copy = (db: Connection, file: string): Effect.Effect<void, Refused> =>
  Effect.async<void, Refused>((resume, signal) => {
    const steps = db.backup(file, {
      progress: () => {
        if (signal.aborted) throw new Refused("inaccessible", "the copy was interrupted")
        return copyPages(db)
      }
    })
    const done = steps
      .then(() => Folder.sync(file))
      .then(
        () => resume(Effect.void),
        cause => {
          fs.rmSync(file, { force: true })
          resume(Effect.fail(refusalOf(cause)))
        }
      )
    return Effect.promise(() => done)
  })

/** A copy in memory cannot have a WAL, and a header that speaks of one (bytes 18 and 19) would keep it from being read. */
const withoutWal = (image: Buffer): Buffer => {
  image.fill(1, 18, 20)
  return image
}

/**
 * Closes the connection, puts the store in `file` in the place of the one in `filename` and opens that. The rename makes it all or nothing, also for
 * a power loss; the old WAL must not be there any more by then, or it would be read as part of the new store.
 */
export const replace = <A>(db: Connection, filename: string, file: string, build: (db: Connection) => A): Opened<A> => {
  db.close()
  if (filename === ":memory:") {
    const opened = onConnection(withoutWal(fs.readFileSync(file)), build)
    fs.rmSync(file)
    return opened
  }
  for (const suffix of ["-wal", "-shm"]) fs.rmSync(filename + suffix, { force: true })
  fs.renameSync(file, filename)
  Folder.sync(path.dirname(filename))
  return open(filename, build)
}
