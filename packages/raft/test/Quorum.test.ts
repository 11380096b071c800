import { assert, describe, it } from "@effect/vitest"
import { Quorum } from "@reckon/raft"
import * as fc from "fast-check"

const values = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 })

/** More than half, by counting rather than by dividing. */
const isMajority = (some: number, all: number): boolean => some > all - some

/** The greatest value that more than half have reached, by trying each. */
const reachedNaively = (all: ReadonlyArray<number>): number =>
  Math.max(0, ...all.filter(value => isMajority(all.filter(other => other >= value).length, all.length)))

/** Every way in which the silent could still answer. */
const outcomeNaively = (voters: number, granted: number, refused: number): Quorum.Outcome => {
  const ends = Array.from({ length: voters - granted - refused + 1 }, (_, more) => isMajority(granted + more, voters))
  if (ends.every(won => won)) return "won"
  return ends.some(won => won) ? "open" : "lost"
}

describe("Quorum", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [6, 4],
    [7, 4]
  ])("of %i is %i", (voters, size) => {
    assert.strictEqual(Quorum.size(voters), size)
  })

  it("is the smallest majority", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), voters => {
        const size = Quorum.size(voters)
        assert.isTrue(isMajority(size, voters))
        assert.isFalse(isMajority(size - 1, voters))
      })
    )
  })

  it("two quorums always share a voter", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 1_000 }), voters => 2 * Quorum.size(voters) > voters))
  })

  it("reaches what the naive count reaches", () => {
    fc.assert(fc.property(values, all => assert.strictEqual(Quorum.reached(all), reachedNaively(all))))
  })

  it("reaches the same in any order, and leaves its argument alone", () => {
    fc.assert(
      fc.property(values, all => {
        const before = [...all]
        assert.strictEqual(Quorum.reached(all), Quorum.reached([...all].reverse()))
        assert.deepStrictEqual(all, before)
      })
    )
  })

  it("never falls when a voter advances", () => {
    fc.assert(
      fc.property(values, fc.nat(8), fc.nat(5), (all, at, by) => {
        const advanced = all.map((value, index) => (index === at % all.length ? value + by : value))
        return Quorum.reached(advanced) >= Quorum.reached(all)
      })
    )
  })

  it("of nobody has reached nothing", () => {
    assert.strictEqual(Quorum.reached([]), 0)
    assert.strictEqual(Quorum.outcome(0, 0, 0), "lost")
  })

  it("an election stands as every end of it says", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(9), fc.nat(9), (voters, grants, refusals) => {
        const granted = Math.min(grants, voters)
        const refused = Math.min(refusals, voters - granted)
        assert.strictEqual(Quorum.outcome(voters, granted, refused), outcomeNaively(voters, granted, refused))
      })
    )
  })
})
