#!/usr/bin/env node
/**
 * Runs the text scripts of the Raft core, or writes into them what the core says now.
 *
 *   node scripts/raft-scripts.mjs [--rewrite]
 *
 * What `--rewrite` writes is not right because it was written: read the difference before it is committed.
 */
import { spawnSync } from "node:child_process"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const { values } = parseArgs({ options: { rewrite: { type: "boolean", default: false } } })
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, "run", "--project", "raft", "packages/raft/test/Scripts.test.ts"],
  { cwd: root, stdio: "inherit", env: { ...process.env, ...(values.rewrite ? { RECKON_REWRITE: "1" } : {}) } }
)
process.exit(status ?? 1)
