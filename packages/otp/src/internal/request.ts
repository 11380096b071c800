/**
 * A request whose answer is fetched later. The slot the answer goes to, and who waits at it.
 */
import type * as Exit from "effect/Exit"
import type { Call } from "./envelope.js"

/**
 * A request that was sent. `A` is its answer, `E` the protocol's own error.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request<out A, out E = never> {
  readonly server: string
  readonly tag: string
  readonly _A?: (_: never) => A
  readonly _E?: (_: never) => E
}

export class Pending {
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** The request in the server's mailbox; undefined if it did not get there. */
  call: Call | undefined = undefined
  private readonly waiters = new Set<() => void>()

  constructor(
    readonly server: string,
    readonly tag: string
  ) {}

  settle(exit: Exit.Exit<unknown, unknown>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    for (const wake of this.waiters) wake()
    this.waiters.clear()
  }

  /** Calls back when there is an answer; the returned function takes the wish back. */
  onAnswer(wake: () => void): () => void {
    this.waiters.add(wake)
    return () => void this.waiters.delete(wake)
  }

  /** Nobody wants the answer any more: one that comes later goes nowhere. */
  abandon(exit: Exit.Exit<unknown, unknown>): void {
    this.call?.retire()
    this.settle(exit)
  }
}
