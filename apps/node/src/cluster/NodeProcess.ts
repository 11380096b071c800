/**
 * One node of the local cluster as a child process that is started again whenever it dies.
 *
 * @since 0.1.0
 */

import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Folder from "@reckon/raft/Folder"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"

/**
 * @since 0.1.0
 * @category models
 */
export interface NodeProcessOptions {
  readonly name: string
  readonly args: ReadonlyArray<string>
  /** Where the node's output goes. */
  readonly logFile: string
  readonly onStart: (pid: number, restarts: number) => Effect.Effect<void>
  readonly onExit: (reason: string, waitMillis: number) => Effect.Effect<void>
}

const backoffMillisMin = 200
const backoffMillisMax = 10_000
/** A node that lived this long is taken to be well: the next wait starts from the shortest again. */
const stableNanos = 20_000_000_000n
/** What a node gets to stop by itself. */
const stopMillisMax = 10_000
/** A log larger than this is set aside when its node starts. */
const logBytesMax = 16 * 1024 * 1024

/** Seen from this module, and from the file into which it is bundled (`scripts/bundle.mjs`), which lies as deep. */
const reckon = path.resolve(import.meta.dirname, "../../bin/reckon.js")

const openLog = (logFile: string): number => {
  Folder.make(path.dirname(logFile))
  if (fs.existsSync(logFile) && fs.statSync(logFile).size > logBytesMax) fs.renameSync(logFile, `${logFile}.old`)
  return fs.openSync(logFile, "a")
}

/**
 * The child is the leader of a process group of its own, so that Ctrl-C reaches only the parent, which stops the nodes in order. The IPC channel is how
 * the child notices that its parent is gone.
 */
const start = (options: NodeProcessOptions): ChildProcess => {
  const log = openLog(options.logFile)
  try {
    return spawn(process.execPath, [reckon, ...options.args], {
      stdio: ["ignore", log, log, "ipc"],
      detached: true
    })
  } finally {
    fs.closeSync(log)
  }
}

/** Also where a log is that cannot be written just now, for want of room say: whoever keeps the node running is to try again. */
const attemptStart = (options: NodeProcessOptions) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => start(options),
      catch: cause => `could not be started: ${cause instanceof Error ? cause.message : cause}`
    }),
    stop
  )

const awaitExit = (child: ChildProcess): Effect.Effect<string> =>
  Effect.async(resume => {
    const ended = (code: number | null, signal: string | null) =>
      resume(Effect.succeed(signal === null ? `ended with code ${code}` : `was ended by ${signal}`))
    if (child.exitCode !== null || child.signalCode !== null) return ended(child.exitCode, child.signalCode)
    child.once("exit", ended)
    child.once("error", error => resume(Effect.succeed(`could not be started: ${error.message}`)))
    return Effect.sync(() => {
      child.removeAllListeners("exit")
      child.removeAllListeners("error")
    })
  })

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (child.exitCode !== null || child.signalCode !== null) return Effect.void
    child.kill("SIGTERM")
    return awaitExit(child).pipe(
      Effect.timeoutOption(stopMillisMax),
      Effect.tap(ended => (ended._tag === "None" ? Effect.sync(() => child.kill("SIGKILL")) : Effect.void)),
      Effect.zipRight(awaitExit(child)),
      Effect.asVoid
    )
  })

/**
 * Keeps the node running until the scope closes, which stops it in good order.
 *
 * @since 0.1.0
 * @category constructors
 */
export const keepRunning = (options: NodeProcessOptions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const backoff = yield* Ref.make(backoffMillisMin)
    let restarts = 0

    const life = Effect.gen(function* () {
      const startedAt = yield* Clock.currentTimeNanos
      const reason = yield* attemptStart(options).pipe(
        Effect.tap(child => options.onStart(child.pid ?? -1, restarts)),
        Effect.flatMap(awaitExit),
        Effect.merge
      )
      const lived = (yield* Clock.currentTimeNanos) - startedAt
      const wait = lived >= stableNanos ? backoffMillisMin : yield* Ref.get(backoff)
      yield* Ref.set(backoff, Math.min(wait * 2, backoffMillisMax))
      restarts++
      yield* options.onExit(reason, wait)
      return wait
    }).pipe(Effect.scoped)

    yield* life.pipe(
      Effect.flatMap(wait => Effect.sleep(wait)),
      Effect.forever,
      Effect.forkScoped
    )
  })
