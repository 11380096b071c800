import { assert, describe, it } from "@effect/vitest"
import { Membership, RaftCore } from "@reckon/raft"
import * as fc from "fast-check"
import * as Progress from "../src/internal/core/progress.js"

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

const options: RaftCore.Options = { ...RaftCore.defaults, inflightMessagesMax: 4, inflightBytesMax: 100 }

const fresh = (lastIndex = 0): Mutable<RaftCore.Progress> => {
  const [progress] = Progress.forMembers(Membership.founding(["me", "peer"]), "me", [], lastIndex)
  assert.isDefined(progress)
  return { ...progress }
}

type Act =
  | { readonly _tag: "Send"; readonly entries: number; readonly bytes: number }
  | { readonly _tag: "Match"; readonly by: number }
  | { readonly _tag: "Probe"; readonly back: number }
  | { readonly _tag: "Replicate" }
  | { readonly _tag: "Snapshot" }

const acts: fc.Arbitrary<ReadonlyArray<Act>> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        _tag: fc.constant<"Send">("Send"),
        entries: fc.integer({ min: 1, max: 3 }),
        bytes: fc.integer({ min: 1, max: 60 })
      })
    },
    { weight: 3, arbitrary: fc.record({ _tag: fc.constant<"Match">("Match"), by: fc.integer({ min: 0, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant<"Probe">("Probe"), back: fc.integer({ min: 0, max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constantFrom<"Replicate" | "Snapshot">("Replicate", "Snapshot") }) }
  ),
  { maxLength: 60 }
)

describe("what a leader knows of a follower", () => {
  it("has a window like a list that forgets nothing", () => {
    fc.assert(
      fc.property(acts, all => {
        const progress = fresh()
        /** All that was ever sent; `since` is where the window was last emptied. */
        const sent: Array<RaftCore.Inflight> = []
        let since = 0
        let lastSent = 0
        for (const act of all) {
          switch (act._tag) {
            case "Send": {
              if (Progress.isWindowFull(progress, options)) break
              lastSent += act.entries
              sent.push({ lastIndex: lastSent, bytes: act.bytes })
              Progress.addInflight(progress, { lastIndex: lastSent, bytes: act.bytes })
              break
            }
            case "Match":
              progress.matchIndex = Math.min(lastSent, progress.matchIndex + act.by)
              progress.nextIndex = Math.max(progress.nextIndex, progress.matchIndex + 1)
              Progress.releaseInflight(progress, progress.matchIndex)
              break
            case "Probe":
              Progress.becomeProbe(progress, lastSent - act.back)
              since = sent.length
              break
            case "Replicate":
              Progress.becomeReplicate(progress)
              since = sent.length
              break
            case "Snapshot":
              Progress.becomeSnapshot(progress)
              since = sent.length
          }
          const unanswered = sent.slice(since).filter(({ lastIndex }) => lastIndex > progress.matchIndex)
          const bytes = unanswered.reduce((total, message) => total + message.bytes, 0)
          assert.deepStrictEqual(progress.inflight, unanswered)
          assert.strictEqual(progress.inflightBytes, bytes)
          assert.strictEqual(Progress.isWindowFull(progress, options), unanswered.length >= 4 || bytes >= 100)
          assert.isAbove(progress.nextIndex, progress.matchIndex)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("never has more unanswered than the window, but for the message that fills it", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 30 }), sizes => {
        const progress = fresh()
        for (const [at, bytes] of sizes.entries()) {
          if (Progress.isWindowFull(progress, options)) break
          Progress.addInflight(progress, { lastIndex: at + 1, bytes })
        }
        assert.isAtMost(progress.inflight.length, options.inflightMessagesMax)
        const [, ...others] = [...progress.inflight].reverse()
        assert.isBelow(
          others.reduce((total, { bytes }) => total + bytes, 0),
          options.inflightBytesMax
        )
      })
    )
  })

  it("asks for nothing that is known to match, however far back it is to probe", () => {
    fc.assert(
      fc.property(fc.nat(20), fc.integer({ min: -5, max: 30 }), (matchIndex, from) => {
        const progress = { ...fresh(20), matchIndex, nextIndex: 21 }
        Progress.becomeProbe(progress, from)
        assert.strictEqual(progress.nextIndex, from > matchIndex ? from : matchIndex + 1)
        assert.isFalse(progress.paused)
      })
    )
  })

  it("is kept over a change of the membership, for those and only those that are members", () => {
    const names = ["me", "a", "b", "c", "d"]
    const standings = fc.array(fc.constantFrom("voter", "learner", "stranger"), {
      minLength: names.length,
      maxLength: names.length
    })
    const configurationOf = (of: ReadonlyArray<string>): Membership.Configuration => ({
      voters: names.filter((_, at) => of[at] === "voter"),
      learners: names.filter((_, at) => of[at] === "learner"),
      removed: []
    })
    fc.assert(
      fc.property(standings, standings, (before, after) => {
        const known = Progress.forMembers(configurationOf(before), "me", [], 7).map(progress => ({
          ...progress,
          matchIndex: 3
        }))
        const next = Progress.forMembers(configurationOf(after), "me", known, 9)
        const expected = names.filter((name, at) => name !== "me" && after[at] !== "stranger")
        assert.sameMembers(
          next.map(({ id }) => id),
          expected
        )
        for (const { catchUp, id, matchIndex, nextIndex } of next) {
          const at = names.indexOf(id)
          const wasMember = before[at] !== "stranger"
          assert.strictEqual(matchIndex, wasMember ? 3 : 0)
          assert.strictEqual(nextIndex, wasMember ? 8 : 10)
          const round = before[at] === "learner" ? 7 : 9
          assert.deepStrictEqual(catchUp, after[at] === "learner" ? { lastIndex: round, ticks: 0 } : undefined)
        }
      })
    )
  })
})
