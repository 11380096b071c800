/**
 * How far back the log is to go, by the sizes of what is applied and still in it.
 */
import type { Compaction } from "../../Compaction.js"
import type { Piece } from "../../RaftLog.js"

export interface Tail {
  /** A page of entries was applied. */
  readonly applied: (page: Piece) => void
  /** Whether the log, which begins after `baseIndex` and is applied up to `appliedIndex`, is long enough to be cut. */
  readonly isLong: (baseIndex: number, appliedIndex: number) => boolean
  /** Through which entry the log may be cut. */
  readonly cut: (appliedIndex: number) => number
  readonly compacted: (baseIndex: number) => void
}

/** `present`: what the log has that was applied before. */
export const make = (limits: Compaction, present: ReadonlyArray<Piece>): Tail => {
  /** Pages in order, each with the bytes of all pages up to it. */
  let pages: Array<{ readonly lastIndex: number; readonly total: number }> = []
  let total = 0
  let before = 0

  const applied = ({ bytes, lastIndex }: Piece) => {
    total += bytes
    pages.push({ lastIndex, total })
  }
  for (const page of present) applied(page)

  return {
    applied,
    isLong: (baseIndex, appliedIndex) =>
      appliedIndex - baseIndex >= limits.entriesMax || total - before >= limits.bytesMax,
    cut: appliedIndex => {
      const byEntries = appliedIndex - limits.tailEntries
      const byBytes = pages.findLast(page => total - page.total >= limits.tailBytes)?.lastIndex ?? 0
      return Math.max(byEntries, byBytes)
    },
    compacted: baseIndex => {
      before = pages.findLast(page => page.lastIndex <= baseIndex)?.total ?? before
      pages = pages.filter(page => page.lastIndex > baseIndex)
    }
  }
}
