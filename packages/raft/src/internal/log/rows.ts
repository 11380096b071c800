/**
 * What stands in the tables, and the checksums that vouch for it.
 *
 * All checksums are seeded with the file's incarnation, so that a row of another file, or of an earlier life of this one, is
 * damage like any other.
 */
import type { XXHashAPI } from "xxhash-wasm"
import type { Kind, LogEntry } from "../../LogEntry.js"
import type { HardState } from "../../RaftCore.js"

/** How a kind is stored: by its place here, for ever. */
const kinds: ReadonlyArray<Kind> = ["noop", "command", "configuration"]

/**
 * One entry, or several that follow each other: commands of one term that were written together. For what SQLite does for a row costs more than an entry
 * of usual size does.
 */
export interface EntryRow {
  /** Of the first of them. */
  readonly idx: number
  readonly term: number
  readonly kind: number
  readonly checksum: number
  /** Of one entry its own payload; of several the lengths of theirs, four bytes each, big-endian, and then these. */
  readonly payload: Uint8Array
  readonly count: number
}

export const entryColumns = "idx, term, kind, checksum, payload, count"

/** What shares a row at most: a row is read, checked and cut as a whole. An entry that is larger has one of its own. */
const rowEntriesMax = 256
const rowBytesMax = 64 * 1024

const lengthBytes = 4

export const lastOf = ({ count, idx }: Pick<EntryRow, "count" | "idx">): number => idx + count - 1

/** All of a member that is no entry, in one row: whoever reads it has all of it from the same moment. */
export interface MemberRow {
  readonly incarnation: string
  readonly term: number
  readonly voted_for: string | null
  readonly base_index: number
  readonly base_term: number
  /** Where the base's configuration stands and its payload; null as long as the founding one is in force. */
  readonly configuration_index: number | null
  readonly configuration: Uint8Array | null
  /** The end of the log: entries missing after the last row are told from a log that never had them. */
  readonly last_index: number
  readonly checksum: number
}

export const memberColumns =
  "incarnation, term, voted_for, base_index, base_term, configuration_index, configuration, last_index, checksum"

/** The log's beginning as it is stored, the configuration as its entry's payload. */
export interface StoredBase {
  readonly index: number
  readonly term: number
  readonly configuration: { readonly index: number; readonly payload: Uint8Array } | undefined
}

export const baseOf = (row: MemberRow): StoredBase => ({
  index: row.base_index,
  term: row.base_term,
  configuration:
    row.configuration_index === null || row.configuration === null
      ? undefined
      : { index: row.configuration_index, payload: row.configuration }
})

export const baseColumns = ({ configuration, index, term }: StoredBase) => ({
  base_index: index,
  base_term: term,
  configuration_index: configuration?.index ?? null,
  configuration: configuration?.payload ?? null
})

export const hardStateColumns = ({ term, votedFor }: HardState) => ({ term, voted_for: votedFor ?? null })

const noBytes = new Uint8Array(0)

/**
 * The header fields seed the payload's hash, so that an entry moved to another index or term fails its check as well. An entry alone in its row has the
 * checksum that it had in the formats in which each was.
 */
const entryHash = (hasher: XXHashAPI, row: Omit<EntryRow, "checksum">, seed?: number) => {
  const header = `${row.idx}/${row.term}/${row.kind}`
  return hasher.h32Raw(row.payload, hasher.h32(row.count === 1 ? header : `${header}/${row.count}`, seed))
}

export interface Rows {
  /** Hands out the rows of entries that follow each other, one after the other and each only until the next. Answers how many there are. */
  readonly encodeEntries: (entries: ReadonlyArray<LogEntry>, write: (row: EntryRow) => void) => number
  /** Those of its entries from one index to another; `undefined` where the row is damaged. */
  readonly decodeEntries: (row: EntryRow, from?: number, to?: number) => ReadonlyArray<LogEntry> | undefined
  readonly entryChecksum: (row: Omit<EntryRow, "checksum">) => number
  readonly sealMember: (row: Omit<MemberRow, "checksum">) => MemberRow
}

export const makeRows = (hasher: XXHashAPI, incarnation: string): Rows => {
  const seed = hasher.h32(incarnation)
  const entryChecksum = (row: Omit<EntryRow, "checksum">) => entryHash(hasher, row, seed)
  /** For the payload of one row after the other: a new one for each would cost as much as what is written to it. */
  const packed = new Uint8Array(rowBytesMax)
  return {
    entryChecksum,
    encodeEntries: (entries, write) => {
      let count = 0
      let shared: Array<LogEntry> = []
      let bytes = 0
      const end = () => {
        const [first] = shared
        if (first === undefined) return
        const { index: idx, term } = first
        const payload = shared.length === 1 ? first.payload : pack(shared, packed.subarray(0, bytes))
        const row = { idx, term, kind: kinds.indexOf(first.kind), checksum: 0, payload, count: shared.length }
        row.checksum = entryChecksum(row)
        write(row)
        count++
        shared = []
        bytes = 0
      }
      for (const entry of entries) {
        const size = lengthBytes + entry.payload.length
        const fits = shared.length < rowEntriesMax && bytes + size <= rowBytesMax
        if (!fits || !areAlike(shared[0], entry)) end()
        shared.push(entry)
        bytes += size
      }
      end()
      return count
    },
    decodeEntries: (row, from = row.idx, to = lastOf(row)) => {
      const kind = kinds[row.kind]
      if (kind === undefined || entryChecksum(row) !== row.checksum) return undefined
      return row.count === 1 ? [{ index: row.idx, term: row.term, kind, payload: row.payload }] : unpack(row, from, to)
    },
    sealMember: row => ({ ...row, checksum: memberChecksum(hasher, row) })
  }
}

/** Configurations are looked up by their rows, so only commands share one. */
const areAlike = (first: LogEntry | undefined, next: LogEntry): boolean =>
  first?.kind === "command" && next.kind === "command" && first.term === next.term

const pack = (entries: ReadonlyArray<LogEntry>, bytes: Uint8Array): Uint8Array => {
  const lengths = new DataView(bytes.buffer)
  let at = entries.length * lengthBytes
  entries.forEach(({ payload }, nth) => {
    lengths.setUint32(nth * lengthBytes, payload.length)
    bytes.set(payload, at)
    at += payload.length
  })
  return bytes
}

const unpack = ({ count, idx, payload, term }: EntryRow, from: number, to: number): ReadonlyArray<LogEntry> => {
  const lengths = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const entries: Array<LogEntry> = []
  let at = count * lengthBytes
  for (let index = idx; index <= to; index++) {
    const end = at + lengths.getUint32((index - idx) * lengthBytes)
    // A copy: whoever keeps one entry does not keep the whole row.
    if (index >= from)
      entries.push({ index, term, kind: "command", payload: new Uint8Array(payload.subarray(at, end)) })
    at = end
  }
  return entries
}

export const memberChecksum = (hasher: XXHashAPI, row: Omit<MemberRow, "checksum">): number =>
  hasher.h32Raw(
    row.configuration ?? noBytes,
    hasher.h32(
      JSON.stringify([
        row.incarnation,
        row.term,
        row.voted_for,
        row.base_index,
        row.base_term,
        row.configuration_index,
        row.last_index
      ])
    )
  )

/** How formats 1 and 2 computed the checksums of their rows. */
export const oldEntryChecksum: (hasher: XXHashAPI, row: Omit<EntryRow, "checksum">) => number = entryHash

export const oldHardStateChecksum = (hasher: XXHashAPI, { term, votedFor }: HardState): number =>
  hasher.h32(JSON.stringify([term, votedFor ?? null]))
