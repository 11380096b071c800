/**
 * A node that comes back with nothing, or with what another node had: the first is brought up to date and counts again, the second does not start.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { makeNodes, stop } from "./nodes.js"

const append = (client: Client.Client["Type"], count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    n =>
      Effect.flatMap(Event.json({ type: "Written", data: { n } }), event => client.append(`s${n % 5}`, "any", [event])),
    { concurrency: 8, discard: true }
  )

describe("a node whose folder is lost", () => {
  it("is sent everything again, and makes a majority with one that was there", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, folder, health, startNode } = yield* makeNodes()
      const [first, second] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      assert(first !== undefined && second !== undefined)
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* append(client, 200)
      first.kill("SIGKILL")
      fs.rmSync(path.join(folder, "n0"), { recursive: true, force: true })
      yield* startNode(0)
      const lost = yield* Client.make({ endpoints: endpoints.slice(0, 1), timeout: "60 seconds" })
      const eventsThere = Effect.map(Stream.runCollect(lost.readAllStream()), Chunk.toReadonlyArray)
      assert.lengthOf(yield* eventsThere, 200)
      yield* Effect.repeat(health(0), { until: status => status === 200, schedule: Schedule.spaced("100 millis") })

      second.kill("SIGKILL")
      yield* append(client, 10)
      assert.lengthOf(yield* eventsThere, 210)
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("does not get that of another node: whose it is is said, and the node ends", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, folder, startNode } = yield* makeNodes()
      const [first, second] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      assert(first !== undefined && second !== undefined)
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* append(client, 10)
      yield* Effect.all([stop(first), stop(second)])
      fs.rmSync(path.join(folder, "n0"), { recursive: true })
      fs.renameSync(path.join(folder, "n1"), path.join(folder, "n0"))
      const wrong = yield* startNode(0)
      let output = ""
      for (const stream of [wrong.stdout, wrong.stderr]) {
        stream?.on("data", data => {
          output += String(data)
        })
      }
      const code = yield* Effect.async<number | null>(resume => {
        wrong.once("exit", code => resume(Effect.succeed(code)))
      })
      assert.strictEqual(code, 1)
      assert.include(output, 'that of the node "n1", this one is "n0"')
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
