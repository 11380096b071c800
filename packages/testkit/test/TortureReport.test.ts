/** What a run is told in: its numbers, and what is wrong, from the files that it left. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { temporaryFolder } from "@reckon/testkit/ProcessCluster"
import * as Torture from "@reckon/testkit/Torture"
import * as TortureHistory from "@reckon/testkit/TortureHistory"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"

const append = (id: number): TortureHistory.Operation => ({
  _tag: "Append",
  stream: "s",
  expected: "any",
  events: [{ id: `e${id}`, content: "x" }]
})

/** A run of three appends, one of them without an end, under two faults. What the node holds is up to the test. */
const makeRun = (held: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    fs.writeFileSync(
      path.join(folder, "n0.log"),
      "n0 installed a snapshot of index 3\nn0 installed a snapshot of index 9\n"
    )
    fs.writeFileSync(path.join(folder, "n1.log"), "n1 installed a snapshot of index 9\n")
    yield* Effect.scoped(
      Effect.gen(function* () {
        const journal = yield* TortureHistory.make(path.join(folder, "history.jsonl"))
        yield* TestClock.adjust("1500 millis")
        yield* journal.write({ _tag: "Begin", seed: 12, nodes: 2, means: "by magic" })
        yield* journal.write({ _tag: "Node", node: "n0", became: "started" })
        yield* journal.write({ _tag: "Node", node: "n1", became: "started" })
        yield* journal.write({ _tag: "Leader", node: "n0", term: 1 })
        yield* journal.write({ _tag: "Call", id: 1, client: "c0", operation: append(1) })
        yield* journal.write({ _tag: "Return", id: 1, answer: { _tag: "Appended", version: 0, position: 0 } })
        yield* journal.write({ _tag: "Fault", kind: "full disk", detail: "" })
        yield* journal.write({ _tag: "Exit", node: "n1", how: "code 1" })
        yield* journal.write({ _tag: "Node", node: "n1", became: "started" })
        yield* journal.write({ _tag: "Fault", kind: "full disk", detail: "" })
        yield* journal.write({ _tag: "Call", id: 2, client: "c0", operation: append(2) })
        yield* TestClock.adjust("3 seconds")
        yield* journal.write({ _tag: "Return", id: 2, answer: { _tag: "Appended", version: 1, position: 1 } })
        yield* journal.write({ _tag: "Call", id: 3, client: "c0", operation: append(3) })
        yield* journal.write({ _tag: "Settled", afterMillis: 70 })
        const events = held.map((id, at) => ({ id, content: "x", stream: "s", version: at, position: at, epochUs: 1 }))
        yield* journal.write({
          _tag: "Holds",
          node: "n0",
          events: events.map(event => ({ ...event, digest: event.id }))
        })
      })
    )
    return folder
  })

describe("the report of a torture run", () => {
  it.scoped(
    "counts operations by outcome, faults, leaders, exits and snapshots, and finds the longest time without an append",
    () =>
      Effect.gen(function* () {
        const report = yield* Effect.flatMap(makeRun(["e1", "e2"]), Torture.judge)
        assert.deepStrictEqual(Torture.render(report).split("\n"), [
          "Append       Appended (2), no end (1)",
          "faults       full disk (2)",
          "leaders      1 seen",
          "unavailable  3000 ms at the longest, from 1.5 s on",
          "recovery     3000 ms at the longest, from 1.5 s on, while one majority was up",
          "settled      70 ms after all was healed",
          "exits        n1 with code 1 (1)",
          "full disk    by magic",
          "snapshots    3 installed",
          "store        2 events in 1 streams",
          "seed 12: every promise was kept"
        ])
      })
  )

  it.scoped("says what is wrong, the shortest description first", () =>
    Effect.gen(function* () {
      const report = yield* Effect.flatMap(makeRun(["e1"]), Torture.judge)
      const [seed, first, second] = Torture.render(report).split("\n").slice(10)
      assert.strictEqual(seed, "seed 12: 2 VIOLATIONS")
      assert.strictEqual(
        first,
        "  Lost: the append of e2 to s by c0 was acknowledged at version 1, and e2 is not there"
      )
      assert.match(second ?? "", /^ {2}NotLinearizable: stream s/)
    })
  )

  it.scoped("judges a run of which nobody wrote down what its nodes became", () =>
    Effect.gen(function* () {
      const folder = yield* makeRun(["e1", "e2"])
      const file = path.join(folder, "history.jsonl")
      const lines = fs.readFileSync(file, "utf8").split("\n")
      fs.writeFileSync(file, lines.filter(line => !line.includes('"_tag":"Node"')).join("\n"))
      const report = yield* Torture.judge(folder)
      assert.deepStrictEqual(report.violations, [])
      assert.include(report.summary, "recovery     unknown")
    })
  )

  it.scoped("does not say that all was kept where no node was read", () =>
    Effect.gen(function* () {
      const folder = yield* makeRun([])
      const file = path.join(folder, "history.jsonl")
      const lines = fs.readFileSync(file, "utf8").trimEnd().split("\n")
      fs.writeFileSync(file, `${lines.slice(0, -1).join("\n")}\n`)
      const report = yield* Torture.judge(folder)
      assert.deepStrictEqual([report.nodes, report.violations], [0, []])
      assert.include(Torture.render(report), "cut short")
    })
  )
})
