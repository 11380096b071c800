/** Spreads seeds that are close together, as those of members tend to be: 1, 2 and 3 must not draw alike. */
export const scramble = (seed: number): number => {
  let x = (Math.trunc(seed) ^ 0x9e3779b9) | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  x ^= x >>> 16
  // xorshift cannot leave zero
  return x === 0 ? 0x1b56c4e9 : x
}

/** An election time-out in `[ticks, 2 · ticks)`, and the seed for the next: a xorshift generator over 32 bits. */
export const electionTimeout = (
  seed: number,
  electionTicks: number
): { readonly ticks: number; readonly seed: number } => {
  let x = seed
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  return { ticks: electionTicks + ((x >>> 0) % electionTicks), seed: x }
}
