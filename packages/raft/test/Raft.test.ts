import { assert, describe, it } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import { NotLeader, ProposalUnknown } from "@reckon/raft/RaftError"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const group = "g"
const names = ["a", "b", "c"]
const encode = (text: string) => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Remembers what it applied, and answers each command with its place. */
const makeMachine = () => {
  const applied: Array<string> = []
  let index = 0
  const machine = StateMachine.of({
    appliedIndex: () => index,
    apply: entries =>
      entries.map(entry => {
        assert.strictEqual(entry.index, index + 1)
        assert.notStrictEqual(entry.kind, "configuration")
        index = entry.index
        if (entry.kind === "command") applied.push(decode(entry.payload))
        return encode(`${applied.length}`)
      })
  })
  return { applied, machine }
}

/** One member whose log outlives its process, as a file would. */
const makeMember = (network: RaftTransport.Network, self: string, voters: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const transport = network.transport(self)
    const log = yield* RaftLog.make({ filename: ":memory:" })
    const state = makeMachine()
    const processName = `raft-${self}`
    const start = Raft.startLink({
      group,
      self,
      voters,
      processName,
      open: Effect.succeed({ log, machine: state.machine })
    }).pipe(Effect.provideService(RaftTransport.RaftTransport, transport))
    const client = yield* RaftClient.make({ group, self, processName }).pipe(
      Effect.provideService(RaftTransport.RaftTransport, transport)
    )
    return { self, applied: state.applied, client, start, log }
  })

const makeGroup = (size: number) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const voters = names.slice(0, size)
    const members = yield* Effect.forEach(voters, self => makeMember(network, self, voters))
    const refs = yield* Effect.forEach(members, member => member.start)
    return { network, members, refs }
  })

type Group = Effect.Effect.Success<ReturnType<typeof makeGroup>>

/** Lets time pass, a tick at a time, until the effect is done. */
const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    for (let tick = 0; tick < 400; tick++) {
      const done = yield* Fiber.poll(fiber)
      if (Option.isSome(done)) break
      yield* TestClock.adjust("50 millis")
    }
    return yield* Fiber.join(fiber)
  })

const leaderOf = ({ members }: Group) =>
  Effect.gen(function* () {
    for (;;) {
      for (const member of members) {
        const status = yield* member.client.status
        if (status?.role === "leader" && status.commitIndex > 0) return member
      }
      yield* Effect.sleep("100 millis")
    }
  }).pipe(whileTimePasses)

const propose = (member: Group["members"][number], text: string) =>
  Effect.map(member.client.propose(encode(text)), decode)

describe("Raft", () => {
  it.scoped("a single member elects itself and applies what is proposed, in order", () =>
    Effect.gen(function* () {
      const { members } = yield* makeGroup(1)
      const [only] = members
      assert(only !== undefined)
      assert.strictEqual(yield* whileTimePasses(propose(only, "x")), "1")
      assert.deepStrictEqual(
        yield* whileTimePasses(Effect.all([propose(only, "y"), propose(only, "z")], { concurrency: 2 })),
        ["2", "3"]
      )
      assert.deepStrictEqual(only.applied, ["x", "y", "z"])
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("every member takes proposals; all apply the same ones in the same order", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(3)
      yield* leaderOf(group)
      yield* whileTimePasses(
        Effect.forEach(group.members, member => Effect.forEach([1, 2, 3], n => propose(member, `${member.self}${n}`)), {
          concurrency: 3
        })
      )
      yield* whileTimePasses(Effect.forEach(group.members, member => member.client.readBarrier))
      const [first, ...others] = group.members.map(member => member.applied)
      assert.strictEqual(first?.length, 9)
      for (const other of others) assert.deepStrictEqual(other, first)
      for (const name of names) {
        assert.deepStrictEqual(
          first?.filter(text => text.startsWith(name)),
          [1, 2, 3].map(n => `${name}${n}`)
        )
      }
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("a read barrier at a follower waits for what the leader acknowledged", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(3)
      const leader = yield* leaderOf(group)
      const follower = group.members.find(member => member !== leader)
      assert(follower !== undefined)
      yield* whileTimePasses(propose(leader, "seen"))
      yield* whileTimePasses(follower.client.readBarrier)
      assert.deepStrictEqual(follower.applied, ["seen"])
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("when the leader is cut off, the others go on without it; after mending it has what they have", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(3)
      const old = yield* leaderOf(group)
      const others = group.members.filter(member => member !== old)
      const [other] = others
      assert(other !== undefined)
      yield* whileTimePasses(propose(old, "before"))
      const links = others.flatMap(({ self }) => [
        [self, old.self],
        [old.self, self]
      ])
      for (const [from = "", to = ""] of links) yield* group.network.cut(from, to)

      const lost = yield* whileTimePasses(Effect.exit(propose(old, "lost")))
      assert(Exit.isFailure(lost), "a leader without a majority acknowledges nothing")
      assert.strictEqual(yield* whileTimePasses(propose(other, "after")), "2")

      for (const [from = "", to = ""] of links) yield* group.network.mend(from, to)
      yield* whileTimePasses(old.client.readBarrier)
      assert.deepStrictEqual(old.applied, ["before", "after"])
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("a member whose process dies and starts again goes on where its log ends", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(3)
      const leader = yield* leaderOf(group)
      yield* whileTimePasses(propose(leader, "one"))
      const at = group.members.indexOf(leader)
      const ref = group.refs[at]
      assert(ref !== undefined)
      yield* Process.exit(ref.pid, { _tag: "Killed" })
      const other = group.members.find(member => member !== leader)
      assert(other !== undefined)
      assert.strictEqual(yield* whileTimePasses(propose(other, "two")), "2")
      yield* leader.start
      yield* whileTimePasses(leader.client.readBarrier)
      assert.deepStrictEqual(leader.applied, ["one", "two"])
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("a member goes by the configuration in its log, and its machine sees a no-op there", () =>
    Effect.gen(function* () {
      const network = yield* RaftTransport.makeNetwork
      const survivor = yield* makeMember(network, "a", names)
      survivor.log.stage({
        hardState: { term: 1, votedFor: "a" },
        entries: [
          LogEntry.configuration(1, 1, { voters: ["a", "b"], learners: [], removed: ["c"] }),
          LogEntry.configuration(2, 1, { voters: ["a"], learners: [], removed: ["c", "b"] })
        ]
      })
      yield* survivor.start
      assert.strictEqual(yield* whileTimePasses(propose(survivor, "alone")), "1")
      assert.deepStrictEqual(survivor.applied, ["alone"])
      assert.strictEqual(survivor.log.lastIndex(), 4)
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("without a majority a proposal fails as surely not applied where no leader is known", () =>
    Effect.gen(function* () {
      const network = yield* RaftTransport.makeNetwork
      const lonely = yield* makeMember(network, "a", names)
      yield* lonely.start
      const failure = yield* whileTimePasses(Effect.flip(propose(lonely, "x")))
      assert.instanceOf(failure, NotLeader)
      assert.strictEqual(lonely.log.lastIndex(), 0)
    }).pipe(Effect.provide(Process.layer))
  )

  it.scoped("a leader that loses its majority answers what it had taken as unknown, never as applied", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(3)
      const leader = yield* leaderOf(group)
      for (const member of group.members) {
        if (member !== leader) yield* group.network.cut(leader.self, member.self)
      }
      const failure = yield* whileTimePasses(Effect.flip(propose(leader, "x")))
      assert.instanceOf(failure, ProposalUnknown)
      assert.deepStrictEqual(leader.applied, [])
    }).pipe(Effect.provide(Process.layer))
  )
})
