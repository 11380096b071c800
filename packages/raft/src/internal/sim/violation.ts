/** A promise of Raft that a run broke. */
export class Violation extends Error {
  override readonly name = "Violation"
  constructor(
    readonly invariant: string,
    readonly detail: string
  ) {
    super(`${invariant}: ${detail}`)
  }
}
