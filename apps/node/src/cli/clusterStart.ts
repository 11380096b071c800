/**
 * `reckon cluster start`: three nodes on this machine.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as LocalCluster from "../cluster/LocalCluster.js"

const basePort = Options.integer("base-port").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, 65535 - LocalCluster.portSpan))),
  Options.withDescription("RPC ports are N, N+1, N+2; HTTP ports N+10, N+11, N+12"),
  Options.withDefault(45901)
)

const dataDir = Options.text("data-dir").pipe(
  Options.withDescription("the folder that holds the nodes' data and logs"),
  Options.withDefault("./.reckon")
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

const start = Command.make("start", { basePort, dataDir }, options =>
  ignoreRepeatedInterrupts.pipe(
    Effect.zipRight(LocalCluster.start(options)),
    Effect.zipRight(Effect.never),
    Effect.scoped
  )
).pipe(Command.withDescription("Runs three nodes on 127.0.0.1 until Ctrl-C"))

/**
 * @since 0.1.0
 * @category commands
 */
export const cluster = Command.make("cluster").pipe(
  Command.withDescription("A cluster on this machine"),
  Command.withSubcommands([start])
)
