import { assert, describe, it } from "@effect/vitest"
import { RaftCore, Simulator } from "@reckon/raft"
import { settle } from "../src/internal/sim/settle.js"
import { World } from "../src/internal/sim/world.js"
import { rules } from "../src/internal/snapshot/rules.js"
import { breathe } from "./helpers/breathe.js"

const group = (...voters: ReadonlyArray<string>): World => groupWith([], ...voters)

const groupWith = (spares: ReadonlyArray<string>, ...voters: ReadonlyArray<string>): World =>
  new World(
    {
      seed: 1,
      voters,
      spares,
      options: { ...RaftCore.defaults, electionTicks: 3 },
      workload: Simulator.workload(Simulator.streams),
      checksums: true,
      rules
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

  it("rot on no learner that may be a voter before the others are, and then be missed", () => {
    const world = groupWith(["b", "c"], "a")
    elect(world, "a")
    for (const member of ["b", "c"]) {
      assert.isTrue(world.apply({ _tag: "Change", node: "a", change: "Add", member }))
      sync(world)
    }
    assert.sameMembers([...RaftCore.configuration(world.node("a").core).learners], ["b", "c"])
    assert.isFalse(rot(world, "b", 0))
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
    assert.strictEqual(world.tally.damageNoticed, 1)
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
    assert.strictEqual(world.tally.damageNoticed, 1)
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

  /** Member `b` was away while the others cut their logs, and is about to put their snapshot in its machine's place. */
  const installing = (): World => {
    const world = group("a", "b", "c")
    elect(world, "a")
    kill(world, "b")
    world.apply({ _tag: "Propose", node: "a", count: 3, bytes: 4 })
    for (let round = 0; round < 5; round++) {
      sync(world)
      deliver(world)
    }
    for (const node of ["a", "c"]) world.apply({ _tag: "Compact", node, kept: 0 })
    restart(world, "b")
    const isInstalling = (): boolean => world.node("b").writes.some(({ output }) => output._tag === "Install")
    for (let round = 0; round < 200 && !isInstalling(); round++) {
      if (round % 10 === 0) world.apply({ _tag: "Tick", node: "a" })
      for (const { from, messages, to } of world.links) {
        // of each message another one is to come
        if (!isInstalling() && messages.length > 0) {
          world.apply({ _tag: "Duplicate", from: from.id, to: to.id, at: 0 })
          if (!isInstalling()) world.apply({ _tag: "Drop", from: from.id, to: to.id, at: 0 })
        }
      }
    }
    assert.isTrue(isInstalling())
    assert.isTrue(world.apply({ _tag: "RotSnapshot", node: "b", file: "incoming", at: 0 }))
    return world
  }

  it("are sound at the next start where a snapshot rotted that was on its way in: the member is brought back", () => {
    const world = installing()
    settle(world, 3, event => void world.apply(event))
    assert.isTrue(world.node("b").up)
    assert.strictEqual(world.node("b").machine.index, world.node("a").machine.index)
  })

  it("keep what is being installed, rotten as it may be, when more of it comes late: the member stops as one with a damaged disk", () => {
    const world = installing()
    assert.isTrue(world.apply({ _tag: "Deliver", from: "a", to: "b", at: 0 }))
    sync(world)
    assert.isFalse(world.node("b").up)
    assert.strictEqual(world.tally.damageNoticed, 1)
  })

  it("have all of it in the runs, where every promise holds", async () => {
    const faults = {
      ...{ rot: true, failedSync: true, tear: true, stall: true, crash: true },
      ...{ compaction: true, spoil: true, amnesia: true }
    }
    let damageNoticed = 0
    let snapshotsRefused = 0
    let installsEnded = 0
    for (let seed = 500; seed < 525; seed++) {
      const report = Simulator.run({ seed, faults })
      if (report.violations.length > 0) assert.fail(Simulator.render(report))
      damageNoticed += report.damageNoticed
      snapshotsRefused += report.snapshotsRefused
      installsEnded += report.installsEnded
      await breathe()
    }
    assert.isAbove(damageNoticed, 10)
    assert.isAbove(snapshotsRefused, 3)
    assert.isAbove(installsEnded, 0)
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

/** "a" leads and has cut its log; "c" was away and needs a snapshot. */
const behind = (): World => {
  const world = group("a", "b", "c")
  kill(world, "c")
  elect(world, "a")
  world.apply({ _tag: "Propose", node: "a", count: 3, bytes: 4 })
  for (let round = 0; round < 5; round++) {
    sync(world)
    deliver(world)
  }
  world.apply({ _tag: "Compact", node: "a", kept: 0 })
  restart(world, "c")
  return world
}

/** Lets all go on until "c" has an install to do, or for some time. */
const goOn = (world: World, rounds = 40): void => {
  const node = world.node("c")
  for (let round = 0; round < rounds; round++) {
    if (node.writes.some(({ output }) => output._tag === "Install")) return
    world.apply({ _tag: "Tick", node: "a" })
    deliver(world)
    for (const { id, writes } of world.nodes) {
      if (writes.every(({ output }) => output._tag === "Persist")) {
        world.apply({ _tag: "Sync", node: id, writes: writes.length })
      }
    }
    for (const { deliveries } of world.nodes) {
      for (const { state, to } of deliveries.values()) {
        if (state !== "under_way") world.apply({ _tag: "SnapshotEnd", node: "a", to })
      }
    }
  }
}

const rotSnapshot = (world: World, node: string, file: "incoming" | "outgoing"): boolean =>
  world.apply({ _tag: "RotSnapshot", node, file, at: 7 })

describe("an install", () => {
  it.each([
    ["before anything of it is written", -1, 0, false],
    ["between the log and the machine", 0, 4, true],
    ["before its end is reported", 1, 4, false]
  ])("that a crash cuts %s leaves no hole, and is ended or begun anew", (_, torn, base, ended) => {
    const world = behind()
    goOn(world)
    const { disk } = world.node("c")
    assert.lengthOf(disk.inbox.wholes, 1)
    world.apply({ _tag: "Crash", node: "c", writes: 0, torn, forgotten: 0 })
    assert.strictEqual(disk.log.base.index, base)
    assert.isTrue(restart(world, "c"))
    assert.strictEqual(world.tally.installsEnded, ended ? 1 : 0)
    assert.strictEqual(world.node("c").machine.index, base)
    goOn(world)
    sync(world)
    goOn(world, 10)
    assert.strictEqual(world.node("c").machine.digest, world.node("a").machine.digest)
  })

  it("of a snapshot that rots between log and machine stops the member, which does not start again", () => {
    const world = behind()
    goOn(world)
    world.apply({ _tag: "Crash", node: "c", writes: 0, torn: 0, forgotten: 0 })
    assert.isTrue(rotSnapshot(world, "c", "incoming"))
    assert.isFalse(restart(world, "c"))
    assert.strictEqual(world.tally.damageNoticed, 1)
    // and no other may be lost beside it
    assert.isFalse(rot(world, "b", 0))
  })
})

describe("a snapshot that is damaged", () => {
  it("on its way is asked for again", () => {
    const world = behind()
    let spoilt = false
    for (let round = 0; round < 40 && !spoilt; round++) {
      world.apply({ _tag: "Tick", node: "a" })
      spoilt = world.apply({ _tag: "Spoil", from: "a", to: "c", at: 0 })
      deliver(world)
      sync(world)
    }
    assert.isTrue(spoilt)
    goOn(world, 200)
    assert.strictEqual(world.tally.snapshotsRefused, 1)
    sync(world)
    assert.strictEqual(world.node("c").disk.log.base.index, 4)
  })

  it("where it is kept is thrown away when it comes to light, and comes anew", () => {
    const world = behind()
    goOn(world)
    kill(world, "c")
    assert.isTrue(rotSnapshot(world, "c", "incoming"))
    assert.isTrue(restart(world, "c"))
    goOn(world, 200)
    sync(world)
    assert.strictEqual(world.node("c").machine.digest, world.node("a").machine.digest)
  })

  it("at its sender is refused by who gets it, and the sender makes another copy", () => {
    const world = behind()
    for (let round = 0; round < 40 && world.node("a").copy === undefined; round++) {
      world.apply({ _tag: "Tick", node: "a" })
      deliver(world)
      sync(world)
    }
    assert.isTrue(rotSnapshot(world, "a", "outgoing"))
    goOn(world, 200)
    assert.strictEqual(world.tally.snapshotsRefused, 1)
    sync(world)
    assert.strictEqual(world.node("c").machine.digest, world.node("a").machine.digest)
  })
})

describe("a machine whose file is lost", () => {
  it("is built again from a log that has everything", () => {
    const world = group("a", "b", "c")
    elect(world, "a")
    kill(world, "a")
    assert.isTrue(world.apply({ _tag: "LoseMachine", node: "a", older: false }))
    assert.isTrue(restart(world, "a"))
    assert.strictEqual(world.node("a").machine.index, 0)
  })

  it.each([
    ["lost", false],
    ["one from before its last change", true]
  ])("or that is %s does not start where the log begins later", (_, older) => {
    const world = behind()
    kill(world, "a")
    assert.isTrue(world.apply({ _tag: "LoseMachine", node: "a", older }))
    assert.isFalse(restart(world, "a"))
    assert.strictEqual(world.tally.damageNoticed, 1)
  })
})
