/**
 * A node that was away for longer than the log reaches back is sent the leader's store, and is killed over and over while it takes it in.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { makeNodes } from "./nodes.js"

const settings = { RECKON_LOG_ENTRIES_MAX: "40", RECKON_LOG_TAIL_ENTRIES: "10" }

describe("a node whose peers have cut their logs", () => {
  it("has in the end what they have, however often it is killed on the way", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, folder, startNode } = yield* makeNodes(settings)
      const [, , third] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      assert(third !== undefined)
      const client = yield* Client.make({ endpoints: endpoints.slice(0, 2), timeout: "60 seconds" })
      const append = (from: number, to: number) =>
        Effect.forEach(
          Array.from({ length: to - from + 1 }, (_, at) => from + at),
          n =>
            Effect.flatMap(Event.json({ type: "Written", data: { n, filler: "x".repeat(20_000) } }), event =>
              client.append(`s${n % 5}`, "any", [event])
            ),
          { discard: true }
        )
      yield* append(1, 20)
      third.kill("SIGKILL")
      yield* append(21, 250)

      let output = ""
      const startAgain = Effect.tap(startNode(2), child =>
        child.stderr?.on("data", data => {
          output += String(data)
        })
      )
      // It comes back and is killed, at a moment that differs.
      for (let round = 0; round < 4; round++) {
        const child = yield* startAgain
        yield* Effect.sleep(yield* Random.nextIntBetween(700, 2_500))
        child.kill("SIGKILL")
        yield* append(251 + 15 * round, 265 + 15 * round)
      }
      yield* startAgain

      const events = (endpoint: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const one = yield* Client.make({ endpoints: [endpoint], timeout: "30 seconds" })
            return Chunk.toReadonlyArray(yield* Stream.runCollect(one.readAllStream()))
          })
        )
      const [first, second, away] = yield* Effect.forEach(endpoints, events)
      assert.lengthOf(first ?? [], 310)
      assert.deepStrictEqual(second, first)
      assert.deepStrictEqual(away, first)

      const logs = [0, 1, 2].map(
        at => fs.statSync(path.join(folder, `n${at}`, "stores", "default", "raft.sqlite")).size
      )
      // All events are 6 MB; the log holds what 40 entries and what comes in meanwhile need.
      for (const bytes of logs) assert.isBelow(bytes, 5_000_000)
      assert.match(output, /n2 installed a snapshot of index/)
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
