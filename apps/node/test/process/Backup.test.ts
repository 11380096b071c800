/** What docs/operations.md says of copies of nodes' folders, with real nodes. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import type { RecordedEvent } from "@reckon/client/Event"
import * as Event from "@reckon/client/Event"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { makeNodes, stop } from "./nodes.js"

/** Appends so many events, and gives what was acknowledged. */
const append = (client: Client.Client["Type"], count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    n =>
      Effect.gen(function* () {
        const event = yield* Event.json({ type: "Written", data: { n } })
        const { version } = yield* client.append(`s${n % 5}`, "any", [event])
        return `s${n % 5} ${version} ${event.eventId}`
      }),
    { concurrency: 8 }
  )

const described = ({ eventId, streamId, version }: RecordedEvent): string => `${streamId} ${version} ${eventId}`

const allOf = (client: Client.Client["Type"]) =>
  Effect.map(Stream.runCollect(client.readAllStream()), found => Chunk.toReadonlyArray(found).map(described))

const copy = (from: string, to: string) => fs.cpSync(from, to, { recursive: true })
const all = [0, 1, 2]

describe("a cluster that is restored", () => {
  it("from the copy of one node has on all of them what that one had, and goes on", { timeout: 180_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, folder, startNode } = yield* makeNodes()
      const of = (node: number) => path.join(folder, `n${node}`)
      const backup = path.join(folder, "backup")
      const nodes = yield* Effect.forEach(all, at => startNode(at))
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      const before = yield* append(client, 100)
      const [first, ...others] = nodes
      assert(first !== undefined)
      const own = yield* Client.make({ endpoints: endpoints.slice(0, 1), timeout: "60 seconds" })
      assert.lengthOf(yield* allOf(own), 100)
      yield* stop(first)
      copy(of(0), backup)
      const since = yield* append(client, 20)
      yield* Effect.forEach(others, stop)

      for (const at of all) {
        fs.rmSync(of(at), { recursive: true })
        copy(backup, of(at))
        fs.rmSync(path.join(of(at), "stores", "default", "member"))
      }
      const restored = yield* Effect.forEach(all, at => startNode(at))
      const found = yield* allOf(client)
      assert.sameMembers(found, before)
      assert.notIncludeMembers(found, since.slice(0, 1))
      const later = yield* append(client, 20)
      const [lost] = restored
      assert(lost !== undefined)
      // Any majority of them has it.
      yield* stop(lost)
      const rest = yield* Client.make({ endpoints: endpoints.slice(1), timeout: "60 seconds" })
      assert.sameMembers(yield* allOf(rest), [...before, ...later])
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it(
    "from copies of two nodes, made one after the other, has what was acknowledged before the first",
    { timeout: 180_000 },
    () =>
      Effect.gen(function* () {
        const { endpoints, folder, startNode } = yield* makeNodes()
        const of = (node: number) => path.join(folder, `n${node}`)
        const nodes = yield* Effect.forEach(all, at => startNode(at))
        const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
        const [first, second, third] = nodes
        assert(first !== undefined && second !== undefined && third !== undefined)
        const before = yield* append(client, 50)
        yield* stop(first)
        copy(of(0), path.join(folder, "backup0"))
        const firstAgain = yield* startNode(0)
        yield* append(client, 50)
        yield* stop(second)
        copy(of(1), path.join(folder, "backup1"))
        yield* Effect.forEach([firstAgain, third], stop)

        for (const at of all) fs.rmSync(of(at), { recursive: true })
        for (const at of [0, 1]) copy(path.join(folder, `backup${at}`), of(at))
        yield* Effect.forEach(all, at => startNode(at))
        assert.includeMembers(yield* allOf(client), before)
        const later = yield* append(client, 20)
        assert.includeMembers(yield* allOf(client), [...before, ...later])
      }).pipe(Effect.scoped, Effect.runPromise)
  )
})
