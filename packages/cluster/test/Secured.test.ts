import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as ClusterSecret from "@reckon/client/ClusterSecret"
import * as Deliveries from "@reckon/cluster/Deliveries"
import * as Members from "@reckon/cluster/Members"
import * as NodeServer from "@reckon/cluster/NodeServer"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import type { Message } from "@reckon/raft/Message"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { answerTo, freePort, portOf } from "./helpers/sockets.js"

const secret = Redacted.make("known to a few of us")
const another = Redacted.make("known to all the others")

const at = (port: number) => ({ host: "127.0.0.1", port })

/** A node that serves, and keeps what its peers send and what its log says. */
const node = (port: number, its: ClusterSecret.ClusterSecret | undefined) =>
  Effect.gen(function* () {
    const messages: Array<Message> = []
    const logged: Array<string> = []
    const arrived = yield* Deferred.make<void>()
    const run = Runtime.runSync(yield* Effect.runtime())
    const take = Layer.succeed(Deliveries.Deliveries, received => {
      messages.push(...received.map(({ message }) => message))
      run(Deferred.succeed(arrived, undefined))
    })
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => void logged.push(String(message)))
    )
    yield* Layer.build(
      NodeServer.layer(PeerRpcs, at(port), its).pipe(
        Layer.provide(take),
        Layer.provide(SocketTransport.layerHandlers),
        Layer.provide(Receivers.layer),
        Layer.provide(Members.layer({ name: "a", address: at(port) }, [])),
        Layer.provide(logger)
      )
    )
    return { messages, logged, arrived }
  })

const ask = (socket: Net.Socket) => answerTo(socket, { _tag: "Ping" })

const asked = (port: number, its: ClusterSecret.ClusterSecret | undefined) =>
  ClusterSecret.connect(at(port), its).pipe(Effect.flatMap(ask), Effect.scoped)

/** Sockets have their turn. */
const eventLoop = Effect.async<void>(resume => void setImmediate(() => resume(Effect.void)))

const heartbeat: Message = {
  _tag: "Heartbeat",
  from: "the-name-of-a-peer",
  to: "a",
  term: 1,
  commit: 0,
  round: 0
}

describe("a node with a secret", () => {
  it.scopedLive("serves those who have it, and nobody else", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { logged } = yield* node(port, secret)
      assert.propertyVal(yield* asked(port, secret), "_tag", "Pong")
      assert.strictEqual(yield* asked(port, undefined), "closed")
      const refused = yield* Effect.flip(asked(port, another))
      assert.include(String(refused.cause), "does not have the same cluster secret")
      assert.propertyVal(yield* asked(port, secret), "_tag", "Pong")
      // Once for each address from which somebody comes without it.
      assert.deepStrictEqual(logged, [
        "a connection from 127.0.0.1 was refused: it does not have this node's cluster secret"
      ])
    })
  )

  it.scopedLive("is not talked to by who has another one, nor is one without by who has one", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { messages } = yield* node(port, undefined)
      const refused = yield* Effect.flip(asked(port, secret))
      assert.include(String(refused.cause), "or none")
      assert.propertyVal(yield* asked(port, undefined), "_tag", "Pong")
      assert.deepStrictEqual(messages, [])
    })
  )

  it.scopedLive("takes what its peers send, of which nobody on the way can read a word", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { arrived, messages } = yield* node(port, secret)
      let passed = ""
      const between = yield* Effect.acquireRelease(
        Effect.async<Net.Server>(resume => {
          const server = Net.createServer(incoming => {
            const outgoing = Net.createConnection(at(port))
            incoming.on("data", bytes => {
              passed += bytes.toString("latin1")
            })
            for (const socket of [incoming, outgoing]) socket.on("error", () => {})
            incoming.pipe(outgoing).pipe(incoming)
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        server => Effect.sync(() => server.close())
      )
      const self = { name: heartbeat.from, address: at(1) }
      const transport = yield* Layer.build(
        SocketTransport.layer.pipe(
          Layer.provide(Receivers.layer),
          Layer.provide(Members.layer(self, [{ name: "a", address: at(portOf(between)) }], secret))
        )
      )
      const { send } = yield* RaftTransport.RaftTransport.pipe(Effect.provide(transport))
      // What is sent before there is a connection is dropped.
      const sending = Effect.sync(() => send("a group", heartbeat)).pipe(Effect.delay("20 millis"), Effect.forever)
      yield* Effect.raceFirst(sending, Deferred.await(arrived))
      assert.deepInclude(messages, heartbeat)
      assert.notInclude(passed, heartbeat.from)
      assert.isAbove(passed.length, 0)
    })
  )

  it.scoped("cuts off who does not prove to have it within five seconds", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* node(port, secret)
      const socket = yield* ClusterSecret.connect(at(port), undefined)
      const closed = Effect.async<string>(resume => {
        socket.on("close", () => resume(Effect.succeed("closed")))
        socket.resume()
      })
      const passing = TestClock.adjust("1 second").pipe(Effect.zipRight(eventLoop), Effect.forever)
      assert.strictEqual(yield* Effect.raceFirst(closed, passing), "closed")
    })
  )

  it.scopedLive("ends with its connections", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const scope = yield* Scope.make()
      yield* Scope.extend(node(port, secret), scope)
      const socket = yield* ClusterSecret.connect(at(port), secret)
      assert.propertyVal(yield* ask(socket), "_tag", "Pong")
      const closed = Effect.async<string>(resume => void socket.once("close", () => resume(Effect.succeed("closed"))))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* closed, "closed")
      assert.isTrue(Either.isLeft(yield* Effect.either(asked(port, secret))))
    })
  )
})
