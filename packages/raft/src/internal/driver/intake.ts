import type { ProposeError } from "../../RaftError.js"
import type { Reply } from "./reply.js"

/**
 * Where proposals enter a member's process: lent to those beside it who propose, for as long as it lives. What it takes costs the process's queue nothing; a call
 * for each proposal would cost more than all that is done about it.
 */
export class Intake {
  private open = true

  constructor(
    /** Never waits. The reply is called once: within the time that a proposal has for its outcome, and when the process ends. */
    readonly propose: (payload: Uint8Array, reply: Reply<Uint8Array, ProposeError>) => void
  ) {}

  /** Not any more once the process has ended; the next one has its own. */
  get isOpen(): boolean {
    return this.open
  }

  close(): void {
    this.open = false
  }
}
