/** What only the bundled program can show: that it finds the file from which the thread starts that copies the WALs of stores. */
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as Effect from "effect/Effect"
import { makeNodes, stop } from "./nodes.js"

describe("a node", () => {
  it("has a thread to copy the WAL of its store", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { addressOf, startNode } = yield* makeNodes()
      const child = yield* startNode(0, [])
      let told = ""
      child.stderr?.on("data", data => {
        told += String(data)
      })
      const closed = once(child, "close")
      const client = yield* Client.make({ endpoints: [addressOf(0)], timeout: "60 seconds" })
      const event = Event.json({ type: "Written", data: "x".repeat(1_000_000) })
      // A WAL is copied from 16 MiB on.
      for (let n = 0; n < 24; n++) yield* client.append("s", "any", [yield* event])
      assert.strictEqual(yield* stop(child), 0)
      yield* Effect.promise(() => closed)
      assert.notInclude(told, "The thread that copies the WALs")
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
