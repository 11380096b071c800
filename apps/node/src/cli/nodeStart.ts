/**
 * `reckon node start`: one node in the foreground.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Endpoint from "@reckon/client/Endpoint"
import * as Limits from "@reckon/client/Limits"
import type * as Members from "@reckon/cluster/Members"
import * as Compaction from "@reckon/raft/Compaction"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Node from "../Node.js"

const usage = (detail: string) => ValidationError.invalidValue(HelpDoc.p(detail))

const name = Options.text("name").pipe(Options.withDescription("this node's name in the cluster"))
const dataDir = Options.text("data-dir").pipe(Options.withDescription("the folder that holds the node's data"))
const rpc = Options.text("rpc").pipe(Options.withDescription("HOST:PORT for clients and peers"))
const http = Options.text("http").pipe(Options.withDescription("HOST:PORT for GET /health"))
const peer = Options.text("peer").pipe(
  Options.withDescription("NAME=HOST:PORT of another member's RPC address; once for each"),
  Options.repeated
)
const store = Options.text("store").pipe(
  Options.withDescription("a store that the cluster keeps; repeatable, the same on every node (default: default)"),
  Options.repeated
)

const parseEndpoint = (text: string) => Either.mapLeft(Endpoint.parse(text), usage)

const parsePeer = (text: string): Either.Either<Members.Member, ValidationError.ValidationError> => {
  const at = text.indexOf("=")
  return at < 1
    ? Either.left(usage(`"${text}" is not NAME=HOST:PORT`))
    : Either.map(parseEndpoint(text.slice(at + 1)), address => ({ name: text.slice(0, at), address }))
}

/** Resolves when the process that started this one over an IPC channel is gone. Without a channel it never does. */
const parentGone = Effect.async<void>(resume => {
  if (process.channel === undefined) return
  process.once("disconnect", () => resume(Effect.void))
  // The channel alone must not keep a node alive that has otherwise stopped.
  process.channel.unref()
})

const start = Command.make("start", { name, dataDir, rpc, http, peer, store }, options =>
  Effect.gen(function* () {
    const node = yield* Effect.all({
      self: Either.map(parseEndpoint(options.rpc), address => ({ name: options.name, address })),
      peers: Effect.forEach(options.peer, parsePeer),
      http: parseEndpoint(options.http)
    })
    const limits = yield* Limits.config
    const compaction = yield* Compaction.config
    const stores = options.store.length === 0 ? ["default"] : options.store
    yield* Console.log(`${options.name} starts  rpc ${options.rpc}  http ${options.http}  pid ${process.pid}`)
    yield* Node.run({ ...node, dataDir: options.dataDir, stores, limits, compaction }).pipe(
      Effect.raceFirst(
        parentGone.pipe(Effect.zipRight(Console.log(`${options.name} stops: the process that started it is gone`)))
      )
    )
  })
).pipe(Command.withDescription("Runs one node in the foreground until Ctrl-C"))

/**
 * @since 0.1.0
 * @category commands
 */
export const node = Command.make("node").pipe(
  Command.withDescription("A single node"),
  Command.withSubcommands([start])
)
