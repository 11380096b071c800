/**
 * Histories of random requests of all kinds, by several callers at a time, and of subscriptions beside them, on a cluster whose nodes are killed, cut off and made to hand over meanwhile. Its
 * log is so short that a node that was away is sent a copy of the store.
 *
 * A tenth of the thousand that one run plays; the others are in `StoreHistoriesSingle.test.ts`. `RECKON_HISTORIES` plays more of them, and
 * `RECKON_HISTORY_SEED` one of them again.
 */
import { assert, describe, it } from "@effect/vitest"
import { hunt } from "./helpers/histories/hunt.js"
import type { Played } from "./helpers/histories/play.js"
import { nothingWrong } from "./helpers/histories/run.js"

/** How often each ending was met: a refusal by its tag, anything else by its first word. */
const endings = () => {
  const counts = new Map<string, number>()
  const count = (ending: string) => counts.set(ending, (counts.get(ending) ?? 0) + 1)
  const onPlayed = ({ copies, followed, history }: Played) => {
    for (let copy = 0; copy < copies; copy++) count("a copy of the store")
    for (const { seen } of followed) if (seen.length > 0) count("a follower")
    const ended = new Set<number>()
    for (const event of history) {
      if (event._tag === "Call") continue
      ended.add(event.id)
      count(event._tag === "Fail" ? "surely" : (event.output.text.split(" ")[0] ?? ""))
      if (event._tag === "Return" && (event.output.present ?? 0) > 0) count("a repetition")
    }
    for (const event of history) if (event._tag === "Call" && !ended.has(event.id)) count("unknown")
  }
  return { counts, onPlayed }
}

describe("three nodes that are killed, cut off and handed over", () => {
  it("answer as one store would that does one thing after the other", { timeout: 600_000 }, () =>
    nothingWrong("cluster")
  )

  it("are asked for all there is, and meet all there is to meet", { timeout: 600_000 }, async () => {
    const { counts, onPlayed } = endings()
    await hunt({ kind: "cluster", seed: 0, count: 60, onPlayed })
    for (const [ending, least] of [
      ["appended", 300],
      ["a repetition", 20],
      ["WrongExpectedVersion", 50],
      ["AppendConditionFailed", 20],
      ["EventIdConflict", 5],
      ["StreamDeleted", 5],
      ["StreamTombstoned", 5],
      ["SnapshotOutOfRange", 5],
      ["snapshot", 5],
      ["a copy of the store", 5],
      ["a follower", 40],
      ["surely", 5],
      ["unknown", 10]
    ] as const) {
      assert.isAtLeast(counts.get(ending) ?? 0, least, ending)
    }
  })
})

describe("a history", () => {
  for (const kind of ["cluster", "single"] as const) {
    it(`is the same each time that it is played: ${kind}`, { timeout: 600_000 }, async () => {
      const play = async () => {
        const told: Array<string> = []
        await hunt({ kind, seed: 70, count: 10, onPlayed: played => told.push(JSON.stringify(played)) })
        return told
      }
      const first = await play()
      assert.lengthOf(first, 10)
      assert.deepStrictEqual(await play(), first)
    })
  }

  it("waits for a follower that begins when everything is over, and finds nothing wrong with what it is told", async () => {
    const begun: Array<number> = []
    const found = await hunt({
      kind: "single",
      seed: 465_866_797,
      count: 1,
      onPlayed: ({ followed }) => begun.push(followed.length)
    })
    assert.isUndefined(found, found?.text)
    // The one that its script has.
    assert.strictEqual(begun.at(-1), 1)
  })
})
