import Database from "better-sqlite3"

/** What of the file is damaged, where that is why something was thrown. */
export const damaged = (cause: unknown): string | undefined =>
  cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_CORRUPT")
    ? `a page of it, says SQLite (${cause.code}: ${cause.message})`
    : undefined
