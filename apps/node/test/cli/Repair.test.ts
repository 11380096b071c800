import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Command from "@effect/cli/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as Repair from "@reckon/raft/Repair"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { repair } from "../../src/cli/repair.js"
import { run } from "../../src/cli/run.js"
import { Stdio } from "../../src/cli/shared/Stdio.js"

const root = Command.make("reckon").pipe(Command.withSubcommands([repair]))

const reckon = (...args: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    let out = ""
    let err = ""
    const stdio = Stdio.of({
      out: text =>
        Effect.sync(() => {
          out += text
        }),
      err: text =>
        Effect.sync(() => {
          err += text
        }),
      inIsTerminal: false,
      outIsTerminal: false,
      errIsTerminal: false,
      input: Stream.empty,
      exitCodeIfInterrupted: () => Effect.void
    })
    return run(root, ["node", "reckon", "repair", ...args]).pipe(
      Effect.provideService(Stdio, stdio),
      Effect.provide(NodeContext.layer),
      Effect.map(code => ({ code, out, err }))
    )
  })

const noop = LogEntry.noop(1, 1)
const configured = LogEntry.configuration(2, 1, { voters: ["a", "b", "c"], learners: ["d"], removed: ["x"] })

const write = (filename: string, entries: ReadonlyArray<LogEntry.LogEntry>) =>
  Effect.scoped(
    Effect.map(RaftLog.make({ filename }), log => {
      log.stage({ hardState: { term: 3, votedFor: "b" }, entries })
      log.flush()
    })
  )

/** The folder of a node that has stopped, as it lies on its disk. */
const stoppedNode = (entries: ReadonlyArray<LogEntry.LogEntry>) =>
  Effect.gen(function* () {
    const dataDir = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-repair-"))),
      folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const filename = path.join(dataDir, "stores", "orders", "raft.sqlite")
    yield* write(filename, entries)
    return { filename, at: ["--data-dir", dataDir, "--store", "orders"] }
  })

const yes = (name: string) => ["--i-understand-that-acknowledged-writes-may-be-lost", name]

describe("repair inspect", () => {
  it.scoped("shows what a log holds, as JSON if asked", () =>
    Effect.gen(function* () {
      const { at, filename } = yield* stoppedNode([noop, configured])
      const shown = yield* reckon("inspect", ...at)
      assert.deepStrictEqual([shown.code, shown.err], [0, ""])
      for (const part of [filename, "term      3, voted for b", "1 to 2", "voters    a, b, c", "removed   x"]) {
        assert.include(shown.out, part)
      }
      for (const [name, standing] of [
        ["b", "voter"],
        ["d", "learner"],
        ["x", "removed"],
        ["y", "no member"]
      ] as const) {
        const told = yield* reckon("inspect", ...at, "--name", name)
        assert.include(told.out, `${name}: ${standing}`)
      }
      const asked = yield* reckon("inspect", ...at, "--json")
      assert.deepInclude(JSON.parse(asked.out), {
        term: 3,
        votedFor: "b",
        baseIndex: 0,
        lastIndex: 2,
        lastTerm: 1,
        configuration: { index: 2, configuration: { voters: ["a", "b", "c"], learners: ["d"], removed: ["x"] } }
      })
    })
  )

  it.scoped("fails in one line where there is no log, and makes none", () =>
    Effect.gen(function* () {
      const { at, filename } = yield* stoppedNode([noop])
      const outcome = yield* reckon("inspect", ...at.slice(0, 2), "--store", "others")
      assert.strictEqual(outcome.code, 1)
      assert.match(outcome.err, /^RepairRefused: [^\n]*there is no such file\n$/)
      assert.isFalse(fs.existsSync(filename.replace("orders", "others")))
    })
  )
})

describe("repair force-shrink", () => {
  const unconfirmed: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["without the words", []],
    ["with another name in them", yes("b")],
    ["with no name in them", yes("")]
  ]
  it.scoped.each(unconfirmed)("%s only says what would be lost, and does nothing", ([_, words]) =>
    Effect.gen(function* () {
      const { at, filename } = yield* stoppedNode([noop, configured])
      const before = yield* Repair.inspect(filename)
      const outcome = yield* reckon("force-shrink", ...at, "--name", "a", ...words)
      assert.strictEqual(outcome.code, 2, outcome.err)
      assert.match(outcome.err, /^UsageError: nothing was done[^\n]*\n$/)
      assert.include(outcome.out, "a would go on alone, without b, c, d.")
      for (const consequence of Repair.consequences) assert.include(outcome.out, consequence)
      assert.deepStrictEqual(yield* Repair.inspect(filename), before)
    })
  )

  it.scoped("makes the node the only voter", () =>
    Effect.gen(function* () {
      const { at, filename } = yield* stoppedNode([noop, configured])
      const outcome = yield* reckon("force-shrink", ...at, "--name", "a", ...yes("a"))
      assert.deepStrictEqual([outcome.code, outcome.err], [0, ""])
      assert.include(outcome.out, "a is alone, from entry 3")
      assert.include(outcome.out, "Given up: b, c, d.")
      const { configuration } = yield* Repair.inspect(filename)
      assert.deepStrictEqual(configuration, {
        index: 3,
        configuration: { voters: ["a"], learners: [], removed: ["x", "b", "c", "d"] }
      })
      const again = yield* reckon("force-shrink", ...at, "--name", "a", ...yes("a"))
      assert.strictEqual(again.code, 1)
      assert.match(again.err, /^RepairRefused: [^\n]*alone already\n$/)
    })
  )

  it.scoped("asks for the founders where the log does not know them", () =>
    Effect.gen(function* () {
      const { at } = yield* stoppedNode([noop])
      const asked = [...at, "--name", "a", ...yes("a"), "--json"]
      const outcome = yield* reckon("force-shrink", ...asked)
      assert.strictEqual(outcome.code, 1)
      assert.include(outcome.err, "name all that the group was founded with")
      const founded = yield* reckon("force-shrink", ...asked, "--member", "a", "--member", "b", "--member", "b")
      assert.deepInclude(JSON.parse(founded.out), { self: "a", givenUp: ["b"], index: 2 })
    })
  )

  it.scoped("refuses a name that is no member", () =>
    Effect.gen(function* () {
      const { at } = yield* stoppedNode([noop, configured])
      for (const [name, part] of [
        ["y", "no such member"],
        ["x", "was removed"]
      ] as const) {
        const outcome = yield* reckon("force-shrink", ...at, "--name", name, ...yes(name))
        assert.deepStrictEqual([outcome.code, outcome.out], [1, ""])
        assert.include(outcome.err, part)
      }
    })
  )

  it.scoped("refuses another name than that of the node whose folder it is, whose log would be lost to both", () =>
    Effect.gen(function* () {
      const { at, filename } = yield* stoppedNode([noop, configured])
      fs.writeFileSync(path.join(path.dirname(filename), "member"), "a\n")
      const before = fs.readFileSync(filename)
      const outcome = yield* reckon("force-shrink", ...at, "--name", "b", ...yes("b"))
      assert.deepStrictEqual([outcome.code, outcome.out], [2, ""])
      assert.match(outcome.err, /^UsageError: --name is 'b', and the folder is that of the node 'a'[^\n]*\n$/)
      assert.deepStrictEqual(fs.readFileSync(filename), before)
      assert.strictEqual((yield* reckon("force-shrink", ...at, "--name", "a", ...yes("a"))).code, 0)
    })
  )

  it.scopedLive("refuses while the node runs", () =>
    Effect.gen(function* () {
      const { at, filename } = yield* stoppedNode([noop, configured])
      yield* RaftLog.make({ filename })
      const outcome = yield* reckon("force-shrink", ...at, "--name", "a", ...yes("a"))
      assert.strictEqual(outcome.code, 1)
      assert.match(outcome.err, /^RaftLogError: [^\n]*in use by another process[^\n]*\n$/)
    })
  )
})
