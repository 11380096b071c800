#!/usr/bin/env node
/**
 * Breaks the Raft core, and the rules about snapshots' bytes, in every way that a test knows, one at a time, and shows who notices: the simulator, and the
 * scripts and tests that take their core from `packages/raft/test/scripts/subject.ts`.
 *
 *   node scripts/sim-mutants.mjs [--seeds 60] [--only WORDS] [--without-tests]
 *
 * The simulator runs on the built package, the tests on the sources. Exit code 0: each was caught; 1: one survived;
 * 2: wrong usage or nothing built.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { startVitest } from "vitest/node"

const usage = "usage: node scripts/sim-mutants.mjs [--seeds N] [--only WORDS] [--without-tests]"

const root = fileURLToPath(new URL("..", import.meta.url))

const fail = message => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const readOptions = () => {
  const text = { type: "string" }
  try {
    return parseArgs({ options: { seeds: text, only: text, "without-tests": { type: "boolean" } } }).values
  } catch (cause) {
    return fail(`${cause.message}\n${usage}`)
  }
}

const values = readOptions()
const seeds = Number(values.seeds ?? 60)
if (!Number.isSafeInteger(seeds) || seeds < 1) fail(usage)

const built = path =>
  import(new URL(`../packages/raft/${path}`, import.meta.url).href).catch(cause =>
    fail(`${cause.message}\nnothing built, or not of late: run \`npx tsc -b packages/raft/test\` first`)
  )

const Simulator = await built("dist/Simulator.js")
const { allMutants } = await built("build/test/scripts/subject.js")
const { snapshotMutants, snapshotRuleMutants } = await built("build/test/core/snapshotMutants.js")

/** Where the meeting of troubles that shows a fault is too rare to be left to the draw. */
const settings = {
  ...snapshotRuleMutants,
  ...Object.fromEntries(Object.keys(snapshotMutants).map(name => [name, { faults: { compaction: true } }])),
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
  },
  "is elected by half of an even group (§4.1)": { nodes: 4 }
}

/** The first seed that shows the fault, and the promise it breaks. */
const simulate = name => {
  for (let seed = 1; seed <= seeds; seed++) {
    const run = { step: allMutants[name], ...settings[name], seed, shrink: false }
    const [violation] = Simulator.run(run).violations
    if (violation !== undefined) return { seed, invariant: violation.invariant }
  }
  return undefined
}

/** Per mutant the names of the tests that notice it. */
const test = async () => {
  const scratch = mkdtempSync(join(tmpdir(), "raft-mutants-"))
  const report = join(scratch, "report.jsonl")
  const raft = join(root, "packages/raft")
  writeFileSync(report, "")
  try {
    const vitest = await startVitest(
      "test",
      ["Scripts", "PaperTests", "InputByRole"].map(name => `test/${name}`),
      {
        config: false,
        root: raft,
        include: ["test/**/*.test.ts"],
        watch: false,
        reporters: ["default"],
        silent: true,
        // the runner and the tests must see one and the same subject
        isolate: false,
        runner: join(raft, "test/scripts/runner.ts"),
        env: { RECKON_RAFT_MUTANTS: report },
        testTimeout: 60_000
      },
      {
        resolve: {
          alias: [
            { find: /^@reckon\/([^/]+)$/, replacement: `${root}packages/$1/src/index.ts` },
            { find: /^@reckon\/([^/]+)\/(.+)$/, replacement: `${root}packages/$1/src/$2.ts` }
          ]
        }
      }
    )
    const count = vitest.state.getCountOfFailedTests()
    await vitest.close()
    if (count > 0) fail("the tests did not run")
    const noticed = new Map()
    for (const line of readFileSync(report, "utf8").split("\n")) {
      if (line === "") continue
      const { mutant, test } = JSON.parse(line)
      noticed.set(mutant, [...(noticed.get(mutant) ?? []), test])
    }
    return noticed
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const short = title => (title.length > 60 ? `${title.slice(0, 57)}…` : title)

const noticed = values["without-tests"] ? new Map() : await test()
const survivors = []
const names = Object.keys({ ...allMutants, ...snapshotRuleMutants }).filter(
  name => values.only === undefined || name.includes(values.only)
)
for (const name of names) {
  const seen = simulate(name)
  const tests = noticed.get(name) ?? []
  if (seen === undefined && tests.length === 0) survivors.push(name)
  const bySimulator = seen === undefined ? `not in ${seeds} seeds` : `seed ${seen.seed}, ${seen.invariant}`
  const byTests = tests.length === 0 ? "no test" : `${tests.length} tests: ${tests.slice(0, 2).map(short).join("; ")}`
  process.stdout.write(`${name} | ${bySimulator} | ${byTests}\n`)
}
process.stdout.write(`${names.length} mutants, ${survivors.length} survived\n`)
for (const name of survivors) process.stdout.write(`  ${name}\n`)
process.exit(survivors.length === 0 && names.length > 0 ? 0 : 1)
