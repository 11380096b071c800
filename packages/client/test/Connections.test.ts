import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Connections from "../src/internal/connections.js"
import { explain } from "../src/internal/lost.js"
import * as Peers from "../src/internal/peers.js"

/** A server that takes every connection and says nothing. */
const server = Effect.gen(function* () {
  const sockets: Array<Net.Socket> = []
  const listening = yield* Effect.acquireRelease(
    Effect.async<Net.Server>(resume => {
      const made = Net.createServer(socket => {
        socket.on("error", () => {})
        // What is not read would keep it from being told of the end.
        socket.resume()
        sockets.push(socket)
      })
      made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    made =>
      Effect.sync(() => {
        made.close()
        for (const socket of sockets) socket.destroy()
      })
  )
  const address = listening.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { sockets, endpoint: { host: "127.0.0.1", port } }
})

const until = (holds: () => boolean) => Effect.repeat(Effect.sleep(2), { until: holds })

describe("the connections of a client", () => {
  it.scoped("prefer the one behind the one that failed, unless another one is preferred by then", () =>
    Effect.gen(function* () {
      const endpoints = [1, 2, 3].map(port => ({ host: "127.0.0.1", port }))
      const { avoid, prefer, preferred } = yield* Connections.make({ endpoints, connectTimeout: "1 second" })
      avoid(0)
      assert.strictEqual(preferred(), 1)
      prefer(2)
      avoid(0)
      assert.strictEqual(preferred(), 2)
      avoid(2)
      assert.strictEqual(preferred(), 0)
    })
  )

  it.scopedLive("are one to an endpoint, and a new one once it broke", () =>
    Effect.gen(function* () {
      const { endpoint, sockets } = yield* server
      const { use } = yield* Connections.make({ endpoints: [endpoint], connectTimeout: "1 second" })
      const opened = use(endpoint, connection => Effect.as(until(connection.opened), connection))
      const first = yield* opened
      assert.strictEqual(yield* opened, first)
      const broken = use(endpoint, connection =>
        Effect.gen(function* () {
          const closed = yield* Deferred.make<void>()
          sockets[0]?.once("close", () => Deferred.unsafeDone(closed, Effect.void))
          sockets[0]?.destroy()
          yield* Deferred.await(closed)
          return connection
        })
      )
      yield* broken
      yield* Effect.repeat(opened, { until: found => found !== first })
      yield* until(() => sockets.length === 2)
    })
  )

  it.scopedLive("are one to an endpoint also for those who come at the same time", () =>
    Effect.gen(function* () {
      const { endpoint, sockets } = yield* server
      const { use } = yield* Connections.make({ endpoints: [endpoint], connectTimeout: "1 second" })
      const opened = use(endpoint, connection => Effect.as(until(connection.opened), connection))
      const found = yield* Effect.replicateEffect(opened, 20, { concurrency: "unbounded" })
      assert.strictEqual(new Set(found).size, 1)
      yield* until(() => sockets.length > 0)
      assert.strictEqual(sockets.length, 1)
    })
  )

  it.scopedLive("leave nothing in the fiber that closes them, whoever opened them", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* server
      /** For each of what is local to this fiber, the fibers it has it from. */
      const origins = Effect.map(Effect.getFiberRefs, ({ locals }) =>
        Array.from(locals.values(), ({ length }) => length)
      )
      const options = { endpoints: [endpoint], connectTimeout: "1 second" } as const
      const elsewhere = ({ use }: Connections.Connections) =>
        Effect.flatMap(Effect.fork(use(endpoint, ({ opened }) => until(opened))), Fiber.await)
      const ended = Effect.scoped(Effect.flatMap(Connections.make(options), elsewhere))
      const lasting = yield* Connections.make(options)
      const retired = Effect.zipRight(elsewhere(lasting), lasting.use(endpoint, lasting.retire))
      const both = Effect.zipRight(ended, retired)
      yield* both
      const once = yield* origins
      yield* Effect.repeatN(both, 4)
      assert.deepStrictEqual(yield* origins, once)
    })
  )

  it.scopedLive("close when they are retired and nobody uses them any more, and a later one stays", () =>
    Effect.gen(function* () {
      const { endpoint, sockets } = yield* server
      const { retire, use } = yield* Connections.make({ endpoints: [endpoint], connectTimeout: "1 second" })
      const opened = use(endpoint, connection => Effect.as(until(connection.opened), connection))
      const first = yield* use(endpoint, connection =>
        Effect.gen(function* () {
          yield* until(() => connection.opened() && sockets.length === 1)
          yield* retire(connection)
          const second = yield* opened
          assert.notStrictEqual(second, connection)
          yield* until(() => sockets.length === 2)
          assert.isFalse(sockets[0]?.closed)
          return connection
        })
      )
      yield* until(() => sockets[0]?.closed === true)
      const second = yield* opened
      yield* retire(first)
      assert.strictEqual(yield* opened, second)
      assert.strictEqual(sockets.length, 2)
    })
  )
})

describe("a request without an answer", () => {
  it.scopedLive("has surely not been sent where the connection never opened", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* server
      const connections = yield* Connections.make({ endpoints: [endpoint], connectTimeout: "1 second" })
      const lostTo = (opened: boolean) =>
        Effect.flip(
          Peers.askAt(
            { ...connections, use: (at, use) => connections.use(at, found => use({ ...found, opened: () => opened })) },
            endpoint,
            () => Effect.never,
            10
          )
        )
      assert.deepInclude(yield* lostTo(false), { _tag: "Lost", sent: false, silent: true })
      assert.deepInclude(yield* lostTo(true), { _tag: "Lost", sent: true, silent: true })
    })
  )

  it.scopedLive("costs the connection its place: what is asked next has another one", () =>
    Effect.gen(function* () {
      const { endpoint, sockets } = yield* server
      const connections = yield* Connections.make({ endpoints: [endpoint], connectTimeout: "1 second" })
      const first = yield* connections.use(endpoint, found => Effect.as(until(found.opened), found))
      yield* Effect.flip(Peers.askAt(connections, endpoint, () => Effect.never, 10))
      assert.notStrictEqual(yield* connections.use(endpoint, found => Effect.as(until(found.opened), found)), first)
      yield* until(() => sockets[0]?.closed === true)
    })
  )

  it.scopedLive("is no defect of the node where the socket broke under it", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* server
      const { use } = yield* Connections.make({ endpoints: [endpoint], connectTimeout: "1 second" })
      const of = (defect: unknown) =>
        use(endpoint, connection =>
          Effect.zipRight(
            until(connection.opened),
            Effect.flip(Effect.suspend(() => explain<never>(connection, Cause.die(defect))))
          )
        )
      assert.deepInclude(yield* of({ _tag: "SocketError" }), { _tag: "Lost", defect: false, sent: true })
      assert.deepInclude(yield* of(new Error("out of order")), { _tag: "Lost", defect: true, sent: true })
    })
  )
})
