/**
 * `reckon snapshot`: the snapshots of a stream.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { connect, sharedOptions, stream, usage, wholeNumber } from "./shared/options.js"
import { plain, printAll, printJson, printLine, snapshotJson, snapshotLine } from "./shared/print.js"
import * as Time from "./shared/time.js"

const at = wholeNumber("at", 0).pipe(
  Options.withPseudoName("VERSION"),
  Options.withDescription("the one of exactly this version"),
  Options.optional
)

const list = Command.make("list", { stream, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* printAll(client.listSnapshots(options.stream), info =>
      options.json
        ? JSON.stringify(info)
        : `${plain(info.streamId)}@${info.version}  ${Time.format(info.epochUs)}  ${info.bytes} bytes`
    )
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints the snapshots of a stream, without their contents"))

const load = Command.make("load", { stream, at, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const snapshot = yield* client.loadSnapshot(options.stream, { version: Option.getOrUndefined(options.at) })
    yield* printLine(options.json ? snapshotJson(snapshot) : snapshotLine(snapshot))
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints the latest snapshot of a stream, or that of one version"))

const all = Options.boolean("all").pipe(Options.withDescription("all snapshots of the stream"))

const remove = Command.make("delete", { stream, at, all, ...sharedOptions }, options =>
  Effect.gen(function* () {
    if (Option.isSome(options.at) === options.all) {
      return yield* Effect.fail(usage("give exactly one of --at VERSION and --all"))
    }
    const { client } = yield* connect(options)
    const version = Option.getOrNull(options.at)
    yield* client.deleteSnapshots(options.stream, { version: version ?? undefined })
    if (options.json) return yield* printJson({ streamId: options.stream, version })
    const which = version === null ? "it has no snapshots now" : `it has no snapshot of version ${version} now`
    yield* printLine(`${plain(options.stream)}: ${which}`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Deletes a snapshot of a stream, or all of them; succeeds where there is none"))

/**
 * @since 0.1.0
 * @category commands
 */
export const snapshot = Command.make("snapshot").pipe(
  Command.withDescription("The snapshots of a stream"),
  Command.withSubcommands([list, load, remove])
)
