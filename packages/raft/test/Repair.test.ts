import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Membership from "@reckon/raft/Membership"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Repair from "@reckon/raft/Repair"
import * as Effect from "effect/Effect"
import {
  appendEntries,
  Member as Core,
  heartbeat,
  installSnapshot,
  preVote,
  requestVote,
  snapshotAt,
  timeoutNow
} from "./core/member.js"
import {
  eventually,
  leaderOf,
  type Member,
  makeMachine,
  makeMember,
  propose,
  proposeMany,
  whileTimePasses
} from "./helpers/group.js"
import { processes } from "./helpers/processes.js"
import { hardState, row, temporaryFile, use } from "./helpers/raftLog.js"

const names = ["a", "b", "c"]

const fileOf = (first: string, self: string) => path.join(path.dirname(first), `${self}.sqlite`)

const shrink = (filename: string, self: string, founders?: ReadonlyArray<string>) =>
  Repair.forceShrink({ filename, self, founders, confirmation: Repair.confirmationFor(self) })

const reasonOf = <A>(effect: Effect.Effect<A, { readonly _tag: string }>) =>
  Effect.map(Effect.flip(effect), error => (error instanceof Repair.RepairRefused ? error.reason : error._tag))

/** Starts members on their files, as after a restart of their nodes, and gives them to `f`. */
const running = <A, E, R>(
  first: string,
  members: ReadonlyArray<string>,
  f: (members: ReadonlyArray<Member>) => Effect.Effect<A, E, R>,
  machines: Readonly<Record<string, ReturnType<typeof makeMachine>>> = {}
) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const group = yield* Effect.forEach(members, self =>
      makeMember(network, self, names.includes(self) ? names : [], {
        filename: fileOf(first, self),
        state: machines[self] ?? makeMachine()
      })
    )
    yield* Effect.forEach(group, member => member.start)
    return yield* f(group)
  }).pipe(Effect.scoped, Effect.provide(processes))

/** A group of three that has served so many commands and was stopped. */
const stoppedGroup = (commands: number) =>
  Effect.gen(function* () {
    const first = yield* temporaryFile
    yield* running(first, names, members =>
      Effect.gen(function* () {
        const leader = yield* leaderOf(members)
        yield* proposeMany(leader, 1, commands)
        yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === commands)))
      })
    )
    return { first, file: (self: string) => fileOf(first, self) }
  })

describe("a member whose group went on without it", () => {
  const alone = { index: 3, configuration: { voters: ["a"], learners: [], removed: ["b", "c"] } }

  it.each([
    ["heartbeats", heartbeat("b", 9_000)],
    ["entries", appendEntries("b", 9_000, [3, 2], [9_000])],
    ["a snapshot", installSnapshot("b", 9_000, snapshotAt(20, 9_000))],
    ["a leadership to take over", timeoutNow("b", 9_000)],
    ["the wish for a vote", requestVote("b", 9_000, [20, 9_000])],
    ["the question for one", preVote("b", 8_999, 9_000, [20, 9_000])]
  ])("is answered that it is out when it sends %s, in whatever term, and nothing else happens", (_, message) => {
    const member = new Core({ voters: ["a"], base: { index: 3, term: 2, configuration: alone }, term: 2 }).lead()
    const { lastIndex, role, term } = member.state
    assert.deepStrictEqual(member.receive(message), [`Removed→b term=${term}`])
    assert.deepInclude(member.state, { lastIndex, role, term })
  })
})

describe("Repair.inspect", () => {
  it.scoped("says what a log holds", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const configuration = { voters: ["a"], learners: ["d"], removed: ["b"] }
      yield* use(filename, log => {
        log.stage({
          hardState: hardState(4, "b"),
          entries: [...row(1, 3, 2), LogEntry.configuration(4, 3, configuration)]
        })
        log.flush()
      })
      const found = yield* Repair.inspect(filename)
      assert.deepInclude(found, { filename, term: 4, votedFor: "b", lastIndex: 4, lastTerm: 3 })
      assert.deepInclude(found, { baseIndex: 0, baseTerm: 0, configuration: { index: 4, configuration } })
      assert.deepStrictEqual(yield* Repair.inspect(filename), found)
    })
  )

  it.scoped("says so where the log does not know the membership, and finds it at the base of a cut one", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 3, 1) })
        log.flush()
      })
      const unnamed = yield* Repair.inspect(filename)
      assert.deepStrictEqual([unnamed.configuration, unnamed.groupIncarnation], [undefined, undefined])
      const placed = { index: 2, configuration: Membership.founding(["a", "x"]) }
      yield* use(filename, log => {
        log.stage({ snapshot: { index: 9, term: 1, configuration: placed }, entries: [] })
        log.flush()
      })
      assert.deepStrictEqual((yield* Repair.inspect(filename)).configuration, placed)
    })
  )

  it.scoped("makes no file where there is none", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      assert.strictEqual(yield* reasonOf(Repair.inspect(filename)), "no_log")
      assert.isFalse(fs.existsSync(filename))
    })
  )
})

describe("Repair.forceShrink", () => {
  it.scoped("a member whose majority is lost for good elects itself, serves, and keeps all that it had", () =>
    Effect.gen(function* () {
      const { file, first } = yield* stoppedGroup(20)
      const before = yield* Repair.inspect(file("a"))
      const shrunk = yield* shrink(file("a"), "a", names)
      assert.deepStrictEqual(shrunk, {
        self: "a",
        givenUp: ["b", "c"],
        index: before.lastIndex + 1,
        term: shrunk.term,
        configuration: {
          voters: ["a"],
          learners: [],
          removed: ["b", "c"],
          incarnation: before.groupIncarnation
        }
      })
      assert.match(before.groupIncarnation ?? "none", /^[0-9a-f]{32}$/)
      assert.strictEqual((yield* Repair.inspect(file("a"))).groupIncarnation, before.groupIncarnation)
      assert.isAbove(shrunk.term, before.term)
      yield* running(first, ["a"], ([a]) =>
        Effect.gen(function* () {
          assert(a !== undefined)
          yield* leaderOf([a])
          yield* whileTimePasses(propose(a, "after"))
          yield* whileTimePasses(a.client.readBarrier)
          assert.deepStrictEqual(a.applied, [...Array.from({ length: 20 }, (_, at) => `${at + 1}`), "after"])
          // it was started with the names of all three: the log goes before them
          assert.deepStrictEqual((yield* a.status).voters, ["a"])
        })
      )
    })
  )

  it.scoped("one of the lost that comes back is told that it is out, and disturbs nobody", () =>
    Effect.gen(function* () {
      const { file, first } = yield* stoppedGroup(5)
      const { lastIndex } = yield* Repair.inspect(file("b"))
      yield* shrink(file("a"), "a", names)
      yield* running(first, ["a", "b"], ([a, b]) =>
        Effect.gen(function* () {
          assert(a !== undefined && b !== undefined)
          yield* leaderOf([a])
          const { term } = yield* a.status
          yield* eventually(Effect.map(b.status, ({ removed }) => removed))
          yield* proposeMany(a, 100, 120)
          assert.deepInclude(yield* a.status, { role: "leader", term })
          const told = yield* b.status
          assert.deepInclude(told, { role: "follower", removed: true })
          assert.match(
            told.problem ?? "",
            /^b was removed from the group ".*", and takes no part in it for ever\. Stop it/
          )
          assert.strictEqual((yield* b.status).lastIndex, lastIndex)
        })
      )
    })
  )

  it.scoped("a whole majority that comes back leads nobody who went on without it", () =>
    Effect.gen(function* () {
      const { file, first } = yield* stoppedGroup(5)
      yield* shrink(file("a"), "a", names)
      const machines = { a: makeMachine() }
      yield* running(first, ["a"], members => leaderOf(members), machines)
      // they elect a leader of their own, in later terms than that of the one they have left behind
      yield* running(first, ["b", "c"], members => leaderOf(members))
      yield* use(file("b"), log => {
        log.stage({ hardState: hardState(9_000), entries: [] })
        log.flush()
      })
      const meeting = (members: ReadonlyArray<Member>) =>
        Effect.gen(function* () {
          const [a, b, c] = members
          assert(a !== undefined && b !== undefined && c !== undefined)
          yield* eventually(Effect.zipWith(b.status, c.status, (one, other) => one.removed && other.removed))
          yield* leaderOf([a])
          yield* proposeMany(a, 6, 8)
          const { role, term } = yield* a.status
          assert.strictEqual(role, "leader")
          assert.isBelow(term, 9_000)
          assert.strictEqual(a.applied.length, 8)
        })
      yield* running(first, names, meeting, machines)
    })
  )

  it.scoped("new members are taken in, under new names only", () =>
    Effect.gen(function* () {
      const { file, first } = yield* stoppedGroup(5)
      yield* shrink(file("a"), "a", names)
      yield* running(first, ["a", "d"], ([a, d]) =>
        Effect.gen(function* () {
          assert(a !== undefined && d !== undefined)
          yield* leaderOf([a])
          const again = yield* whileTimePasses(Effect.flip(a.client.changeMembership({ _tag: "Add", member: "b" })))
          assert.deepInclude(again, { _tag: "ChangeRefused", reason: "was_removed" })
          yield* whileTimePasses(a.client.changeMembership({ _tag: "Add", member: "d" }))
          yield* eventually(Effect.map(a.status, ({ voters }) => voters.includes("d")))
          yield* whileTimePasses(propose(a, "both"))
          yield* eventually(Effect.sync(() => d.applied.length === 6))
          assert.deepStrictEqual(d.applied, a.applied)
        })
      )
    })
  )

  it.scoped("what no majority had becomes valid: entries, and a change of the membership", () =>
    Effect.gen(function* () {
      const first = yield* temporaryFile
      const filename = fileOf(first, "a")
      const pending = { voters: ["a", "b", "c"], learners: ["d"], removed: ["x"] }
      yield* use(filename, log => {
        const entries = [...row(1, 2, 1), LogEntry.configuration(3, 2, pending), ...row(4, 4, 2)]
        log.stage({ hardState: hardState(2, "b"), entries })
        log.flush()
      })
      const { configuration, givenUp } = yield* shrink(filename, "a")
      assert.deepStrictEqual(givenUp, ["b", "c", "d"])
      assert.deepStrictEqual(configuration.removed, ["x", "b", "c", "d"])
      yield* running(first, ["a"], ([a]) =>
        Effect.gen(function* () {
          assert(a !== undefined)
          yield* leaderOf([a])
          assert.deepStrictEqual(a.applied, ["entry 1", "entry 2", "entry 4"])
        })
      )
    })
  )

  it.scoped("a learner that is all there is left may go on as well", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        const configuration = { voters: ["b"], learners: ["a"], removed: [] }
        log.stage({ hardState: hardState(1), entries: [LogEntry.configuration(1, 1, configuration)] })
        log.flush()
      })
      assert.deepStrictEqual((yield* shrink(filename, "a")).configuration.voters, ["a"])
    })
  )

  const wrongs: ReadonlyArray<readonly [string, { readonly confirmation?: string; readonly self?: string }, string]> = [
    ["without the words that confirm it", { confirmation: "yes" }, "not_confirmed"],
    ["with the words for another member", { confirmation: Repair.confirmationFor("b") }, "not_confirmed"],
    ["for a stranger", { self: "x" }, "not_a_member"],
    ["for one that was removed", { self: "z" }, "was_removed"]
  ]
  it.scoped.each(wrongs)("refuses %s, and leaves the log as it is", ([_, wrong, reason]) =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const configuration = { voters: ["a", "b", "c"], learners: [], removed: ["z"] }
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [LogEntry.configuration(1, 1, configuration)] })
        log.flush()
      })
      const before = yield* Repair.inspect(filename)
      const options = { filename, self: "a", ...wrong }
      const said = { confirmation: Repair.confirmationFor(options.self), ...options }
      assert.strictEqual(yield* reasonOf(Repair.forceShrink(said)), reason)
      assert.deepStrictEqual(yield* Repair.inspect(filename), before)
    })
  )

  it.scoped("refuses where the founders are in no log and were not named, and where nobody is given up", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 1, 1) })
        log.flush()
      })
      assert.strictEqual(yield* reasonOf(shrink(filename, "a")), "founders_unknown")
      assert.strictEqual(yield* reasonOf(shrink(filename, "a", ["a"])), "alone")
      yield* shrink(filename, "a", names)
      assert.strictEqual(yield* reasonOf(shrink(filename, "a", names)), "alone")
      assert.strictEqual(yield* reasonOf(shrink(filename, "b", names)), "was_removed")
    })
  )

  it.scopedLive("refuses while the member runs", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* Effect.scoped(
        Effect.gen(function* () {
          const log = yield* RaftLog.make({ filename })
          log.stage({ hardState: hardState(1), entries: row(1, 1, 1) })
          log.flush()
          const error = yield* Effect.flip(shrink(filename, "a", names))
          assert.deepInclude(error, { _tag: "RaftLogError" })
          assert.include(error.message, "in use by another process")
        })
      )
      assert.strictEqual((yield* Repair.inspect(filename)).lastIndex, 1)
    })
  )
})
