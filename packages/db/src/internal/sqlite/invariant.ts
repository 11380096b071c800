/** What must never happen, happened. Thrown, never returned: a caller must not be able to catch it as an error and retry. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant"
}

type Facts = Readonly<Record<string, string | number | null>>

/** Always on: a store that goes on after its invariant broke writes the damage down on every replica. */
export function assertInvariant(condition: boolean, rule: string, facts: Facts): asserts condition {
  if (condition) return
  const numbers = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  throw new BrokenInvariant(`${rule} (${numbers.join(", ")})`)
}

/** An append to several streams says of each once what it wants of it. */
export const assertNamedOnce = (streamIds: ReadonlyArray<string>): void => {
  if (streamIds.length < 2) return
  const facts = { parts: streamIds.length, streams: new Set(streamIds).size }
  assertInvariant(facts.streams === facts.parts, "an append names each stream once", facts)
}
