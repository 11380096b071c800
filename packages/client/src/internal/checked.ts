/**
 * Requests that fit their schemas. One that does not must not get as far as the codec, where a refusal is a defect.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { InvalidRequest } from "../StoreError.js"

/** Of a message such as "Expected a number, actual 1.5" what comes before and behind the comma. */
const expectation = /^Expected (.*?)(, actual .*)$/s

/** One line about the first thing that is wrong; the whole account could carry the payload. */
const firstIssue = (error: ParseResult.ParseError): string => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  const [first] = issues
  if (first === undefined) return "the request is not valid"
  const path = first.path.join(".")
  // Where one of several things may stand, each of them objects; null is none that was asked for, it stands for what was left out.
  const wanted = issues
    .filter(issue => issue.path.join(".") === path)
    .map(({ message }) => expectation.exec(message)?.[1])
    .filter(what => what !== undefined && what !== "null")
  const actual = expectation.exec(first.message)?.[2]
  const message = actual === undefined ? first.message : `Expected ${wanted.join(" or ")}${actual}`
  return `${path === "" ? "request" : path}: ${(message.split("\n", 1)[0] ?? "").slice(0, 200)}`
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
