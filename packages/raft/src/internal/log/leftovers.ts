/**
 * What compaction leaves behind, cleared in bounded steps along with the writes that follow: rows whose entries are all before the base, then
 * the pages of the file that their deletion has set free. A row that the base divides stays until the base has passed all of it.
 *
 * Those pages are kept and used again, as many as were in use when the log was cut the time before: that is what it grows by until it is cut the next time. Only of more than
 * that, and where they are more than half of the file, do some go back to the disk with each write (auto_vacuum=INCREMENTAL), so that a file grown by a burst shrinks
 * again, and one in steady use is not shortened and lengthened by turns, which has each page at its end moved, for some seconds, by the thread that commits.
 */
import type { Database } from "../../Sqlite.js"
import type { MemberRow } from "./rows.js"

/** What one step deletes, or twice what its write appends, so that deletion keeps up with any load. */
const deletedRowsMax = 1_024
const deletedBytesMax = 4 * 1024 * 1024

/** Pages that one step gives back, and free ones that the file keeps in any case. */
const returnedPagesMax = 256
const freePagesKept = 1_024

/** Where the log begins and ends, as its record has it. */
type LogEnds = Pick<MemberRow, "base_index" | "last_index">

export interface Leftovers {
  /** The base is about to move. */
  readonly expect: () => void
  readonly remain: () => boolean
  /** One step, inside the transaction of a write that appends so much. */
  readonly clear: (ends: LogEnds, appendedRows: number, appendedBytes: number) => void
  readonly databaseBytes: () => number
}

export const makeLeftovers = (database: Database.Database, initial: LogEnds): Leftovers => {
  const rowAt = database.prepare<[number], number | null>("SELECT max(idx) FROM entries WHERE idx <= +?").pluck()
  const oldest = database.prepare<[number, number], { readonly idx: number; readonly bytes: number }>(
    "SELECT idx, length(payload) AS bytes FROM entries WHERE idx < +? ORDER BY idx LIMIT +?"
  )
  const remove = database.prepare("DELETE FROM entries WHERE idx <= +?")
  const pageCount = database.prepare<[], number>("PRAGMA page_count").pluck()
  const freePages = database.prepare<[], number>("PRAGMA freelist_count").pluck()
  const pageBytes = Number(database.pragma("page_size", { simple: true }))
  // A file taken over from an older format cannot give pages back, but uses them again like any other.
  const returnsPages = database.pragma("auto_vacuum", { simple: true }) === 2

  /** Pages that were in use when the log was cut last, in this life, and the time before. */
  let usedBefore = 0
  let usedTwoBefore = 0

  const hasManyFreePages = () => {
    const free = freePages.get() ?? 0
    const kept = Math.max(freePagesKept, usedTwoBefore)
    return returnsPages && free > kept && free * 2 > (pageCount.get() ?? 0)
  }

  /** The row with the log's first entry, or the place for it; all before are leftovers. */
  const firstRow = ({ base_index, last_index }: LogEnds): number => {
    const first = base_index + 1
    return last_index < first ? first : (rowAt.get(first) ?? first)
  }

  let rowsRemain = oldest.get(firstRow(initial), 1) !== undefined
  let pagesRemain = hasManyFreePages()

  const deleteSome = (before: number, rowsMax: number, bytesMax: number) => {
    let through: number | undefined
    let count = 0
    let bytes = 0
    for (const row of oldest.all(before, rowsMax)) {
      bytes += row.bytes
      if (count > 0 && bytes > bytesMax) break
      through = row.idx
      count++
    }
    if (through !== undefined) remove.run(through)
    return oldest.get(before, 1) !== undefined
  }

  return {
    expect: () => {
      rowsRemain = true
      usedTwoBefore = usedBefore
      usedBefore = (pageCount.get() ?? 0) - (freePages.get() ?? 0)
    },
    remain: () => rowsRemain || pagesRemain,
    clear: (ends, appendedRows, appendedBytes) => {
      if (rowsRemain) {
        rowsRemain = deleteSome(
          firstRow(ends),
          Math.max(deletedRowsMax, 2 * appendedRows),
          Math.max(deletedBytesMax, 2 * appendedBytes)
        )
        pagesRemain = hasManyFreePages()
      }
      if (pagesRemain) {
        database.pragma(`incremental_vacuum(${returnedPagesMax})`)
        pagesRemain = hasManyFreePages()
      }
    },
    databaseBytes: () => (pageCount.get() ?? 0) * pageBytes
  }
}
