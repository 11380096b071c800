#!/usr/bin/env node
/**
 * Hunts through seeds of the Raft simulator, on the built package.
 *
 *   pnpm sim --seeds 10000 [--from 1] [--steps 3000] [--nodes 3]
 *   pnpm sim --seed 4711 [--trace] [--steps 3000] [--nodes 3]
 *
 * `--seeds` begins at a fresh place if `--from` does not name one, and tells where. A seed that fails prints its configuration and a
 * shortened history; `--seed`, with the same `--steps` and `--nodes`, replays it exactly, and with `--trace` every event of it, one a
 * line: the same text each time. Progress goes to stderr. Exit code 0: all held; 1: some did not; 2: wrong usage, or nothing built.
 */
import { randomInt } from "node:crypto"
import process from "node:process"
import { parseArgs } from "node:util"

const usage = `usage: pnpm sim --seeds N [--from S] [--steps N] [--nodes N]
       pnpm sim --seed S [--trace] [--steps N] [--nodes N]`

const progressSeconds = 5

const fail = message => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const readArguments = () => {
  const number = { type: "string" }
  try {
    return parseArgs({
      options: { seeds: number, seed: number, from: number, steps: number, nodes: number, trace: { type: "boolean" } }
    }).values
  } catch (cause) {
    return fail(`${cause.message}\n${usage}`)
  }
}

const values = readArguments()

const numberOf = (name, least) => {
  const text = values[name]
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) && value >= least
    ? value
    : fail(`--${name} wants a whole number, ${least} at least\n${usage}`)
}

const seed = numberOf("seed", 0)
const seeds = numberOf("seeds", 1)
const from = numberOf("from", 0)
const steps = numberOf("steps", 1)
const nodes = numberOf("nodes", 1)
if ((seed === undefined) === (seeds === undefined)) fail(`say either --seed or --seeds\n${usage}`)
if (seed !== undefined && from !== undefined) fail(`--from goes with --seeds\n${usage}`)
if (seed === undefined && values.trace) fail(`--trace goes with --seed\n${usage}`)

const Simulator = await import("../packages/raft/dist/Simulator.js").catch(cause =>
  fail(`nothing to run, build it with \`pnpm build\` first (${cause.message})`)
)

const first = seed ?? from ?? randomInt(2 ** 31)
const count = seeds ?? 1
const trace = values.trace ? line => process.stdout.write(`${line}\n`) : undefined
const same = [steps && ` --steps ${steps}`, nodes && ` --nodes ${nodes}`].filter(Boolean).join("")

const began = process.hrtime.bigint()
const secondsSince = moment => Number(process.hrtime.bigint() - moment) / 1e9
let told = began
const total = { broken: 0, events: 0, ticks: 0, undecided: 0 }

if (seed === undefined) process.stderr.write(`${count} seeds from ${first} on\n`)
for (let at = first; at < first + count; at++) {
  const report = Simulator.run({ seed: at, steps, nodes, trace })
  total.events += report.events
  total.ticks += report.ticks
  total.undecided += report.undecided
  const isBroken = report.violations.length > 0
  if (isBroken) total.broken += 1
  if (isBroken || seed !== undefined) process.stdout.write(`${Simulator.render(report)}\n`)
  if (isBroken) process.stdout.write(`replay it with: pnpm sim --seed ${at}${same}\n`)
  if (secondsSince(told) >= progressSeconds) {
    told = process.hrtime.bigint()
    process.stderr.write(`${at - first + 1} of ${count} seeds, ${total.broken} broken\n`)
  }
}
if (seed === undefined) {
  process.stdout.write(
    `${count} seeds from ${first} on: ${total.events} events, ${total.ticks} ticks of simulated time, ` +
      `${total.broken} broken, ${total.undecided} keys undecided, ${secondsSince(began).toFixed(1)} s\n`
  )
}
process.exit(total.broken === 0 ? 0 : 1)
