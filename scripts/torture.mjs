#!/usr/bin/env node
/**
 * Real nodes under faults, on the built packages: no acknowledged write may be lost or doubled.
 *
 *   node scripts/torture.mjs --minutes 30 [--seed N] [--nodes 3] [--clients 4] [--folder DIR] [--keep]
 *   node scripts/torture.mjs --check DIR
 *
 * Without `--seed` one is chosen; it is printed first. `--check` judges the history in a folder once more. The folder must be new or empty, and is removed if
 * all held, unless `--keep` says otherwise. Exit code 0: all held; 1: something did not; 2: wrong usage or nothing built; 130: interrupted.
 *
 * The full disk is a file system in memory where mounting is permitted (root, on Linux), else a limit on the sizes of files.
 */
import { randomInt } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

const usage =
  "usage: node scripts/torture.mjs --minutes M [--seed N] [--nodes 3|4|5] [--clients N] [--folder DIR] [--keep] | --check DIR"

const fail = message => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const readOptions = () => {
  const string = { type: "string" }
  const options = { minutes: string, seed: string, nodes: string, clients: string, folder: string, check: string }
  try {
    return parseArgs({ options: { ...options, keep: { type: "boolean", default: false } } }).values
  } catch (cause) {
    return fail(`${cause.message}\n${usage}`)
  }
}

const values = readOptions()

const number = (name, least, most) => {
  if (values[name] === undefined) return undefined
  const value = Number(values[name])
  return value >= least && value <= most ? value : fail(`--${name} is a number from ${least} to ${most}\n${usage}`)
}

const minutes = number("minutes", 0.1, 24 * 60)
if (minutes === undefined && values.check === undefined) fail(usage)
const seed = number("seed", 0, 2 ** 31) ?? randomInt(2 ** 31)
const nodes = number("nodes", 3, 5)
const clients = number("clients", 1, 64)

if (values.folder !== undefined && existsSync(values.folder) && readdirSync(values.folder).length > 0) {
  fail(`--folder: ${values.folder} is not empty\n${usage}`)
}

const Torture = await import("../packages/testkit/dist/Torture.js").catch(() =>
  fail("nothing built: run `npx tsc -b apps/node packages/testkit` first")
)

/** Ctrl-C ends the nodes and unmounts the small disk before it ends this. The history up to then can be judged. */
const run = async effect => {
  const fiber = Effect.runFork(effect)
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => Effect.runFork(Fiber.interrupt(fiber)))
  const exit = await Effect.runPromise(Fiber.await(fiber))
  if (Exit.isSuccess(exit)) return exit.value
  const why = Cause.isInterruptedOnly(exit.cause) ? "interrupted" : Cause.pretty(exit.cause)
  process.stderr.write(`${why}; what there is lies in ${folder}, see --check\n`)
  return process.exit(Cause.isInterruptedOnly(exit.cause) ? 130 : 1)
}

const judged = folder => run(Torture.judge(folder))

const tortured = folder => {
  process.stderr.write(`seed ${seed}, ${minutes} min, in ${folder}\n`)
  return run(
    Torture.run({
      program: fileURLToPath(new URL("../apps/node/bin/reckon.js", import.meta.url)),
      folder,
      seed,
      durationMillis: minutes * 60_000,
      nodes,
      clients,
      onProgress: line => process.stderr.write(`${line}\n`)
    })
  )
}

const folder = values.check ?? values.folder ?? mkdtempSync(join(tmpdir(), "reckon-torture-"))
const report = await (values.check === undefined ? tortured(folder) : judged(folder))
const holds = report.violations.length === 0
process.stdout.write(`${Torture.render(report)}\n`)
if (holds && values.check === undefined && !values.keep) rmSync(folder, { recursive: true, force: true })
else process.stdout.write(`history, data and logs: ${folder}\n`)
process.exit(holds ? 0 : 1)
