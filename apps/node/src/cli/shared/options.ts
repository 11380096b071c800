/**
 * The options all client commands share, and the client they describe.
 *
 * @since 0.1.0
 */
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { Client, Endpoint, Limits, type StoreError, StoreRpcs } from "@reckon/client"
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
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

const endpoint = Options.text("endpoint").pipe(
  Options.withPseudoName("HOST:PORT"),
  Options.withDescription(
    `a node to talk to, repeatable (default: RECKON_ENDPOINTS, comma separated, or else ${Endpoint.defaults.join(",")})`
  ),
  Options.repeated,
  Options.mapEffect(texts =>
    Effect.forEach(texts, text => Either.mapBoth(Endpoint.parse(text), { onLeft: usage, onRight: Endpoint.format }))
  )
)

const store = Options.text("store").pipe(
  Options.withPseudoName("NAME"),
  Options.withDescription("the store (default: default)"),
  Options.withDefault("default"),
  Options.mapEffect(name =>
    isStoreId(name)
      ? Effect.succeed(name)
      : Effect.fail(usage(`--store is '${name}': a store's name has 1 to 64 letters, digits, '_', '.' or '-'`))
  )
)

const json = Options.boolean("json").pipe(Options.withDescription("one JSON value a line on standard output"))

const timeout = Options.text("timeout").pipe(
  Options.withPseudoName("SECONDS"),
  Options.withDescription("how long a request may take in all (default: 10)"),
  Options.withDefault("10"),
  Options.mapEffect(text => {
    const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
    return seconds > 0 && seconds <= 86_400
      ? Effect.succeed(Duration.seconds(seconds))
      : Effect.fail(usage(`--timeout is '${text}', it must be a number of seconds above 0`))
  })
)

/**
 * @since 0.1.0
 * @category options
 */
export const sharedOptions = { endpoint, store, json, timeout }

/**
 * @since 0.1.0
 * @category models
 */
export interface Shared {
  readonly endpoint: ReadonlyArray<string>
  readonly store: string
  readonly json: boolean
  readonly timeout: Duration.Duration
}

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
    const client = yield* Client.make({ endpoints, store: options.store, timeout: options.timeout, limits })
    return { client, limits }
  })
