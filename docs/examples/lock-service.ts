// docs/examples/lock-service.ts
import * as os from "node:os"
import * as path from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Process } from "@reckon/otp"
import {
  Machine,
  MachineClient,
  MachineEffect,
  MachineReplica,
  Raft,
  RaftClient,
  RaftLog,
  RaftTransport
} from "@reckon/raft"
import { Console, Effect, Schema } from "effect"

const Lock = Schema.Struct({ holder: Schema.Int, waiting: Schema.Array(Schema.Int) })
type Lock = typeof Lock.Type

const grant = (holder: number, waiting: ReadonlyArray<number>) =>
  Machine.noReply<Lock | null, string>({ holder, waiting }, [
    MachineEffect.notify(`session ${holder} has the lock`),
    MachineEffect.setTimer("lease", "1 second")
  ])

const passOn = ([next, ...rest]: ReadonlyArray<number>) =>
  next === undefined
    ? Machine.noReply<Lock | null, string>(null, [MachineEffect.cancelTimer("lease")])
    : grant(next, rest)

/** One lock with a queue. Whoever has it loses it when the lease is over or the session ends, whichever node leads by then. */
const lockService = Machine.make({
  command: Schema.Literal("acquire", "release"),
  reply: Schema.Literal("held", "waiting", "released", "refused"),
  state: Schema.NullOr(Lock),
  initial: null,
  apply: (command, lock, { session }) => {
    if (session === undefined) return Machine.reply("refused", lock)
    if (command === "release") {
      return lock?.holder === session
        ? Machine.replyWith("released", passOn(lock.waiting))
        : Machine.reply("refused", lock)
    }
    if (lock === null) return Machine.replyWith("held", grant(session, []))
    if (lock.holder === session) return Machine.reply("held", lock)
    const others = lock.waiting.filter(waiting => waiting !== session)
    return Machine.reply("waiting", { ...lock, waiting: [...others, session] })
  },
  info: (info, lock) => {
    if (lock === null) return Machine.noReply(lock)
    if (info._tag === "TimerFired") return passOn(lock.waiting)
    if (info._tag !== "SessionEnded") return Machine.noReply(lock)
    const waiting = lock.waiting.filter(session => session !== info.session)
    return lock.holder === info.session ? passOn(waiting) : Machine.noReply({ ...lock, waiting })
  }
})

const program = Effect.gen(function* () {
  const group = "locks"
  const self = "alone"
  const processName = "locks"
  const folder = path.join(os.tmpdir(), `lock-service-${process.pid}`)
  yield* Raft.startLink({
    group,
    self,
    voters: [self],
    processName,
    open: Effect.all({
      log: RaftLog.make({ filename: path.join(folder, "log") }),
      machine: MachineReplica.make(lockService, { filename: path.join(folder, "machine"), notify: Console.log })
    })
  })
  const raft = yield* RaftClient.make({ group, self, processName })
  const client = MachineClient.make(lockService, raft)

  const first = yield* client.openSession()
  const second = yield* client.openSession()
  // Sent again for as long as there is no answer, and applied once.
  yield* Console.log(`first: ${yield* first.propose("acquire")}`)
  yield* Console.log(`second: ${yield* second.propose("acquire")}`)
  // Nobody releases the lock: the lease does.
  yield* Effect.sleep("1500 millis")
  yield* Console.log(`first: ${yield* first.propose("release")}`)
})

program.pipe(
  Effect.scoped,
  Effect.provideServiceEffect(
    RaftTransport.RaftTransport,
    Effect.map(RaftTransport.makeNetwork, network => network.transport("alone"))
  ),
  Effect.provide(Process.layer),
  NodeRuntime.runMain
)
