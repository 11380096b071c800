import { assert, describe, it } from "@effect/vitest"
import { LogEntry, Membership } from "@reckon/raft"
import { Overloaded } from "@reckon/raft/RaftError"
import * as RaftLog from "@reckon/raft/RaftLog"
import { StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/TestClock"
import type { Requests } from "../src/internal/driver/intake.js"
import * as Reads from "../src/internal/driver/reads.js"
import { type DriverSurroundings, makeDriver } from "./helpers/driver.js"
import { decode, encode, makeMachine } from "./helpers/group.js"

/** The driver of a group's only member. */
const makeMember = (surroundings: Omit<DriverSurroundings, "voters"> = {}) =>
  Effect.gen(function* () {
    const member = yield* makeDriver({ ...surroundings, voters: ["a"] })
    const { driver, work } = member
    const propose: Requests["propose"] = (payload, reply) => driver.intake.current()?.propose(payload, reply)
    const tick = Effect.zipRight(
      TestClock.adjust(100),
      Effect.sync(() => driver.tick())
    )
    const lead = Effect.repeat(Effect.zipRight(tick, work), { until: () => driver.status().role === "leader" })
    return { ...member, propose, tick, lead }
  })

describe("the queue of a member that is full", () => {
  it.scoped("takes what it refused when there is room again, each once", () =>
    Effect.gen(function* () {
      const { lead, propose, queue, room, tick, work } = yield* makeMember()
      yield* lead
      const told: Array<Exit.Exit<Uint8Array, unknown>> = []
      room.isFull = true
      propose(encode("x"), outcome => told.push(outcome))
      yield* tick
      assert.deepStrictEqual(queue, [])
      room.isFull = false
      yield* tick
      assert.deepStrictEqual(queue.map(({ _tag }) => _tag).sort(), ["Gathered", "Tick"])
      yield* work
      const [outcome] = told
      assert.lengthOf(told, 1)
      assert.strictEqual(outcome?._tag === "Success" ? decode(outcome.value) : outcome, "1")
    })
  )

  it.scoped("submits what has gathered at once where it cannot wait for more", () =>
    Effect.gen(function* () {
      const { driver, lead, propose, queue, room, work } = yield* makeMember()
      yield* lead
      const told: Array<string> = []
      propose(encode("x"), outcome => told.push(outcome._tag))
      const gathered = queue.shift()
      assert.strictEqual(gathered?._tag, "Gathered")
      room.isFull = true
      if (gathered !== undefined) yield* driver.handle(gathered)
      room.isFull = false
      driver.tick()
      yield* work
      assert.deepStrictEqual(told, ["Success"])
    })
  )

  it.scoped("counts no message as waiting that it did not take", () =>
    Effect.gen(function* () {
      const { driver, queue, room } = yield* makeMember()
      const heartbeat = { _tag: "Heartbeat", from: "b", to: "a", term: 1, commit: 0, round: 0 } as const
      room.isFull = true
      for (let count = 0; count < 5_000; count++) driver.receive([heartbeat])
      room.isFull = false
      driver.receive([heartbeat])
      assert.lengthOf(queue, 1)
    })
  )
})

describe("the only voter", () => {
  it.scoped("is current except while something committed is not applied", () =>
    Effect.gen(function* () {
      const { driver, lead, propose, queue, work } = yield* makeMember()
      const isCurrent = () => driver.intake.current()?.isCurrent()
      assert.isFalse(isCurrent())
      yield* lead
      yield* work
      assert.isTrue(isCurrent())
      propose(encode("x"), () => {})
      const seen: Array<string> = []
      for (let input = queue.shift(); input !== undefined; input = queue.shift()) {
        yield* driver.handle(input)
        const { appliedIndex, commitIndex } = driver.status()
        assert.strictEqual(isCurrent(), appliedIndex === commitIndex, input._tag)
        seen.push(`${input._tag} ${isCurrent() === true ? "current" : "behind"}`)
      }
      assert.deepStrictEqual(seen.slice(-2), ["Flush behind", "Apply current"])
    })
  )

  it.scoped("applies again what its machine takes back, though nobody proposes anything", () =>
    Effect.gen(function* () {
      const applied: Array<number> = []
      let index = 0
      const machine = StateMachine.of({
        appliedIndex: () => index,
        apply: entries =>
          entries.map(entry => {
            index = entry.index
            applied.push(index)
            return entry.payload
          })
      })
      const { driver, lead, propose, tick, work } = yield* makeMember({ machine })
      yield* lead
      propose(encode("x"), () => {})
      yield* work
      index = 1
      assert.isFalse(driver.intake.current()?.isCurrent())
      yield* tick
      yield* work
      assert.deepStrictEqual(applied, [1, 2, 2])
      assert.isTrue(driver.intake.current()?.isCurrent())
      yield* tick
      yield* work
      assert.lengthOf(applied, 3)
    })
  )
})

describe("what is applied", () => {
  const watch = Effect.map(RaftLog.make({ filename: ":memory:" }), log => {
    const released: Array<number> = []
    const release = (index: number) => {
      released.push(index)
      log.release(index)
    }
    return { released, log: { ...log, release } }
  })

  it.scoped("is kept in memory no longer by the only member", () =>
    Effect.gen(function* () {
      const { log, released } = yield* watch
      const { driver, lead, propose, work } = yield* makeMember({ log })
      yield* lead
      propose(encode("x"), () => {})
      yield* work
      assert.strictEqual(released.at(-1), driver.status().appliedIndex)
    })
  )

  it.scoped("is kept by a leader for the members that do not have it yet", () =>
    Effect.gen(function* () {
      const { log, released } = yield* watch
      const { driver, hear, lead } = yield* makeDriver({ voters: ["a", "b", "c"], log })
      yield* lead
      assert.strictEqual(driver.status().appliedIndex, 1)
      assert.strictEqual(released.at(-1), 0)
      const matched = (from: string) =>
        hear({
          _tag: "AppendReply",
          from,
          to: "a",
          term: 1,
          round: 0,
          result: { _tag: "Matched", matchIndex: driver.status().lastIndex }
        })
      yield* matched("c")
      driver.intake.current()?.propose(encode("x"), () => {})
      yield* hear({ _tag: "HeartbeatReply", from: "c", to: "a", term: 1, round: 0 })
      yield* matched("b")
      assert.deepInclude(driver.status(), { appliedIndex: 2, lastIndex: 2 })
      assert.strictEqual(released.at(-1), 1)
    })
  )
})

describe("the log of a member with 31 entries applied, of which 5 are to stay", () => {
  const all = Number.POSITIVE_INFINITY
  it.scoped.each([
    ["through the 26th", { durable: 31, floor: all }, 27],
    ["no further than its machine is durable", { durable: 12, floor: all }, 13],
    ["no further than whoever is being sent a snapshot can do without", { durable: 31, floor: 10 }, 11]
  ] as const)("is cut %s", ([_, { durable, floor }, firstIndex]) =>
    Effect.gen(function* () {
      const { driver, lead, propose, work } = yield* makeMember({
        machine: { ...makeMachine().machine, persist: () => durable },
        compaction: { entriesMax: 20, tailEntries: 5 },
        courier: { send: () => {}, stop: Effect.void, floor: Effect.sync(() => floor), compacted: () => {} }
      })
      yield* lead
      for (let count = 0; count < 30; count++) propose(encode("x"), () => {})
      yield* work
      assert.deepInclude(driver.status(), { appliedIndex: 31, firstIndex })
    })
  )

  it.scoped("is cut on with what is applied next, once nobody is being sent a snapshot any more", () =>
    Effect.gen(function* () {
      let floor = 10
      const { driver, lead, propose, work } = yield* makeMember({
        compaction: { entriesMax: 20, tailEntries: 5 },
        courier: { send: () => {}, stop: Effect.void, floor: Effect.sync(() => floor), compacted: () => {} }
      })
      yield* lead
      for (let count = 0; count < 30; count++) propose(encode("x"), () => {})
      yield* work
      assert.deepInclude(driver.status(), { appliedIndex: 31, firstIndex: 11 })
      floor = all
      propose(encode("x"), () => {})
      yield* work
      assert.deepInclude(driver.status(), { appliedIndex: 32, firstIndex: 28 })
    })
  )
})

describe("a leader that is one no more", () => {
  it.scoped("breaks off the snapshots that it sends", () =>
    Effect.gen(function* () {
      let stops = 0
      const stop = Effect.sync(() => {
        stops += 1
      })
      const { driver, lead, work } = yield* makeDriver({
        voters: ["a", "b", "c"],
        courier: { send: () => {}, stop, floor: Effect.succeed(0), compacted: () => {} }
      })
      yield* lead
      stops = 0
      const { incarnation } = driver.status()
      assert(incarnation !== null)
      driver.receive([{ _tag: "Heartbeat", from: "b", to: "a", term: 2, commit: 0, round: 0, incarnation }])
      yield* work
      assert.strictEqual(driver.status().role, "follower")
      assert.strictEqual(stops, 1)
    })
  )
})

describe("a leader whose log a snapshot replaces", () => {
  it.scoped("tells the proposals that it had in it at once: nobody can say what became of them", () =>
    Effect.gen(function* () {
      const { driver, lead, queue, work } = yield* makeDriver({ voters: ["a", "b", "c"] })
      yield* lead
      const told: Array<Exit.Exit<Uint8Array, unknown>> = []
      driver.intake.current()?.propose(encode("x"), outcome => told.push(outcome))
      yield* work
      assert.deepInclude(driver.status(), { role: "leader", lastIndex: 2, openProposals: 1 })
      const configuration = { index: 0, configuration: Membership.founding(["a", "b", "c"]) }
      const snapshot = { index: 9, term: 2, configuration, machineVersion: 0, checksum: "" }
      const { incarnation } = driver.status()
      assert(incarnation !== null)
      yield* driver.handle({ _tag: "InstallSnapshot", from: "b", to: "a", term: 2, snapshot, incarnation })
      assert.lengthOf(queue, 1)
      assert.include(String(told), "ProposalUnknown")
      assert.lengthOf(told, 1)
    })
  )
})

describe("a follower whose log a snapshot replaces", () => {
  it.scoped(
    "applies nothing of the log until the machine has the snapshot, though its turn for that comes before",
    () =>
      Effect.gen(function* () {
        const { driver, queue, work } = yield* makeDriver({ voters: ["a", "b", "c"] })
        const from = { from: "b", to: "a", term: 1 } as const
        const entries = [LogEntry.noop(1, 1)]
        driver.receive([{ _tag: "AppendEntries", ...from, prevIndex: 0, prevTerm: 0, entries, commit: 0, round: 0 }])
        yield* work
        driver.receive([{ _tag: "Heartbeat", ...from, commit: 1, round: 1 }])
        const [heartbeat] = queue.splice(0)
        assert(heartbeat !== undefined)
        yield* driver.handle(heartbeat)
        const configuration = { index: 0, configuration: Membership.founding(["a", "b", "c"]) }
        const snapshot = { index: 9, term: 1, configuration, machineVersion: 0, checksum: "" }
        yield* driver.handle({ _tag: "InstallSnapshot", ...from, snapshot, incarnation: "0".repeat(32) })
        const [apply, flush] = queue.splice(0)
        assert.deepStrictEqual([apply, flush], [{ _tag: "Apply" }, { _tag: "Flush" }])
        assert(apply !== undefined)
        yield* driver.handle(apply)
        assert.deepInclude(driver.status(), { commitIndex: 9, appliedIndex: 0 })
      })
  )
})

describe("a round of reads", () => {
  it("has one outcome, and is forgotten with it", () => {
    const told: Array<string> = []
    const reads = Reads.make(
      () => 1,
      () => 0
    )
    reads.gather(outcome => told.push(outcome._tag))
    const round = reads.take()
    assert(round !== undefined)
    reads.settle(round, Exit.succeed(3))
    reads.settle(round, Exit.fail(new Overloaded()))
    assert.deepStrictEqual(told, ["Success"])
  })
})

describe("whoever waits for an index", () => {
  it("is told when it is applied, and at once only where it is already", () => {
    let applied = 0
    const told: Array<number> = []
    const reads = Reads.make(
      () => 1,
      () => applied
    )
    for (const index of [0, 1, 2]) reads.awaitApplied(index, () => told.push(index))
    reads.applied()
    assert.deepStrictEqual(told, [0])
    applied = 1
    reads.applied()
    assert.deepStrictEqual(told, [0, 1])
    applied = 2
    reads.applied()
    assert.deepStrictEqual(told, [0, 1, 2])
  })
})
