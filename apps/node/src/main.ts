/**
 * The `reckon` program.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import { clientCommands } from "./cli/clientCommands.js"
import { cluster } from "./cli/clusterStart.js"
import { node } from "./cli/nodeStart.js"
import { repair } from "./cli/repair.js"
import { runMain } from "./cli/run.js"

runMain(Command.make("reckon").pipe(Command.withSubcommands([cluster, node, repair, ...clientCommands])))
