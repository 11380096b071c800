/**
 * Schemas of what passes by in large numbers. A test of the shape comes first, and the schema is walked through only where that says no: so the whole takes and refuses what
 * the schema does.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { ParseOptions } from "effect/SchemaAST"

/** Of values that are encoded as they are. What is refused is so in the words of the schema. Fields that the schema does not name stay where they are. */
export const recognized = <A>(schema: Schema.Schema<A>, isShape: (value: unknown) => value is A): Schema.Schema<A> => {
  const walk = ParseResult.decodeUnknown(schema)
  const take = () => (value: unknown, options: ParseOptions) =>
    isShape(value) ? ParseResult.succeed(value) : walk(value, options)
  return Schema.declare([], { decode: take, encode: take })
}

/** `Schema.Either` of a success that is encoded as it is, and by far the most frequent. */
export const recognizedEither = <L, LI, R>(options: {
  readonly left: Schema.Schema<L, LI>
  readonly right: Schema.Schema<R>
  readonly isRight: (value: unknown) => value is R
}): Schema.Schema<Either.Either<R, L>, Schema.EitherEncoded<R, LI>> => {
  const { isRight } = options
  const either = Schema.Either(options)
  const isEncodedRight = (value: unknown): value is Schema.EitherEncoded<R, LI> =>
    typeof value === "object" &&
    value !== null &&
    "_tag" in value &&
    value._tag === "Right" &&
    "right" in value &&
    isRight(value.right)
  const isTypedRight = (value: unknown): value is Either.Either<R, L> =>
    Either.isEither(value) && Either.isRight(value) && isRight(value.right)

  return Schema.transformOrFail(
    recognized(Schema.encodedSchema(either), isEncodedRight),
    recognized(Schema.typeSchema(either), isTypedRight),
    {
      strict: true,
      decode: (encoded, options) =>
        encoded._tag === "Right"
          ? ParseResult.succeed(Either.right(encoded.right))
          : ParseResult.decode(either)(encoded, options),
      encode: (answer, options) =>
        Either.isRight(answer)
          ? ParseResult.succeed({ _tag: "Right" as const, right: answer.right })
          : ParseResult.encode(either)(answer, options)
    }
  )
}
