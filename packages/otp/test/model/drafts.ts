/**
 * What the histories of both kinds of supervisors are made of. A draft is a small record that names its objects by numbers. What it
 * stands for is decided when its turn comes, from what the model knows by then, so a history that was cut down still makes sense.
 */
import * as fc from "fast-check"
import { type Outcome, type OwnReason, ownReasons } from "./vocabulary.js"

export const periodsMillis = [1_000, 2_000] as const

/** Ends in the middle of a period, at its very end, and just after it. */
export const passesMillis = [1, 400, 500, 600, 700, 999, 1_000, 1_001, 1_300, 2_000, 2_001] as const

/** How far from the end of a period. */
export const edge = fc.constantFrom(-1, 0, 0, 1)

/** Names one of however many there are. */
export const pick = fc.nat(11)

/** Why a child ends by itself. */
export const own = fc.constantFrom<OwnReason>("crash", "crash", "crash", ...ownReasons)

/** How the next starts of a child go wrong. */
export const troubles = fc.array(fc.constantFrom<Outcome>("fail", "fail", "fail", "die", "ignore", "taken"), {
  minLength: 1,
  maxLength: 3
})

export const nextStarts = fc.oneof(
  { weight: 3, arbitrary: fc.constant<ReadonlyArray<Outcome>>([]) },
  { weight: 1, arbitrary: troubles }
)

/**
 * From 5 to 30. Mostly few, because then there can be more histories; but some things take long to come about. A history is cut down
 * by leaving drafts out, which may bring it below five.
 */
export const drafts = <Draft>(draft: fc.Arbitrary<Draft>): fc.Arbitrary<ReadonlyArray<Draft>> => {
  const some = (minLength: number, maxLength: number) =>
    fc.array(fc.option(draft, { freq: 1_000 }), { minLength, maxLength, size: "max" })
  return fc
    .oneof({ weight: 4, arbitrary: some(5, 12) }, { weight: 1, arbitrary: some(12, 30) })
    .map(drafts => drafts.flatMap(draft => draft ?? []))
}
