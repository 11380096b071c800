/**
 * Times on the command line: microseconds since 1970 (UTC), as events carry them, or ISO 8601.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

const iso = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?(Z|[+-]\d{2}:\d{2}))?$/

/** JavaScript takes the 30th of February for the 2nd of March. */
const isDate = (date: string): boolean => {
  const millis = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(millis) && new Date(millis).toISOString().startsWith(date)
}

/**
 * How a time is written.
 *
 * @since 0.1.0
 * @category parsing
 */
export const accepted = "an ISO time with a zone, such as 2026-05-01T12:00:00Z, a day, or microseconds since 1970"

/**
 * The microseconds since 1970 of an ISO 8601 time with a zone, up to six decimals of a second, or of the beginning of a day in UTC.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parseIso = (text: string): Option.Option<number> => {
  const [whole, date = "", minutes = "00:00", seconds = "00", decimals = "", zone = "Z"] = iso.exec(text) ?? []
  if (whole === undefined || !isDate(date)) return Option.none()
  const millis = Date.parse(`${date}T${minutes}:${seconds}${zone}`)
  return Number.isNaN(millis) ? Option.none() : Option.some(millis * 1000 + Number(decimals.padEnd(6, "0")))
}

/**
 * The microseconds since 1970 of a time in either form.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Option.Option<number> =>
  /^\d{1,16}$/.test(text) ? Option.filter(Option.some(Number(text)), Number.isSafeInteger) : parseIso(text)

/**
 * ISO 8601 in UTC, to the microsecond: what {@link parse} makes the same number of again.
 *
 * @since 0.1.0
 * @category printing
 */
export const format = (epochUs: number): string => {
  const millis = new Date(Math.floor(epochUs / 1000)).toISOString().slice(0, -1)
  return `${millis}${String(epochUs % 1000).padStart(3, "0")}Z`
}
