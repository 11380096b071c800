/** Event ids are UUID texts in the API and 16 bytes in the log and on disk: 36 characters twice per event would be most of a small event. */

const notHex = 255

const nibbles = new Uint8Array(128).fill(notHex)
for (let value = 0; value < 16; value++) nibbles[value.toString(16).charCodeAt(0)] = value

const dash = 45
const isDashPlace = (at: number): boolean => at === 8 || at === 13 || at === 18 || at === 23

const nibbleAt = (text: string, at: number): number => nibbles[text.charCodeAt(at)] ?? notHex

/** `null` where the text is not a UUID in lower case: another spelling would not come back as it was given. */
export const toBytes = (id: string): Buffer | null => {
  if (id.length !== 36) return null
  const bytes = Buffer.allocUnsafe(16)
  let written = 0
  for (let at = 0; at < 36; ) {
    if (isDashPlace(at)) {
      if (id.charCodeAt(at) !== dash) return null
      at += 1
    } else {
      const high = nibbleAt(id, at)
      const low = nibbleAt(id, at + 1)
      if (high === notHex || low === notHex) return null
      bytes[written++] = (high << 4) | low
      at += 2
    }
  }
  return bytes
}

/** The text of 32 digits that begin at a place. */
const textAt = (hex: string, at: number): string =>
  `${hex.slice(at, at + 8)}-${hex.slice(at + 8, at + 12)}-${hex.slice(at + 12, at + 16)}-${hex.slice(at + 16, at + 20)}-${hex.slice(at + 20, at + 32)}`

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

/** The inverse of {@link toBytes}; `bytes` are 16. */
export const fromBytes = (bytes: Uint8Array): string => textAt(hexOf(bytes), 0)

/** The same for many that stand side by side: the text of each by its place among them. */
export const texts = (bytes: Uint8Array): ((place: number) => string) => {
  const hex = hexOf(bytes)
  return place => textAt(hex, place * 32)
}
