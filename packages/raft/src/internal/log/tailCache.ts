/**
 * The newest entries of a log in memory, contiguous up to its end and bounded by payload bytes.
 */
import { type LogEntry, sizeBytes } from "../../LogEntry.js"

export interface TailCache {
  readonly append: (entry: LogEntry) => void
  readonly truncateFrom: (index: number) => void
  readonly dropThrough: (index: number) => void
  readonly clear: () => void
  /** `undefined` where the cache does not reach back to `from`. */
  readonly entries: (from: number, to: number, bytesMax: number) => ReadonlyArray<LogEntry> | undefined
}

export const makeTailCache = (bytesMax: number): TailCache => {
  /** Places before `head` are empty, so that what was dropped is not held until the array is made anew. */
  let kept: Array<LogEntry | undefined> = []
  let head = 0
  let bytes = 0

  const dropOldest = () => {
    const oldest = kept[head]
    if (oldest === undefined) return
    bytes -= sizeBytes(oldest)
    kept[head] = undefined
    head++
    if (head > 1024 && head * 2 > kept.length) {
      kept = kept.slice(head)
      head = 0
    }
  }

  return {
    append: entry => {
      kept.push(entry)
      bytes += sizeBytes(entry)
      while (bytes > bytesMax && kept.length - head > 1) dropOldest()
    },
    truncateFrom: index => {
      while (kept.length > head) {
        const last = kept[kept.length - 1]
        if (last === undefined || last.index < index) break
        bytes -= sizeBytes(last)
        kept.pop()
      }
    },
    dropThrough: index => {
      while ((kept[head]?.index ?? Number.POSITIVE_INFINITY) <= index) dropOldest()
    },
    clear: () => {
      kept = []
      head = 0
      bytes = 0
    },
    entries: (from, to, entriesBytesMax) => {
      const first = kept[head]
      if (first === undefined || from < first.index) return undefined
      const found: Array<LogEntry> = []
      let foundBytes = 0
      for (let at = head + from - first.index; at < kept.length; at++) {
        const entry = kept[at]
        if (entry === undefined || entry.index > to) break
        foundBytes += sizeBytes(entry)
        if (found.length > 0 && foundBytes > entriesBytesMax) break
        found.push(entry)
      }
      return found
    }
  }
}
