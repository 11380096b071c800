import { assert, describe, it } from "@effect/vitest"
import { RaftCore, Simulator } from "@reckon/raft"
import { mutants, type StepFunction } from "./core/mutants.js"
import { breathe } from "./helpers/breathe.js"

const linearizable = "histories are linearizable"

const sum = (reports: ReadonlyArray<Simulator.Report>, of: (report: Simulator.Report) => number): number =>
  reports.reduce((total, report) => total + of(report), 0)

/** A leader that answers as soon as an entry is in its own log. */
const acknowledgesEarly: StepFunction = (state, input, log) => {
  const next = RaftCore.step(state, input, log)
  if (next.state.role !== "leader") return next
  return { ...next, outputs: [...next.outputs, { _tag: "Commit", index: next.state.lastIndex }] }
}

const { apply } = Simulator.streams

const forgetsRequests = Simulator.workload({
  ...Simulator.streams,
  apply: (state, input) => apply({ ...state, sessions: {} }, input)
})

const losesEvents = Simulator.workload({
  ...Simulator.streams,
  apply: (state, input) => {
    const [next, output] = apply(state, input)
    return input.call % 5 === 0 ? [{ ...next, streams: state.streams }, output] : [next, output]
  }
})

describe("the histories of the simulated clients", () => {
  it("have calls, answers and operations without end, and are nearly always decided", async () => {
    const reports: Array<Simulator.Report> = []
    for (let seed = 300; seed < 340; seed++) {
      const report = Simulator.run({ seed })
      if (report.violations.length > 0) assert.fail(Simulator.render(report))
      reports.push(report)
      await breathe()
    }
    assert.isAbove(
      sum(reports, ({ historyEvents }) => historyEvents),
      3_000
    )
    // each run has three keys; one in a hundred may be too hard
    assert.isAtMost(
      sum(reports, ({ undecided }) => undecided),
      (reports.length * 3) / 100
    )
  })

  it("are what the limit on steps leaves undecided, and not called broken", () => {
    const impatient = { ...Simulator.workload(Simulator.streams), judge: () => undecided }
    const undecided = { _tag: "Undecided", keys: ["a", "b"], explanation: "", steps: 0 } as const
    const report = Simulator.run({ seed: 1, workload: impatient, steps: 200 })
    assert.strictEqual(report.undecided, 2)
    assert.deepStrictEqual(report.violations, [])
  })

  it("come through the leader and through followers, which ask the leader for the index", () => {
    const lines: Array<string> = []
    Simulator.run({ seed: 1, trace: line => lines.push(line) })
    assert.isTrue(lines.some(line => /^Call .* => n\d ReadIndex .*\| leader/.test(line)))
    assert.isTrue(lines.some(line => /^Deliver .* => n\d ReadIndex .*\| leader/.test(line)))
    assert.isTrue(lines.some(line => /^Retry .* => n\d Propose/.test(line)))
  })

  it("accuse no sound core, whatever else is switched off", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      await breathe()
      const report = Simulator.run({ seed, historiesOnly: true })
      if (report.violations.length > 0) assert.fail(Simulator.render(report))
    }
  })

  const faults = { partition: true, pause: true }
  const accused: Readonly<Record<string, Omit<Simulator.RunOptions, "seed">>> = {
    "a leader that reads without asking whether it still leads": {
      step: mutants["serves reads without asking whether it still leads (§4.5)"],
      faults: { ...faults, lease: false }
    },
    "a leader that acknowledges before it has committed": { step: acknowledgesEarly, faults },
    "a machine that applies a request twice when it comes twice": { workload: forgetsRequests },
    "a machine that answers what it has not done": { workload: losesEvents }
  }

  it.each(Object.entries(accused))("alone tell of %s", { timeout: 120_000 }, async (_, options) => {
    for (let seed = 1; seed <= 200; seed++) {
      await breathe()
      const { violations } = Simulator.run({ ...options, seed, historiesOnly: true, shrink: false })
      const [violation] = violations
      if (violation === undefined) continue
      assert.strictEqual(violation.invariant, linearizable)
      assert.include(violation.detail, "no order explains")
      return
    }
    assert.fail("200 seeds saw nothing")
  })

  it("are shortened with the events that made them", { timeout: 120_000 }, () => {
    const report = Simulator.run({ seed: 1, workload: losesEvents, steps: 2_000 })
    const [violation] = report.violations
    assert.strictEqual(violation?.invariant, linearizable)
    assert.isBelow(violation?.history.length ?? 0, 200)
    assert.isTrue(violation?.history.some(line => line.startsWith("Call ")))
  })
})
