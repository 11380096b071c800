/**
 * Entries on the wire: as one string of bytes, since a schema that looks at each of a thousand entries costs more than all else that is done to them.
 *
 * ```
 * first index   8 bytes, a float64 like every number of JavaScript
 * each entry    term 8 · kind 1 · length 4 · payload
 * ```
 *
 * Nothing at all stands for no entries. Numbers are big-endian. What is read is checked as its schema would: kinds that are known, indexes and terms
 * that are positive integers, lengths that are there. A payload is a view of the bytes it came in.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Kind, LogEntry } from "../LogEntry.js"
import { assertInvariant } from "./core/invariant.js"

/** A kind by its place here, for ever. */
const kinds: ReadonlyArray<Kind> = ["noop", "command", "configuration"]

const indexBytes = 8
const headerBytes = 13

const none = new Uint8Array(0)

export const pack = (entries: ReadonlyArray<LogEntry>): Uint8Array => {
  const [first] = entries
  if (first === undefined) return none
  let size = indexBytes
  for (const { payload } of entries) size += headerBytes + payload.length
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, first.index)
  let at = indexBytes
  let index = first.index
  for (const entry of entries) {
    assertInvariant(entry.index === index, "entries that are sent follow each other", {
      index: entry.index,
      expected: index
    })
    index++
    view.setFloat64(at, entry.term)
    view.setUint8(at + 8, kinds.indexOf(entry.kind))
    view.setUint32(at + 9, entry.payload.length)
    at += headerBytes
    bytes.set(entry.payload, at)
    at += entry.payload.length
  }
  return bytes
}

const isPositive = (value: number): boolean => Number.isSafeInteger(value) && value > 0

/** The entries, or what is wrong with the bytes. */
export const unpack = (bytes: Uint8Array): Either.Either<ReadonlyArray<LogEntry>, string> => {
  const entries: Array<LogEntry> = []
  if (bytes.length === 0) return Either.right(entries)
  if (bytes.length < indexBytes + headerBytes) return Either.left("they end within the first entry")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let index = view.getFloat64(0)
  if (!isPositive(index)) return Either.left(`${index} is no index`)
  for (let at = indexBytes; at < bytes.length; index++) {
    if (at + headerBytes > bytes.length) return Either.left(`they end within entry ${index}`)
    const term = view.getFloat64(at)
    const kind = kinds[view.getUint8(at + 8)]
    const end = at + headerBytes + view.getUint32(at + 9)
    if (!isPositive(term) || !isPositive(index)) return Either.left(`entry ${index} of term ${term} cannot be`)
    if (kind === undefined) return Either.left(`entry ${index} is of no known kind`)
    if (end > bytes.length) return Either.left(`they end within entry ${index}`)
    entries.push({ index, term, kind, payload: bytes.subarray(at + headerBytes, end) })
    at = end
  }
  return Either.right(entries)
}

const isEntries = (value: unknown): value is ReadonlyArray<LogEntry> => Array.isArray(value)

/** Decodes by {@link unpack}; entries in memory are not looked at again. */
export const EntryBatch: Schema.Schema<ReadonlyArray<LogEntry>, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  Schema.declare(isEntries),
  {
    strict: true,
    decode: (bytes, _, ast) =>
      Either.mapLeft(unpack(bytes), why => new ParseResult.Type(ast, bytes, `these bytes are no entries: ${why}`)),
    encode: entries => ParseResult.succeed(pack(entries))
  }
).annotations({ identifier: "EntryBatch" })
