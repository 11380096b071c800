/**
 * Majorities.
 *
 * @since 0.1.0
 */

/**
 * How many of `voters` make a majority: more than half, so 2 of 2, 2 of 3, 3 of 4.
 *
 * @since 0.1.0
 * @category arithmetic
 */
export const size = (voters: number): number => Math.floor(voters / 2) + 1

/**
 * The greatest value that a majority has reached, each voter's own value given once. No voters have reached nothing: 0.
 *
 * With match indices this is the index that may be committed, with read rounds the round that is confirmed.
 *
 * @since 0.1.0
 * @category arithmetic
 */
export const reached = (values: ReadonlyArray<number>): number => {
  if (values.length === 0) return 0
  const descending = [...values].sort((a, b) => b - a)
  return descending[size(values.length) - 1] ?? 0
}

/**
 * How an election stands.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "won" | "lost" | "open"

/**
 * `won` once a majority has granted, `lost` once so many have refused that none can be reached any more. Nobody can win
 * where nobody votes.
 *
 * @since 0.1.0
 * @category arithmetic
 */
export const outcome = (voters: number, granted: number, refused: number): Outcome => {
  if (granted >= size(voters)) return "won"
  return voters - refused < size(voters) ? "lost" : "open"
}
