/** What only the bundled program can show: that it finds the files from which the threads of a store start. */
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as Effect from "effect/Effect"
import { makeNodes, stop } from "./nodes.js"

describe("a node", () => {
  it("has a thread to copy the WAL of its store, and one to read ahead", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { addressOf, startNode } = yield* makeNodes()
      const child = yield* startNode(0, [])
      let told = ""
      child.stderr?.on("data", data => {
        told += String(data)
      })
      const closed = once(child, "close")
      const client = yield* Client.make({ endpoints: [addressOf(0)], timeout: "60 seconds" })
      const small = Event.json({ type: "Written", data: "x" })
      yield* client.append("small", "any", yield* Effect.all(Array.from({ length: 100 }, () => small)))
      const event = Event.json({ type: "Written", data: "x".repeat(1_000_000) })
      // A WAL is copied from 16 MiB on.
      for (let n = 0; n < 24; n++) yield* client.append("s", "any", [yield* event])
      // The thread that reads is started where many read at once, and often.
      const pages = yield* Effect.forEach(
        Array.from({ length: 1_000 }),
        () => client.read("small", { from: 0, count: 100 }),
        { concurrency: 16 }
      )
      for (const { events } of pages) assert.lengthOf(events, 100)
      assert.strictEqual(yield* stop(child), 0)
      yield* Effect.promise(() => closed)
      assert.notInclude(told, "The thread that")
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
