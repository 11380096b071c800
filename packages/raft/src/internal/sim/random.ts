/** A seeded generator (mulberry32). A simulation draws from one, in one order, so its seed replays it. */
export interface Random {
  /** In [0, 1). */
  readonly next: () => number
  /** In [0, below). */
  readonly int: (below: number) => number
  /** In [from, to], both included. */
  readonly between: (from: number, to: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A | undefined
}

export const make = (seed: number): Random => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
  const int = (below: number): number => Math.floor(next() * below)
  return {
    next,
    int,
    between: (from, to) => from + int(to - from + 1),
    chance: probability => next() < probability,
    pick: from => from[int(from.length)]
  }
}
