/**
 * `reckon node start`: one node in the foreground.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type * as ValidationError from "@effect/cli/ValidationError"
import * as Endpoint from "@reckon/client/Endpoint"
import * as Members from "@reckon/cluster/Members"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Shared from "./shared/options.js"
import { Stdio } from "./shared/Stdio.js"
import * as Settings from "./shared/settings.js"

const name = Options.text("name").pipe(
  Options.withPseudoName("NAME"),
  Options.withDescription("this node's name in the cluster")
)
const dataDir = Shared.dataDir.pipe(
  Options.withDescription("the folder that holds the node's data (default: RECKON_DATA_DIR, or else ./.reckon)"),
  Options.optional
)
const rpc = Options.text("rpc").pipe(
  Options.withPseudoName("HOST:PORT"),
  Options.withDescription("where it listens for clients and peers")
)
const http = Options.text("http").pipe(
  Options.withPseudoName("HOST:PORT"),
  Options.withDescription("where it listens for GET /health")
)
const peer = Shared.repeated("peer").pipe(
  Options.withPseudoName("NAME=HOST:PORT"),
  Options.withDescription("another member and its RPC address; once for each")
)
const store = Shared.repeated("store").pipe(
  Options.withPseudoName("NAME"),
  Options.withDescription(
    "a store that the cluster keeps; repeatable, the same on every node (default: RECKON_STORES, or else default)"
  ),
  Options.mapEffect(names => Effect.forEach(names, Shared.storeName))
)

const join = Options.boolean("join").pipe(
  Options.withDescription("the cluster is there already: wait to be added to its stores, with `reckon member add`")
)

const parseEndpoint = (text: string) => Either.mapLeft(Endpoint.parse(text), Shared.usage)

const parsePeer = (text: string): Either.Either<Members.Member, ValidationError.ValidationError> => {
  const at = text.indexOf("=")
  return at < 1
    ? Either.left(Shared.usage(`"${text}" is not NAME=HOST:PORT`))
    : Either.map(parseEndpoint(text.slice(at + 1)), address => ({ name: text.slice(0, at), address }))
}

/** What a node consists of is more than everything else of the program: other commands begin without it, in two thirds of the time. */
const loadNode = Effect.promise(() => import("../Node.js"))

/** Resolves when the process that started this one over an IPC channel is gone. Without a channel it never does. */
const parentGone = Effect.async<void>(resume => {
  if (process.channel === undefined) return
  process.once("disconnect", () => resume(Effect.void))
  // The channel alone must not keep a node alive that has otherwise stopped.
  process.channel.unref()
})

const start = Command.make("start", { name, dataDir, rpc, http, peer, join, store }, options =>
  Effect.gen(function* () {
    yield* (yield* Stdio).exitCodeIfInterrupted(0)
    const node = yield* Effect.all({
      self: Either.map(parseEndpoint(options.rpc), address => ({ name: options.name, address })),
      peers: Effect.forEach(options.peer, parsePeer),
      http: parseEndpoint(options.http)
    })
    if (Endpoint.format(node.self.address) === Endpoint.format(node.http)) {
      return yield* Effect.fail(Shared.usage(`--rpc and --http are both ${options.http}`))
    }
    if (options.join && options.peer.length === 0) {
      return yield* Effect.fail(Shared.usage("--join needs a --peer: a member of the cluster, and its address"))
    }
    if (options.join && !Members.isTellable(node.self.address)) {
      return yield* Effect.fail(
        Shared.usage(
          `--rpc ${options.rpc} tells the others nothing: with --join it is the address at which they reach this node`
        )
      )
    }
    const settings = yield* Settings.load({
      dataDir: options.dataDir,
      stores: options.store,
      hasPeers: options.peer.length > 0
    })
    yield* Effect.mapError(Members.make(node.self, node.peers, settings.clusterSecret), ({ detail }) =>
      Shared.usage(detail)
    )
    yield* Settings.warnOfUnknown(settings, Object.keys(process.env))
    yield* Console.log(`${options.name} starts  rpc ${options.rpc}  http ${options.http}  pid ${process.pid}`)
    const Node = yield* loadNode
    yield* Node.run({ ...node, joins: options.join, settings }).pipe(
      Effect.raceFirst(
        parentGone.pipe(Effect.zipRight(Console.log(`${options.name} stops: the process that started it is gone`)))
      )
    )
  })
).pipe(
  Command.withDescription(
    "Runs one node in the foreground until Ctrl-C. Its other settings are in the environment, see docs/configuration.md"
  )
)

/**
 * @since 0.1.0
 * @category commands
 */
export const node = Command.make("node").pipe(
  Command.withDescription("A single node"),
  Command.withSubcommands([start])
)
