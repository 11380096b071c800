/**
 * What the compiler wrote into the declarations of the packages, as those read them who install a package.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { root } from "./tidy/Repository.js"

const rooms = readdirSync(join(root, "packages"))

const declarations = (room: string) =>
  readdirSync(join(root, "packages", room, "dist"), { recursive: true, encoding: "utf8" })
    .filter(path => path.endsWith(".d.ts"))
    .map(path => join("packages", room, "dist", path))
    .map(path => ({ path, text: readFileSync(join(root, path), "utf8") }))

describe("declarations", () => {
  // The sources do not name them, but a type that is inferred is written out with all its parts.
  it("name nothing that another package does not export", () => {
    const all = rooms.flatMap(declarations)
    assert.isAbove(all.length, 100)
    const found = all.filter(({ text }) => /["']@reckon\/[^"']+\/internal\//.test(text)).map(({ path }) => path)
    assert.deepStrictEqual(found, [])
  })
})
