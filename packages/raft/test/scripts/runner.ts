import { appendFileSync } from "node:fs"
import process from "node:process"
import { RaftCore } from "@reckon/raft"
import type { RunnerTestCase } from "vitest"
import { VitestTestRunner } from "vitest/runners"
import { getFn } from "vitest/suite"
import { allMutants, use } from "./subject.js"

/**
 * Runs each test once with every mutant in the place of the core, and notes which of them it notices: a line of JSON for
 * each, at the end of the file that `RECKON_RAFT_MUTANTS` names. The tests themselves all pass.
 */
export default class MutantRunner extends VitestTestRunner {
  async runTask(test: RunnerTestCase): Promise<void> {
    const report = process.env.RECKON_RAFT_MUTANTS
    if (report === undefined) throw new Error("RECKON_RAFT_MUTANTS names no file")
    const run = getFn(test)
    for (const [mutant, step] of Object.entries(allMutants)) {
      use(step)
      try {
        await run()
      } catch {
        appendFileSync(report, `${JSON.stringify({ mutant, test: test.name })}\n`)
      }
    }
    use(RaftCore.step)
  }
}
