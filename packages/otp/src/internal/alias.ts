/**
 * The way past what waits in a mailbox. Re-exported by `Process`.
 */
import * as Effect from "effect/Effect"
import type * as ExitReason from "../ExitReason.js"
import { currentProcess, type Process } from "./kernel.js"
import { Message, type Pid } from "./signal.js"

/**
 * An address of a process at which messages and exit signals go ahead of what waits in its mailbox: `alias([priority])` of OTP 28.
 * Only the process itself can make one, so nothing jumps its queue but what it has asked for; whoever is given it may use it.
 *
 * What comes through it keeps its order, and so do the ordinary messages behind. It is good until the process takes it back with
 * `Process.unalias`, or dies. Calls and casts are always ordinary.
 *
 * @since 0.1.0
 * @category models
 */
export interface PriorityAlias<in Body = unknown> {
  readonly pid: Pid
  /**
   * Sends a message ahead of the ordinary ones. It takes room in the mailbox as they do. False if nobody will read it: the mailbox is
   * full, the process dead or the alias taken back.
   */
  readonly send: (body: Body) => Effect.Effect<boolean>
  /** The same, synchronously, for callbacks of other libraries. */
  readonly unsafeSend: (body: Body) => boolean
  /** Sends an exit signal as `Process.exit` does, but if the process traps exits, it finds it ahead of the ordinary messages. */
  readonly exit: (reason: ExitReason.ExitReason) => Effect.Effect<void>
}

export class Alias implements PriorityAlias {
  private active = true

  constructor(private readonly process: Process) {}

  get pid(): Pid {
    return this.process.pid
  }

  readonly unsafeSend = (body: unknown): boolean =>
    this.active && this.process.alive && this.process.mailbox.offer(new Message(body), true)

  readonly send = (body: unknown): Effect.Effect<boolean> => Effect.sync(() => this.unsafeSend(body))

  readonly exit = (reason: ExitReason.ExitReason): Effect.Effect<void> =>
    Effect.withFiberRuntime(fiber => {
      const { kernel } = this.process
      const from = fiber.getFiberRef(currentProcess)?.pid ?? kernel.host
      if (this.active) kernel.sendExit(this.process, from, reason, true)
      return Effect.void
    })

  /** Takes the alias back; false if it is another's, or worth nothing already. */
  revoke(by: Process): boolean {
    if (by !== this.process || !this.active) return false
    this.active = false
    return true
  }
}
