/**
 * Each house rule against snippets it must pass and snippets it must object to, with the line.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Manifests from "./tidy/Manifests.js"
import * as Rooms from "./tidy/Rooms.js"
import * as Rules from "./tidy/Rules.js"
import { comments, type Finding, make } from "./tidy/Source.js"

const header = "/**\n * @since 0.1.0\n */\n"
const publicModule = "packages/db/src/Stream.ts"
const testFile = "packages/db/test/Stream.test.ts"

const lines = (findings: ReadonlyArray<Finding>) => findings.map(finding => finding.line)

/** Words that must not stand in this file as they are. */
const glue = (...parts: ReadonlyArray<string>) => parts.join("")

describe("fileLength", () => {
  const long = `${"const x = 1\n".repeat(1_001)}`

  it("objects to line 1,001", () => {
    assert.deepStrictEqual(lines(Rules.fileLength([])(make("packages/db/src/A.ts", long))), [1_001])
    assert.deepStrictEqual(Rules.fileLength([])(make("packages/db/src/A.ts", long.slice(12))), [])
  })

  it("knows its exceptions, and code from prose", () => {
    assert.deepStrictEqual(Rules.fileLength(["packages/db/src/A.ts"])(make("packages/db/src/A.ts", long)), [])
    assert.deepStrictEqual(Rules.fileLength([])(make("docs/long.md", long)), [])
  })
})

describe("documentation", () => {
  const check = (text: string, path = publicModule) => lines(Rules.documentation(make(path, text)))

  it("wants a header with @since", () => {
    assert.deepStrictEqual(check(header), [])
    assert.deepStrictEqual(check("/** A module. */\n"), [1])
    assert.deepStrictEqual(check("import * as A from 'a'\n"), [1])
  })

  it("wants @since and @category on each export", () => {
    const documented = "/**\n * @since 0.1.0\n * @category models\n */\n"
    assert.deepStrictEqual(check(`${header}${documented}export const a = 1\n`), [])
    assert.deepStrictEqual(check(`${header}${documented}export class A {}\n`), [])
    assert.deepStrictEqual(check(`${header}const hidden = 1\n${documented}export const a = 1\n`), [])
    assert.deepStrictEqual(check(`${header}/** No tags. */\nexport const a = 1\n`), [5])
    assert.deepStrictEqual(check(`${header}/** @since 0.1.0 */\nexport interface A {}\n`), [5])
    assert.deepStrictEqual(check(`${header}// @since 0.1.0 @category models\nexport type A = 1\n`), [5])
    assert.deepStrictEqual(check(`${header}const b = 1\nexport const a = 1\n`), [5])
  })

  it("takes a module's header for no declaration's block", () => {
    const both = "/**\n * @since 0.1.0\n * @category models\n */\n\nexport const a = 1\n"
    assert.deepStrictEqual(check(`${header}${both}`), [])
    assert.include(
      Rules.documentation(make(publicModule, `${header}export const a = 1\n`))[0]?.message,
      "without @category"
    )
  })

  it("wants a block once for overloads, and for a re-export outside index.ts", () => {
    const overloads =
      "export function f(a: 1): 1\nexport function f(a: 2): 2\nexport function f(a: never): never { return a }\n"
    assert.deepStrictEqual(check(`${header}/**\n * @since 0.1.0\n * @category a\n */\n${overloads}`), [])
    assert.deepStrictEqual(check(`${header}import * as A from 'a'\nexport { A }\n`), [5])
    assert.deepStrictEqual(check(`${header}export * as A from './A.js'\n`, "packages/db/src/index.ts"), [])
  })

  it("leaves internal modules, applications and tests alone", () => {
    for (const path of ["packages/db/src/internal/a.ts", "apps/node/src/A.ts", testFile]) {
      assert.deepStrictEqual(check("export const a = 1\n", path), [])
    }
  })
})

describe("boundedQueues", () => {
  const check = (text: string, path = publicModule) => lines(Rules.boundedQueues(make(path, text)))
  const mailbox = "import * as Mailbox from 'effect/Mailbox'\n"

  it("objects to what has no capacity", () => {
    assert.deepStrictEqual(check("\nconst q = Queue.unbounded<number>()"), [2])
    assert.deepStrictEqual(check("const make = PubSub.unbounded"), [1])
    assert.deepStrictEqual(check("import { unbounded } from 'effect/Queue'"), [1])
    assert.deepStrictEqual(check(`${mailbox}const m = Mailbox.make()`), [2])
    assert.deepStrictEqual(check(`${mailbox}const m = Mailbox.make({ strategy: 'dropping' })`), [2])
    assert.deepStrictEqual(check("Stream.buffer({ capacity: 'unbounded' })"), [1])
    assert.deepStrictEqual(check("const options = { bufferSize: Number.POSITIVE_INFINITY }"), [1])
  })

  it("passes what has one, other modules of the name, and text", () => {
    assert.deepStrictEqual(check("const q = Queue.bounded<number>(8)"), [])
    assert.deepStrictEqual(check(`${mailbox}const m = Mailbox.make(16)`), [])
    assert.deepStrictEqual(check(`${mailbox}const m = Mailbox.make({ capacity: 16 })`), [])
    assert.deepStrictEqual(check("import * as Mailbox from './Mailbox.js'\nconst m = Mailbox.make()"), [])
    assert.deepStrictEqual(check("// Queue.unbounded()\nconst s = 'Queue.unbounded()'"), [])
    assert.deepStrictEqual(check("Effect.forEach(xs, f, { concurrency: 'unbounded' })"), [])
    assert.deepStrictEqual(check("Queue.unbounded()", testFile), [])
  })
})

describe("noAmbientTime", () => {
  const check = (text: string, path = publicModule, exceptions: ReadonlyArray<Rules.Exception> = []) =>
    lines(Rules.noAmbientTime(exceptions)(make(path, text)))

  it("objects to ambient time and chance", () => {
    assert.deepStrictEqual(check("const a = 1\nconst t = Date.now()"), [2])
    assert.deepStrictEqual(check("const t = new Date()"), [1])
    assert.deepStrictEqual(check("const r = Math.random"), [1])
    assert.deepStrictEqual(check("setTimeout(() => {}, 1)"), [1])
    assert.deepStrictEqual(check("globalThis.setInterval(f, 1)", "apps/node/src/A.ts"), [1])
    assert.deepStrictEqual(check("run(setTimeout)"), [1])
  })

  it("passes dates of given times, names that look alike, tests and exceptions", () => {
    assert.deepStrictEqual(check("const t = new Date(0)"), [])
    assert.deepStrictEqual(check("interface A { readonly setTimeout: number }"), [])
    assert.deepStrictEqual(check("const s = 'Date.now()' // Math.random()"), [])
    assert.deepStrictEqual(check("Date.now()", testFile), [])
    assert.deepStrictEqual(
      check("Date.now()", publicModule, [{ file: publicModule, name: "Date.now", reason: "" }]),
      []
    )
    assert.deepStrictEqual(
      check("Date.now()", publicModule, [{ file: publicModule, name: "setTimeout", reason: "" }]),
      [1]
    )
  })
})

describe("noSilencedCompiler", () => {
  const check = (text: string, path = publicModule) => lines(Rules.noSilencedCompiler(make(path, text)))

  it("objects to any and to directives", () => {
    assert.deepStrictEqual(check("const a: any = 1"), [1])
    assert.deepStrictEqual(check("const a = (\n  b as any\n)"), [2])
    assert.deepStrictEqual(check("type A = Layer<any>", testFile), [1])
    assert.deepStrictEqual(check("const b = 1\n// @ts-ignore\nconst a = 1"), [2])
    assert.deepStrictEqual(check("const b = 1\n/* why\n @ts-expect-error */\nconst a = 1"), [3])
  })

  it("tolerates any in an internal module where a reason is given", () => {
    const excused = "// biome-ignore lint/suspicious/noExplicitAny: the handler's type is erased here\nconst a: any = 1"
    assert.deepStrictEqual(check(excused, "packages/db/src/internal/a.ts"), [])
    assert.deepStrictEqual(check("const a: any = 1", "packages/db/src/internal/a.ts"), [1])
    assert.deepStrictEqual(check(excused), [2])
  })

  it("passes the word elsewhere", () => {
    assert.deepStrictEqual(check("const any = 'any' // @ts-nothing, any\nconst b = '// @ts-ignore'"), [])
    assert.deepStrictEqual(check("type A = Rpc.Any"), [])
  })
})

describe("noSkippedTests", () => {
  const check = (text: string, path = testFile) => lines(Rules.noSkippedTests(make(path, text)))

  it("objects to switches on tests", () => {
    assert.deepStrictEqual(check("\nit.skip('a', () => {})"), [2])
    assert.deepStrictEqual(check("it.effect.only('a', () => {})"), [1])
    assert.deepStrictEqual(check("describe.todo('a')"), [1])
    assert.deepStrictEqual(check("it.skipIf(true)('a', () => {})"), [1])
    assert.deepStrictEqual(check("xit('a', () => {})"), [1])
  })

  it("passes tests, and methods of other things", () => {
    assert.deepStrictEqual(check("it.effect('a', () => stream.skip(1))"), [])
    assert.deepStrictEqual(check("it('it.skip', () => {})"), [])
    assert.deepStrictEqual(check("it.skip('a')", publicModule), [])
  })
})

describe("noLeftovers", () => {
  it("objects to the words in text of any kind", () => {
    const word = glue("TO", "DO")
    assert.deepStrictEqual(lines(Rules.noLeftovers(make("docs/a.md", `a\n${word}: b\n`))), [2])
    assert.deepStrictEqual(lines(Rules.noLeftovers(make(publicModule, `// ${glue("FIX", "ME")} a`))), [1])
    assert.deepStrictEqual(lines(Rules.noLeftovers(make(publicModule, `it.${word.toLowerCase()} ${word}S`))), [])
  })
})

describe("noMachinePaths", () => {
  const check = (text: string) => lines(Rules.noMachinePaths(make("docs/a.md", text)))

  it("objects to the folders of a machine", () => {
    assert.deepStrictEqual(check(`a\nsee ${glue("/ho", "me/ann/reckon")}`), [2])
    assert.deepStrictEqual(check(`"${glue("/ro", "ot/.npmrc")}"`), [1])
    assert.deepStrictEqual(check(`file:${glue("/Us", "ers/ann")}`), [1])
    assert.deepStrictEqual(check(glue("C:\\Us", "ers\\ann")), [1])
  })

  it("passes relative paths, addresses and folders every machine has", () => {
    assert.deepStrictEqual(
      check("docs/home/page.md, https://example.org/home/page, ./root/a, /var/lib/reckon, /home"),
      []
    )
  })
})

describe("plannedOnce", () => {
  const check = (text: string, path = publicModule) => lines(Rules.plannedOnce(make(path, text)))

  it("objects to a bare parameter", () => {
    assert.deepStrictEqual(check("const a = `SELECT b FROM c\nORDER BY b LIMIT ?`"), [2])
    assert.deepStrictEqual(
      check("const a = 'DELETE FROM b WHERE c = +? LIMIT  ?'", "packages/raft/src/internal/log/a.ts"),
      [1]
    )
    assert.deepStrictEqual(check("const a = 'WHERE b.c = ?'\nconst d = 'AND e <= ?', f = 'WHERE g<?'"), [1, 2, 2])
    assert.deepStrictEqual(check("const a = 'WHERE b BETWEEN ? AND ?'\nconst c = 'OFFSET ?'"), [1, 1, 2])
  })

  it("passes what chooses no rows, and tests", () => {
    assert.deepStrictEqual(check("const a = 'WHERE b = +? LIMIT +?', c = 'LIMIT $1', d = e.f ? 1 : 2"), [])
    assert.deepStrictEqual(check("const a = 'UPDATE b SET c = ?, d = ? WHERE e = +?', f = 'VALUES (?, ?)'"), [])
    assert.deepStrictEqual(check("const a = 'LIMIT ?'", testFile), [])
  })
})

describe("noRegistryHosts", () => {
  const check = (text: string) => lines(Rules.noRegistryHosts(make("pnpm-lock.yaml", text)))

  it("objects to hosts and tarballs", () => {
    assert.deepStrictEqual(
      check(`a:\n  tarball: https://${glue("registry", ".npmjs.org/a/-", "/a-1.0.0.tgz")}`),
      [2, 2]
    )
    assert.deepStrictEqual(check(`https://${glue("nex", "us")}.example.org/repository/`), [1])
  })

  it("passes the word for other things", () => {
    assert.deepStrictEqual(check("registry.lookup(name), https://nodejs.org, https://example.org/registry/"), [])
  })
})

describe("direction", () => {
  const check = (path: string, ...names: ReadonlyArray<string>) =>
    lines(Rooms.direction(make(path, names.map(name => `import "${name}"`).join("\n"))))

  it("objects to arrows up and sideways", () => {
    assert.deepStrictEqual(check("packages/otp/src/A.ts", "effect", "@reckon/raft"), [2])
    assert.deepStrictEqual(check("packages/otp/src/A.ts", "@reckon/client"), [1])
    assert.deepStrictEqual(check("packages/client/test/A.test.ts", "@reckon/otp/Supervisor"), [1])
    assert.deepStrictEqual(check("apps/node/src/A.ts", "@reckon/testkit"), [1])
    assert.deepStrictEqual(check("packages/db/src/A.ts", "@reckon/node"), [1])
    assert.deepStrictEqual(check("packages/db/src/A.ts", "@reckon/nowhere"), [1])
  })

  it("sees every way of naming a module", () => {
    const text = [
      "import type { A } from '@reckon/db'",
      "export * from '@reckon/db'",
      "const a = await import('@reckon/db')",
      "type B = import('@reckon/db').B",
      "const s = 'import \"@reckon/db\"'"
    ]
    assert.deepStrictEqual(lines(Rooms.direction(make("packages/raft/src/A.ts", text.join("\n")))), [1, 2, 3, 4])
  })

  it("lets a test have the helpers of the tests below it, and nothing else by a path", () => {
    const [helper, sibling] = ["../../otp/test/helpers/time.js", "../../client/test/helpers/time.js"]
    assert.deepStrictEqual(check("packages/db/test/A.test.ts", helper, "../../otp/test/Process.test.js"), [2])
    assert.deepStrictEqual(check("packages/db/src/A.ts", helper), [1])
    assert.deepStrictEqual(check("packages/otp/test/A.test.ts", "../../db/test/helpers/time.js", sibling), [1, 2])
  })

  it("objects to internals of others and to paths out of the room", () => {
    assert.deepStrictEqual(check("packages/db/src/A.ts", "@reckon/otp/internal/mailbox"), [1])
    assert.deepStrictEqual(check("packages/db/src/A.ts", "../../otp/src/Process.js"), [1])
    assert.deepStrictEqual(check("packages/db/test/A.test.ts", "../src/internal/a.js", "./b.js"), [])
  })

  it("objects to a release of better-sqlite3 that is named anywhere but in one place", () => {
    assert.deepStrictEqual(check("packages/db/test/A.test.ts", "better-sqlite3", "better-sqlite3-12"), [1, 2])
    assert.deepStrictEqual(check("packages/raft/src/Sqlite.ts", "better-sqlite3"), [])
  })

  it("objects to what single rooms must not know, tests apart", () => {
    assert.deepStrictEqual(check("packages/gater/src/A.ts", "@effect/sql", "@reckon/raft"), [1, 2])
    assert.deepStrictEqual(
      check("packages/raft/src/A.ts", "@reckon/client", "@effect/platform-node", "node:net"),
      [1, 2, 3]
    )
    assert.deepStrictEqual(
      check("packages/db/src/A.ts", "@effect/cli/Command", "node:http", "@effect/platform/HttpRouter"),
      [1, 2, 3]
    )
    assert.deepStrictEqual(check("packages/raft/test/A.test.ts", "@effect/platform-node"), [])
  })

  it("passes arrows down", () => {
    assert.deepStrictEqual(
      check("packages/db/src/A.ts", "./B.js", "effect", "@reckon/gater", "@reckon/raft/RaftLog"),
      []
    )
    assert.deepStrictEqual(check("docs/examples/a.ts", "@reckon/client"), [])
  })
})

describe("noSharedLayers", () => {
  it("objects to the layer of @effect/vitest in tests, whatever it is called there", () => {
    const check = (text: string) => lines(Rules.noSharedLayers(make("packages/db/test/A.test.ts", text)))
    assert.deepStrictEqual(check('import { assert, layer } from "@effect/vitest"'), [1])
    assert.deepStrictEqual(check('\nimport { layer as on } from "@effect/vitest"'), [2])
    assert.deepStrictEqual(
      check('import { it } from "@effect/vitest"\nimport { layer } from "@reckon/db/EventStore"'),
      []
    )
  })
})

describe("declaredDirection", () => {
  it("reads package.json files", () => {
    const text = '{\n  "dependencies": {\n    "@reckon/otp": "workspace:*",\n    "@reckon/db": "workspace:*"\n  }\n}\n'
    assert.deepStrictEqual(lines(Rooms.declaredDirection(make("packages/raft/package.json", text))), [4])
    assert.deepStrictEqual(lines(Rooms.declaredDirection(make("apps/node/package.json", text))), [])
  })

  it("knows every room", () => {
    assert.deepStrictEqual(lines(Rooms.unplacedRooms([make("packages/attic/package.json", "{}")])), [1])
    assert.deepStrictEqual(lines(Rooms.unplacedRooms([make("packages/otp/package.json", "{}")])), [])
  })
})

describe("cycles", () => {
  const a = make("packages/db/src/A.ts", "import * as B from './B.js'\n")
  const b = make("packages/db/src/B.ts", "\nimport { type C } from './internal/c.js'\n")

  it("objects to circles, and shows them", () => {
    const c = make("packages/db/src/internal/c.ts", "export * from '../A.js'\n")
    const findings = Rooms.cycles([a, b, c])
    assert.deepStrictEqual(findings, [
      { file: "packages/db/src/internal/c.ts", line: 1, message: "closes the circle A -> B -> c -> A" }
    ])
    assert.strictEqual(Rooms.cycles([make("packages/db/src/A.ts", "import './A.js'")]).length, 1)
  })

  it("passes imports that are erased", () => {
    const c = make("packages/db/src/internal/c.ts", "import type * as A from '../A.js'\ntype D = import('../A.js').D\n")
    assert.deepStrictEqual(Rooms.cycles([a, b, c]), [])
  })

  it("passes a module used twice", () => {
    const c = make("packages/db/src/internal/c.ts", "export {}\n")
    const d = make("packages/db/src/D.ts", "import './B.js'\nimport './internal/c.js'\n")
    assert.deepStrictEqual(Rooms.cycles([a, b, c, d]), [])
  })
})

describe("oneEffect", () => {
  const record = (...names: ReadonlyArray<string>) =>
    make(
      "lock.yaml",
      `lockfileVersion: '9.0'\n\npackages:\n\n${names.map(name => `  ${name}:\n    resolution: {}\n`).join("\n")}\nsnapshots:\n\n  effect@1.0.0: {}\n`
    )

  it("wants exactly one", () => {
    assert.deepStrictEqual(lines(Rooms.oneEffect(record("effect@3.22.4", "'@effect/rpc@0.76.2'"))), [])
    assert.deepStrictEqual(lines(Rooms.oneEffect(record("effect@3.22.1", "effect@3.22.4"))), [3])
    assert.deepStrictEqual(lines(Rooms.oneEffect(record("'@effect/rpc@0.76.2'"))), [3])
  })
})

describe("comments", () => {
  it("finds comments and nothing else", () => {
    const text = "// a\nconst b = '// c' + 1 /* d */ // e\nconst f = /\\/\\/ g/\n"
    assert.deepStrictEqual(
      comments(make("a.ts", text)).map(comment => comment.text),
      ["// a", "/* d */", "// e"]
    )
  })
})

describe("manifests", () => {
  const manifest = (room: string, text: string) => make(`packages/${room}/package.json`, text)

  it("objects to an effect of the package's own, and to one that nothing pins", () => {
    const own = '{\n  "dependencies": {\n    "effect": "1",\n    "@effect/rpc": "1",\n    "msgpackr": "1"\n  }\n}\n'
    assert.deepStrictEqual(lines(Manifests.sharedEffect(manifest("db", own))), [3, 4])
    assert.deepStrictEqual(lines(Manifests.sharedEffect(make("apps/node/package.json", own))), [])
    const loose =
      '{\n  "devDependencies": {\n    "effect": "1"\n  },\n  "peerDependencies": {\n    "effect": "1",\n    "a": "1"\n  }\n}\n'
    assert.deepStrictEqual(lines(Manifests.sharedEffect(manifest("db", loose))), [7])
  })

  it("objects to a peer that is not passed on", () => {
    const otp = manifest("otp", '{ "peerDependencies": { "effect": "1" } }')
    const needy = '{\n  "dependencies": {\n    "a": "1",\n    "@reckon/otp": "1"\n  }\n}\n'
    assert.deepStrictEqual(lines(Manifests.passedOnPeers([otp, manifest("db", needy)])), [4])
    const passing = '{ "dependencies": { "@reckon/otp": "1" }, "peerDependencies": { "effect": "1" } }'
    assert.deepStrictEqual(lines(Manifests.passedOnPeers([otp, manifest("db", passing)])), [])
  })

  it("objects to modules that some do not see", () => {
    const text = '{\n  "types": "./a.d.ts",\n  "import": "./a.js",\n  "default": "./a.js"\n}\n'
    assert.deepStrictEqual(lines(Manifests.openExports(manifest("db", text))), [3])
  })
})
