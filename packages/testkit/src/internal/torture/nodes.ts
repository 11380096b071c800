/**
 * The nodes of the cluster as processes, each of which can be ended, held and started again.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Journal } from "../../TortureHistory.js"

export interface Nodes {
  readonly names: ReadonlyArray<string>
  /** Starts the node and keeps it running: it is started again when it ends by itself. */
  readonly start: (at: number) => Effect.Effect<void>
  /** Ends the node and waits until it is gone. */
  readonly end: (at: number, signal: "SIGKILL" | "SIGTERM") => Effect.Effect<void>
  readonly hold: (at: number) => Effect.Effect<void>
  readonly release: (at: number) => Effect.Effect<void>
  readonly pid: (at: number) => number | undefined
  readonly logFile: (at: number) => string
}

export interface NodeAddress {
  readonly name: string
  readonly rpc: string
  readonly http: string
  /** `NAME=HOST:PORT` of the others, as this node reaches them. */
  readonly peers: ReadonlyArray<string>
}

const restartMillis = 500
/** How often a node's log is looked at for its first line. */
const listenMillis = 50

interface State {
  child: ChildProcess | undefined
  isWanted: boolean
}

const isAlive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

const awaitExit = (child: ChildProcess) =>
  Effect.async<string>(resume => {
    const ended = (code: number | null, signal: string | null) =>
      resume(Effect.succeed(signal === null ? `code ${code}` : signal))
    if (!isAlive(child)) return ended(child.exitCode, child.signalCode)
    child.once("exit", ended)
    return Effect.sync(() => child.removeListener("exit", ended))
  })

export const make = (options: {
  readonly program: string
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly addresses: ReadonlyArray<NodeAddress>
  readonly journal: Journal
}): Effect.Effect<Nodes, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { addresses, folder, journal } = options
    const names = addresses.map(({ name }) => name)
    const endedByUs = new WeakSet<ChildProcess>()
    const states = addresses.map((): State => ({ child: undefined, isWanted: false }))
    const scope = yield* Effect.scope
    // Beside the data, not among it: a node must be able to say that its disk is full.
    const logFile = (at: number) => path.join(folder, `${names[at]}.log`)

    const spawnNode = ({ http, name, peers, rpc }: NodeAddress, at: number) => {
      const log = fs.openSync(logFile(at), "a")
      try {
        return spawn(
          process.execPath,
          [
            ...[options.program, "node", "start", "--name", name, "--data-dir", path.join(folder, name)],
            ...["--rpc", rpc, "--http", http, ...peers.flatMap(peer => ["--peer", peer])]
          ],
          {
            // By the channel the node notices that the harness is gone.
            stdio: ["ignore", log, log, "ipc"],
            detached: true,
            env: { ...process.env, ...options.environment }
          }
        )
      } finally {
        fs.closeSync(log)
      }
    }

    const state = (at: number): State => {
      const found = states[at]
      if (found === undefined) throw new Error(`there is no node ${at}`)
      return found
    }

    const became = (at: number, became: "started" | "ended" | "held" | "released") =>
      journal.write({ _tag: "Node", node: names[at] ?? "", became })

    const run = (at: number): Effect.Effect<void> =>
      Effect.gen(function* () {
        const address = addresses[at]
        const it = state(at)
        if (address === undefined || !it.isWanted || it.child !== undefined) return
        const log = logFile(at)
        const before = fs.existsSync(log) ? fs.statSync(log).size : 0
        const child = spawnNode(address, at)
        it.child = child
        const hasSpoken = () => fs.readFileSync(log).subarray(before).includes(`pid ${child.pid}\n`)
        yield* Effect.sync(() => it.child !== child || hasSpoken()).pipe(
          Effect.delay(listenMillis),
          Effect.repeat({ until: isDone => isDone }),
          Effect.flatMap(() => (it.child === child ? became(at, "started") : Effect.void)),
          Effect.forkIn(scope)
        )
        yield* awaitExit(child).pipe(
          Effect.flatMap(how => {
            it.child = undefined
            if (endedByUs.has(child)) return run(at)
            return journal
              .write({ _tag: "Exit", node: address.name, how })
              .pipe(Effect.zipRight(Effect.sleep(restartMillis)), Effect.zipRight(run(at)))
          }),
          Effect.forkIn(scope)
        )
      })

    const signal = (at: number, name: NodeJS.Signals, as: "held" | "released") =>
      Effect.suspend(() => {
        const { child } = state(at)
        if (child === undefined || !isAlive(child)) return Effect.void
        child.kill(name)
        return became(at, as)
      })

    const end: Nodes["end"] = (at, name) =>
      Effect.suspend(() => {
        const it = state(at)
        it.isWanted = false
        const { child } = it
        if (child === undefined) return Effect.void
        endedByUs.add(child)
        child.kill(name)
        // One that is held cannot hear SIGTERM.
        return became(at, "ended").pipe(
          Effect.zipRight(awaitExit(child)),
          Effect.timeoutOption("10 seconds"),
          Effect.flatMap(ended => {
            if (ended._tag === "None") child.kill("SIGKILL")
            return awaitExit(child)
          }),
          Effect.asVoid
        )
      })

    yield* Effect.addFinalizer(() => Effect.forEach(states.keys(), at => end(at, "SIGKILL"), { discard: true }))

    return {
      names,
      logFile,
      end,
      start: at =>
        Effect.suspend(() => {
          state(at).isWanted = true
          return run(at)
        }),
      hold: at => signal(at, "SIGSTOP", "held"),
      release: at => signal(at, "SIGCONT", "released"),
      pid: at => state(at).child?.pid
    }
  })
