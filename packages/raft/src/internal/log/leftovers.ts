/**
 * What compaction leaves behind, cleared in bounded steps along with the writes that follow: entries before the base, then the
 * pages of the file that their deletion has set free.
 *
 * The first of those pages are kept and used again. Only where they are more than half of the file do some go back to the
 * disk with each write (auto_vacuum=INCREMENTAL, which costs appends less than can be measured), so that a file grown by a burst shrinks
 * again, and one in steady use is not shortened and lengthened by turns.
 */
import type Database from "better-sqlite3"

/** What one step deletes, or twice what its write appends, so that deletion keeps up with any load. */
const deletedEntriesMax = 1_024
const deletedBytesMax = 4 * 1024 * 1024

/** Pages that one step gives back, and free ones that the file keeps in any case. */
const returnedPagesMax = 256
const freePagesKept = 1_024

export interface Leftovers {
  /** The base is about to move. */
  readonly expect: () => void
  readonly remain: () => boolean
  /** One step, inside the transaction of a write that appends so much. */
  readonly clear: (baseIndex: number, appendedEntries: number, appendedBytes: number) => void
  readonly databaseBytes: () => number
}

export const makeLeftovers = (database: Database.Database, initialBaseIndex: number): Leftovers => {
  const oldest = database.prepare<[number, number], { readonly idx: number; readonly bytes: number }>(
    "SELECT idx, length(payload) AS bytes FROM entries WHERE idx <= ? ORDER BY idx LIMIT ?"
  )
  const remove = database.prepare("DELETE FROM entries WHERE idx <= ?")
  const pageCount = database.prepare<[], number>("PRAGMA page_count").pluck()
  const freePages = database.prepare<[], number>("PRAGMA freelist_count").pluck()
  const pageBytes = Number(database.pragma("page_size", { simple: true }))
  // A file taken over from an older format cannot give pages back, but uses them again like any other.
  const returnsPages = database.pragma("auto_vacuum", { simple: true }) === 2

  const hasManyFreePages = () => {
    const free = freePages.get() ?? 0
    return returnsPages && free > freePagesKept && free * 2 > (pageCount.get() ?? 0)
  }

  let entriesRemain = oldest.get(initialBaseIndex, 1) !== undefined
  let pagesRemain = hasManyFreePages()

  const deleteSome = (baseIndex: number, entriesMax: number, bytesMax: number) => {
    let through: number | undefined
    let count = 0
    let bytes = 0
    for (const row of oldest.all(baseIndex, entriesMax)) {
      bytes += row.bytes
      if (count > 0 && bytes > bytesMax) break
      through = row.idx
      count++
    }
    if (through !== undefined) remove.run(through)
    return oldest.get(baseIndex, 1) !== undefined
  }

  return {
    expect: () => {
      entriesRemain = true
    },
    remain: () => entriesRemain || pagesRemain,
    clear: (baseIndex, appendedEntries, appendedBytes) => {
      if (entriesRemain) {
        entriesRemain = deleteSome(
          baseIndex,
          Math.max(deletedEntriesMax, 2 * appendedEntries),
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
