/**
 * Filters for lists of texts, such as the names of streams: wildcards, prefixes, suffixes and regular expressions. None of them takes more than
 * time proportional to pattern × text, whatever the pattern.
 *
 * Wildcard patterns are those of `StreamPattern`: `*` stands for any run of characters, `?` for exactly one, and the whole text has to match.
 *
 * **Regular expressions** have the syntax and meaning of ECMAScript's with the `u` flag, as far as a text can be read once from its beginning to its
 * end: literals, `.`, classes, the escapes `\d \D \w \W \s \S \t \n \r \f \v \0 \cX \xHH \uHHHH \u{…}`, `^ $ \b \B`, groups `(…)` and `(?:…)`,
 * alternatives, `* + ? {n} {n,} {n,m}` and the lazy forms of these. One matches if any part of the text does; `^` and `$` anchor it. Property escapes
 * (`\p{…}`), named groups and flags are not part of it.
 *
 * What would need more is refused as unsafe: references to groups, lookaround, more than 1,000 characters, and more than 2,000 parts when repetitions
 * are written out (`a{3}` is `aaa`). A text of n characters takes at most 2,000 × 2 × (n + 1) steps.
 *
 * @since 0.1.0
 */
import * as StreamPattern from "@reckon/client/StreamPattern"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as RegexProgram from "./internal/helpers/regexProgram.js"
import * as RegexSyntax from "./internal/helpers/regexSyntax.js"

const patternCharactersMax = 1_000
const patternPartsMax = 2_000

// -----------------------------------------------------------------------------
// regular expressions
// -----------------------------------------------------------------------------

/**
 * The pattern is no regular expression of the syntax that is understood.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPattern extends Schema.TaggedError<InvalidPattern>("@reckon/db/InvalidPattern")("InvalidPattern", {
  pattern: Schema.String,
  problem: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `"${this.pattern}" is no regular expression: ${this.problem}`
  }
}

/**
 * The pattern may be a regular expression, but the time that it takes to match it could not be bounded.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnsafePattern extends Schema.TaggedError<UnsafePattern>("@reckon/db/UnsafePattern")("UnsafePattern", {
  /** At most its first 1,000 characters. */
  pattern: Schema.String,
  problem: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `"${this.pattern}" is no safe regular expression: ${this.problem}`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export type PatternError = InvalidPattern | UnsafePattern

/**
 * A compiled regular expression. It keeps nothing from one text to the next.
 *
 * @since 0.1.0
 * @category models
 */
export interface Regex {
  readonly pattern: string
  /** Whether any part of the text matches. */
  readonly matches: (text: string) => boolean
}

/**
 * Compiles a regular expression of the syntax that this module's page describes.
 *
 * @since 0.1.0
 * @category regular expressions
 */
export const regex = (pattern: string): Either.Either<Regex, PatternError> => {
  if (pattern.length > patternCharactersMax) {
    const problem = `${pattern.length} characters, the limit is ${patternCharactersMax}`
    return Either.left(new UnsafePattern({ pattern: pattern.slice(0, patternCharactersMax), problem }))
  }
  return Either.try({
    try: () => {
      const program = RegexProgram.compile(RegexSyntax.parse(pattern), patternPartsMax)
      return { pattern, matches: (text: string) => RegexProgram.run(program, text).matched }
    },
    catch: cause => {
      if (!(cause instanceof RegexSyntax.Refusal)) throw cause
      const { kind, problem } = cause
      return kind === "unsafe" ? new UnsafePattern({ pattern, problem }) : new InvalidPattern({ pattern, problem })
    }
  })
}

/**
 * Whether `regex` takes the pattern.
 *
 * @since 0.1.0
 * @category regular expressions
 */
export const isValidRegex = (pattern: string): boolean => Either.isRight(regex(pattern))

/**
 * Whether any part of the text matches a regular expression. For many texts, compile it once.
 *
 * @since 0.1.0
 * @category regular expressions
 */
export const regexMatch = (text: string, pattern: string): Either.Either<boolean, PatternError> =>
  Either.map(regex(pattern), ({ matches }) => matches(text))

/**
 * The regular expression, anchored at both ends, that matches what a wildcard pattern does. That of a long pattern may be too long for `regex`.
 *
 * @since 0.1.0
 * @category regular expressions
 */
export const wildcardToRegex = (pattern: string): string => {
  const body = pattern.replace(/[\^$\\.*+?()[\]{}|/]/g, character => {
    if (character === "*") return "[^]*"
    return character === "?" ? "[^]" : `\\${character}`
  })
  return `^${body}$`
}

// -----------------------------------------------------------------------------
// wildcards, prefixes, suffixes
// -----------------------------------------------------------------------------

/**
 * Whether the whole text matches a wildcard pattern. For many texts, `StreamPattern.matcher` reads the pattern once.
 *
 * @since 0.1.0
 * @category wildcards
 */
export const wildcardMatch = (text: string, pattern: string): boolean => StreamPattern.matcher(pattern)(text)

/**
 * @since 0.1.0
 * @category affixes
 */
export const hasPrefix = (text: string, prefix: string): boolean => text.startsWith(prefix)

/**
 * @since 0.1.0
 * @category affixes
 */
export const hasSuffix = (text: string, suffix: string): boolean => text.endsWith(suffix)

// -----------------------------------------------------------------------------
// lists
// -----------------------------------------------------------------------------

/**
 * The items that match a wildcard pattern, in their order.
 *
 * @since 0.1.0
 * @category lists
 */
export const filterByWildcard = (items: ReadonlyArray<string>, pattern: string): ReadonlyArray<string> =>
  items.filter(StreamPattern.matcher(pattern))

/**
 * The items of which any part matches a regular expression, in their order.
 *
 * @since 0.1.0
 * @category lists
 */
export const filterByRegex = (
  items: ReadonlyArray<string>,
  pattern: string
): Either.Either<ReadonlyArray<string>, PatternError> =>
  Either.map(regex(pattern), ({ matches }) => items.filter(matches))

/**
 * The items that begin with the prefix, in their order.
 *
 * @since 0.1.0
 * @category lists
 */
export const filterByPrefix = (items: ReadonlyArray<string>, prefix: string): ReadonlyArray<string> =>
  items.filter(item => hasPrefix(item, prefix))

/**
 * The items that end with the suffix, in their order.
 *
 * @since 0.1.0
 * @category lists
 */
export const filterBySuffix = (items: ReadonlyArray<string>, suffix: string): ReadonlyArray<string> =>
  items.filter(item => hasSuffix(item, suffix))

/**
 * Where in the list the items stand that match a wildcard pattern: ascending, from 0.
 *
 * @since 0.1.0
 * @category lists
 */
export const matchIndices = (items: ReadonlyArray<string>, pattern: string): ReadonlyArray<number> => {
  const matches = StreamPattern.matcher(pattern)
  return items.flatMap((item, index) => (matches(item) ? [index] : []))
}

/**
 * How many items match a wildcard pattern.
 *
 * @since 0.1.0
 * @category lists
 */
export const countMatches = (items: ReadonlyArray<string>, pattern: string): number =>
  filterByWildcard(items, pattern).length
