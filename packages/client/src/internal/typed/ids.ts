/**
 * Ids of events that follow from a command's: who executes the command again makes the same ids.
 */
import { createHash } from "node:crypto"

const bytesOf = (uuid: string): Uint8Array => Buffer.from(uuid.replaceAll("-", ""), "hex")

/** A name-based UUID (version 5, RFC 9562 §5.5). */
export const nameBased = (namespace: string, name: string): string => {
  const hash = createHash("sha1").update(bytesOf(namespace)).update(name, "utf8").digest()
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  const hex = hash.toString("hex")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-")
}

const namespace = "6f0c1f3e-6a53-4f5e-9b0a-4d1a1c5f7a52"

/**
 * The id of one of the `total` events that a command led to. Two decisions of one command have either all ids in common or none, so that a store never takes the
 * second one for a continuation of the first.
 */
export const ofCommand = (commandId: string, scope: string | null, index: number, total: number): string =>
  nameBased(namespace, JSON.stringify([commandId, scope, index, total]))
