/** What a seed stands for: the same faults at the same times, every kind of them, within their limits. */
import { assert, describe, it } from "@effect/vitest"
import { kindOf, plan, show } from "../src/internal/torture/schedule.js"

const hour = 3_600_000

describe("the schedule of a torture run", () => {
  it("follows from the seed", () => {
    assert.deepStrictEqual(plan(7, hour, 3), plan(7, hour, 3))
    assert.notDeepEqual(plan(7, hour, 3), plan(8, hour, 3))
  })

  it("leaves no kind out, not even in two minutes and a half", () => {
    for (let seed = 0; seed < 50; seed++) {
      const kinds = new Set(plan(seed, 180_000, 3).map(({ fault }) => kindOf(fault)))
      assert.sameMembers(
        [...kinds],
        [
          ...["kill the leader", "kill one node", "kill a majority"],
          ...["pause the leader", "pause one node", "pause a majority"],
          ...["cut one way", "cut both ways", "full disk", "restart all"]
        ]
      )
    }
  })

  it("begins faults in order, ends them in time, and lets some fall into others", () => {
    const steps = plan(3, hour, 5)
    let overlapping = 0
    for (const [at, { atMillis, fault }] of steps.entries()) {
      const before = steps[at - 1]
      assert.isAtMost(atMillis + fault.millis, hour)
      if (before === undefined) continue
      assert.isAbove(atMillis, before.atMillis)
      if (atMillis < before.atMillis + before.fault.millis) overlapping++
    }
    assert.isAbove(overlapping, steps.length / 10)
    assert.isBelow(overlapping, steps.length / 2)
  })

  it("holds nodes for one to six election time-outs, and ends or holds more than half of them at most once each", () => {
    for (const nodes of [3, 5]) {
      for (const { fault } of plan(nodes, hour, nodes)) {
        if (fault._tag === "Pause") assert.include([1_000, 2_000, 3_000, 4_000, 5_000, 6_000], fault.millis)
        if (fault._tag !== "Pause" && fault._tag !== "Kill") continue
        assert.include([1, Math.floor(nodes / 2) + 1], fault.targets.length)
        assert.strictEqual(new Set(fault.targets).size, fault.targets.length)
      }
    }
  })

  it("cuts a node from one peer or from all, never from itself", () => {
    const seen = new Set<number>()
    for (const { fault } of plan(1, hour, 3)) {
      if (fault._tag !== "Cut") continue
      seen.add(fault.offsets.length)
      for (const offset of fault.offsets) assert.include([1, 2], offset)
    }
    assert.sameMembers([...seen], [1, 2])
  })

  it("is shown with all it needs to be done by hand", () => {
    assert.strictEqual(
      show({ _tag: "Cut", target: "leader", offsets: [1, 2], way: "from", heal: "late", millis: 1500 }),
      "target leader, offsets 1,2, way from, heal late, for 1500 ms"
    )
  })
})
