type Numbers = Readonly<Record<string, number | string | boolean | undefined>>

/** A broken invariant. A defect by design: there is nothing a caller could do but stop. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation"
  constructor(
    readonly invariant: string,
    readonly numbers: Numbers
  ) {
    const shown = Object.entries(numbers).map(([key, value]) => `${key}=${value}`)
    super(`broken invariant: ${invariant} (${shown.join(" ")})`)
  }
}

/**
 * States what must hold, as a sentence, and throws with the numbers when it does not. The numbers are an object literal
 * made on every call; where that would cost in a hot loop, test first and call {@link broken}.
 */
export function assertInvariant(condition: boolean, invariant: string, numbers: Numbers): asserts condition {
  if (!condition) broken(invariant, numbers)
}

export const broken = (invariant: string, numbers: Numbers): never => {
  throw new InvariantViolation(invariant, numbers)
}
