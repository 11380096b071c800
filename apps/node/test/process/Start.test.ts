/** What a terminal does to `npm start`. */
import { type ChildProcess, spawn } from "node:child_process"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"

const root = path.resolve(import.meta.dirname, "../../../..")

/** `npm start` at the head of a process group of its own, as a shell has it. */
const npmStart = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn("npm", ["start", "--", ...args], { cwd: root, detached: true, stdio: ["ignore", "pipe", "inherit"] })
    ),
    child =>
      Effect.sync(() => {
        if (child.exitCode === null && child.signalCode === null) tell(child, "SIGKILL")
      })
  )

/** The whole group hears of it, npm and what it runs. */
const tell = ({ pid }: ChildProcess, signal: NodeJS.Signals) => (pid === undefined ? false : process.kill(-pid, signal))

const line = (child: ChildProcess, begins: string) =>
  Effect.async<void>(resume => {
    if (child.stdout === null) return
    createInterface(child.stdout).on("line", text => {
      if (text.startsWith(begins)) resume(Effect.void)
    })
  })

describe("npm start", () => {
  it.scopedLive("stops the nodes on Ctrl-C, and ends with 0", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const basePort = yield* ProcessCluster.freeBasePort
      const child = yield* npmStart("--data-dir", folder, "--base-port", `${basePort}`)
      const ended = Effect.async<readonly [number | null, NodeJS.Signals | null]>(resume => {
        child.once("exit", (code, signal) => resume(Effect.succeed([code, signal])))
      })
      yield* Effect.raceFirst(
        line(child, "ready"),
        Effect.flatMap(ended, ([code]) => Effect.dieMessage(`it ended with ${code} before it was ready`))
      )
      tell(child, "SIGINT")
      assert.deepStrictEqual(yield* ended, [0, null])
      // Nobody listens any more.
      const asked = yield* Effect.either(Effect.tryPromise(() => fetch(`http://127.0.0.1:${basePort + 10}/health`)))
      assert.strictEqual(asked._tag, "Left")
    })
  )
})
