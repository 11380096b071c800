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

/** The value without what its schema does not name. */
export const checked = <A, I>(schema: Schema.Schema<A, I>): ((value: A) => Either.Either<A, InvalidRequest>) => {
  const validate = Schema.validateEither(schema)
  return value => Either.mapLeft(validate(value), error => new InvalidRequest({ message: firstIssue(error) }))
}
