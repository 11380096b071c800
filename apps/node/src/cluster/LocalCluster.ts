/**
 * Three nodes on this machine, as `npm start` runs them.
 *
 * @since 0.1.0
 */

import { createServer } from "node:net"
import * as path from "node:path"
import { NodeStatus } from "@reckon/client/StoreRpcs"
import * as Folder from "@reckon/raft/Folder"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { keepRunning } from "./NodeProcess.js"

/**
 * The cluster cannot be started as asked.
 *
 * @since 0.1.0
 * @category errors
 */
export class ClusterStartError extends Schema.TaggedError<ClusterStartError>("@reckon/node/ClusterStartError")(
  "ClusterStartError",
  { detail: Schema.String }
) {
  override get message() {
    return this.detail
  }
}

/**
 * The first of the ports that the nodes take where nothing is said.
 *
 * @since 0.1.0
 * @category constants
 */
export const basePortDefault = 45901

const host = "127.0.0.1"
const httpOffset = 10
const nodeCount = 3

/**
 * The highest port a node of the cluster takes, above the base port.
 *
 * @since 0.1.0
 * @category constants
 */
export const portSpan = httpOffset + nodeCount - 1

interface LocalNode {
  readonly name: string
  readonly rpcPort: number
  readonly httpPort: number
}

const portIsFree = (port: number): Effect.Effect<void, ClusterStartError> =>
  Effect.async(resume => {
    const server = createServer()
    server.once("error", cause =>
      resume(
        new ClusterStartError({
          detail: `port ${host}:${port} cannot be used (${cause.message}); stop what listens there or choose another --base-port`
        })
      )
    )
    server.listen(port, host, () => server.close(() => resume(Effect.void)))
  })

/** Where nothing can be written no node would ever start, nor its log say why. */
const folderIsThere = (folder: string): Effect.Effect<void, ClusterStartError> =>
  Effect.try({
    try: () => Folder.make(folder),
    catch: cause =>
      new ClusterStartError({
        detail: `no data can be kept in ${folder} (${cause instanceof Error ? cause.message : cause}); choose a folder that this user may make and write to, with --data-dir or RECKON_DATA_DIR`
      })
  })

const HealthBody = Schema.Struct({ healthy: Schema.Boolean, stores: Schema.Array(NodeStatus) })

const fetchHealth = (node: LocalNode) =>
  Effect.tryPromise(signal =>
    fetch(`http://${host}:${node.httpPort}/health`, { signal }).then(answer => answer.json())
  ).pipe(Effect.flatMap(Schema.decodeUnknown(HealthBody)), Effect.timeout("1 second"))

/** Asks the nodes until one of them says that it leads and can serve, and what it leads. */
const awaitLeader = (
  nodes: ReadonlyArray<LocalNode>
): Effect.Effect<{ readonly node: string; readonly stores: ReadonlyArray<string> }> =>
  Effect.raceAll(
    nodes.map(node =>
      fetchHealth(node).pipe(
        Effect.map(({ healthy, stores }) => (healthy ? stores.filter(({ role }) => role === "leader") : [])),
        Effect.filterOrFail(led => led.length > 0),
        Effect.retry(Schedule.spaced("100 millis")),
        Effect.map(led => ({ node: node.name, stores: led.map(({ store }) => store) }))
      )
    )
  ).pipe(Effect.orDie)

/**
 * Starts the nodes, prints where they are, and says `ready` once a leader serves. They are stopped when the scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: {
  readonly basePort: number
  readonly dataDir: string
  /** The stores the nodes keep, by the environment. */
  readonly stores: ReadonlyArray<string>
}): Effect.Effect<void, ClusterStartError, Scope.Scope> =>
  Effect.gen(function* () {
    const nodes: ReadonlyArray<LocalNode> = Array.from({ length: nodeCount }, (_, at) => ({
      name: `node${at + 1}`,
      rpcPort: options.basePort + at,
      httpPort: options.basePort + httpOffset + at
    }))
    for (const node of nodes) {
      yield* portIsFree(node.rpcPort)
      yield* portIsFree(node.httpPort)
    }

    const dataDir = path.resolve(options.dataDir)
    for (const node of nodes) yield* folderIsThere(path.join(dataDir, node.name))
    yield* Console.log(`data in ${dataDir}`)
    for (const node of nodes) {
      const logFile = path.join(dataDir, node.name, "node.log")
      const peers = nodes
        .filter(peer => peer !== node)
        .flatMap(peer => ["--peer", `${peer.name}=${host}:${peer.rpcPort}`])
      yield* keepRunning({
        name: node.name,
        logFile,
        args: [
          ...["node", "start", "--name", node.name, "--data-dir", path.join(dataDir, node.name)],
          ...["--rpc", `${host}:${node.rpcPort}`, "--http", `${host}:${node.httpPort}`, ...peers]
        ],
        onStart: (pid, restarts) =>
          Console.log(
            `${node.name}  rpc ${host}:${node.rpcPort}  http http://${host}:${node.httpPort}/health  pid ${pid}${restarts > 0 ? `  (restart ${restarts})` : ""}`
          ),
        onExit: (reason, waitMillis) =>
          Console.log(`${node.name}  ${reason}; starting it again in ${waitMillis / 1000} s (its log: ${logFile})`)
      })
    }

    yield* awaitLeader(nodes).pipe(
      Effect.raceFirst(Console.log("still waiting for a leader …").pipe(Effect.delay("10 seconds"), Effect.forever)),
      Effect.flatMap(leader => Console.log(nextSteps(leader, options))),
      Effect.forkScoped
    )
  })

const nextSteps = (
  leader: { readonly node: string; readonly stores: ReadonlyArray<string> },
  { basePort, stores }: { readonly basePort: number; readonly stores: ReadonlyArray<string> }
): string => {
  const store = stores.includes("default") || stores[0] === undefined ? "" : ` --store ${stores[0]}`
  const endpoints = Array.from({ length: nodeCount }, (_, at) => `${host}:${basePort + at}`).join(",")
  return [
    `ready  ${leader.node} leads${stores.length > 1 ? ` ${leader.stores.join(", ")}` : ""}`,
    "",
    "Try, in another shell in this folder:",
    ...(basePort === basePortDefault ? [] : [`  export RECKON_ENDPOINTS=${endpoints}`]),
    `  npx reckon status${store}`,
    `  npx reckon append order-1 --type OrderPlaced --data '{"total": 42}'${store}`,
    `  npx reckon read order-1${store}`,
    `  npx reckon subscribe --all${store}`,
    "",
    "Ctrl-C stops the cluster; the data stays."
  ].join("\n")
}
