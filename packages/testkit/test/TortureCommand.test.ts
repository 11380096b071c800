import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const script = fileURLToPath(new URL("../../../scripts/torture.mjs", import.meta.url))

const run = (...args: ReadonlyArray<string>) => spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })

describe("scripts/torture.mjs", () => {
  it.each([
    ["does not say for how long", []],
    ["has no number", ["--minutes", "x"]],
    ["has too many nodes", ["--minutes", "1", "--nodes", "6"]],
    ["has an option that there is not", ["--minuets", "1"]]
  ])("is told how it is used, with exit code 2, where it %s", (_, args) => {
    const { status, stderr, stdout } = run(...args)
    assert.strictEqual(status, 2)
    assert.include(stderr, "usage: node scripts/torture.mjs --minutes M")
    assert.strictEqual(stdout, "")
  })

  it("leaves a folder alone that has something in it", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "reckon-"))
    try {
      const kept = path.join(folder, "thesis.txt")
      fs.writeFileSync(kept, "the only copy")
      const { status, stderr } = run("--minutes", "1", "--folder", folder)
      assert.strictEqual(status, 2)
      assert.include(stderr, `${folder} is not empty`)
      assert.strictEqual(fs.readFileSync(kept, "utf8"), "the only copy")
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})
