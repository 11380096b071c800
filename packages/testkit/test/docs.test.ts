/**
 * What the documentation shows is what is compiled and run.
 */
import { existsSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Repository from "./tidy/Repository.js"

const sources = Repository.sources()
const pages = sources.filter(({ path }) => path.endsWith(".md"))

const blocks = pages.flatMap(({ path, text }) =>
  [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => ({ page: path, code: match[1] ?? "" }))
)

describe("docs", () => {
  it("the README shows the quickstart", () => {
    const readme = blocks.filter(({ page }) => page === "README.md").map(({ code }) => code.split("\n")[0])
    assert.deepStrictEqual(readme, ["// docs/examples/quickstart.ts"])
  })

  it("every TypeScript block is the text of the example it names", () => {
    for (const { code, page } of blocks) {
      const file = /^\/\/ (docs\/examples\/[\w-]+\.ts)\n/.exec(code)?.[1]
      assert.isDefined(file, `a block of ${page} names no file: ${code.split("\n")[0]}`)
      assert.strictEqual(code, sources.find(({ path }) => path === file)?.text, `${page} shows another ${file}`)
    }
  })

  it("links lead to files of the repository", () => {
    const broken = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(match => posix.join(dirname(path), match[1] ?? ""))
        .filter(target => !existsSync(join(Repository.root, target)))
        .map(target => `${path}: ${target}`)
    )
    assert.deepStrictEqual(broken, [])
  })
})
