import { assert, describe, it } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import * as LogEntry from "@reckon/raft/LogEntry"
import { NotLeader, ProposalUnknown } from "@reckon/raft/RaftError"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { settable } from "./helpers/clock.js"
import { kill, leaderOf, makeGroup, makeMachine, makeMember, propose, whileTimePasses } from "./helpers/group.js"
import { processes } from "./helpers/processes.js"

const names = ["a", "b", "c"]

describe("Raft", () => {
  it.scoped("a single member elects itself and applies what is proposed, in order", () =>
    Effect.gen(function* () {
      const { members } = yield* makeGroup(["a"])
      const [only] = members
      assert(only !== undefined)
      assert.strictEqual(yield* whileTimePasses(propose(only, "x")), "1")
      assert.deepStrictEqual(
        yield* whileTimePasses(Effect.all([propose(only, "y"), propose(only, "z")], { concurrency: 2 })),
        ["2", "3"]
      )
      assert.deepStrictEqual(only.applied, ["x", "y", "z"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("a read barrier at the only voter is passed in the step of the reader, until its process is dead", () =>
    Effect.gen(function* () {
      const { members, refs } = yield* makeGroup(["a"])
      const [only] = members
      const [ref] = refs
      assert(only !== undefined && ref !== undefined)
      yield* whileTimePasses(only.client.readBarrier)
      yield* whileTimePasses(propose(only, "x"))
      const atOnce = () => Exit.isSuccess(Effect.runSyncExit(only.client.readBarrier))
      assert.isTrue(atOnce())
      yield* kill(ref)
      assert.isFalse(atOnce(), "its successor may be at work before it has been tidied up")
      yield* only.start
      assert.isFalse(atOnce(), "the successor does not lead yet")
      yield* whileTimePasses(only.client.readBarrier)
      assert.isTrue(atOnce())
    }).pipe(Effect.provide(processes))
  )

  it.scoped("those who are answered together and ask again are written and applied together", () =>
    Effect.gen(function* () {
      const state = makeMachine()
      const applied: Array<number> = []
      const machine = StateMachine.of({
        ...state.machine,
        apply: entries => {
          applied.push(entries.length)
          return state.machine.apply(entries)
        }
      })
      const { members } = yield* makeGroup(["a"], { state: { ...state, machine } })
      const only = yield* leaderOf(members)
      applied.length = 0
      const thrice = Effect.repeatN(propose(only, "x"), 2)
      yield* whileTimePasses(
        Effect.all(
          Array.from({ length: 8 }, () => thrice),
          { concurrency: "unbounded" }
        )
      )
      assert.deepStrictEqual(applied, [8, 8, 8])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("every member takes proposals; all apply the same ones in the same order", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(names)
      yield* leaderOf(group.members)
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
    }).pipe(Effect.provide(processes))
  )

  it.scoped("a read barrier at a follower waits for what the leader acknowledged", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(names)
      const leader = yield* leaderOf(group.members)
      const follower = group.members.find(member => member !== leader)
      assert(follower !== undefined)
      yield* whileTimePasses(propose(leader, "seen"))
      yield* whileTimePasses(follower.client.readBarrier)
      assert.deepStrictEqual(follower.applied, ["seen"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("when the leader is cut off, the others go on without it; after mending it has what they have", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(names)
      const old = yield* leaderOf(group.members)
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
    }).pipe(Effect.provide(processes))
  )

  it.scoped("a member whose process dies and starts again goes on where its log ends", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(names)
      const leader = yield* leaderOf(group.members)
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
    }).pipe(Effect.provide(processes))
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
    }).pipe(Effect.provide(processes))
  )

  it.scoped("without a majority a proposal fails as surely not applied where no leader is known", () =>
    Effect.gen(function* () {
      const network = yield* RaftTransport.makeNetwork
      const lonely = yield* makeMember(network, "a", names)
      yield* lonely.start
      const failure = yield* whileTimePasses(Effect.flip(propose(lonely, "x")))
      assert.instanceOf(failure, NotLeader)
      assert.strictEqual(lonely.log.lastIndex(), 0)
    }).pipe(Effect.provide(processes))
  )

  it.scoped("it does so in its time, though the clock is set back meanwhile", () =>
    Effect.gen(function* () {
      const { clock, set } = yield* settable
      const network = yield* RaftTransport.makeNetwork
      const lonely = yield* makeMember(network, "a", names)
      yield* lonely.start
      const proposing = yield* Effect.fork(Effect.withClock(Effect.flip(propose(lonely, "x")), clock))
      yield* TestClock.adjust("1 second")
      yield* set(-3_600_000)
      assert.instanceOf(yield* whileTimePasses(Fiber.join(proposing)), NotLeader)
    }).pipe(Effect.provide(processes))
  )

  it.scoped("a leader that loses its majority answers what it had taken as unknown, never as applied", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(names)
      const leader = yield* leaderOf(group.members)
      for (const member of group.members) {
        if (member !== leader) yield* group.network.cut(leader.self, member.self)
      }
      const failure = yield* whileTimePasses(Effect.flip(propose(leader, "x")))
      assert.instanceOf(failure, ProposalUnknown)
      assert.deepStrictEqual(leader.applied, [])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("a member whose process dies tells those who wait at once; who asks then waits for the next process", () =>
    Effect.gen(function* () {
      const group = yield* makeGroup(names)
      const leader = yield* leaderOf(group.members)
      const ref = group.refs[group.members.indexOf(leader)]
      assert(ref !== undefined)
      yield* whileTimePasses(propose(leader, "before"))
      for (const member of group.members) {
        if (member !== leader) yield* group.network.cut(leader.self, member.self)
      }
      const waiting = yield* Effect.fork(Effect.flip(propose(leader, "lost")))
      yield* Effect.repeat(leader.status, { until: status => status.openProposals === 1 })
      yield* kill(ref)
      const failure = yield* Fiber.join(waiting)
      assert(failure instanceof ProposalUnknown)
      assert.strictEqual(failure.detail, "the member's process stopped")

      for (const member of group.members) yield* group.network.mend(leader.self, member.self)
      const next = yield* Effect.fork(propose(leader, "after"))
      yield* leader.start
      yield* whileTimePasses(Fiber.join(next))
      assert.strictEqual(leader.applied[0], "before")
      assert.include(leader.applied, "after")
    }).pipe(Effect.provide(processes))
  )
})
