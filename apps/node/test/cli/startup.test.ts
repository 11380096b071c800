import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"

const src = path.resolve(import.meta.dirname, "../../src")

/** The files of this package that are there as soon as this one is: those that it imports, not those that it loads when they are needed. */
const loadedWith = (file: string, seen = new Set<string>()): ReadonlySet<string> => {
  if (seen.has(file)) return seen
  seen.add(file)
  const imports = fs.readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type ).*?from "(\.[^"]+)\.js"$/gms)
  for (const [, to = ""] of imports) loadedWith(path.join(path.dirname(file), `${to}.ts`), seen)
  return seen
}

describe("the program", () => {
  it("loads what a node consists of only where it runs one: every other command would wait for it", () => {
    const loaded = [...loadedWith(path.join(src, "main.ts"))]
    assert.include(loaded, path.join(src, "cli", "nodeStart.ts"))
    assert.notInclude(loaded, path.join(src, "Node.ts"))
  })
})
