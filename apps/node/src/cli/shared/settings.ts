/**
 * The settings of a node and of its stores: what the command line says, or else the environment, or else the defaults.
 *
 * @since 0.1.0
 */
import * as StoreConfig from "@reckon/db/StoreConfig"
import type * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Exporter from "../../Exporter.js"
import { plain } from "./print.js"
import { Stdio } from "./Stdio.js"

type Failure = StoreConfig.InvalidConfig | ConfigError.ConfigError

/** The settings, with these variables in the place of those in the environment. */
const loadWith = (variables: Readonly<Record<string, string>>): Effect.Effect<StoreConfig.ReckonConfig, Failure> =>
  Effect.configProviderWith(environment =>
    Effect.withConfigProvider(
      StoreConfig.load,
      ConfigProvider.orElse(ConfigProvider.fromMap(new Map(Object.entries(variables))), () => environment)
    )
  )

/**
 * What the command line says of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Given {
  readonly dataDir: Option.Option<string>
  /** The stores; none: those the environment names. */
  readonly stores: ReadonlyArray<string>
  /** Whether the node has peers, which then keep its stores as well, but for those that are set to be on one node. */
  readonly hasPeers: boolean
}

/**
 * The settings of a node. It fails with all that is wrong in the environment.
 *
 * @since 0.1.0
 * @category settings
 */
export const load = (given: Given): Effect.Effect<StoreConfig.ReckonConfig, Failure> => {
  const variables = {
    ...Option.match(given.dataDir, { onNone: () => ({}), onSome: RECKON_DATA_DIR => ({ RECKON_DATA_DIR }) }),
    ...(given.stores.length === 0 ? {} : { RECKON_STORES: [...new Set(given.stores)].join(",") })
  }
  const settings = loadWith(variables)
  // After the first reading, and not in its place: what is wrong with RECKON_MODE is wrong with peers, too.
  const whole = given.hasPeers
    ? Effect.zipRight(settings, loadWith({ ...variables, RECKON_MODE: "cluster" }))
    : settings
  return Effect.tap(whole, found => Effect.when(Exporter.config, () => Exporter.isWanted(found)))
}

/**
 * Tells of each variable that begins as Reckon's do and means nothing to a node with these settings, with the one it was probably meant to be.
 *
 * @since 0.1.0
 * @category settings
 */
export const warnOfUnknown = (
  settings: StoreConfig.ReckonConfig,
  variables: Iterable<string>
): Effect.Effect<void, never, Stdio> =>
  Effect.flatMap(Stdio, stdio => {
    const unknown = StoreConfig.unknownVariables(
      variables,
      settings.stores.map(({ id }) => id)
    )
    const lines = unknown.map(
      ({ name, nearest }) =>
        `Warning: nothing reads ${plain(name)}${nearest === undefined ? "" : `; the nearest name is ${nearest}`}\n`
    )
    return Effect.forEach(lines, stdio.err, { discard: true })
  })
