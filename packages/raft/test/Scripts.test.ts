import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { replay, titleOf } from "./scripts/interpreter.js"

const at = (path: string): string => fileURLToPath(new URL(`./${path}`, import.meta.url))

const names = readdirSync(at("scripts"))
  .filter(name => name.endsWith(".txt"))
  .map(name => name.slice(0, -".txt".length))
  .sort()

const read = (name: string): string => readFileSync(at(`scripts/${name}.txt`), "utf8")

describe("histories of a group of pure cores", () => {
  it.each(names.map(name => [name, titleOf(read(name))] as const))("%s: %s", name => {
    const text = read(name)
    const replayed = replay(`scripts/${name}.txt`, text)
    if (process.env.RECKON_REWRITE === "1") writeFileSync(at(`scripts/${name}.txt`), replayed)
    else assert.strictEqual(replayed, text)
  })

  it.each([
    ["a command that is none", "group a\nfly a\n----\n", 'x.txt:2: no command is called "fly"'],
    ["a member that is none", "group a\n----\n\ntick b 1\n----\n", 'x.txt:4: nobody is called "b"'],
    ["an option that is none", "group a speed=9\n----\n", 'x.txt:1: no option is called "speed"'],
    ["a message that is not there", "group a b\ndeliver a b\n----\n", "x.txt:2: no message 1 from a to b"],
    ["a command before the group", "tick a 1\n----\n", "x.txt:1: the first command makes the group"],
    ["an answer without its rule", "group a\nstate a\n\n", "x.txt:3: what was said before needs its ----"]
  ])("say where %s stands", (_, text, message) => {
    assert.throws(() => replay("x.txt", text), message)
  })
})

describe("the table of histories", () => {
  const readme = readFileSync(at("scripts/README.md"), "utf8")
  /** The right-hand cells. */
  const cellsOf = (text: string) =>
    text
      .split("\n")
      .filter(line => line.startsWith("| "))
      .map(row => row.split("|")[2] ?? "")
  const cells = cellsOf(readme)
  const named = new Set(
    cells
      .flatMap(cell => [...cell.matchAll(/`([\w./]+)`/g)].map(([, name = ""]) => name))
      .filter(name => name.endsWith(".test.ts") || /^[a-z]+(_\w+)+$/.test(name))
  )

  it("names files that are there", () => {
    const missing = [...named].filter(name => !existsSync(at(name.endsWith(".test.ts") ? name : `scripts/${name}.txt`)))
    assert.deepStrictEqual(missing, [])
  })

  it("has every history", () => {
    assert.deepStrictEqual(
      names.filter(name => !named.has(name)),
      []
    )
  })

  it("names tests that are there", () => {
    const missing = cells.flatMap(cell =>
      [...cell.matchAll(/`([\w/]+\.test\.ts)`((?:,? "[^"]+")+)/g)].flatMap(([, file = "", list = ""]) => {
        const source = readFileSync(at(file), "utf8")
        return [...list.matchAll(/"([^"]+)"/g)]
          .filter(([, title]) => !source.includes(`"${title}`))
          .map(([title]) => `${file}: ${title}`)
      })
    )
    assert.deepStrictEqual(missing, [])
  })

  it("says by name, or with a reason, what stands for each theme of others", () => {
    const themes = cellsOf(readme.slice(readme.indexOf("(A.2)"))).filter(cell => cell.trim() !== "")
    const open = themes.filter(
      cell =>
        cell.trim() !== "shown by" &&
        !/not here: \w/.test(cell) &&
        (!/`[a-z]+(_\w+)+`|"/.test(cell) || /\.test\.ts`(?! ")/.test(cell))
    )
    assert.deepStrictEqual(open, [])
    assert.isAbove(themes.length, 100)
  })
})
