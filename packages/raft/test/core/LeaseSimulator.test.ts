import { assert, describe, it } from "@effect/vitest"
import { RaftCore, Simulator } from "@reckon/raft"
import { World } from "../../src/internal/sim/world.js"
import { rules } from "../../src/internal/snapshot/rules.js"
import { leaseMutants, rareLeaseMutants } from "./leaseMutants.js"
import type { StepFunction } from "./mutants.js"

const voters = ["n1", "n2", "n3"]
const options = { ...RaftCore.defaults, leaseTicks: 7 }

/** A group of three whose history is told event by event; whatever is not let through does not arrive. */
class Group {
  readonly world: World
  leader = ""

  constructor(step: StepFunction) {
    const workload = Simulator.workload(Simulator.streams)
    this.world = new World({ seed: 1, voters, spares: [], options, workload, checksums: true, rules }, step, false)
    while (this.leader === "") this.ticks(1).among(...voters)
    // a round that all have answered: the leader holds a lease
    this.ticks(1).among(...voters)
  }

  ticks(count: number, members: ReadonlyArray<string> = voters): this {
    for (let tick = 0; tick < count; tick++) {
      const at = this.world.time + 1
      for (const node of members) this.world.apply({ _tag: "Tick", node, at })
    }
    return this
  }

  deliver(from: string, to: string, tag?: string): boolean {
    const link = this.world.links.find(each => each.from.id === from && each.to.id === to)
    const at = link?.messages.findIndex(({ _tag }) => tag === undefined || _tag === tag) ?? -1
    return at >= 0 && this.world.apply({ _tag: "Deliver", from, to, at })
  }

  sync(node: string): boolean {
    return this.world.apply({ _tag: "Sync", node, writes: this.world.node(node).writes.length })
  }

  /** All that these say to each other arrives, and all they write is written, until they fall silent. */
  among(...members: ReadonlyArray<string>): this {
    const links = members.flatMap(from => members.filter(to => to !== from).map(to => [from, to] as const))
    for (let happened = true; happened; ) {
      const delivered = links.map(([from, to]) => this.deliver(from, to))
      const written = members.map(node => this.sync(node))
      happened = [...delivered, ...written].includes(true)
    }
    this.leader = this.world.nodes.findLast(({ core }) => core.role === "leader")?.id ?? ""
    return this
  }

  /** The others are of one mind without the leader of before: what they acknowledge now, no read may miss. */
  moveOn(old: string): void {
    const others = voters.filter(voter => voter !== old)
    this.among(...others)
    const next = others.find(id => this.world.node(id).core.role === "leader")
    if (next === undefined) return
    const { acknowledged } = this.world.checker
    this.world.apply({ _tag: "Propose", node: next, count: 1, bytes: 10 })
    this.among(...others)
    assert.strictEqual(this.world.checker.acknowledged, acknowledged + 1)
  }

  read(node: string): this {
    this.world.apply({ _tag: "Read", node })
    return this
  }
}

const begin = (step: StepFunction) => {
  const group = new Group(step)
  const [one = "", other = ""] = voters.filter(voter => voter !== group.leader)
  const { readsServed } = group.world.tally
  group.read(group.leader)
  assert.strictEqual(group.world.tally.readsServed, readsServed + 1, "the leader has a lease")
  return { group, old: group.leader, one, other }
}

const histories: Readonly<Record<keyof typeof rareLeaseMutants, readonly [string, (step: StepFunction) => void]>> = {
  keepsInTransfer: [
    "a read at a leader that hands over and does not hear that it has",
    step => {
      const { group, old, one } = begin(step)
      group.world.apply({ _tag: "Transfer", node: old, target: one })
      group.deliver(old, one, "TimeoutNow")
      group.moveOn(old)
      group.read(old)
    }
  ],
  resumesAfterTransfer: [
    "a read at a leader that has given its transfer up, when the word of it arrives after all",
    step => {
      const { group, old, one, other } = begin(step)
      group.world.apply({ _tag: "Transfer", node: old, target: one })
      for (let tick = 0; tick < 15; tick++) group.ticks(1, [old, other]).among(old, other)
      assert.isUndefined(group.world.node(old).core.transfer)
      assert.isTrue(group.deliver(old, one, "TimeoutNow"))
      group.moveOn(old)
      group.read(old)
    }
  ],
  forgetsAtStart: [
    "a read at a leader whose voter has started anew, while another voter does not hear it",
    step => {
      const { group, old, one, other } = begin(step)
      for (let tick = 0; tick < 15; tick++) group.ticks(1).among(old, one)
      group.world.apply({ _tag: "Crash", node: one, writes: 0, torn: -1, forgotten: 0 })
      group.world.apply({ _tag: "Restart", node: one })
      group.world.apply({ _tag: "Campaign", node: other })
      group.moveOn(old)
      group.read(old)
    }
  ],
  campaignsWhenTold: [
    "a read at a leader whose voter is told to campaign, while another voter does not hear it",
    step => {
      const { group, old, one } = begin(step)
      for (let tick = 0; tick < 15; tick++) group.ticks(1).among(old, one)
      group.world.apply({ _tag: "Campaign", node: one })
      group.moveOn(old)
      group.read(old)
    }
  ]
}

describe("Simulator, reads by lease", () => {
  it("every promise holds in a fixed set of seeds", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const report = Simulator.run({ seed, faults: { lease: true } })
      if (report.violations.length > 0) assert.fail(Simulator.render(report))
    }
  })

  it.each(Object.entries(leaseMutants))(
    "catches a core that %s",
    { timeout: 120_000 },
    (_, { faults, nodes, step }) => {
      for (let seed = 1; seed <= 400; seed++) {
        const { violations } = Simulator.run({ seed, nodes, step, faults: { ...faults, lease: true }, shrink: false })
        if (violations[0]?.invariant === "reads are linearizable") return
      }
      assert.fail("400 seeds saw nothing")
    }
  )

  it.each(Object.entries(histories))("%s: %s", (mutant, [, history]) => {
    history(RaftCore.step)
    const broken = Object.entries(rareLeaseMutants).find(([name]) => name === mutant)?.[1]
    assert(broken !== undefined)
    assert.throws(() => history(broken), "reads are linearizable")
  })
})
