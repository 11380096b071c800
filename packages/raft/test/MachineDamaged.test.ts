import { assert, describe, it, vi } from "@effect/vitest"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as Process from "@reckon/otp/Process"
import { RaftLogError } from "@reckon/raft/RaftError"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { MachineDamaged, StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import {
  eventually,
  kill,
  leaderOf,
  type Member,
  makeMachine,
  makeMember,
  propose,
  proposeMany,
  whileTimePasses
} from "./helpers/group.js"
import { processes } from "./helpers/processes.js"

const damage = "page 7 is damaged"

/** Its disk goes bad as soon as it is told so: a command finds a page that makes no sense, anything else none. `passing`: that may be over some time. */
const fragile = (passing = false) => {
  const state = makeMachine()
  const disk = { isBad: false, probes: 0 }
  const machine = StateMachine.of({
    ...state.machine,
    apply: entries => {
      if (disk.isBad && entries.some(({ kind }) => kind === "command")) throw new MachineDamaged({ detail: damage })
      return state.machine.apply(entries)
    },
    ...(passing ? { restore: () => void disk.probes++ } : {})
  })
  return { disk, state: { ...state, machine } }
}

const makeMembers = (names: ReadonlyArray<string>, passing = false) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    return yield* Effect.forEach(names, self =>
      Effect.gen(function* () {
        const { disk, state } = fragile(passing)
        const member = yield* makeMember(network, self, names, { state })
        return { member, disk, ref: yield* member.start }
      })
    )
  })

/** What is logged as an error, from here on. */
const listening = <A, E, R>(use: (errors: Array<string>) => Effect.Effect<A, E, R>) => {
  const errors: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) errors.push(String(message))
  })
  return Effect.provide(use(errors), Logger.replace(Logger.defaultLogger, logger))
}

const only = <A>(found: ReadonlyArray<A>): A => found[0] ?? assert.fail("there is none")

const hasProblem = (member: Member) => Effect.map(member.status, ({ problem }) => problem !== null)

describe("a member whose machine is damaged", () => {
  it.scoped("takes no part any more where it led: another leads, and its proposers are told why", () =>
    listening(errors =>
      Effect.gen(function* () {
        const all = yield* makeMembers(["a", "b", "c"])
        const old = yield* leaderOf(all.map(({ member }) => member))
        const bad = only(all.filter(({ member }) => member === old))
        const others = all.filter(({ member }) => member !== old).map(({ member }) => member)
        yield* proposeMany(old, 1, 3)
        bad.disk.isBad = true
        const error = yield* whileTimePasses(Effect.flip(propose(old, "4")))
        assert.deepInclude(error, { _tag: "ProposalUnknown", detail: damage })

        const leader = yield* leaderOf(others)
        yield* proposeMany(leader, 5, 8)
        yield* eventually(Effect.sync(() => others.every(({ applied }) => applied.length === 8)))
        assert.strictEqual(old.applied.length, 3)
        const { term } = yield* leader.status
        const before = yield* old.status
        assert.deepInclude(before, { role: "follower", leader: null, openProposals: 0 })
        assert.strictEqual(
          before.problem,
          `${damage}. Until it is started anew ${old.self} takes no part in the group "g"`
        )
        yield* whileTimePasses(Effect.sleep("5 seconds"))
        assert.deepStrictEqual(yield* old.status, before)
        assert.deepInclude(yield* leader.status, { role: "leader", term, problem: null })
        assert.deepStrictEqual(errors, [before.problem])
        // Its process is the one it was.
        assert.isTrue(yield* Process.isAlive(bad.ref.pid))
      })
    ).pipe(Effect.provide(processes))
  )

  it.scoped("is down to the others where it followed: with one more of them down there is no majority", () =>
    listening(() =>
      Effect.gen(function* () {
        const all = yield* makeMembers(["a", "b", "c"])
        const leader = yield* leaderOf(all.map(({ member }) => member))
        const [bad, good] = all.filter(({ member }) => member !== leader)
        assert(bad !== undefined && good !== undefined)
        bad.disk.isBad = true
        yield* proposeMany(leader, 1, 3)
        yield* eventually(hasProblem(bad.member))
        yield* kill(good.ref)
        const error = yield* whileTimePasses(Effect.flip(propose(leader, "4")))
        assert.strictEqual(error._tag, "ProposalUnknown")
      })
    ).pipe(Effect.provide(processes))
  )

  it.scoped("refuses all that is asked of it at once, and what it was waiting for", () =>
    listening(() =>
      Effect.gen(function* () {
        const all = yield* makeMembers(["a", "b", "c"])
        const leader = yield* leaderOf(all.map(({ member }) => member))
        const bad = only(all.filter(({ member }) => member !== leader))
        bad.disk.isBad = true
        const { client } = bad.member
        const waiting = yield* Effect.fork(
          Effect.flip(propose(bad.member, "1").pipe(Effect.zipRight(client.readBarrier)))
        )
        yield* eventually(hasProblem(bad.member))
        assert.strictEqual((yield* whileTimePasses(Fiber.join(waiting)))._tag, "NotLeader")
        const atOnce = <A, E extends { readonly _tag: string }>(asked: Effect.Effect<A, E>) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(Effect.flip(asked))
            yield* TestClock.adjust(0)
            assert.strictEqual((yield* Fiber.join(fiber))._tag, "NotLeader")
          })
        yield* atOnce(propose(bad.member, "2"))
        yield* atOnce(client.readBarrier)
        yield* atOnce(client.changeMembership({ _tag: "Remove", member: "c" }))
        yield* atOnce(client.transferLeadership(bad.member.self))
        assert.include(client.problem() ?? "", damage)
      })
    ).pipe(Effect.provide(processes))
  )

  it.scoped("tries again when it is started anew", () =>
    listening(() =>
      Effect.gen(function* () {
        const alone = only(yield* makeMembers(["a"]))
        yield* whileTimePasses(propose(alone.member, "1"))
        alone.disk.isBad = true
        assert.strictEqual((yield* whileTimePasses(Effect.flip(propose(alone.member, "2"))))._tag, "ProposalUnknown")
        alone.disk.isBad = false
        yield* kill(alone.ref)
        yield* Process.awaitExit(alone.ref.pid)
        yield* alone.member.start
        assert.strictEqual(yield* whileTimePasses(propose(alone.member, "3")), "3")
        assert.deepStrictEqual(alone.member.applied, ["1", "2", "3"])
        assert.isUndefined(alone.member.client.problem())
      })
    ).pipe(Effect.provide(processes))
  )
})

describe("a member whose machine may be sound again", () => {
  it.scoped("takes no part and is silent until what it could not apply can be applied, and begins anew then", () =>
    listening(errors =>
      Effect.gen(function* () {
        const all = yield* makeMembers(["a", "b", "c"], true)
        const leader = yield* leaderOf(all.map(({ member }) => member))
        const bad = only(all.filter(({ member }) => member !== leader))
        yield* proposeMany(leader, 1, 3)
        yield* eventually(Effect.sync(() => bad.member.applied.length === 3))
        bad.disk.isBad = true
        yield* proposeMany(leader, 4, 6)
        yield* eventually(hasProblem(bad.member))
        yield* eventually(Effect.sync(() => bad.disk.probes >= 3))
        const before = yield* bad.member.status
        assert.deepInclude(before, { role: "follower", leader: null })
        assert.include(before.problem ?? "", `${damage}. Until that is over, which is tried`)
        assert.strictEqual(bad.member.applied.length, 3)
        assert.deepStrictEqual(errors, [before.problem])
        assert.isTrue(yield* Process.isAlive(bad.ref.pid))

        bad.disk.isBad = false
        const reason = yield* whileTimePasses(Process.awaitExit(bad.ref.pid))
        assert.strictEqual(ExitReason.format(reason), "shutdown (what kept it out is over)")
        // Its supervisor would.
        yield* bad.member.start
        yield* eventually(Effect.sync(() => bad.member.applied.length === 6))
        assert.strictEqual((yield* bad.member.status).problem, null)
        assert.deepStrictEqual(bad.member.applied, leader.applied)
      })
    ).pipe(Effect.provide(processes))
  )
})

/** That a proposal is the last thing it hears of, for whatever reason, and that it says so once and lives on for a minute. */
const assertWaits = (
  member: Member,
  process: Effect.Effect.Success<Member["start"]>,
  errors: ReadonlyArray<string | null>,
  detail: string
) =>
  Effect.gen(function* () {
    const error = yield* whileTimePasses(Effect.flip(propose(member, "2")))
    assert.deepInclude(error, { _tag: "ProposalUnknown", detail })
    yield* whileTimePasses(Effect.sleep("1 minute"))
    const status = yield* member.status
    assert.deepInclude(status, { role: "follower", leader: null })
    assert.deepStrictEqual(errors, [status.problem])
    assert.isTrue(yield* Process.isAlive(process.pid))
  })

describe("a member whose log cannot be read just now", () => {
  it.scoped("takes no part and is silent until it can, and begins anew then", () =>
    listening(errors =>
      Effect.gen(function* () {
        const network = yield* RaftTransport.makeNetwork
        const member = yield* makeMember(network, "a", ["a"])
        const first = yield* member.start
        yield* whileTimePasses(propose(member, "1"))
        const unread = vi.spyOn(member.log, "entries").mockImplementation(() => {
          throw new RaftLogError({ filename: "log", detail: "its disk is away", mayPass: true })
        })
        yield* assertWaits(member, first, errors, "log: its disk is away")

        unread.mockRestore()
        yield* whileTimePasses(Process.awaitExit(first.pid))
        yield* member.start
        assert.strictEqual(yield* whileTimePasses(propose(member, "3")), "3")
        assert.deepStrictEqual(member.applied, ["1", "2", "3"])
      })
    ).pipe(Effect.provide(processes))
  )
})

describe("a member whose log cannot be written just now", () => {
  it.scoped("takes no part and is silent until there is room for it, and begins anew then", () =>
    listening(errors =>
      Effect.gen(function* () {
        const network = yield* RaftTransport.makeNetwork
        const member = yield* makeMember(network, "a", ["a"])
        const first = yield* member.start
        yield* whileTimePasses(propose(member, "1"))
        const written = vi.spyOn(member.log, "flush").mockImplementation(() => {
          throw new RaftLogError({ filename: "log", detail: "its disk is full", mayPass: true })
        })
        const failed = vi.spyOn(member.log, "hasFailed").mockReturnValue(true)
        const room = vi.spyOn(member.log, "hasRoom").mockReturnValue(false)
        yield* assertWaits(member, first, errors, "log: its disk is full")
        // Not more often than a supervisor would bear: there may be room for a moment only.
        assert.isAtMost(room.mock.calls.length, 12)
        assert.isAtLeast(room.mock.calls.length, 6)

        room.mockReturnValue(true)
        yield* whileTimePasses(Process.awaitExit(first.pid))
        // A log that is opened anew.
        for (const spy of [written, failed, room]) spy.mockRestore()
        yield* member.start
        assert.strictEqual(yield* whileTimePasses(propose(member, "3")), "3")
      })
    ).pipe(Effect.provide(processes))
  )
})

describe("a member that cannot be opened just now", () => {
  it.scoped("takes no part, says why, and begins anew once it can be", () =>
    listening(errors =>
      Effect.gen(function* () {
        const network = yield* RaftTransport.makeNetwork
        let why: string | undefined
        const member = yield* makeMember(network, "a", ["a"], { inTheWay: () => why })
        const first = yield* member.start
        yield* whileTimePasses(propose(member, "1"))
        yield* kill(first)
        yield* Process.awaitExit(first.pid)
        why = "its disk is away"
        const second = yield* member.start
        yield* whileTimePasses(Effect.sleep("1 minute"))
        const status = yield* member.status
        assert.deepInclude(status, { role: "follower", leader: null })
        assert.include(status.problem ?? "", why)
        assert.strictEqual((yield* whileTimePasses(Effect.flip(propose(member, "2"))))._tag, "NotLeader")
        assert.strictEqual(member.client.problem(), status.problem)
        assert.strictEqual((yield* whileTimePasses(Effect.flip(member.client.readBarrier)))._tag, "NotLeader")
        assert.deepStrictEqual(errors, [status.problem])
        assert.isTrue(yield* Process.isAlive(second.pid))

        why = undefined
        yield* whileTimePasses(Process.awaitExit(second.pid))
        yield* member.start
        assert.strictEqual(yield* whileTimePasses(propose(member, "3")), "2")
      })
    ).pipe(Effect.provide(processes))
  )

  it.scoped("ends where it never can be, for whoever starts it anew to be told", () =>
    listening(() =>
      Effect.gen(function* () {
        const network = yield* RaftTransport.makeNetwork
        let why = "its disk is away"
        const member = yield* makeMember(network, "a", ["a"], { inTheWay: () => why })
        const { pid } = yield* member.start
        yield* whileTimePasses(Effect.sleep("1 minute"))
        assert.isTrue(yield* Process.isAlive(pid))
        why = "forever"
        yield* whileTimePasses(Process.awaitExit(pid))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(member.start)))
      })
    ).pipe(Effect.provide(processes))
  )
})
