import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Membership from "@reckon/raft/Membership"
import type { SnapshotChunk } from "@reckon/raft/SnapshotChunk"
import * as Effect from "effect/Effect"
import { encode, eventually, leaderOf, makeMachine, proposeMany, whileTimePasses } from "./helpers/group.js"
import {
  common,
  freshNodes,
  incarnationOf,
  type Nodes,
  names,
  on,
  running,
  serve,
  standing
} from "./helpers/groupOfThree.js"
import { hardState, row, use } from "./helpers/raftLog.js"

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
