/**
 * What a cluster of real processes answers when it cannot do what it is asked: each fault has its own error, none takes longer than the client's timeout, and the
 * nodes live on.
 */

import { createConnection } from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { program } from "../program.js"
import { makeNodes, stop } from "./nodes.js"

/** Sends bytes to a node and waits until it answers or hangs up. */
const sendRaw = (endpoint: string, bytes: Uint8Array) =>
  Effect.async<void>(resume => {
    const [host, port] = endpoint.split(":")
    const socket = createConnection({ host: host ?? "", port: Number(port) }, () => socket.write(bytes))
    const done = () => {
      socket.destroy()
      resume(Effect.void)
    }
    socket.once("data", done)
    socket.once("close", done)
    socket.once("error", done)
  })

const frame = (body: ReadonlyArray<number>): Uint8Array => Uint8Array.from([0, 0, 0, body.length, ...body])

describe("faults at real nodes", () => {
  it("two of three stopped: NoQuorum and 503, until one is back", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, health, startNode } = yield* makeNodes()
      const [first, second] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      const patient = yield* Client.make({ endpoints, timeout: "60 seconds" })
      const event = yield* Event.json({ type: "T", data: 1 })
      yield* patient.append("s", "any", [event])

      assert(first !== undefined && second !== undefined)
      assert.deepStrictEqual(yield* Effect.all([stop(first), stop(second)]), [0, 0])
      yield* Effect.repeat(health(2), { until: status => status === 503, schedule: Schedule.spaced("100 millis") })
      const client = yield* Client.make({ endpoints })
      const appending = client.append("s", "any", [yield* Event.json({ type: "T", data: 2 })])
      const [refused, unread] = yield* Effect.all([Effect.flip(appending), Effect.flip(client.read("s"))], {
        concurrency: 2
      })
      assert.deepStrictEqual([refused._tag, unread._tag], ["NoQuorum", "NoQuorum"])

      yield* startNode(0)
      const appended = yield* patient.append("s", 0, [yield* Event.json({ type: "T", data: 3 })])
      assert.strictEqual(appended.version, 1)
      assert.strictEqual((yield* patient.append("s", "no_stream", [event])).alreadyPresent, 1)
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("what is no request harms nobody but its sender", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const basePort = yield* ProcessCluster.freeBasePort
      const cluster = yield* ProcessCluster.make({ program, basePort, dataDir: path.join(folder, "data") })
      const before = yield* cluster.statuses
      const [endpoint = ""] = cluster.endpoints
      for (const bytes of [
        frame([0xc0]),
        frame([0x01]),
        frame([0x80]),
        frame([0x93, 1, 2, 3]),
        new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        Uint8Array.from({ length: 4096 }, (_, at) => (at * 131 + 17) % 256)
      ]) {
        yield* sendRaw(endpoint, bytes)
      }
      const client = yield* Client.make({ endpoints: [endpoint] })
      const tooLarge = yield* Effect.flip(
        Client.make({ endpoints: [endpoint], limits: { eventBytesMax: 1e9, requestBytesMax: 1e9 } }).pipe(
          Effect.zip(Event.json({ type: "T", data: "x".repeat(5 * 1024 * 1024) })),
          Effect.flatMap(([careless, event]) => careless.append("s", "any", [event]))
        )
      )
      assert.strictEqual(tooLarge._tag, "EventTooLarge")
      const wrong = yield* Effect.flip(client.append("s", 4, [yield* Event.json({ type: "T", data: 1 })]))
      assert.deepInclude(wrong, { _tag: "WrongExpectedVersion", expected: 4, actual: -1 })
      const nowhere = yield* Client.make({ endpoints: [endpoint], store: "nope" })
      assert.strictEqual((yield* Effect.flip(nowhere.read("s")))._tag, "StoreNotFound")
      yield* client.append("s", "any", [yield* Event.json({ type: "T", data: 1 })])
      assert.deepStrictEqual(
        (yield* cluster.statuses).map(status => status.pid),
        before.map(status => status.pid)
      )
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
