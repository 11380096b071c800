import { assert, describe, it } from "@effect/vitest"
import { RaftCore, Simulator } from "@reckon/raft"
import { World } from "../src/internal/sim/world.js"
import { breathe } from "./helpers/breathe.js"

const group = (...voters: ReadonlyArray<string>): World =>
  new World(
    {
      seed: 1,
      voters,
      spares: [],
      options: { ...RaftCore.defaults, electionTicks: 3 },
      workload: Simulator.workload(Simulator.streams),
      checksums: true
    },
    RaftCore.step,
    false
  )

/** Delivers what is under way; what goes to a member that is down is lost. */
const deliver = (world: World): void => {
  for (const { from, messages, to } of world.links) {
    for (let waiting = messages.length; waiting > 0; waiting--) {
      world.apply({ _tag: to.up ? "Deliver" : "Drop", from: from.id, to: to.id, at: 0 })
    }
  }
}

const sync = (world: World): void => {
  for (const { id, writes } of world.nodes) world.apply({ _tag: "Sync", node: id, writes: writes.length })
}

const elect = (world: World, node: string): void => {
  for (let ticks = 0; ticks < 6 && world.node(node).core.role === "follower"; ticks++) {
    world.apply({ _tag: "Tick", node })
  }
  for (let round = 0; round < 20; round++) {
    sync(world)
    deliver(world)
  }
  assert.strictEqual(world.node(node).core.role, "leader")
}

const rot = (world: World, node: string, index: number): boolean => world.apply({ _tag: "Rot", node, index })

const kill = (world: World, node: string): void => {
  world.apply({ _tag: "Crash", node, writes: 0, torn: -1, forgotten: 0 })
}

const restart = (world: World, node: string): boolean => world.apply({ _tag: "Restart", node })

describe("the simulated disks", () => {
  it("rot on no more members than the group can do without", () => {
    const bearable = (...voters: ReadonlyArray<string>): number => {
      const world = group(...voters)
      return voters.filter(node => rot(world, node, 0)).length
    }
    assert.strictEqual(bearable("a"), 0)
    assert.strictEqual(bearable("a", "b"), 0)
    assert.strictEqual(bearable("a", "b", "c"), 1)
    assert.strictEqual(bearable("a", "b", "c", "d"), 1)
    assert.strictEqual(bearable("a", "b", "c", "d", "e"), 2)
  })

  it.each([
    ["an entry", 1],
    ["the record of term and vote", 0]
  ])("let nobody start where %s has rotted", (_, index) => {
    const world = group("a", "b", "c")
    elect(world, "a")
    kill(world, "b")
    assert.isTrue(rot(world, "b", index))
    assert.isFalse(restart(world, "b"))
    assert.isFalse(world.node("b").up)
    assert.strictEqual(world.damageNoticed, 1)
    kill(world, "c")
    assert.isTrue(restart(world, "c"))
  })

  it("stop a member that reads what has rotted, before it sends or applies it", () => {
    const world = group("a", "b", "c")
    kill(world, "b")
    elect(world, "a")
    assert.isTrue(rot(world, "a", 1))
    assert.isTrue(world.node("a").up)
    // it has nothing yet, and asks for the entry
    restart(world, "b")
    for (let round = 0; round < 10 && world.node("a").up; round++) {
      world.apply({ _tag: "Tick", node: "a" })
      deliver(world)
      sync(world)
    }
    assert.isFalse(world.node("a").up)
    assert.strictEqual(world.damageNoticed, 1)
    assert.isFalse(restart(world, "a"))
  })

  it("are sound again where what has rotted was cut", () => {
    const world = group("a", "b", "c")
    elect(world, "a")
    assert.isTrue(world.apply({ _tag: "Propose", node: "a", count: 3, bytes: 4 }))
    world.apply({ _tag: "Sync", node: "a", writes: 1 })
    assert.isTrue(rot(world, "a", 1))
    assert.isTrue(world.apply({ _tag: "Compact", node: "a", kept: 0 }))
    kill(world, "a")
    assert.isTrue(restart(world, "a"))
  })

  it("acknowledge nothing after a sync that failed: the member begins with what is really there", () => {
    const world = group("a")
    elect(world, "a")
    const { lastIndex } = world.node("a").disk.log
    world.apply({ _tag: "Propose", node: "a", count: 3, bytes: 4 })
    assert.isTrue(world.apply({ _tag: "FailSync", node: "a", writes: 0, torn: 1, forgotten: 0 }))
    const { core, up, writes } = world.node("a")
    assert.isTrue(up)
    assert.strictEqual(core.role, "follower")
    assert.strictEqual(core.lastIndex, lastIndex + 1)
    assert.deepStrictEqual(writes, [])
    assert.strictEqual(world.checker.acknowledged, 0)
  })

  it("tear a write where its first entries end", () => {
    const world = group("a")
    elect(world, "a")
    const { lastIndex } = world.node("a").disk.log
    world.apply({ _tag: "Propose", node: "a", count: 4, bytes: 4 })
    world.apply({ _tag: "Crash", node: "a", writes: 0, torn: 2, forgotten: 0 })
    assert.strictEqual(world.node("a").disk.log.lastIndex, lastIndex + 2)
  })

  it("have all of it in the runs, where every promise holds", async () => {
    const faults = { rot: true, failedSync: true, tear: true, stall: true, crash: true }
    let damageNoticed = 0
    for (let seed = 500; seed < 525; seed++) {
      const report = Simulator.run({ seed, faults })
      if (report.violations.length > 0) assert.fail(Simulator.render(report))
      damageNoticed += report.damageNoticed
      await breathe()
    }
    assert.isAbove(damageNoticed, 10)
  })

  it("without checksums break the promises", { timeout: 120_000 }, async () => {
    for (let seed = 1; seed <= 100; seed++) {
      await breathe()
      const faults = { rot: true, crash: true }
      if (Simulator.run({ seed, faults, checksums: false, shrink: false }).violations.length > 0) return
    }
    assert.fail("100 seeds saw nothing")
  })
})
