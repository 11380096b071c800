#!/usr/bin/env node
/**
 * Holds the traces of a Raft group's members against the specification, on the built package.
 *
 *   node scripts/trace-check.mjs FILE...
 *
 * One file for each member, such as `n1/stores/default/raft.trace`; what was set aside beside it is read first. See docs/raft.md. Exit code 0: every line is one of
 * Raft; 1: one is not, and it is shown; 2: wrong usage, a file that cannot be read, or nothing built.
 */
import process from "node:process"
import { Effect, Either } from "effect"

const fail = message => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const filenames = process.argv.slice(2)
if (filenames.length === 0 || filenames.some(name => name.startsWith("-"))) {
  fail("usage: node scripts/trace-check.mjs FILE...")
}

const TraceFile = await import("../packages/raft/dist/TraceFile.js").catch(cause =>
  fail(`nothing to run, build it with \`pnpm build\` first (${cause.message})`)
)

const verdict = Effect.runSync(Effect.either(TraceFile.check(filenames)))
if (Either.isLeft(verdict)) fail(verdict.left.message)
const { lines, refusal } = verdict.right
if (refusal === undefined) {
  process.stdout.write(`${lines} lines, all of them of Raft\n`)
  process.exit(0)
}
const { detail, filename, line, number, rule } = refusal
process.stdout.write(`${filename}:${number}: ${rule}: ${detail}\n${line}\n`)
process.exit(1)
