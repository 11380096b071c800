/**
 * `npm start -- ARGS`: sets up what is missing, then runs `reckon cluster start ARGS`.
 */
import { spawn } from "node:child_process"
import { constants } from "node:os"
import { join } from "node:path"
import { argv, execPath, versions } from "node:process"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build, isReady, setUp, setUpSteps } from "./setup.mjs"
import { root } from "./stamp.mjs"
import { explain, Steps, say } from "./terminal.mjs"

/** Signals that arrive this close together are one wish told several times: a terminal tells its whole group, and npm tells us again. */
const echoMillis = 3_000

/**
 * Runs the cluster with our terminal. It gets a process group of its own, so that it hears of each signal once and from us,
 * and a preloaded module that stops it should we die without a word.
 */
const runCluster = args => {
  const watch = pathToFileURL(fileURLToPath(new URL("orphan.mjs", import.meta.url))).href
  const command = join(root, "apps", "node", "bin", "reckon.js")
  const child = spawn(execPath, ["--import", watch, command, "cluster", "start", ...args], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    detached: true
  })
  let askedAt
  const ask = signal => {
    if (askedAt === undefined) {
      askedAt = process.hrtime.bigint()
      child.kill(signal)
      setTimeout(
        () => say("still stopping; Ctrl-C again ends the nodes at once (what was acknowledged stays)"),
        echoMillis
      ).unref()
    } else if (process.hrtime.bigint() - askedAt > BigInt(echoMillis) * 1_000_000n) {
      process.kill(-child.pid, "SIGKILL")
    }
  }
  process.on("SIGINT", ask)
  process.on("SIGTERM", ask)
  process.on("SIGHUP", ask)
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code, signal) => resolve(code === null ? 128 + constants.signals[signal] : code))
  })
}

try {
  if (Number(versions.node.split(".")[0]) < 20 || !isReady()) {
    const steps = new Steps(setUpSteps + 1)
    await setUp(steps)
    await build(steps)
    say()
  }
  process.exitCode = await runCluster(argv.slice(2))
} catch (error) {
  explain(error)
  process.exitCode = 1
}
