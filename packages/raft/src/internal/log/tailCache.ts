/**
 * The newest entries of a log in memory, contiguous up to its end and bounded by the bytes that they hold.
 *
 * A payload is mostly a piece of something larger: of the buffer that an encoder has filled with other messages as well, or of what a socket brought. As long as the entry is kept, so is all of that, and a
 * hundred bytes can hold a megabyte. So what counts is the buffer, once for neighbours that share it.
 */
import { type LogEntry, overheadBytes, sizeBytes } from "../../LogEntry.js"

export interface TailCache {
  readonly append: (entry: LogEntry) => void
  readonly truncateFrom: (index: number) => void
  readonly dropThrough: (index: number) => void
  readonly clear: () => void
  /** `undefined` where the cache does not reach back to `from`. */
  readonly entries: (from: number, to: number, bytesMax: number) => ReadonlyArray<LogEntry> | undefined
}

/** What the entry holds that its neighbour does not. */
const heldBytes = ({ payload }: LogEntry, neighbour: LogEntry | undefined): number =>
  overheadBytes + (payload.buffer === neighbour?.payload.buffer ? 0 : payload.buffer.byteLength)

export const makeTailCache = (bytesMax: number): TailCache => {
  /** Places before `head` are empty, so that what was dropped is not held until the array is made anew. */
  let kept: Array<LogEntry | undefined> = []
  let head = 0
  let bytes = 0

  const dropOldest = () => {
    const oldest = kept[head]
    if (oldest === undefined) return
    bytes -= heldBytes(oldest, kept[head + 1])
    kept[head] = undefined
    head++
    if (head > 1024 && head * 2 > kept.length) {
      kept = kept.slice(head)
      head = 0
    }
  }

  return {
    append: entry => {
      bytes += heldBytes(entry, kept.at(-1))
      kept.push(entry)
      while (bytes > bytesMax && kept.length - head > 1) dropOldest()
    },
    truncateFrom: index => {
      while (kept.length > head) {
        const last = kept[kept.length - 1]
        if (last === undefined || last.index < index) break
        kept.pop()
        bytes -= heldBytes(last, kept.at(-1))
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
