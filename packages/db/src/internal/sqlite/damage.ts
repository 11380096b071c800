/**
 * What SQLite says of a page that it cannot use, and of a disk that takes none.
 *
 * A disk that refuses to read (EIO) and a page that makes no sense are told apart only where SQLite lets them be. Within a statement it says `SQLITE_CORRUPT` of both, outside of one `SQLITE_IOERR_CORRUPTFS`, and
 * `SQLITE_IOERR_READ` only where the system gave another reason, such as a device that is gone. So what may be damage may pass as well, and neither is forever.
 */
import { Database } from "@reckon/raft/Sqlite"

/** Of reads. The others of their kind are of writes. */
const unreadCodes: ReadonlySet<string> = new Set([
  "SQLITE_IOERR",
  "SQLITE_IOERR_CORRUPTFS",
  "SQLITE_IOERR_FSTAT",
  "SQLITE_IOERR_READ",
  "SQLITE_IOERR_SEEK",
  "SQLITE_IOERR_SHORT_READ"
])

/** Whether the disk refused a read, as far as the code tells. */
export const isUnread = (code: string): boolean => unreadCodes.has(code)

/** The disk is full, or cannot be written: nothing of the file is amiss. */
const isUnwritten = (code: string): boolean => /^SQLITE_(FULL|IOERR|READONLY)/.test(code)

export interface Finding {
  readonly how: "damaged" | "unreadable" | "unwritable"
  readonly what: string
}

/** What of the file cannot be used, where that is why something was thrown. */
export const unusable = (cause: unknown): Finding | undefined => {
  if (!(cause instanceof Database.SqliteError)) return undefined
  const what = `a page of it, says SQLite (${cause.code}: ${cause.message})`
  if (cause.code.startsWith("SQLITE_CORRUPT")) return { how: "damaged", what }
  if (isUnread(cause.code)) return { how: "unreadable", what }
  return isUnwritten(cause.code) ? { how: "unwritable", what } : undefined
}
