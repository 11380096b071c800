import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { RaftLogError } from "@reckon/raft/RaftError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { eventually, leaderOf, type Member, makeMember, proposeMany, whileTimePasses } from "./helpers/group.js"
import { common, freshNodes, names, on, running, serve, stop } from "./helpers/groupOfThree.js"

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
