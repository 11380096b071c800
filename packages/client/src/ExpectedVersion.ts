/**
 * What a writer expects of a stream at the moment its append commits.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Either a word or the exact version of the stream's last event.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExpectedVersion = Schema.Union(Schema.Literal("any", "no_stream", "stream_exists"), Schema.NonNegativeInt)

/**
 * @since 0.1.0
 * @category models
 */
export type ExpectedVersion = Schema.Schema.Type<typeof ExpectedVersion>

/**
 * No expectation.
 *
 * @since 0.1.0
 * @category constructors
 */
export const Any = "any" satisfies ExpectedVersion

/**
 * The stream has no event yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const NoStream = "no_stream" satisfies ExpectedVersion

/**
 * The stream has at least one event.
 *
 * @since 0.1.0
 * @category constructors
 */
export const StreamExists = "stream_exists" satisfies ExpectedVersion

/**
 * The stream's last event has this version.
 *
 * @since 0.1.0
 * @category constructors
 */
export const exact = (version: number): ExpectedVersion => version

/**
 * The version a stream without events is said to have.
 *
 * @since 0.1.0
 * @category constants
 */
export const noEvents = -1

/**
 * Whether a stream whose last event has version `current` (-1: none) meets the expectation.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isMet = (expected: ExpectedVersion, current: number): boolean => {
  switch (expected) {
    case "any":
      return true
    case "no_stream":
      return current === noEvents
    case "stream_exists":
      return current > noEvents
    default:
      return current === expected
  }
}

/**
 * Whether a stream at this version, which does not meet the expectation, can come to meet it: a stream's version only grows.
 *
 * @since 0.1.0
 * @category predicates
 */
export const canYetBeMet = (expected: ExpectedVersion, actual: number): boolean =>
  expected === StreamExists || (typeof expected === "number" && actual < expected)
