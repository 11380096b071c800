/** What keeping snapshots in files needs of the file system. */
import { createHash } from "node:crypto"
import * as fs from "node:fs"

/** Hexadecimal. */
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Of a whole file, read in pieces between which others get their turn. */
export const checksum = async (file: string): Promise<string> => {
  const hash = createHash("sha256")
  for await (const bytes of fs.createReadStream(file)) hash.update(bytes)
  return hash.digest("hex")
}

/** At most `bytesMax` bytes of the file from `offset` on. */
export const read = (file: string, offset: number, bytesMax: number): Uint8Array => {
  const descriptor = fs.openSync(file, "r")
  try {
    const bytes = new Uint8Array(bytesMax)
    return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, bytesMax, offset))
  } finally {
    fs.closeSync(descriptor)
  }
}
