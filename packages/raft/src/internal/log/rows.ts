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

export interface EntryRow {
  readonly idx: number
  readonly term: number
  readonly kind: number
  readonly checksum: number
  readonly payload: Uint8Array
}

export const entryColumns = "idx, term, kind, checksum, payload"

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

/** The header fields seed the payload's hash, so that an entry moved to another index or term fails its check as well. */
const entryHash = (hasher: XXHashAPI, row: Omit<EntryRow, "checksum">, seed?: number) =>
  hasher.h32Raw(row.payload, hasher.h32(`${row.idx}/${row.term}/${row.kind}`, seed))

export interface Rows {
  readonly encodeEntry: (entry: LogEntry) => EntryRow
  /** `undefined` where the row is damaged. */
  readonly decodeEntry: (row: EntryRow) => LogEntry | undefined
  readonly entryChecksum: (row: Omit<EntryRow, "checksum">) => number
  readonly sealMember: (row: Omit<MemberRow, "checksum">) => MemberRow
}

export const makeRows = (hasher: XXHashAPI, incarnation: string): Rows => {
  const seed = hasher.h32(incarnation)
  const entryChecksum = (row: Omit<EntryRow, "checksum">) => entryHash(hasher, row, seed)
  return {
    entryChecksum,
    encodeEntry: ({ index, kind, payload, term }) => {
      const row = { idx: index, term, kind: kinds.indexOf(kind), checksum: 0, payload }
      row.checksum = entryChecksum(row)
      return row
    },
    decodeEntry: row => {
      const kind = kinds[row.kind]
      if (kind === undefined || entryChecksum(row) !== row.checksum) return undefined
      return { index: row.idx, term: row.term, kind, payload: row.payload }
    },
    sealMember: row => ({ ...row, checksum: memberChecksum(hasher, row) })
  }
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
