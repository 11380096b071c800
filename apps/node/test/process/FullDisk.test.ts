/** A node that has no room left, and nobody to make room for it. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { program } from "../program.js"

/** In blocks of 512 bytes. */
const fileBlocksMax = 2_048

describe("a node whose files cannot grow", () => {
  it("ends, and its last line says why", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const basePort = yield* ProcessCluster.freeBasePort
      const endpoint = `127.0.0.1:${basePort}`
      const node = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(
            "sh",
            [
              ...["-c", `ulimit -f ${fileBlocksMax}; exec "$@"`, "sh", process.execPath, program, "node", "start"],
              ...["--name", "n0", "--data-dir", path.join(folder, "n0")],
              ...["--rpc", endpoint, "--http", `127.0.0.1:${basePort + 10}`]
            ],
            { stdio: ["ignore", "pipe", "pipe"] }
          )
        ),
        child => Effect.sync(() => child.kill("SIGKILL"))
      )
      let output = ""
      node.stdout.resume()
      node.stderr.on("data", data => {
        output += String(data)
      })
      const ended = Effect.async<number | null>(resume => {
        node.once("close", code => resume(Effect.succeed(code)))
      })
      const client = yield* Client.make({ endpoints: [endpoint], timeout: "60 seconds" })
      const event = Event.json({ type: "Written", data: "x".repeat(64 * 1024) })
      const writing = Effect.forever(
        Effect.ignore(Effect.flatMap(event, written => client.append("s", "any", [written])))
      )
      assert.strictEqual(yield* Effect.raceFirst(ended, writing), 1)
      const last = output.trimEnd().split("\n").at(-1) ?? ""
      assert.match(
        last,
        /^GaveUp: what was started again failed each time, at last with crash: .*check the disk, its space/
      )
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
