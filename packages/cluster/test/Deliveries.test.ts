import * as Net from "node:net"
import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type { FromClientEncoded, FromServerEncoded } from "@effect/rpc/RpcMessage"
import * as RpcServer from "@effect/rpc/RpcServer"
import { assert, describe, it } from "@effect/vitest"
import * as Wire from "@reckon/client/Wire"
import * as Deliveries from "@reckon/cluster/Deliveries"
import * as Members from "@reckon/cluster/Members"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import type { Message } from "@reckon/raft/Message"
import type { Receiver } from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Mailbox from "effect/Mailbox"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { connectPeer } from "../src/internal/peerClient.js"
import { append, heartbeat, terms } from "./helpers/messages.js"

/** A server's protocol whose requests the test makes up. */
const makeServed = Effect.gen(function* () {
  const disconnects = yield* Mailbox.make<number>()
  let arrive: (client: number, message: FromClientEncoded) => Effect.Effect<void> = () => Effect.void
  const answers: Array<FromServerEncoded> = []
  const protocol = RpcServer.Protocol.of({
    run: serve => {
      arrive = serve
      return Effect.never
    },
    disconnects,
    send: (_, answer) => Effect.sync(() => answers.push(answer)),
    end: () => Effect.void,
    clientIds: Effect.succeed(new Set([1])),
    initialMessage: Effect.succeedNone,
    supportsAck: true,
    supportsTransferables: false,
    supportsSpanPropagation: true
  })
  const deliveries: Array<Deliveries.Delivery> = []
  const served: Array<FromClientEncoded> = []
  const aside = yield* Effect.provideService(Deliveries.aside(protocol), Deliveries.Deliveries, messages =>
    deliveries.push(...messages)
  )
  yield* Effect.forkScoped(aside.run((_, message) => Effect.sync(() => served.push(message))))
  yield* Effect.yieldNow()
  return { arrive: (message: FromClientEncoded) => arrive(1, message), answers, deliveries, served }
})

/** What a sender puts on the wire for the messages. */
const encoded = (messages: ReadonlyArray<Deliveries.Delivery>) =>
  Effect.gen(function* () {
    const sent: Array<FromClientEncoded> = []
    const send = Deliveries.makeSend({
      run: () => Effect.never,
      send: request => Effect.sync(() => sent.push(request)),
      supportsAck: true,
      supportsTransferables: false
    })
    yield* send(messages)
    const [request] = sent
    assert.strictEqual(request?._tag, "Request")
    return request?._tag === "Request" ? request : yield* Effect.dieMessage("nothing was sent")
  })

describe("deliveries", () => {
  it.scoped("are taken aside from the requests that are served, and nobody answers them", () =>
    Effect.gen(function* () {
      const server = yield* makeServed
      const messages = [heartbeat(1), append(2, 300), heartbeat(3, "others")]
      yield* server.arrive(yield* encoded(messages))
      assert.deepStrictEqual(server.deliveries, messages)
      assert.deepStrictEqual(server.served, [])
      assert.deepStrictEqual(server.answers, [])
    })
  )

  it.scoped("have ids that no client of the server has, each its own", () =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      const send = Deliveries.makeSend({
        run: () => Effect.never,
        send: request => Effect.sync(() => (request._tag === "Request" ? ids.push(request.id) : 0)),
        supportsAck: true,
        supportsTransferables: false
      })
      yield* send([heartbeat(1)])
      yield* send([heartbeat(2)])
      assert.isTrue(ids.every(id => BigInt(id) < 0n))
      assert.strictEqual(new Set(ids).size, 2)
    })
  )

  it.scoped("that somebody waits for are served as any request is, and so is everything else", () =>
    Effect.gen(function* () {
      const server = yield* makeServed
      const delivery = yield* encoded([heartbeat(1)])
      const others: ReadonlyArray<FromClientEncoded> = [
        { ...delivery, id: "12" },
        { ...delivery, tag: "PeerReadIndex" },
        { _tag: "Ping" },
        { _tag: "Interrupt", requestId: "-1" }
      ]
      for (const other of others) yield* server.arrive(other)
      assert.deepStrictEqual(server.served, others)
      assert.deepStrictEqual(server.deliveries, [])
    })
  )

  it.scoped("that make no sense are dropped, and of several in a row the first is reported", () => {
    const logged: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => logged.push(String(message)))
    )
    return Effect.gen(function* () {
      const server = yield* makeServed
      const right = yield* encoded([heartbeat(1)])
      const wrong = { ...right, payload: { messages: [{ group: "things", message: { _tag: "Heartbeat" } }] } }
      for (const message of [wrong, wrong, { ...right, payload: null }]) yield* server.arrive(message)
      assert.lengthOf(logged, 1)
      yield* server.arrive(right)
      yield* server.arrive(wrong)
      assert.lengthOf(logged, 2)
      assert.deepStrictEqual(terms(server.deliveries), [1])
      assert.deepStrictEqual(server.served, [])
    }).pipe(Effect.provide(logger))
  })
})

const none: Receiver = {
  claim: () => ({}),
  standingOf: () => "stranger",
  admits: () => Effect.succeed(true),
  receive: () => undefined,
  proposeAll: () => Effect.never,
  readIndex: Effect.succeed(42),
  changeMembership: () => Effect.never,
  transferLeadership: () => Effect.never,
  takeSnapshot: () => Effect.never
}

describe("a group", () => {
  it.effect("has the receiver that listened last, and where that is gone none, though it was here", () =>
    Effect.gen(function* () {
      const receivers = new Map<string, Receiver | undefined>()
      const self = { name: "a", address: { host: "127.0.0.1", port: 1 } }
      const { listen } = yield* Effect.scoped(SocketTransport.make).pipe(
        Effect.provide(Members.layer(self, [])),
        Effect.provideService(Receivers.Receivers, receivers)
      )
      const [one, other] = [{ ...none }, { ...none }]
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.extend(listen("things", one), first)
      assert.strictEqual(receivers.get("things"), one)
      yield* Scope.extend(listen("things", other), second)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(receivers.get("things"), other)
      yield* Scope.close(second, Exit.void)
      assert.deepStrictEqual([...receivers], [["things", undefined]])
    })
  )
})

/** A node's server on a port of its own, with or without an answer to each delivery, and a connection to it. */
const connected = (isAnswering: boolean) =>
  Effect.gen(function* () {
    const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
    const arrived = yield* Queue.unbounded<ReadonlyArray<Message>>()
    const member = (name: string, port: number) => ({ name, address: { host: "127.0.0.1", port } })
    const a = member("a", server.address._tag === "TcpAddress" ? server.address.port : 0)
    const receive = (messages: ReadonlyArray<Message>) => Queue.unsafeOffer(arrived, messages)
    const receivers = new Map([["things", { ...none, receive }]])
    const protocol = isAnswering
      ? RpcServer.makeProtocolSocketServer
      : Effect.flatMap(RpcServer.makeProtocolSocketServer, Deliveries.aside)
    yield* Layer.build(
      RpcServer.layer(PeerRpcs, { disableTracing: true, disableFatalDefects: true }).pipe(
        Layer.provide(Layer.scoped(RpcServer.Protocol, protocol)),
        Layer.provide(SocketTransport.layerHandlers),
        Layer.provide(Members.layer(a, [member("b", 1)])),
        Layer.provide(Layer.succeed(Receivers.Receivers, receivers)),
        Layer.provide(Layer.succeed(SocketServer.SocketServer, server)),
        Layer.provide(Wire.layer)
      )
    )
    return { peer: yield* connectPeer(a), next: Queue.take(arrived), a }
  })

describe("a connection to a peer", () => {
  for (const isAnswering of [false, true]) {
    const whom = isAnswering ? "a peer that answers deliveries" : "a peer"
    it.scopedLive(`takes deliveries to ${whom} in order, and requests beside them`, () =>
      Effect.gen(function* () {
        const { next, peer } = yield* connected(isAnswering)
        for (let term = 1; term <= 20; term++) {
          yield* peer.send([heartbeat(term), append(term, 1000)])
          if (term % 5 === 0) assert.strictEqual(yield* peer.client.PeerReadIndex({ group: "things" }), 42)
        }
        const seen: Array<Message> = []
        while (seen.length < 40) seen.push(...(yield* next))
        assert.deepStrictEqual(
          seen.map(({ _tag, term }) => `${_tag} ${term}`),
          Array.from({ length: 20 }, (_, at) => [`Heartbeat ${at + 1}`, `AppendEntries ${at + 1}`]).flat()
        )
      })
    )
  }

  it.scopedLive(
    "hands a frame to each group as one, without what strangers say and what is for others or for a group that never was here, and tells of each once",
    () => {
      const said: Array<unknown> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => said.push(...[message].flat()))
      )
      return Effect.gen(function* () {
        const { next, peer } = yield* connected(false)
        const from = (name: string, delivery: Deliveries.Delivery): Deliveries.Delivery => ({
          ...delivery,
          message: { ...delivery.message, from: name }
        })
        const to = (name: string, delivery: Deliveries.Delivery): Deliveries.Delivery => ({
          ...delivery,
          message: { ...delivery.message, to: name }
        })
        yield* peer.send([
          from("stranger", heartbeat(1)),
          heartbeat(2),
          heartbeat(3, "unknown"),
          to("c", heartbeat(4)),
          heartbeat(5)
        ])
        assert.deepStrictEqual(
          (yield* next).map(({ term }) => term),
          [2, 5]
        )
        yield* peer.send([from("stranger", heartbeat(6)), to("c", heartbeat(7)), heartbeat(8, "unknown"), heartbeat(9)])
        yield* next
        const then = ": nothing is taken from it. Compare the names with which the two were started"
        assert.deepStrictEqual(said, [
          `a node that calls itself "stranger" sends messages to "a", which was not told of it${then}`,
          `"b" sends messages of the group "unknown", which "a" does not have${then.replace("names", "stores")}`,
          `"b" takes this node, "a", for "c"${then}`
        ])
      }).pipe(Effect.provide(logger))
    }
  )

  it.scopedLive("fails to send at once while nobody is there", () =>
    Effect.gen(function* () {
      const port = yield* Effect.async<number>(resume => {
        const server = Net.createServer().listen(0, "127.0.0.1", () => {
          const address = server.address()
          server.close(() => resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 0) : 0)))
        })
      })
      const peer = yield* connectPeer({ name: "a", address: { host: "127.0.0.1", port } })
      // The first request waits for the attempt to connect, and learns how that ended.
      yield* Effect.either(peer.client.PeerReadIndex({ group: "things" }))
      const sent = yield* Effect.either(peer.send([heartbeat(1)]))
      assert.strictEqual(sent._tag, "Left")
    })
  )
})
