/**
 * The command line in this process: arguments in, exit code and output out.
 */
import * as Command from "@effect/cli/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { clientCommands } from "../../../src/cli/clientCommands.js"
import { cluster } from "../../../src/cli/clusterStart.js"
import { node } from "../../../src/cli/nodeStart.js"
import { run } from "../../../src/cli/run.js"
import { OutputClosed, Stdio } from "../../../src/cli/shared/Stdio.js"

const root = Command.make("reckon").pipe(Command.withSubcommands([cluster, node, ...clientCommands]))

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Settings {
  readonly stdin?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  /** Told of each text on standard output; returning false closes it. */
  readonly onOut?: (text: string) => boolean
}

export const reckon = (args: ReadonlyArray<string>, settings: Settings = {}): Effect.Effect<Outcome> =>
  Effect.suspend(() => {
    let out = ""
    let err = ""
    let open = true
    const stdio = Stdio.of({
      out: text =>
        Effect.suspend(() => {
          if (!open) return new OutputClosed()
          out += text
          open = settings.onOut?.(text) ?? true
          return Effect.void
        }),
      err: text =>
        Effect.sync(() => {
          err += text
        }),
      inIsTerminal: false,
      outIsTerminal: false,
      errIsTerminal: false,
      input: Stream.make(Buffer.from(settings.stdin ?? "")),
      exitCodeIfInterrupted: () => Effect.void
    })
    return run(root, ["node", "reckon", ...args]).pipe(
      Effect.provideService(Stdio, stdio),
      Effect.provide(NodeContext.layer),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings.env ?? {})))),
      Effect.map(code => ({ code, out, err }))
    )
  })

/** The JSON values on standard output, one a line. */
export const jsonLines = (outcome: Outcome): ReadonlyArray<unknown> =>
  outcome.out
    .split("\n")
    .filter(line => line !== "")
    .map((line): unknown => JSON.parse(line))
