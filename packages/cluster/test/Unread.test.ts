import * as Net from "node:net"
import { NetSocket } from "@effect/platform-node/NodeSocket"
import type { FromClientEncoded, FromServerEncoded } from "@effect/rpc/RpcMessage"
import * as RpcServer from "@effect/rpc/RpcServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Mailbox from "effect/Mailbox"
import { bounded } from "../src/internal/unread.js"

/** A socket for which so many bytes wait. */
class Connection extends Net.Socket {
  override writableLength = 0
}

/** The request whose answer cannot be sent. */
const tooLarge = "too large"

const limits = { requestsMax: 2, bytesMax: 100, connectionBytesMax: 10 }

/** A server's protocol whose requests the test makes up, and answers. */
const makeServed = Effect.gen(function* () {
  const disconnects = yield* Mailbox.make<number>()
  let take: (client: number, message: FromClientEncoded) => Effect.Effect<void> = () => Effect.void
  const served: Array<string> = []
  /** What the server waits with each of its answers for. */
  const room = yield* Effect.makeLatch(true)
  const sent: Array<FromServerEncoded> = []
  const protocol = bounded(
    RpcServer.Protocol.of({
      run: serve => {
        take = serve
        return Effect.never
      },
      disconnects,
      send: (_, answer) =>
        answer._tag === "Exit" && answer.requestId === tooLarge
          ? Effect.dieMessage("no message carries it")
          : Effect.sync(() => sent.push(answer)),
      end: () => Effect.void,
      clientIds: Effect.succeed(new Set([1, 2])),
      initialMessage: Effect.succeedNone,
      supportsAck: true,
      supportsTransferables: false,
      supportsSpanPropagation: true
    }),
    tag => (tag === "Unknown" ? undefined : tag === "Read"),
    limits
  )
  yield* Effect.forkScoped(
    protocol.run((client, message) =>
      Effect.zipRight(
        Effect.sync(() => served.push(message._tag === "Request" ? `${client}:${message.id}` : message._tag)),
        room.await
      )
    )
  )
  yield* Effect.yieldNow()
  const arrive = (client: number, socket: Net.Socket, message: FromClientEncoded) =>
    Effect.forkScoped(Effect.provideService(take(client, message), NetSocket, socket)).pipe(
      Effect.zipLeft(Effect.yieldNow())
    )
  const answer = (client: number, requestId: string) =>
    protocol.send(client, { _tag: "Exit", requestId, exit: { _tag: "Success", value: null } })
  return { answer, arrive, protocol, room, served }
})

const request = (id: string, tag = "Read"): FromClientEncoded => ({
  _tag: "Request",
  id,
  tag,
  payload: {},
  headers: []
})

describe("a connection", () => {
  it.scoped("has so many requests under way; what follows waits, and nothing more is read until an answer is out", () =>
    Effect.gen(function* () {
      const { answer, arrive, served } = yield* makeServed
      const socket = new Connection()
      for (const id of ["1", "2", "3", "4"]) yield* arrive(1, socket, request(id))
      assert.deepStrictEqual(served, ["1:1", "1:2"])
      assert.isTrue(socket.isPaused())
      yield* answer(1, "2")
      yield* Effect.yieldNow()
      assert.deepStrictEqual(served, ["1:1", "1:2", "1:3"])
      assert.isTrue(socket.isPaused())
      yield* answer(1, "1")
      yield* Effect.yieldNow()
      assert.deepStrictEqual(served, ["1:1", "1:2", "1:3", "1:4"])
      assert.isFalse(socket.isPaused())
    })
  )

  it.scoped("has its place back for a request whose answer cannot be sent, or that is given up where it waits", () =>
    Effect.gen(function* () {
      const { answer, arrive, served } = yield* makeServed
      const socket = new Connection()
      for (const id of [tooLarge, "1"]) yield* arrive(1, socket, request(id))
      yield* Fiber.interrupt(yield* arrive(1, socket, request("2")))
      yield* arrive(1, socket, request("3"))
      yield* Effect.exit(answer(1, tooLarge))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(served, [`1:${tooLarge}`, "1:1", "1:3"])
      assert.isFalse(socket.isPaused())
    })
  )

  it.scoped("has no more requests under way because others end that do not count", () =>
    Effect.gen(function* () {
      const { answer, arrive, served } = yield* makeServed
      const socket = new Connection()
      yield* arrive(1, socket, request("0", "Subscribe"))
      for (const id of ["1", "2", "3"]) yield* arrive(1, socket, request(id))
      yield* answer(1, "0")
      yield* Effect.yieldNow()
      assert.deepStrictEqual(served, ["1:0", "1:1", "1:2"])
      assert.isTrue(socket.isPaused())
    })
  )

  it.scoped("is forgotten when it closes, with what it had under way", () =>
    Effect.gen(function* () {
      const { arrive, served } = yield* makeServed
      const closed = new Connection()
      for (const id of ["1", "2"]) yield* arrive(1, closed, request(id))
      closed.emit("close")
      for (const id of ["3", "4"]) yield* arrive(1, new Connection(), request(id))
      assert.deepStrictEqual(served, ["1:1", "1:2", "1:3", "1:4"])
    })
  )

  it.scoped("does not wait for another one, and requests that do not count wait for none", () =>
    Effect.gen(function* () {
      const { arrive, served } = yield* makeServed
      const [full, other] = [new Connection(), new Connection()]
      for (const id of ["1", "2", "3"]) yield* arrive(1, full, request(id))
      yield* arrive(2, other, request("1"))
      yield* arrive(1, full, request("4", "Deliver"))
      yield* arrive(1, full, { _tag: "Ping" })
      assert.deepStrictEqual(served, ["1:1", "1:2", "2:1", "1:4", "Ping"])
      assert.isFalse(other.isPaused())
    })
  )

  it.scoped("is not read from while more than one piece of what it brought waits to be taken", () =>
    Effect.gen(function* () {
      const { arrive, room, served } = yield* makeServed
      const socket = new Connection()
      yield* room.close
      yield* arrive(1, socket, { _tag: "Ping" })
      assert.isFalse(socket.isPaused())
      yield* arrive(1, socket, { _tag: "Ping" })
      assert.isTrue(socket.isPaused())
      yield* room.open
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      assert.isFalse(socket.isPaused())
      assert.deepStrictEqual(served, ["Ping", "Ping"])
    })
  )

  it.scoped("has each id under way once, whatever was asked with it; once there is an answer it is free", () =>
    Effect.gen(function* () {
      const { answer, arrive, served } = yield* makeServed
      const socket = new Connection()
      yield* arrive(1, socket, request("1", "Subscribe"))
      for (const tag of ["Subscribe", "Read", "Deliver"]) {
        const refusal = yield* Effect.flatMap(arrive(1, socket, request("1", tag)), Fiber.join).pipe(
          Effect.catchAllDefect(defect => Effect.succeed(String(defect)))
        )
        assert.strictEqual(refusal, "Error: a request of this id is under way")
      }
      yield* arrive(1, socket, request("2", "Unknown"))
      yield* arrive(1, socket, request("2", "Unknown"))
      yield* answer(1, "1")
      yield* arrive(1, socket, request("1"))
      assert.deepStrictEqual(served, ["1:1", "1:2", "1:2", "1:1"])
    })
  )

  it.scoped("is cut off for what waits of subscriptions as well, though these count for nothing else", () =>
    Effect.gen(function* () {
      const { arrive, protocol } = yield* makeServed
      const [slow, idle] = [new Connection(), new Connection()]
      yield* arrive(1, slow, request("1", "Subscribe"))
      yield* arrive(2, idle, request("1"))
      slow.writableLength = 101
      yield* protocol.send(1, { _tag: "Chunk", requestId: "1", values: ["a page"] })
      assert.deepStrictEqual([slow.destroyed, idle.destroyed], [true, false])
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.scoped("is cut off, and that is said, where too much waits for all and most of it for this one", () => {
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => said.push(String(message)))
    return Effect.gen(function* () {
      const { answer, arrive } = yield* makeServed
      const [slow, slower, idle] = [new Connection(), new Connection(), new Connection()]
      for (const [at, socket] of [slow, slower, idle].entries()) yield* arrive(at, socket, request("1"))
      slow.writableLength = 40
      slower.writableLength = 60
      yield* answer(0, "1")
      assert.deepStrictEqual([slow.destroyed, slower.destroyed], [false, false])
      slower.writableLength = 61
      yield* answer(0, "1")
      assert.deepStrictEqual([slow.destroyed, slower.destroyed, idle.destroyed], [false, true, false])
      assert.include(said.join(), "was cut off: 101 bytes")
      // What waits for those that were cut off is gone with them.
      slow.writableLength = 70
      yield* answer(0, "1")
      assert.isFalse(slow.destroyed)
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})
