/**
 * What an embedded store acknowledged outlasts a loss of power: for two lives, with another seed each time. `scripts/power-loss.mjs` does it for as many as one likes. Without a C compiler
 * it says that it tried nothing, and passes.
 */
import { spawnSync } from "node:child_process"
import * as process from "node:process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const script = fileURLToPath(new URL("../../../../scripts/power-loss.mjs", import.meta.url))

describe("a store that loses its power", () => {
  it("has all that it acknowledged, whole and in its place", { timeout: 300_000 }, () => {
    const args = [script, "--lives", "2", "--losses", "16", "--appends", "3000"]
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
    process.stdout.write(stdout)
    if (stderr.includes("nothing to record with")) {
      process.stdout.write(`power loss: not tried, ${stderr}`)
      return
    }
    assert.strictEqual(status, 0, stderr)
    // One by the writer, and one by the thread that copied its WAL.
    assert.match(stdout, /life 2: .* [2-9] openings of a store's file\n.*\nall held\n$/)
  })
})
