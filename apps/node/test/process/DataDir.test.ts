/** What becomes of a program whose data has no place to be. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { program } from "../program.js"

/** Long enough for any start: what has not ended by then turns in a circle, and would not hear a kinder signal. */
const patienceMillis = 60_000

const run = (args: ReadonlyArray<string>) =>
  Effect.async<{ readonly code: number | null; readonly err: string }>(resume => {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: patienceMillis,
      killSignal: "SIGKILL"
    })
    let err = ""
    child.stderr.on("data", chunk => {
      err += String(chunk)
    })
    child.once("close", code => resume(Effect.succeed({ code, err })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Nowhere is a folder made in these, by nobody; in /proc the system says of any name that what is above it is missing. */
const places = (folder: string) => {
  const file = path.join(folder, "file")
  fs.writeFileSync(file, "")
  return ["/proc/reckon", "/sys/reckon", file, path.join(file, "below", "it")]
}

describe("a file that is no store", () => {
  it.scopedLive("ends a node with one line, alone, that says which it is and what to do", () =>
    Effect.gen(function* () {
      const dataDir = yield* ProcessCluster.temporaryFolder
      const place = path.join(dataDir, "stores", "default")
      const port = yield* ProcessCluster.freeBasePort
      const addresses = ["--rpc", `127.0.0.1:${port}`, "--http", `127.0.0.1:${port + 1}`]
      fs.mkdirSync(place, { recursive: true })
      fs.writeFileSync(path.join(place, "events.sqlite"), "this is no database, however long it may be")
      const { code, err } = yield* run(["node", "start", "--name", "n1", ...addresses, "--data-dir", dataDir])
      assert.strictEqual(code, 1, err)
      assert.match(err, /^StoreFileRefused: [^\n]+\n$/)
      assert.include(err, `move the folder ${place} away`)
    })
  )
})

describe("a folder that cannot be had", () => {
  it.scopedLive("ends a node with one line that says which it is, and with what it is set", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const port = yield* ProcessCluster.freeBasePort
      const addresses = ["--rpc", `127.0.0.1:${port}`, "--http", `127.0.0.1:${port + 1}`]
      for (const place of places(folder)) {
        const { code, err } = yield* run(["node", "start", "--name", "n1", ...addresses, "--data-dir", place])
        assert.strictEqual(code, 1, `${place}: ${err}`)
        assert.match(err, /^StoreFileRefused: [^\n]+ --data-dir[^\n]*\n$/)
        assert.include(err, place)
      }
    })
  )

  it.scopedLive("ends a cluster in the same way, before a node is started", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const port = yield* ProcessCluster.freeBasePort
      for (const place of places(folder)) {
        const { code, err } = yield* run(["cluster", "start", "--base-port", `${port}`, "--data-dir", place])
        assert.strictEqual(code, 1, `${place}: ${err}`)
        assert.match(err, /^ClusterStartError: [^\n]+ --data-dir[^\n]*\n$/)
        assert.include(err, place)
      }
    })
  )
})
