/** A node that has no room left: what it says, and what becomes of it when there is room again. Where the limit on a process's files cannot be raised it says that it tried nothing, and passes. */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { program } from "../program.js"

/** In blocks of 512 bytes: less than what is written. */
const fileBlocksMax = 2_048
const event = Event.json({ type: "Written", data: "x".repeat(64 * 1024) })
const often = Schedule.spaced("50 millis")

const canMakeRoom = process.platform === "linux" && spawnSync("prlimit", ["--version"]).status === 0

/** A node whose files cannot grow beyond a size, and what it prints. */
const start = Effect.gen(function* () {
  const folder = yield* ProcessCluster.temporaryFolder
  const basePort = yield* ProcessCluster.freeBasePort
  const endpoint = `127.0.0.1:${basePort}`
  const http = `127.0.0.1:${basePort + 10}`
  const dataDir = path.join(folder, "n0")
  const node = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        "sh",
        [
          ...["-c", `ulimit -Sf ${fileBlocksMax}; exec "$@"`, "sh", process.execPath, program, "node", "start"],
          ...["--name", "n0", "--data-dir", dataDir, "--rpc", endpoint, "--http", http]
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
  const client = yield* Client.make({ endpoints: [endpoint], timeout: "60 seconds" })
  const hasty = yield* Client.make({ endpoints: [endpoint], timeout: "500 millis" })
  const health = Effect.promise(() => fetch(`http://${http}/health`).then(answer => answer.status))
  yield* Effect.repeat(Effect.either(hasty.append("first", "any", [yield* event])), {
    until: ({ _tag }) => _tag === "Right",
    schedule: often
  })

  /** Writes until nothing is taken any more, and answers the ids of what was. */
  const fill = Effect.gen(function* () {
    const acknowledged: Array<string> = []
    for (;;) {
      const written = yield* event
      const answer = yield* Effect.either(hasty.append("s", "any", [written]))
      if (answer._tag === "Right") acknowledged.push(written.eventId)
      else if ((yield* health) === 503) return acknowledged
    }
  })
  const ended = Effect.async<number | null>(resume => {
    node.once("close", code => resume(Effect.succeed(code)))
  })
  const makeRoom = Effect.sync(() => spawnSync("prlimit", [`--pid=${node.pid}`, "--fsize=unlimited:unlimited"]))
  return { client, dataDir, endpoint, ended, fill, hasty, health, makeRoom, node, output: () => output }
})

describe("a node whose files cannot grow", () => {
  it("says so, lives on, and serves all that it acknowledged as soon as they can", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      if (!canMakeRoom) return void process.stdout.write("a full disk: not tried, there is no `prlimit`\n")
      const { client, endpoint, fill, hasty, health, makeRoom, node, output } = yield* start
      const acknowledged = yield* fill
      assert.isNotEmpty(acknowledged)
      const refused = yield* Effect.flip(hasty.append("s", "any", [yield* event]))
      assert.strictEqual(refused._tag, "NoQuorum")
      assert.match(refused.message, /sqlite: cannot be .*disk.*space/)
      assert.match((yield* client.status(endpoint)).problem ?? "", /every few seconds, n0 takes no part/)

      yield* makeRoom
      assert.isAtLeast((yield* client.append("s", "any", [yield* event])).version, acknowledged.length)
      const ids: Array<string> = []
      for (let from = 0, isEnd = false; !isEnd; ) {
        const page = yield* client.read("s", { from, count: 20 })
        ids.push(...page.events.map(({ eventId }) => eventId))
        from += page.events.length
        isEnd = page.isEnd
      }
      // In their order, each once; what nobody was told of may stand between them.
      assert.deepStrictEqual(
        ids.filter(id => acknowledged.includes(id)),
        acknowledged
      )
      assert.strictEqual(yield* health, 200)
      assert.isNull(node.exitCode)
      assert.notInclude(output(), "GaveUp")
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("ends where its log is lost meanwhile, and its last line says why", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      if (!canMakeRoom) return void process.stdout.write("a full disk: not tried, there is no `prlimit`\n")
      const { dataDir, ended, fill, makeRoom, output } = yield* start
      yield* fill
      fs.rmSync(path.join(dataDir, "stores", "default", "raft.sqlite"))
      yield* makeRoom
      assert.strictEqual(yield* ended, 1)
      const last = output().trimEnd().split("\n").at(-1) ?? ""
      assert.match(last, /^GaveUp: what was started again failed each time, at last with crash: .*raft\.sqlite.*lost/)
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
