/** Reads settings from an object that may hold anything, and gathers all that is wrong with them. */
import * as Setting from "@reckon/client/Setting"
import * as Arr from "effect/Array"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { nearest, type Path } from "./names.js"

/** One thing that is wrong: with what setting, which value, and what would be right. */
export interface Problem {
  readonly key: string
  readonly value: string
  readonly problem: string
}

export interface Reading {
  /** What is wrong so far. */
  readonly problems: ReadonlyArray<Problem>
  /** What a setting is called where it came from. */
  readonly name: (path: Path) => string
  /** One more problem. A secret's value is not shown. */
  readonly report: (path: Path, value: unknown, problem: string) => void
  /** One setting of a group must be less than another one, or at most as much. */
  readonly less: (
    group: Path,
    lower: readonly [name: string, value: number],
    higher: readonly [name: string, value: number],
    how?: "less than" | "at most"
  ) => void
  /** The entries of an object that are given; none, and a problem, where it is something else. */
  readonly object: (path: Path, value: unknown) => Readonly<Record<string, unknown>>
  /**
   * Settings that lie side by side, and in place of those that are not given what there is otherwise; `otherwise` itself where none is given
   * or one is wrong. `besides` are names of what else could be here, for one that is unknown.
   */
  readonly group: <A extends object, I>(
    path: Path,
    schema: Schema.Schema<A, I> & { readonly fields: object },
    value: unknown,
    otherwise: A,
    besides?: ReadonlyArray<string>
  ) => A
}

/** All that is wrong, for whoever set it. */
export class InvalidConfig extends Schema.TaggedError<InvalidConfig>("@reckon/db/InvalidConfig")("InvalidConfig", {
  problems: Schema.NonEmptyArray(Schema.Struct({ key: Schema.String, value: Schema.String, problem: Schema.String }))
}) {
  readonly retryable = false
  override get message() {
    return this.problems.map(({ key, problem, value }) => `${key} is ${value}: ${problem}`).join("; ")
  }
  /** The same as what reading a `Config` can fail with. */
  get configError(): ConfigError.ConfigError {
    const [first, ...others] = Arr.map(this.problems, ({ key, problem, value }) =>
      ConfigError.InvalidData([key], `is ${value}: ${problem}`)
    )
    return others.reduce<ConfigError.ConfigError>((all, one) => ConfigError.And(all, one), first)
  }
}

/** A value as it is shown. Not what is in an object: a secret could be in the wrong place. */
const shown = (value: unknown): string => {
  if (value === undefined) return "missing"
  if (Duration.isDuration(value)) return Duration.format(value)
  if (Array.isArray(value)) return value.every(Predicate.isString) ? shown(value.join(",")) : "a list"
  if (typeof value === "object" && value !== null) return "an object"
  return Setting.shown(value)
}

const unknown = (key: string, keys: ReadonlyArray<string>): string => {
  const meant = nearest(key, keys)
  return `there is no such setting, ${meant === undefined ? `only ${keys.join(", ")}` : `the nearest is ${meant}`}`
}

export const make = (name: (path: Path) => string): Reading => {
  const problems: Array<Problem> = []

  const report: Reading["report"] = (path, value, problem) => {
    problems.push({ key: name(path), value: path.at(-1) === "clusterSecret" ? "a secret" : shown(value), problem })
  }

  const less: Reading["less"] = (group, [lower, low], [higher, high], how = "less than") => {
    if (low < high || (how === "at most" && low === high)) return
    report([...group, lower], low, `must be ${how} ${name([...group, higher])}, which is ${high}, set both`)
  }

  const object: Reading["object"] = (path, value) => {
    if (value === undefined) return {}
    if (Predicate.isReadonlyRecord(value)) {
      return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined))
    }
    report(path, value, "must be an object")
    return {}
  }

  const group: Reading["group"] = (path, schema, value, otherwise, besides = []) => {
    const entries = object(path, value)
    if (Object.keys(entries).length === 0) return otherwise
    const decoded = Schema.decodeUnknownEither(Schema.partialWith(schema, { exact: true }))(entries, {
      errors: "all",
      onExcessProperty: "error"
    })
    if (Either.isRight(decoded)) return { ...otherwise, ...decoded.right }
    const keys = [...Object.keys(schema.fields), ...besides]
    for (const issue of ParseResult.ArrayFormatter.formatErrorSync(decoded.left)) {
      const key = String(issue.path[0])
      if (issue._tag !== "Unexpected") report([...path, key], entries[key], issue.message)
      // Its value may be a secret's, with the name misspelt.
      else problems.push({ key: name([...path, key]), value: "set", problem: unknown(key, keys) })
    }
    return otherwise
  }

  return { problems, name, report, less, object, group }
}

/** What was read, if nothing is wrong. */
export const settled = <A>(reading: Reading, value: A): Either.Either<A, InvalidConfig> =>
  Arr.isNonEmptyReadonlyArray(reading.problems)
    ? Either.left(new InvalidConfig({ problems: reading.problems }))
    : Either.right(value)
