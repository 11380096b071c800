/** The file of a run: what is written is read, a run that was cut short as well. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { temporaryFolder } from "@reckon/testkit/ProcessCluster"
import * as TortureHistory from "@reckon/testkit/TortureHistory"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"

const operation: TortureHistory.Operation = {
  _tag: "Append",
  stream: "s",
  expected: "no_stream",
  events: [{ id: "a1", content: "10:x" }]
}

const writeTwo = Effect.gen(function* () {
  const file = path.join(yield* temporaryFolder, "history.jsonl")
  yield* Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* TortureHistory.make(file)
      yield* TestClock.adjust("2 seconds")
      const id = yield* journal.nextId
      yield* journal.write({ _tag: "Call", id, client: "c0", operation })
      // Before anything is closed.
      assert.strictEqual(fs.readFileSync(file, "utf8").trimEnd().split("\n").length, 1)
      yield* TestClock.adjust("30 millis")
      yield* journal.write({ _tag: "Return", id, answer: { _tag: "Appended", version: 0, position: 4 } })
    })
  )
  return file
})

const call = { _tag: "Call", id: 1, client: "c0", atMillis: 2_000, operation } as const

describe("TortureHistory", () => {
  it.scoped("a line is in the file when it is written, with the time since the begin", () =>
    Effect.gen(function* () {
      const file = yield* writeTwo
      assert.deepStrictEqual(yield* TortureHistory.read(file), [
        call,
        { _tag: "Return", id: 1, atMillis: 2_030, answer: { _tag: "Appended", version: 0, position: 4 } }
      ])
    })
  )

  it.scoped("a last line that was cut short is left out", () =>
    Effect.gen(function* () {
      const file = yield* writeTwo
      // Also where what is left of it looks like an end.
      for (const lost of [2, 5]) {
        fs.truncateSync(file, fs.statSync(file).size - lost)
        assert.deepStrictEqual(yield* TortureHistory.read(file), [call])
      }
    })
  )

  it.scoped("any other line that cannot be read is a defect, not a history that is shorter than it was", () =>
    Effect.gen(function* () {
      const file = yield* writeTwo
      fs.writeFileSync(file, `{"_tag":"Call"}\n${fs.readFileSync(file, "utf8")}`)
      const exit = yield* Effect.exit(TortureHistory.read(file))
      assert.strictEqual(exit._tag, "Failure")
    })
  )
})
