/** The proxies between nodes, with real sockets on loopback: what a cut holds, what it lets through, and what becomes of it. */
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Links from "../src/internal/torture/links.js"

/** A node that remembers what it was told, and can speak to all who are connected. */
const listening = Effect.gen(function* () {
  let heard = ""
  const sockets = new Set<Net.Socket>()
  const server = yield* Effect.acquireRelease(
    Effect.async<Net.Server>(resume => {
      const made = Net.createServer(socket => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("data", data => {
          heard += String(data)
          socket.write(`heard ${data}\n`)
        })
      })
      made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    made =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        made.close()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const say = (text: string) => {
    for (const socket of sockets) socket.write(text)
  }
  return { port, heard: () => heard, connections: () => sockets.size, say }
})

/** A connection, as one node has it to a peer. */
const connecting = (address: string) =>
  Effect.gen(function* () {
    let received = ""
    let isClosed = false
    const wakers = new Set<() => void>()
    const wake = () => {
      for (const waker of wakers) waker()
    }
    const [host = "", port = ""] = address.split(":")
    const socket = yield* Effect.acquireRelease(
      Effect.async<Net.Socket>(resume => {
        const made = Net.createConnection({ host, port: Number(port) }, () => resume(Effect.succeed(made)))
        made.on("error", () => {})
        made.on("data", data => {
          received += String(data)
          wake()
        })
        made.on("close", () => {
          isClosed = true
          wake()
        })
      }),
      made => Effect.sync(() => made.destroy())
    )
    const until = (isSo: () => boolean) =>
      Effect.async<void>(resume => {
        const waker = () => {
          if (isSo()) resume(Effect.void)
        }
        wakers.add(waker)
        waker()
      })
    return {
      say: (text: string) => socket.write(text),
      received: () => received,
      receives: (text: string) => until(() => received.includes(text)),
      isClosed: () => isClosed,
      closes: until(() => isClosed)
    }
  })

/** Two nodes, 0 and 1, and 0's connection to 1. */
const makePair = Effect.gen(function* () {
  const zero = yield* listening
  const one = yield* listening
  const links = yield* Links.make([
    { host: "127.0.0.1", port: zero.port },
    { host: "127.0.0.1", port: one.port }
  ])
  const connection = yield* connecting(links.address(0, 1))
  connection.say("hello")
  yield* connection.receives("heard hello")
  /** Time for a byte to get through, measured by bytes that do: on the other link, many times to and fro. */
  const aWhile = Effect.gen(function* () {
    const other = yield* connecting(links.address(1, 0))
    for (let turn = 0; turn < 20; turn++) {
      other.say(`turn ${turn}.`)
      yield* other.receives(`turn ${turn}.`)
    }
  }).pipe(Effect.scoped)
  return { links, one, connection, aWhile }
})

describe("links between tortured nodes", () => {
  it.live("a cut one way holds what goes that way and nothing else; healed late, it comes", () =>
    Effect.gen(function* () {
      const { connection, links, one } = yield* makePair
      yield* links.cut(0, 1)
      connection.say("held")
      for (let turn = 0; turn < 20; turn++) {
        one.say(`turn ${turn}.`)
        yield* connection.receives(`turn ${turn}.`)
      }
      assert.strictEqual(one.heard(), "hello")
      yield* links.heal(0, 1, "late")
      yield* connection.receives("heard held")
      assert.strictEqual(one.heard(), "helloheld")
    }).pipe(Effect.scoped)
  )

  it.live("the answers on a connection are cut where its peer's way back is", () =>
    Effect.gen(function* () {
      const { connection, links, one, aWhile } = yield* makePair
      const before = connection.received()
      yield* links.cut(1, 0)
      connection.say("asked")
      // The other link carries answers from 0 to 1, and questions from 1 to 0, which are cut: so nothing is measured on it.
      yield* Effect.repeat(Effect.yieldNow(), { until: () => one.heard().includes("asked") })
      assert.strictEqual(connection.received(), before)
      yield* links.heal(1, 0, "late")
      yield* connection.receives("heard asked")
      yield* aWhile
    }).pipe(Effect.scoped)
  )

  it.live("a way that is cut twice is open when both are healed", () =>
    Effect.gen(function* () {
      const { connection, links, one } = yield* makePair
      yield* links.cut(0, 1)
      yield* links.cut(0, 1)
      connection.say("held")
      yield* links.heal(0, 1, "late")
      one.say("still")
      yield* connection.receives("still")
      assert.strictEqual(one.heard(), "hello")
      yield* links.heal(0, 1, "late")
      yield* connection.receives("heard held")
    }).pipe(Effect.scoped)
  )

  it.live("healed by a reset, the connection ends and what was held never comes", () =>
    Effect.gen(function* () {
      const { connection, links, one, aWhile } = yield* makePair
      yield* links.cut(0, 1)
      connection.say("held")
      yield* links.heal(0, 1, "reset")
      yield* connection.closes
      yield* aWhile
      assert.strictEqual(one.heard(), "hello")
    }).pipe(Effect.scoped)
  )

  it.live("a connection that is made while the way is cut carries nothing until it is healed", () =>
    Effect.gen(function* () {
      const { links, one } = yield* makePair
      yield* links.cut(0, 1)
      const late = yield* connecting(links.address(0, 1))
      late.say("late")
      yield* Effect.repeat(Effect.yieldNow(), { until: () => one.connections() === 2 })
      for (let turn = 0; turn < 20; turn++) {
        one.say(`turn ${turn}.`)
        yield* late.receives(`turn ${turn}.`)
      }
      assert.strictEqual(one.heard(), "hello")
      yield* links.healAll
      yield* late.receives("heard late")
    }).pipe(Effect.scoped)
  )
})
