#!/usr/bin/env node
/**
 * Hunts through seeds of the Raft simulator, on the built package.
 *
 *   node scripts/sim.mjs --seeds 10000 [--from 1] [--steps 3000] [--nodes 3|5]
 *   node scripts/sim.mjs --seed 4711   [--steps 3000] [--nodes 3|5]
 *
 * A seed that fails prints its configuration and a shortened history, and is replayed by `--seed` with the same
 * `--steps` and `--nodes`. Exit code 0: all held; 1: some did not; 2: wrong usage or nothing built.
 */
import process from "node:process"
import { parseArgs } from "node:util"

const usage = "usage: node scripts/sim.mjs --seeds N | --seed S [--from S] [--steps N] [--nodes N]"

const fail = message => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const readOptions = () => {
  const option = { type: "string" }
  try {
    return parseArgs({ options: { seeds: option, seed: option, from: option, steps: option, nodes: option } }).values
  } catch (cause) {
    return fail(`${cause.message}\n${usage}`)
  }
}

const values = readOptions()

const number = name => {
  if (values[name] === undefined) return undefined
  const value = Number(values[name])
  return Number.isSafeInteger(value) && value >= 0 ? value : fail(`--${name} wants a whole number\n${usage}`)
}

const first = number("seed") ?? number("from") ?? 1
const count = values.seed === undefined ? number("seeds") : 1
if (count === undefined) fail(usage)
const steps = number("steps")
const nodes = number("nodes")

const Simulator = await import("../packages/raft/dist/Simulator.js").catch(() =>
  fail("nothing built: run `npx tsc -b packages/raft` first")
)

let broken = 0
let events = 0
const began = process.hrtime.bigint()
for (let seed = first; seed < first + count; seed++) {
  const report = Simulator.run({ seed, steps, nodes })
  events += report.events
  if (report.violations.length > 0) broken += 1
  if (report.violations.length > 0 || count === 1) process.stdout.write(`${Simulator.render(report)}\n`)
  if ((seed - first + 1) % 1000 === 0) process.stderr.write(`${seed - first + 1} of ${count} seeds\n`)
}
const seconds = Number(process.hrtime.bigint() - began) / 1e9
process.stdout.write(`${count} seeds, ${events} events, ${broken} broken, ${seconds.toFixed(1)} s\n`)
process.exit(broken === 0 ? 0 : 1)
