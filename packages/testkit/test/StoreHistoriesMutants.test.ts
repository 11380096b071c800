/**
 * That the histories find what they are there to find: a store with one fault, of each kind, is found out within a small part of what one run plays.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Between, hunt } from "./helpers/histories/hunt.js"
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
  ["times that are not the same everywhere", "single", Mutants.timesDiffer]
]

const historiesMax = 250

describe("histories find", () => {
  for (const [name, kind, between] of mutants) {
    it(name, { timeout: 120_000 }, async () => {
      const found = await hunt({ kind, seed: 0, count: historiesMax, between, shrinkMax: 0 })
      assert.isDefined(found, `${historiesMax} histories found nothing`)
    })
  }
})
