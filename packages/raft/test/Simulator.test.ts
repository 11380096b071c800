import { randomInt } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { RaftCore, Simulator } from "@reckon/raft"
import { breathe } from "./helpers/breathe.js"

const hold = (report: Simulator.Report): void => {
  if (report.violations.length > 0) assert.fail(Simulator.render(report))
}

const freshCount = 500

/** Another place in every run of the tests, unless one is named: the name of the test shows it. */
const firstSeed = Number(process.env.RECKON_SIM_SEED ?? randomInt(2 ** 31))

describe("Simulator", () => {
  describe("every promise holds", () => {
    it("in a fixed set of seeds", async () => {
      for (let seed = 1; seed <= 40; seed++) {
        hold(Simulator.run({ seed }))
        await breathe()
      }
    })

    it(`in ${freshCount} fresh seeds, from RECKON_SIM_SEED=${firstSeed} on`, { timeout: 180_000 }, async () => {
      for (let seed = firstSeed; seed < firstSeed + freshCount; seed++) {
        hold(Simulator.run({ seed }))
        await breathe()
      }
    })

    it.each([1, 2, 4])("in a group of %i", nodes => {
      for (let seed = 1; seed <= 5; seed++) hold(Simulator.run({ seed, nodes, steps: 2_000 }))
    })
  })

  it("has the troubles it is told to have, and draws the others", () => {
    const faults = { crash: true, membership: true, transfer: false }
    const reports = Array.from({ length: 10 }, (_, seed) => Simulator.run({ seed, steps: 200, faults }))
    for (const report of reports) assert.deepInclude(report.faults, faults)
    assert.isAbove(new Set(reports.map(report => report.faults.loss)).size, 1)
  })

  it("repeats a run to the last number", () => {
    assert.deepStrictEqual(Simulator.run({ seed: 4711 }), Simulator.run({ seed: 4711 }))
  })

  it("meets what it is there to meet", () => {
    const reports = Array.from({ length: 30 }, (_, at) => Simulator.run({ seed: 100 + at, steps: 2_000 }))
    const sum = (of: (report: Simulator.Report) => number): number =>
      reports.reduce((total, report) => total + of(report), 0)
    assert.isAbove(
      sum(report => report.crashes),
      20
    )
    assert.isAbove(
      sum(report => report.elections),
      30
    )
    assert.isAbove(
      sum(report => report.acknowledged),
      500
    )
    assert.isAbove(
      sum(report => report.readsServed),
      200
    )
    assert.deepStrictEqual([...new Set(reports.map(report => report.nodes))].sort(), [2, 3, 5])
    assert.isAbove(
      sum(report => report.changesCommitted),
      20
    )
    assert.isAbove(
      sum(report => report.transfers),
      20
    )
    assert.isAbove(
      sum(report => report.snapshotsInstalled),
      40
    )
  })

  it("shortens the history of a violation, and prints what it takes to see it again", () => {
    const step: typeof RaftCore.step = (state, input, log) => {
      const next = RaftCore.step(state, input, log)
      if (next.state.role !== "leader" || next.state.lastIndex === next.state.commitIndex) return next
      const commitIndex = next.state.lastIndex
      return { ...next, state: { ...next.state, commitIndex } }
    }
    const report = Simulator.run({ seed: 1, step })
    const [violation] = report.violations
    assert.strictEqual(violation?.invariant, "committed is durable on a majority")
    assert.isBelow(violation?.history.length ?? 0, 60)
    const text = Simulator.render(report)
    for (const part of ["seed 1", "electionTicks", "loss", "1. "]) assert.include(text, part)
  })
})
