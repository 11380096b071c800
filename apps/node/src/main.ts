/**
 * The `reckon` program.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { cluster } from "./cli/clusterStart.js"
import { node } from "./cli/nodeStart.js"

const reckon = Command.make("reckon").pipe(Command.withSubcommands([cluster, node]))

Command.run(reckon, { name: "reckon", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
