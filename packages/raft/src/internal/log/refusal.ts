/** The words with which a log is refused: always what is wrong, and what to do about it. */
import Database from "better-sqlite3"
import { RaftLogError } from "../../RaftError.js"

/** What may pass with a disk that was away. Within a statement SQLite says `SQLITE_CORRUPT` where it cannot read, as it does of damage. */
const unread = /^SQLITE_(CORRUPT|IOERR_(CORRUPTFS|FSTAT|READ|SEEK|SHORT_READ)$)/

export interface Refusals {
  readonly refuse: (detail: string, unread?: boolean) => RaftLogError
  /** Of something that was durable once. Nothing is guessed and nothing is mended: the peers have it. */
  readonly damaged: (what: string, unread?: boolean) => RaftLogError
  /** By another process, or by somebody else in this one. */
  readonly inUse: () => RaftLogError
  /** For what SQLite or the file system has thrown; anything else is a defect, and thrown again. */
  readonly fromCause: (cause: unknown) => RaftLogError
}

export const makeRefusals = (filename: string): Refusals => {
  const refuse = (detail: string, unread = false) => new RaftLogError({ filename, detail, unread })
  const damaged = (what: string, unread = false) =>
    refuse(
      `${what} is damaged. ${unread ? "SQLite says the same of a disk that cannot be read, so check that first. " : ""}Stop this member, move its whole folder away and start it with an empty one, which its peers fill. A group's only member has no peers: put back a copy of the folder`,
      unread
    )
  const inUse = () => refuse("is in use by another process; stop that one or choose another data folder")
  return {
    refuse,
    damaged,
    inUse,
    fromCause: cause => {
      if (cause instanceof RaftLogError) return cause
      if (cause instanceof Error && "syscall" in cause) {
        // A read from a file that is open says nothing of its folder.
        if (cause.syscall === "read") return refuse(`cannot be read; check the disk (${cause.message})`, true)
        return refuse(`cannot be opened; check that its folder exists and is writable (${cause.message})`)
      }
      if (!(cause instanceof Database.SqliteError) || cause.code.startsWith("SQLITE_CONSTRAINT")) throw cause
      if (cause.code.startsWith("SQLITE_BUSY")) return inUse()
      if (cause.code.startsWith("SQLITE_CORRUPT")) return damaged(`the file (${cause.message})`, true)
      if (cause.code === "SQLITE_NOTADB") {
        return damaged("this is not a log of this program, and if it was one, the beginning of the file")
      }
      return refuse(
        `cannot be used; check the disk, its space and the rights on the file (${cause.code}: ${cause.message})`,
        unread.test(cause.code)
      )
    }
  }
}
