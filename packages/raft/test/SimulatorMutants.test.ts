import { assert, describe, it } from "@effect/vitest"
import { RaftCore, Simulator } from "@reckon/raft"
import { membershipMutants } from "./core/membershipMutants.js"
import { mutants } from "./core/mutants.js"
import { snapshotMutants, snapshotRuleMutants } from "./core/snapshotMutants.js"
import { breathe } from "./helpers/breathe.js"

/** Where the meeting of troubles that shows a fault is too rare to be left to the draw. */
const settings: Readonly<Record<string, Omit<Simulator.RunOptions, "seed">>> = {
  "forgets its vote when it steps down in a term (§4.1)": {
    nodes: 5,
    faults: { haste: true, reorder: 0.7, crash: true, membership: false }
  },
  "refuses its vote where its own configuration gives it none (§4.4)": {
    nodes: 1,
    faults: { membership: true, crash: true }
  },
  "lets a completion from before a snapshot vouch for what the snapshot replaced (§4.3)": {
    faults: { compaction: true, stall: true }
  }
}

/** From which seed on to look, where the first that shows the fault is far: it would be found from the beginning too, with more patience. */
const from = new Map([
  ["refuses votes to members it has not heard of (§4.4)", 60],
  ["asks for no election any more once its removal is appended (§4.4)", 180],
  ["takes any answer for a confirmation of the newest read (§4.5)", 380]
])

const seedsMax = 400

const settingOf = (name: string): Omit<Simulator.RunOptions, "seed"> | undefined =>
  settings[name] ?? (name in snapshotMutants ? { faults: { compaction: true } } : undefined)

describe("Simulator catches a core that", () => {
  it.each(Object.entries({ ...mutants, ...membershipMutants, ...snapshotMutants }))(
    "%s",
    { timeout: 120_000 },
    async (name, step) => {
      const first = from.get(name) ?? 1
      for (let seed = first; seed < first + seedsMax; seed++) {
        const { violations } = Simulator.run({ ...settingOf(name), seed, step, shrink: false })
        await breathe()
        if (violations.length > 0) return
      }
      assert.fail(`${seedsMax} seeds saw nothing`)
    }
  )

  it.each(Object.entries(snapshotRuleMutants))("%s", { timeout: 120_000 }, async (_, options) => {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { violations } = Simulator.run({ ...options, seed, shrink: false })
      await breathe()
      if (violations.length > 0) return
    }
    assert.fail(`${seedsMax} seeds saw nothing`)
  })

  it("never asks for an election, in the healing", () => {
    const step: typeof RaftCore.step = (state, input, log) =>
      (input._tag === "Tick" && state.role === "follower") || input._tag === "Campaign"
        ? { state, outputs: [] }
        : RaftCore.step(state, input, log)
    const report = Simulator.run({ seed: 1, step, steps: 100, shrink: false })
    assert.strictEqual(report.violations[0]?.invariant, "a healed group converges")
  })
})
