// docs/examples/replicated-counter.ts
import * as os from "node:os"
import * as path from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Members, NodeServer, PeerRpcs, Receivers, SocketTransport } from "@reckon/cluster"
import { Process, Supervisor } from "@reckon/otp"
import { Machine, MachineClient, MachineReplica, Raft, RaftClient, RaftLog } from "@reckon/raft"
import { Console, Effect, Exit, Layer, Logger, LogLevel, Schema, Scope } from "effect"

const counter = Machine.make({
  command: Schema.Struct({ by: Schema.Int }),
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: ({ by }, count) => Machine.reply(count + by, count + by)
})

const group = "counters"
const processName = "counter"
const folder = path.join(os.tmpdir(), `replicated-counter-${process.pid}`)
const n1 = { name: "n1", address: { host: "127.0.0.1", port: 21811 } }
const n2 = { name: "n2", address: { host: "127.0.0.1", port: 21812 } }
const n3 = { name: "n3", address: { host: "127.0.0.1", port: 21813 } }
const members = [n1, n2, n3]

/** One member on a node of its own: below it the way to the others, above it the server for what they say. */
const node = (self: Members.Member) => {
  const start = Raft.startLink({
    group,
    self: self.name,
    voters: members.map(({ name }) => name),
    processName,
    open: Effect.all({
      log: RaftLog.make({ filename: path.join(folder, self.name, "log") }),
      machine: MachineReplica.make(counter, { filename: path.join(folder, self.name, "machine") })
    })
  })
  return NodeServer.layer(PeerRpcs.PeerRpcs, self.address).pipe(
    Layer.provide(SocketTransport.layerHandlers),
    Layer.provideMerge(Supervisor.layer({ children: [Supervisor.worker("member", start)] })),
    Layer.provideMerge(SocketTransport.layer),
    Layer.provide(Receivers.layer),
    Layer.provide(Members.layer(self, members)),
    Layer.provideMerge(Process.layer)
  )
}

/** All in one program here. Elsewhere each is a program's own, which is provided with the layer. */
const started = (self: Members.Member) =>
  Effect.gen(function* () {
    const scope = yield* Effect.flatMap(Effect.scope, outer => Scope.fork(outer, outer.strategy))
    const context = yield* Layer.buildWithScope(node(self), scope)
    const raft = yield* RaftClient.make({ group, self: self.name, processName }).pipe(Effect.provide(context))
    return { name: self.name, client: MachineClient.make(counter, raft), stop: Scope.close(scope, Exit.void) }
  })

const program = Effect.gen(function* () {
  const [first, second, third] = yield* Effect.all([started(n1), started(n2), started(n3)])
  // Through any member. In a session it takes effect once, however often it has to be sent.
  const add = ({ client, name }: typeof first) =>
    Effect.scoped(Effect.flatMap(client.openSession(), session => session.propose({ by: 1 }))).pipe(
      Effect.flatMap(count => Console.log(`${count}, says ${name}`))
    )

  yield* Effect.forEach([first, second, third], add)
  // Two of three are a majority and go on, after an election if it was the leader that stopped.
  yield* first.stop
  yield* Effect.forEach([second, third], add)
})

program.pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Warning), NodeRuntime.runMain)
