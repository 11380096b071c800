import type { LogEntry } from "../../LogEntry.js"
import type { Replica, Workload } from "../../Simulator.js"

const numberBytes = 4

/** The proposal an entry carries; 0 for one that carries none. */
export const proposalOf = ({ kind, payload }: LogEntry): number =>
  kind !== "command" || payload.length < numberBytes ? 0 : new DataView(payload.buffer, payload.byteOffset).getUint32(0)

/** A command that nobody waits for, of so many bytes. */
export const payloadOf = (proposal: number, bytes: number): Uint8Array => {
  const payload = new Uint8Array(Math.max(numberBytes, bytes))
  new DataView(payload.buffer).setUint32(0, proposal)
  return payload
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What tells the input of a client, which is text, from a command that only weighs. */
const isInput = 1

/** A command with a client's input in it. */
export const payloadOfInput = (proposal: number, input: string): Uint8Array => {
  const bytes = encoder.encode(input)
  const payload = payloadOf(proposal, numberBytes + 1 + bytes.length)
  payload[numberBytes] = isInput
  payload.set(bytes, numberBytes + 1)
  return payload
}

const inputOf = ({ kind, payload }: LogEntry): string | undefined =>
  kind === "command" && payload[numberBytes] === isInput ? decoder.decode(payload.subarray(numberBytes + 1)) : undefined

/** What tells an entry from another. */
export const contentOf = (entry: LogEntry): string =>
  entry.kind === "configuration" ? decoder.decode(entry.payload) : `${proposalOf(entry)} ${inputOf(entry) ?? ""}`

/**
 * A digest of all that was applied, in order, and the workload's machine: two that have the same digest applied the same.
 */
export interface Machine {
  readonly index: number
  readonly digest: number
  readonly replica: Replica
  /** What the newest entry was answered, if a client's input was in it. */
  readonly output: string | undefined
}

export const initial = ({ initial: replica }: Workload): Machine => ({
  index: 0,
  digest: 0x811c9dc5,
  replica,
  output: undefined
})

export const apply = ({ digest, replica }: Machine, entry: LogEntry): Machine => {
  let next = digest
  for (const character of `${entry.index}.${entry.term}.${entry.kind}.${contentOf(entry)};`) {
    next = Math.imul(next ^ character.charCodeAt(0), 0x01000193) >>> 0
  }
  const input = inputOf(entry)
  const applied = input === undefined ? { replica, output: undefined } : replica.apply(input)
  return { index: entry.index, digest: next, ...applied }
}

/** The machine as a text that stands in the place of a snapshot's checksum. */
export const image = ({ digest, replica }: Machine): string => `${digest} ${replica.image()}`

export const restore = (workload: Workload, index: number, text: string): Machine => {
  const end = text.indexOf(" ")
  return {
    index,
    digest: Number(text.slice(0, end)),
    replica: workload.restore(text.slice(end + 1)),
    output: undefined
  }
}
