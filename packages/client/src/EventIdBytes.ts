/**
 * Event ids as they travel and lie on disk: UUID texts in the API, 16 bytes elsewhere (RFC 9562, section 4). 36 characters would be most of a small event.
 *
 * @since 0.1.0
 */

/**
 * Bytes of an id.
 *
 * @since 0.1.0
 * @category constants
 */
export const length = 16

const textLength = 36
const notHex = 255

const nibbles = new Uint8Array(128).fill(notHex)
for (let value = 0; value < 16; value++) nibbles[value.toString(16).charCodeAt(0)] = value

const dash = 45
const isDashPlace = (at: number): boolean => at === 8 || at === 13 || at === 18 || at === 23

const nibbleAt = (text: string, at: number): number => nibbles[text.charCodeAt(at)] ?? notHex

/**
 * Writes the id to a place among the bytes. False where the text is not a UUID in lower case: another spelling would not come back as it was given.
 *
 * @since 0.1.0
 * @category conversions
 */
export const write = (id: string, bytes: Uint8Array, at: number): boolean => {
  if (id.length !== textLength) return false
  let written = at
  for (let place = 0; place < textLength; ) {
    if (isDashPlace(place)) {
      if (id.charCodeAt(place) !== dash) return false
      place += 1
    } else {
      const high = nibbleAt(id, place)
      const low = nibbleAt(id, place + 1)
      if (high === notHex || low === notHex) return false
      bytes[written++] = (high << 4) | low
      place += 2
    }
  }
  return true
}

/**
 * The id's bytes, `null` where it is not a UUID in lower case.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toBytes = (id: string): Uint8Array | null => {
  const bytes = Buffer.allocUnsafe(length)
  return write(id, bytes, 0) ? bytes : null
}

const digits = Buffer.from("0123456789abcdef")
/** Whether a dash stands before the digits of this one of the 16 bytes. */
const isBehindDash = (byte: number): boolean => byte === 4 || byte === 6 || byte === 8 || byte === 10

/**
 * The inverse of {@link toBytes}; of several ids that stand side by side, their texts side by side.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromBytes = (bytes: Uint8Array): string => {
  const text = Buffer.allocUnsafe((bytes.length / length) * textLength)
  let written = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (isBehindDash(at % length)) text[written++] = dash
    text[written++] = digits[byte >> 4] ?? 0
    text[written++] = digits[byte & 15] ?? 0
  }
  return text.toString("latin1", 0, written)
}

/**
 * The text of each of several ids that stand side by side, by its place among them. All share the memory of one text.
 *
 * @since 0.1.0
 * @category conversions
 */
export const texts = (bytes: Uint8Array): ((place: number) => string) => {
  const all = fromBytes(bytes)
  return place => all.slice(place * textLength, (place + 1) * textLength)
}
