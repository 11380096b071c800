/** A node whose disk refuses to read a store's file for a while. Without a C compiler, which makes such a disk, it says that it tried nothing, and passes. */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as EventStore from "@reckon/db/EventStore"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { program } from "../program.js"

const source = fileURLToPath(new URL("unread.c", import.meta.url))
const streams = [...Array(20).keys()].map(n => `s${n}`)
const written = Event.json({ type: "Written", data: "x".repeat(300) })

describe("a node whose disk does not read", () => {
  it("says so, lives on, and serves all that it had as soon as the disk does", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const library = path.join(folder, "unread.so")
      const { error, status } = spawnSync("cc", ["-shared", "-fPIC", "-o", library, source, "-ldl"])
      if (process.platform !== "linux" || error !== undefined || status !== 0) {
        process.stdout.write(
          "a disk that does not read: not tried, there is no C compiler `cc`, or this is not Linux\n"
        )
        return
      }
      const dataDir = path.join(folder, "n0")
      const batch = yield* Effect.all(Array.from({ length: 50 }, () => written))
      yield* Effect.forEach(streams, stream =>
        Effect.flatMap(EventStore.EventStore, s => s.append(stream, "any", batch))
      ).pipe(Effect.provide(EventStore.layer({ dataDir })))

      const file = path.join(dataDir, "stores", "default", "events.sqlite")
      const marker = path.join(folder, "away")
      const basePort = yield* ProcessCluster.freeBasePort
      const endpoint = `127.0.0.1:${basePort}`
      const http = `127.0.0.1:${basePort + 10}`
      const node = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(
            process.execPath,
            [program, "node", "start", "--name", "n0", "--data-dir", dataDir, "--rpc", endpoint, "--http", http],
            {
              env: { ...process.env, LD_PRELOAD: library, UNREAD_FILE: file, UNREAD_WHILE: marker },
              stdio: ["ignore", "pipe", "pipe"]
            }
          )
        ),
        child => Effect.sync(() => child.kill("SIGKILL"))
      )
      let output = ""
      node.stdout.resume()
      node.stderr.on("data", data => {
        output += String(data)
      })
      const patient = yield* Client.make({ endpoints: [endpoint], timeout: "60 seconds" })
      const hasty = yield* Client.make({ endpoints: [endpoint], timeout: "500 millis" })
      const health = Effect.promise(() => fetch(`http://${http}/health`).then(answer => answer.status))
      assert.strictEqual((yield* patient.append("fresh", "no_stream", [yield* written])).version, 0)
      assert.strictEqual(yield* health, 200)

      fs.writeFileSync(marker, "")
      const told = yield* Effect.flip(hasty.read("s1"))
      assert.strictEqual(told._tag, "NoQuorum")
      assert.include(told.message, `${file} is damaged: a page of it`)
      assert.include(told.message, "SQLite says the same of a disk that cannot be read")
      yield* Effect.flip(hasty.append("s2", "any", [yield* written]))
      yield* Effect.repeat(health, { until: code => code === 503, schedule: Schedule.spaced("50 millis") })
      const refused = yield* Effect.flip(hasty.append("s3", "any", [yield* written]))
      assert.include(refused.message, file)

      fs.rmSync(marker)
      assert.strictEqual((yield* patient.append("fresh", 0, [yield* written])).version, 1)
      for (const stream of streams) {
        const { events } = yield* patient.read(stream, { count: 60 })
        // What was appended to two of them without an answer may be there.
        assert.deepStrictEqual(
          events.slice(0, 50).map(({ version }) => version),
          [...Array(50).keys()]
        )
        assert.isAtMost(events.length, 51)
      }
      assert.strictEqual(yield* health, 200)
      assert.isNull(node.exitCode)
      assert.notInclude(output, "GaveUp")
      const lines = output.split("\n").filter(line => line.includes(file))
      assert.isAtMost(lines.length, 8, output)
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
