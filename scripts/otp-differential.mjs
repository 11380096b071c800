#!/usr/bin/env node
/**
 * Plays random histories of supervisors, servers and processes here and in Erlang, and tells the shortest one in which the two differ.
 *
 *   node scripts/otp-differential.mjs [--runs N] [--seed N]
 *
 * Erlang (erl and erlc) has to be on the PATH. Without a seed it takes a fresh one, and says which.
 */
import { spawnSync } from "node:child_process"
import { randomInt } from "node:crypto"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const { values } = parseArgs({
  options: { runs: { type: "string", default: "2000" }, seed: { type: "string", default: String(randomInt(2 ** 31)) } }
})
if (spawnSync("erlc", ["--help"], { stdio: "ignore" }).error !== undefined) {
  process.stderr.write("there is no Erlang on the PATH: nothing to compare with\n")
  process.exit(1)
}
process.stdout.write(`${values.runs} histories of each kind, seed ${values.seed}\n`)
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, "run", "--project", "otp", "packages/otp/test/Differential.test.ts"],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, RECKON_OTP_RUNS: values.runs, RECKON_OTP_SEED: values.seed }
  }
)
process.exit(status ?? 1)
