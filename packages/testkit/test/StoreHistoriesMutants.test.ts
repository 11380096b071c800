/**
 * That the histories find what they are there to find: a store with one fault, of each kind, is found out within a small part of what one run plays.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Around, type Between, hunt } from "./helpers/histories/hunt.js"
import * as Mutants from "./helpers/histories/mutants.js"
import type { Kind } from "./helpers/histories/script.js"

const mutants: ReadonlyArray<readonly [name: string, kind: Kind, between: Between]> = [
  ["a batch that is written in part", "cluster", Mutants.batchInPart],
  ["a condition that is judged before its append is", "cluster", Mutants.conditionTooEarly],
  ["an expectation that is judged before its append is", "cluster", Mutants.expectationTooEarly],
  ["event ids that are remembered for a while", "cluster", Mutants.dedupeByWindow],
  ["a repetition that is written as if it were new", "cluster", Mutants.repetitionIsNew],
  ["snapshots that outlive their stream", "cluster", Mutants.deleteKeepsSnapshots],
  ["versions that are given out again after a deletion", "cluster", Mutants.versionsBeginAgain],
  ["reads of a replica that is behind", "cluster", Mutants.staleReads],
  ["a read that is put together of two", "cluster", Mutants.tornReads],
  ["an append that is acknowledged and never written", "single", Mutants.lostAppends],
  ["a deletion that is done twice", "cluster", Mutants.unknownIsNothing],
  ["times that are not the same everywhere", "single", Mutants.timesDiffer],
  ["a time that leaves out the events of that time", "single", Mutants.timesExclude],
  ["events that are never too old", "single", Mutants.nothingAges],
  ["a stream that keeps one event too many", "single", Mutants.keepsOneMore]
]

const replaced: ReadonlyArray<readonly [name: string, kind: Kind, around: Around]> = [
  ["a subscription with a gap before it is live", "single", Mutants.gapBeforeLive],
  ["a subscription that delivers an event once more", "single", Mutants.lastOnceMore],
  ["a subscription that ends with its node", "single", Mutants.endsWithItsNode],
  ["a subscription that waits for what cannot come", "single", Mutants.waitsForEver],
  ["a node that holds less than the others", "cluster", Mutants.holdsLess]
]

const historiesMax = 250

/** From which history on to look, where the first that shows the fault is far: it would be found from the beginning too, with more patience. */
const from = new Map([
  ["reads of a replica that is behind", 30],
  ["a read that is put together of two", 20],
  ["a deletion that is done twice", 40],
  ["a subscription that waits for what cannot come", 40]
])

describe("histories find", () => {
  const finds = (name: string, kind: Kind, mutant: { readonly between: Between } | { readonly around: Around }) =>
    it(name, { timeout: 600_000 }, async () => {
      const found = await hunt({ kind, seed: from.get(name) ?? 0, count: historiesMax, ...mutant, shrinkMax: 0 })
      assert.isDefined(found, `${historiesMax} histories found nothing`)
    })
  for (const [name, kind, between] of mutants) finds(name, kind, { between })
  for (const [name, kind, around] of replaced) finds(name, kind, { around })
})
