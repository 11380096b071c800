import type { LogEntry } from "../../LogEntry.js"

/** The proposal an entry carries; 0 for one that carries none. */
export const proposalOf = (entry: LogEntry): number =>
  entry.kind !== "command" || entry.payload.length < 4
    ? 0
    : new DataView(entry.payload.buffer, entry.payload.byteOffset).getUint32(0)

export const payloadOf = (proposal: number, bytes: number): Uint8Array => {
  const payload = new Uint8Array(Math.max(4, bytes))
  new DataView(payload.buffer).setUint32(0, proposal)
  return payload
}

const decoder = new TextDecoder()

/** What tells an entry from another. */
export const contentOf = (entry: LogEntry): string =>
  entry.kind === "configuration" ? decoder.decode(entry.payload) : `${proposalOf(entry)}`

/**
 * A state machine whose whole state is a digest of all that it applied, in order: two that have the same digest applied
 * the same. Its snapshot is the digest, in the place of the checksum.
 */
export interface Machine {
  readonly index: number
  readonly digest: number
}

export const initial: Machine = { index: 0, digest: 0x811c9dc5 }

export const apply = ({ digest }: Machine, entry: LogEntry): Machine => {
  let next = digest
  for (const character of `${entry.index}.${entry.term}.${entry.kind}.${contentOf(entry)};`) {
    next = Math.imul(next ^ character.charCodeAt(0), 0x01000193) >>> 0
  }
  return { index: entry.index, digest: next }
}

export const restore = ({ checksum, index }: { readonly checksum: string; readonly index: number }): Machine => ({
  index,
  digest: Number(checksum)
})
