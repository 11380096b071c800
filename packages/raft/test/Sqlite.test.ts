import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import ts from "typescript"

/** The module in a folder of its own, beside packages of which each says its name, in a Node.js that says so of its Node-API. */
const loadedWith = (napi: number, installed: ReadonlyArray<string>): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "reckon-sqlite-"))
  try {
    const source = fs.readFileSync(fileURLToPath(new URL("../src/Sqlite.ts", import.meta.url)), "utf8")
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
    fs.writeFileSync(path.join(folder, "Sqlite.mjs"), ts.transpileModule(source, { compilerOptions }).outputText)
    for (const name of installed) {
      fs.mkdirSync(path.join(folder, "node_modules", name), { recursive: true })
      fs.writeFileSync(path.join(folder, "node_modules", name, "index.js"), `module.exports = ${JSON.stringify(name)}`)
    }
    fs.writeFileSync(
      path.join(folder, "program.mjs"),
      `Object.defineProperty(process, "versions", { value: { ...process.versions, napi: "${napi}" } })
       const { Database, path } = await import("./Sqlite.mjs")
       console.log(Database, path.includes(Database))`
    )
    const { stderr, stdout } = spawnSync(process.execPath, [path.join(folder, "program.mjs")], {
      encoding: "utf8",
      // Package managers name folders there in which there is the real one.
      env: { ...process.env, NODE_PATH: "" }
    })
    return stdout.trim() || (/Error: (.*)/.exec(stderr)?.[1] ?? stderr)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const both = ["better-sqlite3", "better-sqlite3-12"]

describe("the SQLite that is loaded", () => {
  it("is the newest that this Node.js can run", () => {
    assert.strictEqual(loadedWith(9, both), "better-sqlite3-12 true")
    assert.strictEqual(loadedWith(10, both), "better-sqlite3 true")
    assert.strictEqual(loadedWith(11, both), "better-sqlite3 true")
  })

  it("is never one that would end the process: what is missing is said", () => {
    assert.match(
      loadedWith(9, ["better-sqlite3"]),
      /^better-sqlite3-12 is not installed, .* Install the packages again/
    )
    assert.match(
      loadedWith(10, ["better-sqlite3-12"]),
      /^better-sqlite3 is not installed, .* Install the packages again/
    )
  })
})
