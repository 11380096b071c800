/**
 * A cluster of real node processes, for tests and benchmarks that kill them: `reckon cluster start` on free ports.
 *
 * @since 0.1.0
 */

import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { createServer } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as Client from "@reckon/client/Client"
import type { InvalidRequest } from "@reckon/client/StoreError"
import type { NodeStatus } from "@reckon/client/StoreRpcs"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

/**
 * How a command ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ProcessCluster {
  /** The nodes' RPC addresses, `HOST:PORT`. */
  readonly endpoints: ReadonlyArray<string>
  /** What the cluster's own process has printed so far. */
  readonly output: () => string
  /** The status of every node that answers. */
  readonly statuses: Effect.Effect<ReadonlyArray<NodeStatus>>
  /** The leader's status, once all three nodes are healthy and agree on it. */
  readonly settled: Effect.Effect<NodeStatus>
  /** Stops the cluster as Ctrl-C does and answers its exit code. */
  readonly interrupt: Effect.Effect<number | null>
}

/**
 * A folder that is removed with the scope.
 *
 * @since 0.1.0
 * @category resources
 */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const canListen = (port: number) =>
  Effect.async<boolean>(resume => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/** Takes a port until this process ends, unless somebody has it. */
const take = (port: number): Effect.Effect<boolean> =>
  Effect.async(resume => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => {
      server.unref()
      resume(Effect.succeed(true))
    })
  })

/** For each base port there is one that stands for it: who has that has the other. */
const basePorts = { first: 20_000, count: 600, span: 20, firstMark: 32_000 }

/**
 * A base port for `reckon cluster start` whose ports are free right now, below the ephemeral range. Nobody else gets it from here as long as this process lives, in whatever process: two that look
 * at the same time would both find it free.
 *
 * @since 0.1.0
 * @category resources
 */
export const freeBasePort: Effect.Effect<number> = Effect.gen(function* () {
  const { count, first, firstMark, span } = basePorts
  for (let tried = 0; tried < count; tried++) {
    const place = (process.pid + tried) % count
    const base = first + place * span
    if (!(yield* take(firstMark + place))) continue
    const free = yield* Effect.forEach([0, 1, 2, 10, 11, 12], offset => canListen(base + offset))
    if (free.every(Boolean)) return base
  }
  return yield* Effect.dieMessage(`no free ports between ${first} and ${first + count * span}`)
})

/**
 * Starts the program with the arguments; its output is piped. `program` is the path of the `reckon` script.
 *
 * @since 0.1.0
 * @category processes
 */
export const start = (
  program: string,
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {}
): ChildProcess =>
  spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment }
  })

/**
 * Runs the program with the arguments until it ends. Interruption kills it.
 *
 * @since 0.1.0
 * @category processes
 */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {}
): Effect.Effect<CommandResult> =>
  Effect.async(resume => {
    const child = start(program, args, environment)
    let stdout = ""
    let stderr = ""
    child.stdout?.on("data", data => {
      stdout += String(data)
    })
    child.stderr?.on("data", data => {
      stderr += String(data)
    })
    child.once("close", code => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/**
 * Starts three nodes and waits until they have settled on a leader. They are stopped with the scope; the data stays.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly program: string
  readonly basePort: number
  readonly dataDir: string
  /** Beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>
}): Effect.Effect<ProcessCluster, InvalidRequest, Scope.Scope> =>
  Effect.gen(function* () {
    const { basePort, dataDir, program } = options
    const endpoints = [0, 1, 2].map(at => `127.0.0.1:${basePort + at}`)
    let output = ""
    let exited: { readonly code: number | null } | undefined
    // After it exited, and all that it said has been read.
    let isClosed = false

    const args = ["cluster", "start", "--base-port", `${basePort}`, "--data-dir", dataDir]
    const child = start(program, args, options.environment)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", data => {
        output += String(data)
      })
    }
    child.once("exit", code => {
      exited = { code }
    })
    child.once("close", () => {
      isClosed = true
    })
    const stop = (signal: "SIGINT" | "SIGTERM") =>
      Effect.async<number | null>(resume => {
        if (exited !== undefined) return resume(Effect.succeed(exited.code))
        child.once("exit", code => resume(Effect.succeed(code)))
        child.kill(signal)
        // As under npx, where both the terminal and npm pass on a Ctrl-C.
        if (signal === "SIGINT") setImmediate(() => child.kill(signal))
      })
    yield* Effect.addFinalizer(() => stop("SIGTERM"))

    const { RECKON_CLUSTER_SECRET: known } = { ...process.env, ...options.environment }
    const secret = known === undefined ? undefined : Redacted.make(known)
    const client = yield* Client.make({ endpoints, attemptTimeout: "2 seconds", secret })
    const statuses = Effect.map(
      Effect.forEach(endpoints, endpoint => Effect.option(client.status(endpoint)), { concurrency: 3 }),
      answers => answers.flatMap(answer => (answer._tag === "Some" ? [answer.value] : []))
    )
    const settled = statuses.pipe(
      Effect.flatMap(all => {
        const leader = all.find(status => status.role === "leader")
        const agreed = all.length === 3 && all.every(status => status.healthy && status.leader === leader?.node)
        if (agreed && leader !== undefined) return Effect.succeed(leader)
        return isClosed
          ? Effect.dieMessage(`the cluster ended with code ${exited?.code} before it had settled:\n${output}`)
          : Effect.fail(`the cluster has not settled: ${JSON.stringify(all)}\n${output}`)
      }),
      Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.intersect(Schedule.recurs(400)))),
      Effect.orDie
    )
    yield* settled
    return { endpoints, output: () => output, statuses, settled, interrupt: stop("SIGINT") }
  })
