import type { Command, Reply } from "../../src/Command.js"
import * as Catalog from "../../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../../src/internal/sqlite/checkpoints.js"
import * as Database from "../../src/internal/sqlite/database.js"
import * as Queries from "../../src/internal/sqlite/query.js"
import * as SnapshotRows from "../../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../../src/internal/sqlite/writer.js"
import { entries } from "./events.js"

/** The tables of a store, in an order in which two dumps can be compared. */
export const tables = [
  "meta",
  "streams",
  "kinds",
  "events",
  "versions",
  "event_ids",
  "tags",
  "tagged",
  "fields",
  "snapshots"
] as const

/** Every row of every table. */
export const dump = (db: Database.Connection): ReadonlyArray<ReadonlyArray<unknown>> =>
  tables.map(table => db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).raw().all())

export interface OpenWriter {
  readonly db: Database.Connection
  readonly writer: Writer.Writer
  /** Applies operations as the next entry, of this time, and returns its answers. */
  readonly apply: (at: number, ...operations: Command["operations"]) => Reply
  /** The first column of what a query answers. */
  readonly values: (sql: string) => ReadonlyArray<unknown>
}

/** Uses a writer on a store in memory, without a reader and with its tables at hand. */
export const withWriter = <A>(use: (open: OpenWriter) => A): A => {
  const { db, value: writer } = Database.open(":memory:", db => {
    const catalog = Catalog.make(db)
    return Writer.make(db, catalog, SnapshotRows.make(db, catalog), Queries.make(db, catalog), Checkpoints.make(db))
  })
  try {
    return use({
      db,
      writer,
      apply: (at, ...operations) => {
        const [reply] = writer.apply(entries(writer.head().appliedIndex + 1, [{ at, operations }]))
        if (reply === null || reply === undefined) throw new Error("a command was not answered")
        return reply
      },
      values: sql => db.prepare(sql).pluck().all()
    })
  } finally {
    db.close()
  }
}
