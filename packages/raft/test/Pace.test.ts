import { assert, describe, it } from "@effect/vitest"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Pace from "../src/internal/driver/pace.js"
import { eventually, leaderOf, makeMember, propose, whileTimePasses } from "./helpers/group.js"
import { processes } from "./helpers/processes.js"

describe("the pace of a member's ticks", () => {
  it.scoped("is that of its tick, but for as long as it is quiet", () =>
    Effect.gen(function* () {
      let ticks = 0
      let isQuiet = false
      const pace = Pace.make({ tick: "100 millis", onTick: () => ticks++, isQuiet: () => isQuiet })
      yield* Effect.forkScoped(pace.run)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(ticks, 10)
      isQuiet = true
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(ticks, 11)
      // The next tick comes a tick after it was stirred, and once, if it is quiet again.
      pace.stir()
      pace.stir()
      yield* TestClock.adjust("99 millis")
      assert.strictEqual(ticks, 11)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(ticks, 12)
      pace.stir()
      isQuiet = false
      yield* TestClock.adjust("1 second")
      assert.strictEqual(ticks, 22)
      // Nobody rests.
      pace.stir()
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(ticks, 23)
      isQuiet = true
      yield* TestClock.adjust("1 hour")
      assert.isAtMost(ticks, 23 + 61)
    })
  )
})

/** How many ticks a trace has. */
const ticksIn = (trace: ReadonlyArray<string>) => trace.filter(line => line.includes("Tick")).length

describe("a rest", () => {
  it.scoped("is not begun where something came up as it was about to", () =>
    Effect.gen(function* () {
      let ticks = 0
      const pace: Pace.Pace = Pace.make({
        tick: "100 millis",
        onTick: () => ticks++,
        isQuiet: () => {
          pace.stir()
          return true
        }
      })
      yield* Effect.forkScoped(pace.run)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(ticks, 10)
    })
  )
})

describe("a member that is alone", () => {
  it.scoped("is not ticked while nothing is asked of it, and takes proposals as ever", () =>
    Effect.gen(function* () {
      const network = yield* RaftTransport.makeNetwork
      const trace: Array<string> = []
      const member = yield* makeMember(network, "a", ["a"], { trace: line => trace.push(line) })
      yield* member.start
      assert.strictEqual(yield* whileTimePasses(propose(member, "1")), "1")
      const before = ticksIn(trace)
      assert.isAbove(before, 0)
      yield* TestClock.adjust("1 hour")
      assert.isAtMost(ticksIn(trace) - before, 62)
      assert.strictEqual(yield* whileTimePasses(propose(member, "2")), "2")
      assert.deepInclude(yield* member.status, { role: "leader", term: 1 })
    }).pipe(Effect.provide(processes))
  )

  it.scoped("is ticked again as soon as it has another to keep in step", () =>
    Effect.gen(function* () {
      const network = yield* RaftTransport.makeNetwork
      const trace: Array<string> = []
      const alone = yield* makeMember(network, "a", ["a"], { trace: line => trace.push(line) })
      yield* alone.start
      yield* whileTimePasses(propose(alone, "1"))
      yield* TestClock.adjust("10 minutes")
      const other = yield* makeMember(network, "b", ["a"])
      yield* other.start
      yield* whileTimePasses(alone.client.changeMembership({ _tag: "Add", member: "b" }))
      yield* eventually(Effect.map(alone.status, ({ voters }) => voters.length === 2))
      const before = ticksIn(trace)
      yield* TestClock.adjust("10 seconds")
      assert.isAtLeast(ticksIn(trace) - before, 95)
      const { term } = yield* alone.status
      assert.strictEqual(yield* leaderOf([alone, other]), alone)
      assert.strictEqual((yield* alone.status).term, term)
      assert.deepStrictEqual(other.applied, ["1"])
    }).pipe(Effect.provide(processes))
  )
})
