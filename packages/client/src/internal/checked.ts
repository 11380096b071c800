/**
 * Requests that fit their schemas. One that does not must not get as far as the codec, where a refusal is a defect.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { InvalidRequest } from "../StoreError.js"

/** One line about the first thing that is wrong; the whole account could carry the payload. */
const firstIssue = (error: ParseResult.ParseError): string => {
  const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
  if (issue === undefined) return "the request is not valid"
  const message = issue.message.split("\n", 1)[0] ?? ""
  return `${issue.path.length === 0 ? "request" : issue.path.join(".")}: ${message.slice(0, 200)}`
}

/** No value is known to fit before its schema was asked. */
const unknown = (): boolean => false

/**
 * The value without what its schema does not name. Where a test of the shape (see `shapes.ts`) says that it fits, the schema is not asked, and the value stays as it is.
 */
export const checked = <A, I>(
  schema: Schema.Schema<A, I>,
  isShape: (value: A) => boolean = unknown
): ((value: A) => Either.Either<A, InvalidRequest>) => {
  const validate = Schema.validateEither(schema)
  return value =>
    isShape(value)
      ? Either.right(value)
      : Either.mapLeft(validate(value), error => new InvalidRequest({ message: firstIssue(error) }))
}
