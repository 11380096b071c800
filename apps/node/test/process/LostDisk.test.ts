/**
 * A node that comes back with nothing, or with what is not its own or no longer: the first is brought up to date and counts again, the others say what they have and take no part.
 */
import type { ChildProcess } from "node:child_process"
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

/** Once the node answers. Two others acknowledge appends as well while it is still being started, and has no folder. */
const isUp = (client: Client.Client["Type"], endpoint: string | undefined) =>
  Effect.retry(client.status(endpoint ?? ""), Schedule.spaced("100 millis"))

/** What a node says, and the code it ends with. */
const outputOf = (child: ChildProcess) => {
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", data => {
      output += String(data)
    })
  }
  const code = Effect.async<number | null>(resume => {
    if (child.exitCode !== null) return resume(Effect.succeed(child.exitCode))
    child.once("exit", code => resume(Effect.succeed(code)))
  })
  return { code, out: () => output }
}

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

  it(
    "founds no store with another that has lost its own, while the third has all of it, and all say so",
    { timeout: 120_000 },
    () =>
      Effect.gen(function* () {
        const { endpoints, folder, startNode } = yield* makeNodes()
        const nodes = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
        const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
        yield* append(client, 20)
        for (const node of nodes) node.kill("SIGKILL")
        const kept = path.join(folder, "kept")
        fs.cpSync(path.join(folder, "n1"), kept, { recursive: true })
        for (const name of ["n0", "n1"]) fs.rmSync(path.join(folder, name), { recursive: true, force: true })
        yield* startNode(2)
        yield* isUp(client, endpoints[2])
        const [, second] = yield* Effect.all([startNode(0), startNode(1)])
        assert(second !== undefined)
        const problems = yield* Effect.forEach(endpoints, endpoint =>
          client.status(endpoint).pipe(
            Effect.map(({ problem }) => problem ?? ""),
            Effect.filterOrFail(problem => problem !== ""),
            Effect.retry(Schedule.spaced("100 millis"))
          )
        )
        assert.match(problems[0] ?? "", /^n0 has nothing in its log, .*, as n2 has/)
        assert.match(problems[1] ?? "", /^n1 has nothing in its log, .*, as n2 has/)
        assert.match(problems[2] ?? "", /^n\d has nothing in its log/)

        second.kill("SIGKILL")
        fs.rmSync(path.join(folder, "n1"), { recursive: true, force: true })
        fs.renameSync(kept, path.join(folder, "n1"))
        yield* startNode(1)
        const lost = yield* Client.make({ endpoints: endpoints.slice(0, 1), timeout: "60 seconds" })
        assert.lengthOf(Chunk.toReadonlyArray(yield* Stream.runCollect(lost.readAllStream())), 20)
      }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("does not get an older copy of its own: the node says so, and the others go on", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, folder, health, startNode } = yield* makeNodes()
      const [first] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      assert(first !== undefined)
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* append(client, 5)
      yield* isUp(client, endpoints[0])
      yield* stop(first)
      const own = path.join(folder, "n0")
      const copy = path.join(folder, "copy")
      fs.cpSync(own, copy, { recursive: true })
      const again = yield* startNode(0)
      yield* append(client, 50)
      const whole = yield* Client.make({ endpoints: endpoints.slice(0, 1), timeout: "60 seconds" })
      assert.strictEqual(Chunk.size(yield* Stream.runCollect(whole.readAllStream())), 55)
      yield* stop(again)
      fs.rmSync(own, { recursive: true })
      fs.renameSync(copy, own)
      const older = yield* startNode(0)
      const { out } = outputOf(older)
      const { problem } = yield* client.status(endpoints[0] ?? "").pipe(
        Effect.filterOrFail(status => status.problem !== null),
        Effect.retry(Schedule.spaced("100 millis"))
      )
      assert.include(problem ?? "", "n0 has lost what it acknowledged")
      yield* append(client, 10)
      assert.strictEqual(yield* health(0), 503)
      assert.isNull(older.exitCode)
      assert.lengthOf(out().split("has lost what it acknowledged"), 2)
      assert.notInclude(out(), "invariant")
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it(
    "does not get that of a store on one node alone: it would serve its clients another store",
    { timeout: 120_000 },
    () =>
      Effect.gen(function* () {
        const { endpoints, startNode } = yield* makeNodes()
        const alone = yield* startNode(0, [])
        yield* append(yield* Client.make({ endpoints: endpoints.slice(0, 1), timeout: "60 seconds" }), 5)
        yield* stop(alone)
        const wrong = yield* startNode(0)
        const { code, out } = outputOf(wrong)
        assert.strictEqual(yield* code, 1)
        assert.include(out(), "that of a store on one node alone, and this node is one of n0, n1, n2")
      }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("does not get that of another node: whose it is is said, and the node ends", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, folder, startNode } = yield* makeNodes()
      const [first, second] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      assert(first !== undefined && second !== undefined)
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* append(client, 10)
      yield* Effect.forEach(endpoints, endpoint => isUp(client, endpoint))
      yield* Effect.all([stop(first), stop(second)])
      fs.rmSync(path.join(folder, "n0"), { recursive: true })
      fs.renameSync(path.join(folder, "n1"), path.join(folder, "n0"))
      const wrong = yield* startNode(0)
      const { code, out } = outputOf(wrong)
      assert.strictEqual(yield* code, 1)
      assert.include(out(), 'that of the node "n1", this one is "n0"')
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
