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
  readonly decode: (bytes: Uint8Array) => Either.Either<A, Unreadable>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The value of no bytes: JSON has no word for `undefined`, which is what a `Schema.Void` encodes to. */
const parse = (bytes: Uint8Array): unknown => (bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes)))

export const make = <A, I>(schema: Schema.Schema<A, I>): Codec<A> => {
  const encode = Schema.encodeEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  return {
    encode: value =>
      Either.map(encode(value), encoded => encoder.encode(encoded === undefined ? "" : JSON.stringify(encoded))),
    decode: bytes =>
      Either.try({ try: () => parse(bytes), catch: (cause): Unreadable => ({ message: String(cause) }) }).pipe(
        Either.flatMap(decode)
      )
  }
}
