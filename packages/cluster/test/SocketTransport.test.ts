import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "@effect/rpc/RpcServer"
import { assert, describe, it } from "@effect/vitest"
import * as Wire from "@reckon/client/Wire"
import * as Members from "@reckon/cluster/Members"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import type { Standing } from "@reckon/raft/Membership"
import { NotLeader } from "@reckon/raft/RaftError"
import type { Receiver } from "@reckon/raft/RaftTransport"
import type { SnapshotChunk } from "@reckon/raft/SnapshotChunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"

const member = (name: string, port: number) => ({ name, address: { host: "127.0.0.1", port } })

/** Lets the sockets carry what they can; no time passes. */
const turns = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.async<void>(resume => void setImmediate(() => resume(Effect.void))).pipe(
    Effect.repeat({ until: isSo }),
    Effect.asVoid
  )

const failure = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)

/** A member that keeps what it is asked, and answers nothing but reads and snapshots, if it may. */
const makeReceiver = () => {
  const asked: Array<string> = []
  const hears = <A, E>(what: string, answer: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.zipRight(
      Effect.sync(() => void asked.push(what)),
      answer
    )
  const answers = { isReading: true, isBroken: false }
  const receiver: Receiver = {
    claim: () => ({}),
    standingOf: () => "stranger",
    admits: ({ from }) => Effect.succeed(from === "b"),
    receive: () => undefined,
    proposeAll: payloads =>
      hears(
        "propose",
        Effect.suspend(() =>
          answers.isBroken
            ? Effect.dieMessage("out of order")
            : Effect.succeed(payloads.map(payload => Either.right(payload)))
        )
      ),
    readIndex: Effect.suspend(() => hears("read", answers.isReading ? Effect.succeed(42) : Effect.never)),
    changeMembership: () => hears("change", Effect.never),
    transferLeadership: () => hears("transfer", Effect.never),
    takeSnapshot: ({ offset }) => hears("snapshot", Effect.succeed({ received: offset }))
  }
  return { answers, asked, receiver }
}

/** The node "a", that serves the group "things", and transports to it of nodes of any name. */
const makeServed = Effect.gen(function* () {
  const serving = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
  const server = yield* Scope.extend(NodeSocketServer.make({ host: "127.0.0.1", port: 0 }), serving)
  const a = member("a", server.address._tag === "TcpAddress" ? server.address.port : 0)
  const { answers, asked, receiver } = makeReceiver()
  yield* Layer.buildWithScope(
    RpcServer.layer(PeerRpcs, { disableTracing: true, disableFatalDefects: true }).pipe(
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(SocketTransport.layerHandlers),
      Layer.provide(Members.layer(a, [member("b", 1), member("c", 2)])),
      Layer.provide(Layer.succeed(Receivers.Receivers, new Map([["things", receiver]]))),
      Layer.provide(Layer.succeed(SocketServer.SocketServer, server)),
      Layer.provide(Wire.layer)
    ),
    serving
  )
  const transportOf = (name: string, calledThere = "a") =>
    SocketTransport.make.pipe(
      Effect.provide(Members.layer(member(name, 3), [{ ...a, name: calledThere }])),
      Effect.provide(Receivers.layer)
    )
  return { a, answers, asked, transportOf, vanish: Scope.close(serving, Exit.void) }
})

const chunk = (from: string, to: string): SnapshotChunk => ({
  from,
  to,
  term: 1,
  snapshot: {
    index: 1,
    term: 1,
    configuration: { index: 0, configuration: { voters: ["a"], learners: [], removed: [] } },
    machineVersion: 1,
    checksum: "0".repeat(64)
  },
  size: 8,
  offset: 4,
  bytes: new Uint8Array(4),
  checksum: "0".repeat(64)
})

describe("a node that was learned of", () => {
  it.scoped("is asked where it is now, and no more once the groups here have removed it", () =>
    Effect.gen(function* () {
      const { a, asked } = yield* makeServed
      let standing: Standing = "member"
      const group: Receiver = { ...makeReceiver().receiver, standingOf: () => standing }
      const members = yield* Members.make(member("b", 3), [])
      const b = yield* SocketTransport.make.pipe(
        Effect.provideService(Members.Members, members),
        Effect.provideService(Receivers.Receivers, new Map([["things", group]]))
      )
      const answer = Effect.suspend(() => b.readIndex("things", "a"))
      assert.strictEqual(yield* failure(answer), "NotLeader")
      // Nobody listens there.
      members.learn({ ...a, address: { ...a.address, port: 1 } })
      yield* turns(() => true)
      members.learn(a)
      const answered = yield* Effect.fork(
        Effect.retry(answer, { while: () => turns(() => true).pipe(Effect.as(true)) })
      )
      assert.strictEqual(yield* Fiber.join(answered), 42)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* answer, 42)
      standing = "removed"
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* failure(answer), "NotLeader")
      assert.deepStrictEqual(asked, ["read", "read"])
    })
  )
})

describe("what a peer is asked", () => {
  it.scoped("is answered, if the group admits who asks and it is for this node", () =>
    Effect.gen(function* () {
      const { asked, transportOf } = yield* makeServed
      const b = yield* transportOf("b")
      assert.strictEqual(yield* b.readIndex("things", "a"), 42)
      assert.deepStrictEqual(yield* b.propose("things", "a", Uint8Array.of(7)), Uint8Array.of(7))
      assert.deepStrictEqual(yield* b.sendSnapshot("things", chunk("b", "a")), { received: 4 })
      assert.deepStrictEqual(asked.splice(0), ["read", "propose", "snapshot"])

      const c = yield* transportOf("c")
      assert.strictEqual(yield* failure(c.readIndex("things", "a")), "NotLeader")
      assert.deepStrictEqual(
        yield* Effect.flip(c.propose("things", "a", Uint8Array.of(7))),
        new NotLeader({ leader: null })
      )
      assert.strictEqual(yield* failure(b.readIndex("others", "a")), "NotLeader")
      assert.strictEqual(yield* failure(b.readIndex("things", "nobody")), "NotLeader")
      assert.strictEqual(yield* failure(b.sendSnapshot("things", chunk("stranger", "a"))), "SnapshotRefused")
      const mistaken = yield* transportOf("b", "x")
      assert.strictEqual(yield* failure(mistaken.sendSnapshot("things", chunk("b", "x"))), "SnapshotRefused")
      assert.deepStrictEqual(asked, [])
    })
  )

  it.scoped("has an unknown outcome where the peer breaks on it", () =>
    Effect.gen(function* () {
      const { answers, asked, transportOf } = yield* makeServed
      const b = yield* transportOf("b")
      answers.isBroken = true
      let ends = 0
      const asking = yield* Effect.forEach([1, 2], () =>
        Effect.fork(
          Effect.ensuring(
            failure(b.propose("things", "a", Uint8Array.of(7))),
            Effect.sync(() => ends++)
          )
        )
      )
      yield* turns(() => asked.length > 0)
      for (let turn = 0; turn < 1_000 && ends < 2; turn++) yield* turns(() => true)
      assert.strictEqual(ends, 2)
      assert.deepStrictEqual(yield* Effect.forEach(asking, Fiber.join), ["ProposalUnknown", "ProposalUnknown"])
    })
  )

  it.scoped("has an unknown outcome where no answer comes in time or at all; a read had none", () =>
    Effect.gen(function* () {
      const { answers, asked, transportOf, vanish } = yield* makeServed
      const b = yield* transportOf("b")
      answers.isReading = false
      const ask = Effect.gen(function* () {
        asked.length = 0
        const fibers = yield* Effect.forEach(
          [
            failure(b.readIndex("things", "a")),
            failure(b.changeMembership("things", "a", { _tag: "Add", member: "d" })),
            failure(b.transferLeadership("things", "a", "c"))
          ],
          Effect.fork
        )
        yield* turns(() => asked.length === 3)
        return fibers
      })
      const late = yield* ask
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(yield* Effect.forEach(late, Fiber.join), [
        "ReadTimeout",
        "ChangeUnknown",
        "TransferFailed"
      ])
      const lost = yield* ask
      yield* vanish
      assert.deepStrictEqual(yield* Effect.forEach(lost, Fiber.join), ["NotLeader", "ChangeUnknown", "TransferFailed"])
    })
  )
})
