import * as fs from "node:fs"
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Members from "@reckon/cluster/Members"
import * as NodeServer from "@reckon/cluster/NodeServer"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import * as Process from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { answerTo, freePort } from "./helpers/sockets.js"

/** A connection, once the other side has taken it. */
const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.async<Net.Socket>(resume => {
      const socket = Net.createConnection({ host: "127.0.0.1", port }, () => resume(Effect.succeed(socket)))
    }),
    socket => Effect.sync(() => socket.destroy())
  )

const established = "01"
const keepAlive = "02"

/** The timers that the system has running for what was connected to the port: see proc_net_tcp.txt of the kernel. */
const timersAt = (port: number) => {
  const address = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  return fs
    .readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map(line => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => local.endsWith(address) && state === established)
    .map(([, , , , , timer = ""]) => timer.split(":")[0])
}

const served = (port: number) => {
  const address = { host: "127.0.0.1", port }
  return NodeServer.layer(PeerRpcs, address).pipe(
    Layer.provide(SocketTransport.layerHandlers),
    Layer.provide(Receivers.layer),
    Layer.provide(Members.layer({ name: "a", address }, [])),
    Layer.provide(Process.layer)
  )
}

const send = (port: number, message: object) => Effect.flatMap(connect(port), socket => answerTo(socket, message))

describe("the socket of a node", () => {
  it.scopedLive("ends the connection of what has not the form of a message, and serves the others", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* Layer.build(served(port))
      const request = {
        _tag: "Request",
        id: "1",
        tag: "PeerPropose",
        payload: { group: "g", payloads: [] },
        headers: []
      }
      const wrong = [
        // As a number, and that as text again, it would take minutes.
        { ...request, id: "9".repeat(3_000_000) },
        { ...request, id: "01" },
        { ...request, id: "0x1" },
        { ...request, id: "" },
        { ...request, id: 1 },
        { ...request, tag: {} },
        { ...request, headers: null },
        { ...request, headers: [["a", {}]] },
        { ...request, headers: Array.from({ length: 1_000 }, () => ["a", "b"]) },
        { _tag: "Ack" },
        { _tag: "Interrupt", requestId: "9".repeat(3_000_000) },
        { _tag: { toString: 1 } }
      ]
      for (const message of wrong) assert.strictEqual(yield* send(port, message), "closed")
      assert.propertyVal(yield* send(port, request), "_tag", "Exit")
      assert.propertyVal(yield* send(port, { _tag: "Ping" }), "_tag", "Pong")
      assert.propertyVal(yield* send(port, { ...request, tag: "Unheard" }), "_tag", "Defect")
      assert.propertyVal(yield* send(port, { _tag: "Unheard" }), "_tag", "Defect")
    })
  )

  it.scopedLive("finds out by itself that the machine behind a connection is gone, where nobody says so", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* Layer.build(served(port))
      yield* connect(port)
      const timers = yield* Effect.repeat(
        Effect.delay(
          Effect.sync(() => timersAt(port)),
          2
        ),
        // The system has made the connection before the node hears of it.
        { until: found => found.includes(keepAlive), times: 500 }
      )
      assert.deepStrictEqual(timers, [keepAlive])
    })
  )
})
