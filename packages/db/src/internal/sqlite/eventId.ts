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

const textLength = 36
const digits = Buffer.from("0123456789abcdef")
/** Whether a dash stands before the digits of this one of the 16 bytes. */
const isBehindDash = (byte: number): boolean => byte === 4 || byte === 6 || byte === 8 || byte === 10

/** The inverse of {@link toBytes}; of several ids that stand side by side, their texts side by side. */
export const fromBytes = (bytes: Uint8Array): string => {
  const text = Buffer.allocUnsafe((bytes.length / 16) * textLength)
  let written = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (isBehindDash(at % 16)) text[written++] = dash
    text[written++] = digits[byte >> 4] ?? 0
    text[written++] = digits[byte & 15] ?? 0
  }
  return text.toString("latin1", 0, written)
}

/** The text of each of several such ids, by its place among them. All share the memory of one text, as payloads do of what they came in. */
export const texts = (bytes: Uint8Array): ((place: number) => string) => {
  const all = fromBytes(bytes)
  return place => all.slice(place * textLength, (place + 1) * textLength)
}
