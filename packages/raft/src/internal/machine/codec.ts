/**
 * Values as JSON, by their schema. The text of a value is the same on every member and in every release, because a schema writes the fields in its own order;
 * MessagePack by a library would leave that to the library.
 */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** Why bytes cannot be read. To say it in words may cost more than to find it out, so the words are made when they are asked for. */
export interface Unreadable {
  readonly message: string
}

export interface Codec<in out A> {
  readonly encode: (value: A) => Either.Either<Uint8Array, ParseResult.ParseError>
  /** The same for what will be there as bytes only: none that cannot be read back, because the schema encodes to what JSON cannot hold. */
  readonly keep: (value: A) => Either.Either<Uint8Array, Unreadable>
  readonly decode: (bytes: Uint8Array) => Either.Either<A, Unreadable>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The value of no bytes: JSON has no word for `undefined`, which is what a `Schema.Void` encodes to. */
const parse = (bytes: Uint8Array): unknown => (bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes)))

const write = (encoded: unknown): Uint8Array => encoder.encode(encoded === undefined ? "" : JSON.stringify(encoded))

/** Whether JSON surely holds it as it is. */
const isJson = (value: unknown): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value)
    case "object": {
      if (value === null) return true
      if (Array.isArray(value)) return value.every(isJson)
      const prototype = Object.getPrototypeOf(value)
      if (prototype !== Object.prototype && prototype !== null) return false
      return Object.values(value).every(field => field === undefined || isJson(field))
    }
    default:
      return false
  }
}

export const make = <A, I>(schema: Schema.Schema<A, I>): Codec<A> => {
  const encode = Schema.encodeEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  const read = (bytes: Uint8Array): Either.Either<A, Unreadable> =>
    Either.try({ try: () => parse(bytes), catch: (cause): Unreadable => ({ message: String(cause) }) }).pipe(
      Either.flatMap(decode)
    )
  return {
    encode: value => Either.map(encode(value), write),
    keep: value =>
      Either.flatMap(encode(value), (encoded): Either.Either<Uint8Array, Unreadable> => {
        // To read it costs more than to write it did, so it is read only where there is doubt.
        if (isJson(encoded)) return Either.right(write(encoded))
        return Either.try({
          try: () => write(encoded),
          catch: (cause): Unreadable => ({ message: String(cause) })
        }).pipe(
          Either.flatMap(bytes => Either.map(read(bytes), () => bytes)),
          Either.mapLeft(({ message }) => ({ message: `as JSON it cannot be read back: ${message}` }))
        )
      }),
    decode: read
  }
}
