/**
 * `npm test`: everything that CI checks, in order, stopping at the first step that fails. The last line says `N passed, N failed`:
 * tests and steps together. A skipped test counts as failed, since nobody would miss it otherwise.
 */
import { existsSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join, relative } from "node:path"
import { execPath } from "node:process"
import { checkDocs } from "./docs.mjs"
import { setUp, setUpSteps, typecheck } from "./setup.mjs"
import { root } from "./stamp.mjs"
import { explain, StepFailed, Steps, say } from "./terminal.mjs"

const biome = steps =>
  steps.run(
    "style",
    execPath,
    [join(root, "node_modules", "@biomejs", "biome", "bin", "biome"), "check", "--colors=off", "."],
    {
      cwd: root,
      advise: () => ["npm run format repairs most of this."]
    }
  )

/** What a report of vitest comes to. A file that failed before its tests could run counts as one failure. */
const tally = report => {
  const failures = []
  let passed = 0
  for (const file of report.testResults) {
    const broken = file.assertionResults.filter(test => test.status !== "passed")
    passed += file.assertionResults.length - broken.length
    for (const test of broken) failures.push(`${test.status}: ${relative(root, file.name)} > ${test.fullName}`)
    if (file.status === "failed" && broken.length === 0) failures.push(`failed to run: ${relative(root, file.name)}`)
  }
  return { passed, failures }
}

/** vitest writes to us and not to the terminal, so it has to be told whether colours are welcome. */
const colours = process.stdout.isTTY === true ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" }

/** The tests of some rooms, as one step. */
const vitest = async (steps, name, flags) => {
  const output = join(root, "node_modules", ".reckon", `${name.replaceAll(" ", "-")}.json`)
  rmSync(output, { force: true })
  const { code } = await steps.run(
    name,
    execPath,
    [
      join(root, "node_modules", "vitest", "vitest.mjs"),
      "run",
      ...flags,
      // One per core would leave none to vitest itself where there are two; but it has little to do, and the tests much.
      `--maxWorkers=${Math.min(availableParallelism(), 4)}`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile=${output}`
    ],
    { cwd: root, stream: true, mayFail: true, env: { ...process.env, ...colours } }
  )
  if (!existsSync(output)) return { passed: 0, failures: [`vitest ended without a report: ${code}`] }
  const { passed, failures } = tally(JSON.parse(readFileSync(output, "utf8")))
  if (passed + failures.length === 0) failures.push("vitest found no test")
  if (code !== 0 && failures.length === 0) failures.push(`vitest ended with ${code} although its tests passed`)
  return { passed, failures }
}

/** The rooms' files share their workers, as to load Effect anew for each takes a fifth of the time. Those that start processes get a worker each. */
const runs = [
  ["tests", ["--project=!node", "--no-isolate"]],
  ["tests of processes", ["--project=node"]]
]

const steps = new Steps(setUpSteps + 3 + runs.length)
const tests = { passed: 0, failures: [] }
let failed = 0
try {
  await setUp(steps)
  await typecheck(steps)
  await biome(steps)
  for (const [name, flags] of runs) {
    const { failures, passed } = await vitest(steps, name, flags)
    tests.passed += passed
    tests.failures.push(...failures)
    if (failures.length > 0) {
      throw new StepFailed(name, `${failures.length} of ${passed + failures.length} did not pass`, failures)
    }
    // The step itself is not counted beside its tests.
    steps.passed -= 1
  }
  await checkDocs(steps)
} catch (error) {
  explain(error)
  failed = Math.max(1, tests.failures.length)
}
say(`${steps.passed + tests.passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
