/** Nodes of a cluster as processes of their own, for tests that end them one by one. */
import * as path from "node:path"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { program } from "../program.js"

/** Addresses for three nodes, and for others that join them, each of which is started, and started again, by itself. */
export const makeNodes = (environment: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const folder = yield* ProcessCluster.temporaryFolder
    const basePort = yield* ProcessCluster.freeBasePort
    const addressOf = (at: number) => `127.0.0.1:${basePort + at}`
    const endpoints = [0, 1, 2].map(addressOf)
    /** With those peers; by default with all others of the three. */
    const startNode = (
      at: number,
      peers = [0, 1, 2].filter(peer => peer !== at),
      flags: ReadonlyArray<string> = [],
      name = `n${at}`
    ) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          ProcessCluster.start(
            program,
            [
              ...["node", "start", "--name", name, "--data-dir", path.join(folder, `n${at}`)],
              ...["--rpc", addressOf(at), "--http", `127.0.0.1:${basePort + 10 + at}`],
              ...peers.flatMap(peer => ["--peer", `n${peer}=${addressOf(peer)}`]),
              ...flags
            ],
            environment
          )
        ),
        child => Effect.sync(() => child.kill("SIGKILL"))
      )
    const health = (at: number) =>
      Effect.promise(() => fetch(`http://127.0.0.1:${basePort + 10 + at}/health`).then(answer => answer.status))
    return { folder, endpoints, addressOf, startNode, health }
  })

/** Stops a node as Ctrl-C does. */
export const stop = (child: ReturnType<typeof ProcessCluster.start>) =>
  Effect.async<number | null>(resume => {
    child.once("exit", code => resume(Effect.succeed(code)))
    child.kill("SIGTERM")
  })
