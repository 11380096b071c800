/**
 * The options all client commands share, and the client they describe.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import {
  Client,
  ClusterSecret,
  Endpoint,
  type ExpectedVersion,
  Limits,
  type StoreError,
  StoreRpcs
} from "@reckon/client"
import { makeReckon } from "@reckon/db/StoreConfig"
import * as Arr from "effect/Array"
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/**
 * A command line that makes no sense: exit code 2.
 *
 * @since 0.1.0
 * @category errors
 */
export const usage = (detail: string): ValidationError.ValidationError =>
  ValidationError.invalidValue(HelpDoc.p(detail))

const isStoreId: (text: string) => boolean = Schema.is(StoreRpcs.StoreId)

/**
 * A whole number from `min` to `max`, as an option.
 *
 * @since 0.1.0
 * @category options
 */
export const wholeNumber = (
  name: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER
): Options.Options<number> =>
  Options.text(name).pipe(
    Options.withPseudoName("N"),
    Options.mapEffect(text =>
      /^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max
        ? Effect.succeed(Number(text))
        : Effect.fail(
            usage(
              max === Number.MAX_SAFE_INTEGER
                ? `--${name} is '${text}', it must be a whole number from ${min}`
                : `--${name} is '${text}', it must be a whole number from ${min} to ${max}`
            )
          )
    )
  )

const repeatable = [
  "any-tag",
  "condition-tag",
  "condition-type",
  "endpoint",
  "member",
  "metadata",
  "peer",
  "store",
  "tag",
  "type"
] as const

/**
 * An option that may be given several times.
 *
 * @since 0.1.0
 * @category options
 */
export const repeated = (name: (typeof repeatable)[number]): Options.Options<ReadonlyArray<string>> =>
  Options.repeated(Options.text(name))

const repeatableWords: ReadonlySet<string> = new Set(repeatable.map(name => `--${name}`))

/**
 * The first of them that has an empty value or none. @effect/cli takes it for one that was not given at all: a shell's unset variable would turn a condition
 * into none, and a member of a cluster into a node of its own.
 *
 * @since 0.1.0
 * @category parsing
 */
export const withoutValue = (words: ReadonlyArray<string>): string | undefined =>
  words.find((word, at) => repeatableWords.has(word) && (words[at + 1] ?? "").trim() === "")

const flagOfNoTruth = /^--(?:all|backward|join|json|keep-all)=(?!(?:true|1|y|yes|on|false|0|n|no|off)$)/

/**
 * The first flag with a value that is neither yes nor no. @effect/cli takes that for yes.
 *
 * @since 0.1.0
 * @category parsing
 */
export const withoutTruth = (words: ReadonlyArray<string>): string | undefined =>
  words.find(word => flagOfNoTruth.test(word))

/** An option that may be given several times, and its value behind it: @effect/cli knows such a one by its own word only. */
const inTwo = (word: string): ReadonlyArray<string> => {
  const at = word.indexOf("=")
  return at >= 0 && repeatableWords.has(word.slice(0, at)) ? [word.slice(0, at), word.slice(at + 1)] : [word]
}

/**
 * The words of a command line as @effect/cli can read them. What is no more than a dash, and no option's value, goes to the end: it is taken for an option, behind which no other one is found.
 *
 * @since 0.1.0
 * @category parsing
 */
export const spelledOut = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const isDash = (word: string, at: number) => word === "-" && !words[at - 1]?.startsWith("--")
  const [others, dashes] = Arr.partition(words, isDash)
  return [...others.flatMap(inTwo), ...dashes]
}

/**
 * The stream a command is about.
 *
 * @since 0.1.0
 * @category options
 */
export const stream = Args.text({ name: "STREAM" }).pipe(Args.withDescription("the stream's name"))

/**
 * The most events that are printed.
 *
 * @since 0.1.0
 * @category options
 */
export const count = wholeNumber("count", 0).pipe(
  Options.withDescription("how many events at most (default: all)"),
  Options.optional
)

/**
 * @since 0.1.0
 * @category options
 */
export const fromPosition = wholeNumber("from-position", 0).pipe(
  Options.withDescription("the position to start at (default: the first)"),
  Options.optional
)

/**
 * @since 0.1.0
 * @category options
 */
export const backward = Options.boolean("backward").pipe(Options.withDescription("the latest event first"))

/**
 * What a stream must be like for a write to take effect.
 *
 * @since 0.1.0
 * @category options
 */
export const expect = Options.text("expect").pipe(
  Options.withPseudoName("any|no_stream|stream_exists|N"),
  Options.withDescription("what the stream must be like, N being the version of its last event (default: any)"),
  Options.withDefault("any"),
  Options.mapEffect((text): Effect.Effect<ExpectedVersion.ExpectedVersion, ValidationError.ValidationError> => {
    if (text === "any" || text === "no_stream" || text === "stream_exists") return Effect.succeed(text)
    return /^\d{1,15}$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(usage(`--expect is '${text}', it must be any, no_stream, stream_exists or a version`))
  })
)

/**
 * A text, if it can be the name of a store.
 *
 * @since 0.1.0
 * @category options
 */
export const storeName = (text: string): Effect.Effect<string, ValidationError.ValidationError> =>
  isStoreId(text)
    ? Effect.succeed(text)
    : Effect.fail(
        usage(
          `--store is '${text}', it must be 1 to 64 letters, digits, '_', '.' or '-', the first of them a letter or digit`
        )
      )

const endpoint = repeated("endpoint").pipe(
  Options.withPseudoName("HOST:PORT"),
  Options.withDescription(
    `a node to talk to, repeatable (default: RECKON_ENDPOINTS, comma separated, or else ${Endpoint.defaults.join(",")})`
  ),
  Options.mapEffect(texts =>
    Effect.forEach(texts, text => Either.mapBoth(Endpoint.parse(text), { onLeft: usage, onRight: Endpoint.format }))
  )
)

/**
 * The store that a command is about; `otherwise` says which it is where it is not named.
 *
 * @since 0.1.0
 * @category options
 */
export const store = (otherwise: string): Options.Options<string> =>
  Options.text("store").pipe(
    Options.withPseudoName("NAME"),
    Options.withDescription(`the store (default: ${otherwise})`),
    Options.mapEffect(storeName)
  )

/**
 * The folder of a node, or of several.
 *
 * @since 0.1.0
 * @category options
 */
export const dataDir = Options.text("data-dir").pipe(
  Options.withPseudoName("DIR"),
  Options.mapEffect(dataDir =>
    Either.mapBoth(makeReckon({ dataDir }), {
      onLeft: ({ problems: [{ problem, value }] }) => usage(`--data-dir is ${value}: ${problem}`),
      onRight: () => dataDir
    })
  )
)

const json = Options.boolean("json").pipe(Options.withDescription("one JSON value a line on standard output"))

const timeout = Options.text("timeout").pipe(
  Options.withPseudoName("SECONDS"),
  Options.withDescription("how long a request may take in all (default: RECKON_TIMEOUT, or else 10)"),
  Options.mapEffect(text => {
    // A client waits for whole milliseconds.
    const millis = /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : 0
    return millis >= 1 && millis <= 86_400_000
      ? Effect.succeed(Duration.millis(millis))
      : Effect.fail(usage(`--timeout is '${text}', it must be a number of seconds from 0.001 to 86400`))
  }),
  Options.optional
)

/**
 * @since 0.1.0
 * @category options
 */
export const sharedOptions = {
  endpoint,
  store: Options.optional(store("RECKON_STORE, or else default")),
  json,
  timeout
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Shared {
  readonly endpoint: ReadonlyArray<string>
  readonly store: Option.Option<string>
  readonly json: boolean
  readonly timeout: Option.Option<Duration.Duration>
}

/** What the command line says, or else the environment. */
const orElse = <A>(given: Option.Option<A>, config: Config.Config<A>): Effect.Effect<A, ConfigError.ConfigError> =>
  Option.match(given, { onNone: () => config, onSome: Effect.succeed })

/**
 * The client the options and the environment describe, with the size limits the environment sets.
 *
 * @since 0.1.0
 * @category client
 */
export const connect = (
  options: Shared
): Effect.Effect<
  { readonly client: Client.Service; readonly limits: Limits.Limits },
  StoreError.InvalidRequest | ConfigError.ConfigError,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const limits = yield* Limits.config
    const endpoints = options.endpoint.length > 0 ? options.endpoint : yield* Endpoint.config
    const store = yield* orElse(options.store, Client.storeConfig)
    const timeout = yield* orElse(options.timeout, Client.timeoutConfig)
    const secret = yield* ClusterSecret.config
    const client = yield* Client.make({ endpoints, store, timeout, limits, secret })
    return { client, limits }
  })
