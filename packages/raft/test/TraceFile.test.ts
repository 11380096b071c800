import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as TraceFile from "@reckon/raft/TraceFile"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "trace-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

const idle = (id: string, term: number): string =>
  `${id} Tick | follower t${term} vote=- leader=- log=0/0 durable=0 commit=0 applied=0 voters=n1,n2,n3 | -`

const leads = (id: string, role: string, outputs = "-"): string =>
  `${id} Tick | ${role} t2 vote=${id} leader=- log=0/0 durable=0 commit=0 applied=0 voters=${id} | ${outputs}`

const write = (filename: string, lines: ReadonlyArray<string>, bytesMax = 1_000_000) =>
  Effect.scoped(
    Effect.map(TraceFile.make({ filename, bytesMax }), trace => {
      for (const line of lines) trace(line)
    })
  )

const read = (filename: string): ReadonlyArray<string> => fs.readFileSync(filename, "utf8").split("\n").slice(0, -1)

describe("a trace's file", () => {
  it.scoped("has each line behind its time, also those of an earlier life", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "nested", "raft.trace")
      yield* write(filename, [idle("n1", 1)])
      yield* TestClock.adjust("1500 millis")
      yield* write(filename, [idle("n1", 2)])
      assert.deepStrictEqual(read(filename), [
        `1970-01-01T00:00:00.000Z ${idle("n1", 1)}`,
        `1970-01-01T00:00:01.500Z ${idle("n1", 2)}`
      ])
    })
  )

  it.scoped("is set aside when it is full: the newest lines are there, in no more bytes than it may have", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "raft.trace")
      const bytesMax = 1_000
      const lines = Array.from({ length: 100 }, (_, at) => idle("n1", at + 1))
      yield* write(filename, lines, bytesMax)
      assert.isAtMost(fs.statSync(filename).size + fs.statSync(`${filename}.old`).size, bytesMax)
      const kept = [...read(`${filename}.old`), ...read(filename)].map(line => line.slice(line.indexOf(" ") + 1))
      assert.isAtLeast(kept.length, 5)
      assert.deepStrictEqual(kept, lines.slice(-kept.length))
      assert.deepStrictEqual(yield* TraceFile.check([filename]), { lines: kept.length, refusal: undefined })
    })
  )

  it.scoped("that a loss of power has torn is set aside whole, and its torn line is none", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "raft.trace")
      yield* write(filename, [idle("n1", 1), idle("n1", 2)])
      fs.truncateSync(filename, fs.statSync(filename).size - 7)
      yield* write(filename, [idle("n1", 3)])
      assert.lengthOf(read(filename), 1)
      assert.deepStrictEqual(yield* TraceFile.check([filename]), { lines: 2, refusal: undefined })
    })
  )

  it.scoped("that cannot be written is logged once and holds nobody up", () =>
    Effect.gen(function* () {
      const made = yield* folder
      fs.writeFileSync(path.join(made, "file"), "")
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      yield* write(path.join(made, "file", "raft.trace"), [idle("n1", 1), idle("n1", 2)]).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Effect.ensuring(Effect.yieldNow())
      )
      assert.lengthOf(logged, 1)
      assert.match(logged[0] ?? "", /raft\.trace ends: /)
      assert.isFalse(fs.existsSync(path.join(made, "file", "raft.trace")))
    })
  )
})

describe("a check of traces' files", () => {
  it.scoped("reads those of all members in the order of their times", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const [n1, n2] = [path.join(made, "n1"), path.join(made, "n2")]
      const asks =
        "Persist token=1 t2 vote=n2; after 1: RequestVote n2>n3 t2 askedTerm=2 lastIndex=0 lastTerm=0 transfer=false"
      yield* write(n1, [leads("n1", "candidate"), leads("n1", "leader")])
      yield* TestClock.adjust("1 second")
      yield* write(n2, [leads("n2", "candidate", asks), leads("n2", "leader")])
      const { lines, refusal } = yield* TraceFile.check([n2, n1])
      assert.strictEqual(lines, 4)
      assert.strictEqual(refusal?.rule, "one leader a term (§5.2)")
      assert.strictEqual(refusal?.filename, n2)
      assert.strictEqual(refusal?.number, 2)
      assert.strictEqual(refusal?.line, leads("n2", "leader"))
    })
  )

  it.scoped("tells where a line is that is none", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "raft.trace")
      yield* write(filename, [idle("n1", 1)])
      fs.appendFileSync(filename, "n1 thinks\n")
      const { refusal } = yield* TraceFile.check([filename])
      assert.strictEqual(refusal?.rule, "a line of a trace can be read")
      assert.strictEqual(refusal?.number, 2)
    })
  )

  it.scoped("fails where a file cannot be read", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "none")
      const error = yield* Effect.flip(TraceFile.check([filename]))
      assert.strictEqual(error._tag, "TraceFileError")
      assert.include(error.message, filename)
    })
  )
})
