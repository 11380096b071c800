/** Settings as a node reads them, and what is said of those that are wrong. */
import { assert } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as StoreConfig from "../../src/StoreConfig.js"

export type Environment = Readonly<Record<string, string>>

export const withEnvironment =
  (environment: Environment) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(Object.entries(environment))))

export const load = (environment: Environment) => withEnvironment(environment)(StoreConfig.load)

/** What is said of each setting that is wrong, by its name. */
export const complaints = (environment: Environment): Effect.Effect<Readonly<Record<string, string>>> =>
  load(environment).pipe(
    Effect.flip,
    Effect.map(error =>
      error._tag === "InvalidConfig"
        ? Object.fromEntries(error.problems.map(({ key, problem, value }) => [key, `${value}: ${problem}`]))
        : assert.fail(String(error))
    ),
    Effect.orDie
  )

export const wrong = (settings: unknown): ReadonlyArray<string> =>
  Either.match(StoreConfig.fromUnknown(settings), {
    onLeft: ({ problems }) => problems.map(({ key }) => key),
    onRight: () => []
  })
