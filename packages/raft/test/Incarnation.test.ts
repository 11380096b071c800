import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Membership from "@reckon/raft/Membership"
import { RaftLogError } from "@reckon/raft/RaftError"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import type { SnapshotChunk } from "@reckon/raft/SnapshotChunk"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import {
  encode,
  eventually,
  kill,
  leaderOf,
  type Member,
  type MemberOptions,
  makeMachine,
  makeMember,
  proposeMany,
  whileTimePasses
} from "./helpers/group.js"
import { processes } from "./helpers/processes.js"
import { hardState, row, use } from "./helpers/raftLog.js"

const names = ["a", "b", "c"]

/** The folders of a cluster's nodes: each has its member's log, and the machine that outlives the process. */
const makeNodes = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-incarnation-"))),
    folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  ),
  folder => {
    const states = new Map<string, ReturnType<typeof makeMachine>>()
    const file = (self: string) => path.join(folder, self, "raft.sqlite")
    const wipe = (self: string) => {
      fs.rmSync(path.join(folder, self), { recursive: true, force: true })
      fs.mkdirSync(path.join(folder, self))
      states.set(self, makeMachine())
    }
    const state = (self: string) => states.get(self) ?? makeMachine()
    return { file, wipe, options: (self: string): MemberOptions => ({ filename: file(self), state: state(self) }) }
  }
)

type Nodes = Effect.Effect.Success<typeof makeNodes>

const freshNodes = Effect.tap(makeNodes, nodes => names.forEach(nodes.wipe))

interface Place {
  readonly self: string
  readonly nodes: Nodes
  readonly voters?: ReadonlyArray<string>
  readonly options?: MemberOptions
}

/** Runs members on these folders until `f` ends, and keeps what was said as an error meanwhile. */
const running = <A, E, R>(
  places: ReadonlyArray<Place>,
  f: (
    members: ReadonlyArray<Member>,
    network: RaftTransport.Network,
    errors: ReadonlyArray<string>
  ) => Effect.Effect<A, E, R>
) => {
  const errors: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => {
      if (logLevel.label === "ERROR") errors.push(String(message))
    })
  )
  return Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const members = yield* Effect.forEach(places, ({ nodes, options, self, voters = names }) =>
      makeMember(network, self, voters, { ...nodes.options(self), ...options })
    )
    yield* Effect.forEach(members, member => member.start)
    return yield* f(members, network, errors)
  }).pipe(Effect.scoped, Effect.provide(processes), Effect.provide(logger))
}

const on = (nodes: Nodes, ...members: ReadonlyArray<string>): ReadonlyArray<Place> =>
  members.map(self => ({ self, nodes }))

const incarnationOf = (member: Member) => Effect.map(member.status, ({ incarnation }) => incarnation)

/** The one that all come to be of. */
const common = (members: ReadonlyArray<Member>) =>
  Effect.gen(function* () {
    yield* eventually(
      Effect.map(
        Effect.forEach(members, incarnationOf),
        ([first, ...rest]) => first !== null && rest.every(other => other === first)
      )
    )
    const [first] = members
    assert(first !== undefined)
    const incarnation = yield* incarnationOf(first)
    assert(incarnation !== null)
    return incarnation
  })

/** A group of three that has served so many commands, and was stopped. */
const serve = (nodes: Nodes, commands: number) =>
  running(on(nodes, ...names), members =>
    Effect.gen(function* () {
      yield* proposeMany(yield* leaderOf(members), 1, commands)
      yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === commands)))
      return yield* common(members)
    })
  )

const standing = (member: Member) =>
  Effect.map(member.status, ({ appliedIndex, commitIndex, incarnation, lastIndex, term }) => ({
    appliedIndex,
    commitIndex,
    incarnation,
    lastIndex,
    term
  }))

const stop = ({ self }: Member) =>
  Effect.flatMap(Process.whereis(`raft-${self}`), pid => Effect.flatMap(pid, found => kill({ pid: found })))

const tentative = "0".repeat(32)
const firstEntry = LogEntry.configuration(1, 1, { ...Membership.founding(names), incarnation: tentative })

/** The node a was elected, by the vote of b, and failed before anybody had what it wrote. */
const failedFounder = (nodes: Nodes) =>
  Effect.forEach(["a", "b"], self =>
    use(nodes.file(self), log => {
      log.stage({ hardState: hardState(1, "a"), entries: self === "a" ? [firstEntry] : [] })
      log.flush()
    })
  )

describe("the members of a group", () => {
  it.scoped("are of one incarnation, and no other group of the same name and members is", () =>
    Effect.gen(function* () {
      const one = yield* serve(yield* freshNodes, 3)
      const other = yield* serve(yield* freshNodes, 3)
      assert.match(one, /^[0-9a-f]{32}$/)
      assert.notStrictEqual(one, other)
    })
  )

  it.scoped("know it as soon as they start again, each by its log and without the machine", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      const incarnation = yield* serve(nodes, 3)
      for (const self of names) {
        const place = { self, nodes, options: { state: makeMachine() } }
        yield* running([place], ([member]) =>
          Effect.gen(function* () {
            assert(member !== undefined)
            assert.strictEqual(yield* incarnationOf(member), incarnation)
          })
        )
      }
    })
  )

  it.scoped("that a first leader was writing when it failed is theirs if a majority with it elects the next", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      yield* failedFounder(nodes)
      assert.strictEqual(yield* running(on(nodes, "a", "b"), common), tentative)
      assert.strictEqual(yield* running(on(nodes, ...names), common), tentative)
    })
  )

  it.scoped(
    "that a first leader was writing when it failed is forgotten if a majority without it elects the next",
    () =>
      Effect.gen(function* () {
        const nodes = yield* freshNodes
        yield* failedFounder(nodes)
        const incarnation = yield* running(on(nodes, "b", "c"), members =>
          Effect.zipRight(leaderOf(members), common(members))
        )
        assert.notStrictEqual(incarnation, tentative)
        yield* running(on(nodes, ...names), (members, _, errors) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* common(members), incarnation)
            assert.deepStrictEqual(errors, [])
          })
        )
      })
  )

  it.scoped("of old logs, which have none, get one from their next leader and lose nothing", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      for (const self of names) {
        yield* use(nodes.file(self), log => {
          log.stage({ hardState: hardState(1), entries: row(1, 5, 1) })
          log.flush()
        })
      }
      yield* running(on(nodes, ...names), members =>
        Effect.gen(function* () {
          yield* common(members)
          yield* proposeMany(yield* leaderOf(members), 6, 6)
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 6)))
          const [a] = members
          assert.deepStrictEqual(a?.applied, ["entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "6"])
        })
      )
    })
  )

  it.scoped("that join later learn it with the log, and with a snapshot", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      for (const self of ["d", "e"]) nodes.wipe(self)
      const incarnation = yield* serve(nodes, 3)
      const options = { compaction: { entriesMax: 20, tailEntries: 5 } }
      const joins = (self: string, commands: number, installs: number) =>
        running(
          [...on(nodes, ...names), { self, nodes, voters: [] }].map(place => ({ ...place, options })),
          members =>
            Effect.gen(function* () {
              const leader = yield* leaderOf(members)
              const joiner = members.at(-1)
              assert(joiner !== undefined)
              yield* proposeMany(leader, 1, commands)
              yield* whileTimePasses(leader.client.changeMembership({ _tag: "Add", member: self }))
              yield* eventually(Effect.map(joiner.status, ({ voters }) => voters.includes(self)))
              assert.strictEqual(yield* common(members), incarnation)
              assert.strictEqual(joiner.counts.installs, installs)
            })
        )
      yield* joins("d", 1, 0)
      yield* joins("e", 60, 1)
    })
  )
})

describe("a node that comes with another group's data under a member's name", () => {
  const mixed = Effect.gen(function* () {
    const ours = yield* freshNodes
    const theirs = yield* freshNodes
    yield* serve(ours, 5)
    yield* serve(theirs, 40)
    return [...on(ours, "a", "b"), ...on(theirs, "c")]
  })

  it.scoped("is refused both ways, and changes nothing; the group goes on", () =>
    Effect.gen(function* () {
      const places = yield* mixed
      yield* running(places, ([a, b, c]) =>
        Effect.gen(function* () {
          assert(a !== undefined && b !== undefined && c !== undefined)
          const before = yield* standing(c)
          yield* proposeMany(yield* leaderOf([a, b]), 6, 30)
          yield* eventually(Effect.sync(() => a.applied.length === 30 && b.applied.length === 30))
          const { term } = yield* a.status
          // long enough for many elections, if anybody listened
          yield* whileTimePasses(Effect.sleep("10 seconds"))
          assert.deepStrictEqual(yield* standing(c), before)
          assert.strictEqual(c.applied.length, 40)
          assert.strictEqual((yield* a.status).term, term)
        })
      )
    })
  )

  it.scoped("is reported once by each, with what to do", () =>
    Effect.gen(function* () {
      const places = yield* mixed
      yield* running(places, ([a, b, c], _, errors) =>
        Effect.gen(function* () {
          assert(a !== undefined && b !== undefined && c !== undefined)
          const leader = yield* leaderOf([a, b])
          yield* proposeMany(leader, 6, 8)
          yield* whileTimePasses(Effect.sleep("10 seconds"))
          const ours = yield* incarnationOf(a)
          const theirs = yield* incarnationOf(c)
          for (const self of ["a", "b"]) {
            const said = errors.filter(error => error.includes(`than ${self}, which`))
            assert.lengthOf(said, 1)
            assert.include(
              said[0],
              `c is of another incarnation of the group "g", ${theirs}, than ${self}, which is of ${ours}`
            )
            assert.include(said[0], "bring its own data folder back")
            assert.isNull((yield* leader.status).problem)
            assert.include((yield* c.status).problem ?? "", "is of another incarnation")
          }
          const byTheirs = errors.filter(error => error.includes("than c, which"))
          assert.strictEqual(new Set(byTheirs).size, byTheirs.length)
          assert.isTrue(byTheirs.some(error => error.startsWith(`${leader.self} is of another incarnation`)))
        })
      )
    })
  )

  it.scoped("is not answered as a client of the leader, nor taken a snapshot from", () =>
    Effect.gen(function* () {
      const places = yield* mixed
      yield* running(places, ([a, b, c], network) =>
        Effect.gen(function* () {
          assert(a !== undefined && b !== undefined && c !== undefined)
          const leader = yield* leaderOf([a, b])
          yield* whileTimePasses(leader.client.readBarrier)
          const before = yield* standing(leader)
          const stranger = network.transport("c")
          const nobody = { _tag: "NotLeader", leader: null } as const
          const { self } = leader
          assert.deepInclude(yield* Effect.flip(stranger.propose("g", self, encode("x"))), nobody)
          assert.deepInclude(yield* Effect.flip(stranger.readIndex("g", self)), nobody)
          const removal = { _tag: "Remove", member: "b" } as const
          assert.deepInclude(yield* Effect.flip(stranger.changeMembership("g", self, removal)), nobody)
          assert.deepInclude(yield* Effect.flip(stranger.transferLeadership("g", self, "b")), nobody)
          const configuration = { index: 0, configuration: Membership.founding(names) }
          const chunk: SnapshotChunk = {
            from: "c",
            to: leader.self,
            term: before.term + 5,
            incarnation: (yield* incarnationOf(c)) ?? undefined,
            snapshot: { index: 1_000, term: before.term + 5, configuration, machineVersion: 0, checksum: "x" },
            size: 10,
            offset: 0,
            bytes: new Uint8Array(0),
            checksum: "0".repeat(64)
          }
          const refused = yield* Effect.flip(stranger.sendSnapshot("g", chunk))
          assert.deepInclude(refused, { reason: "foreign", retryable: false })
          assert.deepStrictEqual(yield* standing(leader), before)
          // those of its own group are
          const own = leader === a ? "b" : "a"
          yield* whileTimePasses(network.transport(own).propose("g", leader.self, encode("y")))
          assert.strictEqual(leader.applied.at(-1), "y")
        })
      )
    })
  )
})

describe("a group that is made anew under the name of another", () => {
  it.scoped("does nothing to a survivor of the old one, and the survivor nothing to it", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      const old = yield* serve(nodes, 5)
      for (const self of ["a", "b"]) nodes.wipe(self)
      yield* running(on(nodes, "a", "b"), members => Effect.zipRight(leaderOf(members), common(members)))
      yield* running(on(nodes, ...names), ([a, b, c]) =>
        Effect.gen(function* () {
          assert(a !== undefined && b !== undefined && c !== undefined)
          const before = yield* standing(c)
          yield* proposeMany(yield* leaderOf([a, b]), 1, 30)
          yield* whileTimePasses(Effect.sleep("10 seconds"))
          assert.deepStrictEqual(yield* standing(c), before)
          assert.deepStrictEqual(c.applied, ["1", "2", "3", "4", "5"])
          assert.notStrictEqual(yield* common([a, b]), old)
          assert.lengthOf(a.applied, 30)
          assert.deepStrictEqual(a.applied, b.applied)
        })
      )
    })
  )
})

describe("a member that comes back without its data", () => {
  it.scoped("elects nobody who may lack what it has lost", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      yield* serve(nodes, 3)
      // c misses what a and b acknowledge, and b then loses it
      yield* running(on(nodes, "a", "b"), members =>
        Effect.gen(function* () {
          yield* proposeMany(yield* leaderOf(members), 4, 6)
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 6)))
        })
      )
      nodes.wipe("b")
      yield* running(on(nodes, "b", "c"), members =>
        Effect.gen(function* () {
          yield* whileTimePasses(Effect.sleep("10 seconds"))
          for (const member of members) assert.notStrictEqual((yield* member.status).role, "leader")
        })
      )
      yield* running(on(nodes, ...names), members =>
        eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 6)))
      )
    })
  )

  it.scoped("says so as long as nobody leads, and the others say what is needed", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      yield* serve(nodes, 3)
      nodes.wipe("b")
      const problems = (members: ReadonlyArray<Member>) =>
        Effect.forEach(members, ({ status }) => Effect.map(status, ({ problem }) => problem ?? ""))
      const [few = "", missing = ""] = yield* running(on(nodes, "b", "c"), members =>
        Effect.zipRight(whileTimePasses(Effect.sleep("10 seconds")), problems(members))
      )
      assert.match(
        few,
        /^b has nothing in its log, .*, as c has: it is sent everything when they have elected a leader\. If what c has is not to be kept/
      )
      assert.match(missing, /^b has nothing in its log, .*The others have to elect a leader, which .*: a, c$/)

      yield* running(on(nodes, ...names), members =>
        Effect.gen(function* () {
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 3)))
          assert.deepStrictEqual(yield* problems(members), ["", "", ""])
        })
      )
    })
  )

  it.scoped("founds no group with others like it where one has what they have lost, and all say so", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      const incarnation = yield* serve(nodes, 3)
      const kept = fs.readFileSync(nodes.file("b"))
      for (let again = 0; again < 5; again++) {
        for (const self of ["a", "b"]) nodes.wipe(self)
        yield* running(on(nodes, "c"), ([c], network) =>
          Effect.gen(function* () {
            assert(c !== undefined)
            yield* whileTimePasses(Effect.sleep(5_000 + 300 * again))
            const lost = yield* Effect.forEach(["a", "b"], self =>
              makeMember(network, self, names, nodes.options(self))
            )
            for (const { start } of lost) yield* start
            yield* whileTimePasses(Effect.sleep("20 seconds"))
            for (const { self, status } of lost) {
              const { incarnation, problem, role } = yield* status
              assert.deepStrictEqual([incarnation, role === "leader"], [null, false])
              assert.match(problem ?? "", new RegExp(`^${self} has nothing in its log, .*, as c has: it is sent`))
            }
            const { problem } = yield* c.status
            assert.match(
              problem ?? "",
              /^a has nothing in its log, .*; b has nothing .* too few to elect a leader: c\. Put back/
            )
          })
        )
      }
      nodes.wipe("b")
      fs.writeFileSync(nodes.file("b"), kept)
      yield* running(on(nodes, ...names), members =>
        Effect.gen(function* () {
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 3)))
          assert.strictEqual(yield* common(members), incarnation)
        })
      )
    })
  )

  it.scoped("is brought up to date by the leader who knew what it had, and counts again", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      yield* running(on(nodes, ...names), (members, network) =>
        Effect.gen(function* () {
          const leader = yield* leaderOf(members)
          const [lost, other] = members.filter(member => member !== leader)
          assert(lost !== undefined && other !== undefined)
          yield* proposeMany(leader, 1, 3)
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 3)))
          const { term } = yield* leader.status
          yield* stop(lost)
          yield* proposeMany(leader, 4, 4)
          nodes.wipe("empty")
          const again = yield* makeMember(network, lost.self, names, nodes.options("empty"))
          yield* again.start
          yield* eventually(Effect.sync(() => again.applied.length === 4))
          yield* stop(other)
          yield* proposeMany(leader, 5, 5)
          yield* eventually(Effect.sync(() => again.applied.length === 5))
          assert.strictEqual((yield* leader.status).term, term)
          yield* common([leader, again])
        })
      )
    })
  )
})

describe("a member that comes back with an older copy of its data", () => {
  it.scoped("is set aside and says why, once and in its status; the others go on", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      yield* serve(nodes, 3)
      const copyOf = (self: string) => `${nodes.file(self)}.copy`
      for (const self of names) fs.copyFileSync(nodes.file(self), copyOf(self))
      yield* running(on(nodes, ...names), (members, network, errors) =>
        Effect.gen(function* () {
          const leader = yield* leaderOf(members)
          const [lost] = members.filter(member => member !== leader)
          assert(lost !== undefined)
          yield* proposeMany(leader, 4, 9)
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 9)))
          const { term } = yield* leader.status
          yield* stop(lost)
          const again = yield* makeMember(network, lost.self, names, { filename: copyOf(lost.self) })
          yield* again.start
          yield* eventually(Effect.map(again.status, ({ problem }) => problem !== null))
          const before = yield* again.status
          const problem = before.problem ?? ""
          assert.include(problem, `${lost.self} has lost what it acknowledged`)
          assert.include(problem, `the leader ${leader.self} has committed`)
          assert.include(problem, "start it with an empty one")
          yield* proposeMany(leader, 10, 20)
          yield* whileTimePasses(Effect.sleep("10 seconds"))
          assert.deepStrictEqual(yield* again.status, before)
          assert.deepInclude(before, { role: "follower", leader: null })
          assert.deepStrictEqual(errors, [problem])
          assert.deepInclude(yield* leader.status, { role: "leader", term, problem: null })
        })
      )
    })
  )

  it.scoped("does not start where its machine has applied more than the log has", () =>
    Effect.gen(function* () {
      const nodes = yield* freshNodes
      yield* serve(nodes, 3)
      const copy = `${nodes.file("a")}.copy`
      fs.copyFileSync(nodes.file("a"), copy)
      yield* running(on(nodes, ...names), members =>
        Effect.gen(function* () {
          yield* proposeMany(yield* leaderOf(members), 4, 9)
          yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === 9)))
        })
      )
      const started = running([{ self: "a", nodes, options: { filename: copy } }], () => Effect.void)
      const refused = yield* Effect.flip(started)
      if (refused._tag !== "StartFailed" || refused.reason._tag !== "Crash") return assert.fail(refused._tag)
      const error = Cause.squash(refused.reason.cause)
      assert.instanceOf(error, RaftLogError)
      assert.include(error.message, "the file is an older copy, or a new one in the place of one that is lost")
    })
  )
})
