import * as Either from "effect/Either"
import { Packr, RESERVE_START_SPACE } from "msgpackr"
import type { Read } from "./read.js"

const packr = new Packr({ useRecords: false, mapsAsObjects: true })

/** One byte that names the format, and behind it the value as MessagePack. */
export const encodeVersioned = (format: number, value: unknown): Uint8Array => {
  const bytes = packr.pack(value, RESERVE_START_SPACE | 1)
  bytes[0] = format
  return bytes
}

/** What `formats` has a reader for; on the left, why `bytes` cannot be read. */
export const decodeVersioned = <A>(
  bytes: Uint8Array,
  what: string,
  formats: ReadonlyMap<number, Read<A>>
): Either.Either<A, string> => {
  const [format] = bytes
  if (format === undefined) return Either.left("there are no bytes")
  const read = formats.get(format)
  if (read === undefined) {
    const known = [...formats.keys()].join(" and ")
    return Either.left(`it is in format ${format}, this release reads format ${known}`)
  }
  try {
    return Either.right(read(packr.unpack(bytes.subarray(1)), what))
  } catch (cause) {
    // msgpackr throws plain errors for damaged input, and only for that: nothing else is in the way here.
    return Either.left(cause instanceof Error ? cause.message : String(cause))
  }
}
