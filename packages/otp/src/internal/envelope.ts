/**
 * What lies in a server's mailbox: calls, casts and the requests of the system.
 *
 * A call is one object that is at once the message, the reply slot, the entry in the timeout queue and the entry in the
 * list of callers to tell when the server dies. Whichever of reply, timeout, interruption and death comes first settles it;
 * the others find it settled.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { CallTimeout, ReplacerFailed, ServerExited } from "../CallError.js"
import type * as ExitReason from "../ExitReason.js"
import type { Envelope, Process, Waiting } from "./kernel.js"
import { TimerEntry } from "./timers.js"

export class Call extends TimerEntry implements Envelope, Waiting {
  readonly _tag = "Envelope"
  settled = false
  /** How it was settled; undefined if nobody waits any more. */
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  waitingOn: Process | undefined = undefined
  waitingBefore: Waiting | undefined = undefined
  waitingAfter: Waiting | undefined = undefined

  constructor(
    readonly request: string,
    readonly payload: unknown,
    readonly server: string,
    readonly limitMillis: number,
    /** Where the answer goes, once somebody waits for it. */
    public resume: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined,
    /** Who asks, for the report should the server crash over it. */
    readonly caller: Fiber.RuntimeFiber<unknown, unknown> | undefined
  ) {
    super()
  }

  /** The answer, for the one that waits for it: it may be there already. */
  get awaited(): Effect.Effect<unknown, unknown> {
    return (
      this.exit ??
      Effect.async(resume => {
        if (this.exit === undefined) this.resume = resume
        else resume(this.exit)
      })
    )
  }

  /** The first to settle wins; a second reply is ignored. */
  settle(exit: Exit.Exit<unknown, unknown>): void {
    if (this.settled) return
    this.retire()
    this.exit = exit
    this.resume?.(exit)
  }

  /** Nobody waits any more: a reply that comes later goes nowhere. */
  retire(): void {
    this.settled = true
    this.disarm()
    this.waitingOn?.retire(this)
  }

  expire(): void {
    this.settle(
      Exit.fail(new CallTimeout({ server: this.server, request: this.request, timeoutMillis: this.limitMillis }))
    )
  }

  abandoned(reason: ExitReason.ExitReason): void {
    // Unchecked: to look through the same cause again for each of thousands of callers would hold up the whole node.
    this.settle(Exit.fail(new ServerExited({ server: this.server, request: this.request, reason }, true)))
  }
}

/** A question about the server itself. It is answered in its turn, but does not count as a message. */
export class StateRequest extends Call {
  /** The state from now on. */
  answer(state: unknown): unknown {
    this.settle(Exit.succeed(state))
    return state
  }
}

export class StateReplacement extends StateRequest {
  override answer(state: unknown): unknown {
    try {
      const replaced = typeof this.payload === "function" ? this.payload(state) : state
      this.settle(Exit.succeed(replaced))
      return replaced
    } catch (defect) {
      this.settle(Exit.fail(new ReplacerFailed({ server: this.server, request: this.request, defect })))
      return state
    }
  }
}

export class Cast implements Envelope {
  readonly _tag = "Envelope"
  constructor(
    readonly request: string,
    readonly payload: unknown
  ) {}
}

/** Somebody asked the server to stop, in its turn. */
export class StopRequest implements Envelope {
  readonly _tag = "Envelope"
  constructor(readonly reason: ExitReason.ExitReason) {}
}

/**
 * What `info` gets when the time a callback set has passed without a message.
 *
 * @since 0.1.0
 * @category signals
 */
export class Timeout {
  readonly _tag = "Timeout"
}
