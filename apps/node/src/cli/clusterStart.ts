/**
 * `reckon cluster start`: three nodes on this machine.
 *
 * @since 0.1.0
 */
import * as path from "node:path"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LocalCluster from "../cluster/LocalCluster.js"
import * as Shared from "./shared/options.js"
import { Stdio } from "./shared/Stdio.js"
import * as Settings from "./shared/settings.js"

const basePort = Shared.wholeNumber("base-port", 1, 65535 - LocalCluster.portSpan).pipe(
  Options.withDescription("RPC ports are N, N+1, N+2; HTTP ports N+10, N+11, N+12"),
  Options.withDefault(LocalCluster.basePortDefault)
)

const dataDir = Shared.dataDir.pipe(
  Options.withDescription(
    "the folder that holds the nodes' data and logs (default: RECKON_DATA_DIR, or else ./.reckon)"
  ),
  Options.optional
)

/** npm passes a Ctrl-C on that the terminal has already delivered: one more of them must not cut the orderly stop short. */
const ignoreRepeatedInterrupts = Effect.acquireRelease(
  Effect.sync(() => {
    const ignore = () => {}
    process.on("SIGINT", ignore)
    return ignore
  }),
  ignore => Effect.sync(() => process.off("SIGINT", ignore))
)

/** The settings of the nodes, read here as well as by each of them: what is wrong is to be said at once, and on this terminal. */
const settingsOf = (dataDir: Option.Option<string>) =>
  Effect.gen(function* () {
    const common = { stores: [], hasPeers: true }
    const settings = yield* Settings.load({ ...common, dataDir })
    const elsewhere = yield* Settings.load({ ...common, dataDir: Option.some(path.join(settings.dataDir, "node")) })
    // A store that does not follow its node's folder would be in the same place for all three.
    const fixed = settings.stores.filter((store, at) => store.dataDir === elsewhere.stores[at]?.dataDir)
    if (fixed.length === 0) return settings
    const ids = fixed.map(({ id }) => id).join(", ")
    return yield* Effect.fail(
      Shared.usage(`three nodes cannot share the folder that is set for ${ids}: set RECKON_DATA_DIR in its place`)
    )
  })

const start = Command.make("start", { basePort, dataDir }, options =>
  Effect.gen(function* () {
    yield* (yield* Stdio).exitCodeIfInterrupted(0)
    const { basePort } = options
    const settings = yield* settingsOf(options.dataDir)
    yield* Settings.warnOfUnknown(settings, Object.keys(process.env))
    yield* ignoreRepeatedInterrupts
    const stores = settings.stores.map(({ id }) => id)
    yield* LocalCluster.start({ basePort, dataDir: settings.dataDir, stores })
    return yield* Effect.never
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Runs three nodes on 127.0.0.1 until Ctrl-C"))

/**
 * @since 0.1.0
 * @category commands
 */
export const cluster = Command.make("cluster").pipe(
  Command.withDescription("A cluster on this machine"),
  Command.withSubcommands([start])
)
