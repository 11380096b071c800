import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const script = fileURLToPath(new URL("../../../scripts/sim.mjs", import.meta.url))

describe("pnpm sim", () => {
  it.each([
    ["says nothing of what to run", []],
    ["asks for one seed and for many", ["--seed", "1", "--seeds", "2"]],
    ["asks for no seeds", ["--seeds", "0"]],
    ["has no number", ["--seed", "x"]],
    ["has half a number", ["--seeds", "1.5"]],
    ["begins one seed somewhere else", ["--seed", "1", "--from", "2"]],
    ["traces many", ["--seeds", "2", "--trace"]],
    ["has an option that there is not", ["--sed", "1"]]
  ])("is told how it is used, with exit code 2, where it %s", (_, args) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })
    assert.strictEqual(status, 2)
    assert.include(stderr, "usage: pnpm sim --seeds N")
    assert.strictEqual(stdout, "")
  })
})
