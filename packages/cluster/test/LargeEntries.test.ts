import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "@effect/rpc/RpcServer"
import { assert, describe, it } from "@effect/vitest"
import * as Wire from "@reckon/client/Wire"
import * as Deliveries from "@reckon/cluster/Deliveries"
import * as Members from "@reckon/cluster/Members"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import * as Process from "@reckon/otp/Process"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import { EntryTooLarge } from "@reckon/raft/RaftError"
import * as RaftLog from "@reckon/raft/RaftLog"
import { RaftTransport } from "@reckon/raft/RaftTransport"
import { StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const group = "g"
const names = ["a", "b"]

/** Answers each command with its length. */
const makeMachine = () => {
  let index = 0
  const lengths: Array<number> = []
  const machine = StateMachine.of({
    appliedIndex: () => index,
    apply: entries =>
      entries.map(entry => {
        index = entry.index
        if (entry.kind === "command") lengths.push(entry.payload.length)
        return new TextEncoder().encode(`${entry.payload.length}`)
      })
  })
  return { machine, lengths }
}

const makeServer = Effect.map(NodeSocketServer.make({ host: "127.0.0.1", port: 0 }), server => ({
  server,
  address: { host: "127.0.0.1", port: server.address._tag === "TcpAddress" ? server.address.port : 0 }
}))

/** A group of two on sockets: nothing is committed that has not reached both. */
const makeGroup = Effect.gen(function* () {
  const servers = yield* Effect.forEach(names, name => Effect.map(makeServer, made => ({ name, ...made })))
  return yield* Effect.forEach(servers, self =>
    Effect.gen(function* () {
      const { lengths, machine } = makeMachine()
      const node = SocketTransport.layerHandlers.pipe(
        Layer.provideMerge(SocketTransport.layer),
        Layer.provide(Receivers.layer),
        Layer.provide(Members.layer(self, servers)),
        Layer.provideMerge(Process.layer)
      )
      const serve = RpcServer.layer(PeerRpcs, { disableTracing: true, disableFatalDefects: true }).pipe(
        Layer.provide(
          Layer.scoped(RpcServer.Protocol, Effect.flatMap(RpcServer.makeProtocolSocketServer, Deliveries.aside))
        ),
        Layer.provide(Layer.succeed(SocketServer.SocketServer, self.server)),
        Layer.provide(Wire.layer)
      )
      const context = yield* Layer.build(Layer.provideMerge(serve, node))
      const processName = `raft-${self.name}`
      return yield* Effect.gen(function* () {
        const log = yield* RaftLog.make({ filename: ":memory:" })
        const open = Effect.succeed({ log, machine, trace: undefined })
        yield* Raft.startLink({ group, self: self.name, voters: names, processName, open })
        const client = yield* RaftClient.make({ group, self: self.name, processName })
        return { client, lengths, entryBytesMax: (yield* RaftTransport).entryBytesMax }
      }).pipe(Effect.provide(context))
    })
  )
})

describe("an entry", () => {
  it.scopedLive(
    "is committed up to the size that a message carries; a larger one is refused, and holds up nobody",
    () =>
      Effect.gen(function* () {
        const members = yield* makeGroup
        for (const { client, entryBytesMax, lengths } of members) {
          const propose = (bytes: number) =>
            Effect.map(client.propose(new Uint8Array(bytes)), answer => Number(new TextDecoder().decode(answer)))
          assert.strictEqual(yield* propose(entryBytesMax), entryBytesMax)
          const bytes = entryBytesMax + 1
          assert.deepStrictEqual(
            yield* Effect.flip(propose(bytes)),
            new EntryTooLarge({ bytes, limitBytes: entryBytesMax })
          )
          assert.strictEqual(yield* propose(3), 3)
          assert.notInclude(lengths, bytes)
        }
      })
  )
})
