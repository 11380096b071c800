/**
 * Settings as people write them: a size with a unit, a wait, and the variable of the environment that holds one. A client, a store and a node read theirs with these,
 * so that what one takes the others take, and what is wrong is refused in the same words.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

// -----------------------------------------------------------------------------
// values
// -----------------------------------------------------------------------------

/**
 * What a schema says of a value that does not fit it: that it must be what is `accepted`.
 *
 * @since 0.1.0
 * @category annotations
 */
export const accepts = (accepted: string) => ({ message: () => ({ message: `must be ${accepted}`, override: true }) })

/**
 * A value that is read from one of its `written` forms, and what is accepted where that fails.
 *
 * @since 0.1.0
 * @category schemas
 */
export const readFrom = <A, W>(
  value: Schema.Schema<A>,
  written: Schema.Schema<W>,
  accepted: string,
  read: (written: W) => Option.Option<A>,
  write: (value: A) => W
): Schema.Schema<A, W> =>
  Schema.transformOrFail(written, value, {
    strict: true,
    decode: (input, _, ast) =>
      Either.fromOption(Option.filter(read(input), Schema.is(value)), () => new ParseResult.Type(ast, input)),
    encode: found => Either.right(write(found))
  }).annotations(accepts(accepted))

const unitBytes: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1000],
  ["mb", 1000 ** 2],
  ["gb", 1000 ** 3],
  ["tb", 1000 ** 4],
  ["kib", 1024],
  ["mib", 1024 ** 2],
  ["gib", 1024 ** 3],
  ["tib", 1024 ** 4]
])

/**
 * A number of bytes, at least `min`: a number, or a text such as `16MiB`, `1.5 GiB` or `64 kB`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const bytes = (min: number): Schema.Schema<number, number | string> =>
  readFrom(
    Schema.Int.pipe(Schema.between(min, Number.MAX_SAFE_INTEGER)),
    Schema.Union(Schema.Number, Schema.String),
    `a size of at least ${min} bytes: a whole number, or a text such as 16MiB or 64kB`,
    written => {
      if (typeof written === "number") return Option.some(written)
      const match = /^(\d{1,16}(?:\.\d{1,6})?)\s*([a-z]{0,3})$/i.exec(written)
      const unit = unitBytes.get((match?.[2] ?? "").toLowerCase())
      return match === null || unit === undefined ? Option.none() : Option.some(Number(match[1]) * unit)
    },
    value => value
  )

/** As long as a timer can wait: above 2^31 - 1 milliseconds timers take any time to be without end. */
const waitMillisMax = 2 ** 31 - 1

const waitAccepted = (minMillis: number): string =>
  `a time from ${minMillis} to ${waitMillisMax} milliseconds: a whole number of them, or a text such as "10 seconds"`

/**
 * A `Duration` that a timer can wait for, in whole milliseconds, at least `minMillis`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Wait = (minMillis: number): Schema.Schema<Duration.Duration> =>
  Schema.DurationFromSelf.pipe(
    Schema.filter(duration => {
      const millis = Duration.toMillis(duration)
      return Number.isInteger(millis) && millis >= minMillis && millis <= waitMillisMax
    }),
    Schema.annotations(accepts(waitAccepted(minMillis)))
  )

/**
 * A time to wait, in whole milliseconds, at least `minMillis`: a number of them, an Effect `Duration`, or its text, such as `10 seconds`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const wait = (minMillis: number): Schema.Schema<Duration.Duration, number | string | Duration.Duration> =>
  readFrom(
    Wait(minMillis),
    Schema.Union(Schema.Number, Schema.String, Schema.DurationFromSelf),
    waitAccepted(minMillis),
    written =>
      Duration.decodeUnknown(typeof written === "string" && /^\d{1,16}$/.test(written) ? Number(written) : written),
    Duration.toMillis
  )

/**
 * An option that is a time to wait, as `Wait` can look at it. What is no time at all is none: a schema would not get to see it.
 *
 * @since 0.1.0
 * @category options
 */
export const waitOption = (given: Duration.DurationInput | undefined, otherwise: Duration.DurationInput) =>
  Option.getOrElse(Duration.decodeUnknown(given ?? otherwise), () => Duration.zero)

// -----------------------------------------------------------------------------
// the environment
// -----------------------------------------------------------------------------

const shownMax = 80

/**
 * What a wrong value looks like, and not at any length.
 *
 * @since 0.1.0
 * @category formatting
 */
export const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`
}

/**
 * The text in a variable of the environment, without the white space around it. A variable that is empty counts as not set: that is what remains of one that was
 * handed on without a value.
 *
 * @since 0.1.0
 * @category config
 */
export const variable = (name: string): Config.Config<Option.Option<string>> =>
  Config.string(name).pipe(
    Config.map(text => text.trim()),
    Config.option,
    Config.map(Option.filter(text => text !== ""))
  )

/**
 * A setting in a variable of the environment, `otherwise` where it is not set. It fails with the variable's name, its value, and what is accepted.
 *
 * @since 0.1.0
 * @category config
 */
export const config = <A, I>(name: string, schema: Schema.Schema<A, I>, otherwise: A): Config.Config<A> =>
  Config.mapOrFail(
    variable(name),
    Option.match({
      onNone: () => Either.right(otherwise),
      onSome: text =>
        Either.mapLeft(Schema.decodeUnknownEither(schema)(text), error => {
          const problems = ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message }) => message)
          return ConfigError.InvalidData([name], `is ${shown(text)}: ${problems.join(", ")}`)
        })
    })
  )
