/** The kinds of values that settings have besides sizes and waits. Each can be written as a text too, which is all that an environment variable can hold. */
import { accepts, readFrom } from "@reckon/client/Setting"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const NumberOrText = Schema.Union(Schema.Number, Schema.String)

const numberFrom =
  (digits: RegExp) =>
  (written: number | string): Option.Option<number> =>
    typeof written === "number"
      ? Option.some(written)
      : digits.test(written)
        ? Option.some(Number(written))
        : Option.none()

/** A whole number from `min` to `max`. */
export const wholeNumber = (min: number, max: number): Schema.Schema<number, number | string> =>
  readFrom(
    Schema.Int.pipe(Schema.between(min, max)),
    NumberOrText,
    `a whole number from ${min} to ${max}`,
    numberFrom(/^\d{1,16}$/),
    value => value
  )

/** A part of a whole: neither nothing nor all of it. */
export const Ratio: Schema.Schema<number, number | string> = readFrom(
  Schema.Number.pipe(Schema.between(Number.MIN_VALUE, 1 - Number.EPSILON / 2)),
  NumberOrText,
  "a number between 0 and 1, neither of them",
  numberFrom(/^\d?\.\d{1,20}$/),
  value => value
)

/** One of a few words. */
export const oneOf = <const Words extends readonly [string, ...ReadonlyArray<string>]>(...words: Words) =>
  Schema.Literal(...words).annotations(accepts(words.map(word => `"${word}"`).join(" or ")))

/** `true` or `false`. */
export const flag: Schema.Schema<boolean, boolean | string> = readFrom(
  Schema.Boolean,
  Schema.Union(Schema.Boolean, Schema.String),
  "true or false",
  written =>
    typeof written === "boolean"
      ? Option.some(written)
      : written === "true" || written === "false"
        ? Option.some(written === "true")
        : Option.none(),
  value => value
)

/** Some of a few words, each once: a list of them, a text with commas between them, or the text `none`. */
export const someOf = <const Words extends readonly [string, ...ReadonlyArray<string>]>(...words: Words) => {
  const Chosen = Schema.Array(Schema.Literal(...words)).pipe(
    Schema.filter(chosen => new Set(chosen).size === chosen.length)
  )
  return readFrom<ReadonlyArray<Words[number]>, string | ReadonlyArray<Words[number]>>(
    Chosen,
    Schema.Union(Schema.String, Chosen),
    `a list of ${words.map(word => `"${word}"`).join(", ")}, each at most once, or the text "none"`,
    written =>
      typeof written === "string"
        ? Schema.decodeUnknownOption(Chosen)(written === "none" ? [] : written.split(",").map(word => word.trim()))
        : Option.some(written),
    chosen => chosen
  )
}

/** A path in the file system; a relative one counts from the folder the process was started in. */
export const Folder = Schema.String.pipe(
  Schema.filter(text => text.trim() !== "" && text.length <= 4096 && !text.includes("\0")),
  Schema.annotations(accepts("the path of a folder, at most 4096 characters"))
)

/** An IPv4 address for multicast, 224.0.0.0 to 239.255.255.255. */
export const MulticastAddress = Schema.String.pipe(
  Schema.filter(text => {
    const parts = text.split(".")
    const [first] = parts.map(Number)
    return (
      parts.length === 4 &&
      parts.every(part => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255) &&
      first !== undefined &&
      first >= 224 &&
      first <= 239
    )
  }),
  Schema.annotations(accepts("an IPv4 multicast address, 224.0.0.0 to 239.255.255.255"))
)
