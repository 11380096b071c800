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
 * The stream has no event yet, or was deleted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const NoStream = "no_stream" satisfies ExpectedVersion

/**
 * The stream has, or had, an event, and was not deleted.
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
 * The version a stream is said to have that has no events, or was deleted.
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
 * Whether a stream at version `actual`, which does not meet the expectation, can come to meet it.
 *
 * Deleting a stream brings it to -1, so that any stream can yet meet `no_stream`, and appending brings it from there to `stream_exists`. But the versions of a stream that is created anew
 * go on where the old one's ended: a version that was passed by is never met again.
 *
 * @since 0.1.0
 * @category predicates
 */
export const canYetBeMet = (expected: ExpectedVersion, actual: number): boolean =>
  typeof expected !== "number" || actual < expected
