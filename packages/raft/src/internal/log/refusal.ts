/** The words with which a log is refused: always what is wrong, and what to do about it. */

import { RaftLogError } from "../../RaftError.js"
import { Database } from "../../Sqlite.js"

/** What may pass with a disk that was full, away, or not to be written. Within a statement SQLite says `SQLITE_CORRUPT` where it cannot read, as it does of damage. */
const passing = /^SQLITE_(CANTOPEN|CORRUPT|FULL|IOERR|READONLY)/
/** The same of the file system: no room, no more of it for this user, too many files, or a disk that fails. */
const passingInSystem: ReadonlySet<unknown> = new Set(["EDQUOT", "EFBIG", "EIO", "EMFILE", "ENFILE", "ENOSPC", "EROFS"])

export interface Refusals {
  readonly refuse: (detail: string, mayPass?: boolean) => RaftLogError
  /** Of something that was durable once. Nothing is guessed and nothing is mended: the peers have it. */
  readonly damaged: (what: string, mayPass?: boolean) => RaftLogError
  /** By another process, or by somebody else in this one. */
  readonly inUse: () => RaftLogError
  /** For what SQLite or the file system has thrown; anything else is a defect, and thrown again. */
  readonly fromCause: (cause: unknown) => RaftLogError
}

/** `isInDoubt`: the file may be of a copy that was made while the log was open. */
export const makeRefusals = (filename: string, isInDoubt = false): Refusals => {
  const copy = isInDoubt
    ? "a copy of the folder that was made while it was stopped, or of a snapshot of the file system; this one seems to have been made while it was open"
    : "a copy of the folder"
  const refuse = (detail: string, mayPass = false) => new RaftLogError({ filename, detail, mayPass })
  const damaged = (what: string, mayPass = false) =>
    refuse(
      `${what} is damaged. ${mayPass ? "SQLite says the same of a disk that cannot be read, so check that first. " : ""}Stop this member, move its whole folder away and start it with an empty one, which its peers fill. A group's only member has no peers: put back ${copy}`,
      mayPass
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
        return refuse(
          `cannot be opened; check that its folder exists and is writable, and the disk (${cause.message})`,
          "code" in cause && passingInSystem.has(cause.code)
        )
      }
      if (!(cause instanceof Database.SqliteError) || cause.code.startsWith("SQLITE_CONSTRAINT")) throw cause
      if (cause.code.startsWith("SQLITE_BUSY")) return inUse()
      if (cause.code.startsWith("SQLITE_CORRUPT")) return damaged(`the file (${cause.message})`, true)
      if (cause.code === "SQLITE_NOTADB") {
        return damaged("this is not a log of this program, and if it was one, the beginning of the file")
      }
      return refuse(
        `cannot be used; check the disk, its space and the rights on the file (${cause.code}: ${cause.message})`,
        passing.test(cause.code)
      )
    }
  }
}
