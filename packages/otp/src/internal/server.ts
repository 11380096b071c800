/**
 * The inside of a server: the loop that drains its mailbox.
 *
 * A server that waits with nothing in its mailbox takes a call at once, in the step of the caller, and if its handler decides
 * without an effect, the answer is there in the same step: neither fiber waits for the other, and no time limit is armed.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as ExitReason from "../ExitReason.js"
import { Call, Cast, StateRequest, StopRequest, Timeout } from "./envelope.js"
import { currentProcess, type Envelope, type Holding, type Process, type Serving, type Signal } from "./kernel.js"
import {
  type AnyOutcome,
  Ignore,
  InitFail,
  InitNext,
  type InitOutcome,
  InitStop,
  immediate,
  isOutcome,
  type Next,
  NoReply
} from "./outcome.js"
import { Down, ExitSignal, Message } from "./signal.js"
import { summary } from "./summary.js"
import { TimerEntry } from "./timers.js"

type Callback = Effect.Effect<AnyOutcome, unknown, unknown>

/** A server's definition with its types erased: the mailbox holds messages of every kind. */
export interface Definition {
  readonly init: () => Effect.Effect<unknown | InitOutcome<unknown, unknown>, unknown, unknown>
  readonly handlers: { readonly [tag: string]: (payload: unknown, state: unknown, from: Call) => Callback }
  readonly info: ((message: unknown, state: unknown) => Callback) | undefined
  readonly continue: ((token: unknown, state: unknown) => Callback) | undefined
  readonly terminate:
    | ((reason: ExitReason.ExitReason, state: unknown) => Effect.Effect<unknown, unknown, unknown>)
    | undefined
}

/**
 * Erases the types. That each message meets the callback of its own type is the protocol's promise, kept by the typed
 * client, and beyond what the compiler can follow through a map of handlers.
 */
export const define = <Self>(
  options: { readonly init: (self: Self) => Effect.Effect<unknown, unknown, unknown> },
  self: Self
): Definition => ({ ...options, init: () => options.init(self) }) as unknown as Definition

/** How a start went, told to the starter. A failed one is told only by the process's death. */
export interface Ack {
  /** Set before the process dies of a start that did not succeed. */
  failure: "ignore" | ExitReason.ExitReason | undefined
  started: () => void
}

/** The process ends with this reason: the fiber's failure carries it through the finalizers to the verdict. */
class Ending {
  constructor(readonly reason: ExitReason.ExitReason) {}
}

/** How many messages are served in one go before other fibers get their turn. */
const turn = 256

/** There was nothing to do, or it has been done. */
const nothing = Symbol.for("@reckon/otp/nothing")

/** What a `continue` callback handles: no message, but it may crash too. */
const continuing = { _tag: "Continue" } as const

class IdleTimer extends TimerEntry implements Holding {
  constructor(private readonly loop: Loop) {
    super()
  }
  expire(): void {
    this.loop.idleExpired()
  }
  release(): void {
    this.disarm()
  }
}

export class Loop implements Serving {
  private state: unknown = undefined
  /** What is being handled: for the answer, and for the report if it goes wrong. */
  private current: Signal | Timeout | typeof continuing | undefined = undefined
  private currentCall: Call | undefined = undefined
  /** What the fiber does when it wakes, before it looks for messages: what a call taken in its caller's step has left for it. */
  private left: Effect.Effect<never, unknown, unknown> | undefined = undefined
  /** Parks the mailbox where the loop waits for its next message; in a callback, whose receive parks it as well, another one does. */
  private waiter: (() => void) | undefined = undefined
  /** What the caller of the last call is told once `terminate` is through, whether or not that crashed. */
  private answer: Exit.Exit<unknown, unknown> | undefined = undefined
  private hasToken = false
  private token: unknown = undefined
  /** Made when the first timeout is asked for: most servers never do. */
  private idle: IdleTimer | undefined = undefined
  /** Whether any of the following is set: looked at with every message. */
  private isTimed = false
  /** Fires when the mailbox is empty. */
  private idleZero = false
  /** Fires next. */
  private idleDue = false
  /** What `info` gets then; a `Timeout` if there is none. */
  private idleMessage: Message | undefined = undefined

  private readonly step: Effect.Effect<never, unknown, unknown> = Effect.suspend(() => this.drain())
  private readonly park: Effect.Effect<never, unknown, unknown> = Effect.async(resume => {
    // As with a message, the time may have run out since the last look.
    const waiter = () => resume(this.step)
    this.waiter = waiter
    if (this.idleDue) waiter()
    else this.process.mailbox.park(waiter)
  })
  private readonly onOutcome = (outcome: AnyOutcome): Effect.Effect<never, unknown, unknown> =>
    this.apply(outcome) ?? this.step

  constructor(
    private readonly process: Process,
    private readonly definition: Definition,
    private readonly ack: Ack
  ) {
    process.server = this
  }

  /** The whole life of the server's fiber. */
  live(): Effect.Effect<void, unknown, unknown> {
    return Effect.suspend(() => this.definition.init()).pipe(
      Effect.flatMap(initial => this.begin(initial)),
      Effect.catchAllCause(cause => this.finish(cause))
    )
  }

  serve(envelope: Envelope): boolean {
    const { alive, ending, kernel, mailbox } = this.process
    const waiter = this.waiter
    if (!mailbox.isParkedBy(waiter) || !alive || ending !== undefined) return false
    if (!(envelope instanceof Call) || envelope instanceof StateRequest || kernel.eventLoop.isOverdue()) return false
    // Nothing the handler does may wake the fiber before the call is through.
    mailbox.unpark()
    this.process.await(envelope)
    this.quietIdle()
    this.current = envelope
    this.currentCall = envelope
    this.left = this.handle(envelope)
    if (this.left !== undefined || this.hasToken || this.idleDue || this.idleZero) waiter()
    else mailbox.park(waiter)
    return true
  }

  /** What is left to do for the fiber, if there is anything. */
  private handle(call: Call): Effect.Effect<never, unknown, unknown> | undefined {
    try {
      const effect = this.handler(call.request)(call.payload, this.state, call)
      const outcome = immediate(effect)
      return outcome === undefined ? Effect.flatMap(effect, this.onOutcome) : this.apply(outcome)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  idleExpired(): void {
    this.idleDue = true
    this.process.mailbox.wake()
  }

  private begin(initial: unknown): Effect.Effect<never, unknown, unknown> {
    if (initial instanceof Ignore) {
      this.ack.failure = "ignore"
      return Effect.fail(new Ending(ExitReason.normal))
    }
    if (initial instanceof InitStop) {
      this.ack.failure = initial.reason
      return Effect.fail(new Ending(initial.reason))
    }
    if (initial instanceof InitFail) {
      this.ack.failure = initial.reason
      return Effect.fail(new Ending(ExitReason.normal))
    }
    if (initial instanceof InitNext) {
      this.state = initial.state
      this.follow(initial.next)
    } else {
      this.state = initial
    }
    this.process.starting = false
    this.ack.started()
    return Effect.catchAllCause(this.step, cause => this.terminate(cause))
  }

  private drain(): Effect.Effect<never, unknown, unknown> {
    if (this.left !== undefined) {
      const left = this.left
      this.left = undefined
      return left
    }
    const mailbox = this.process.mailbox
    for (let left = turn; left > 0; left--) {
      const effect = this.take()
      if (effect === nothing) {
        if (mailbox.length > 0) continue
        if (this.idleDue || this.idleZero || this.hasToken) continue
        return this.park
      }
      const outcome = immediate(effect)
      if (outcome === undefined) return Effect.flatMap(effect, this.onOutcome)
      const ending = this.apply(outcome)
      if (ending !== undefined) return ending
    }
    return Effect.zipRight(Effect.yieldNow(), this.step)
  }

  /** The effect of the next thing to do, or `nothing`. */
  private take(): Callback | typeof nothing {
    this.currentCall = undefined
    if (this.hasToken) {
      const token = this.token
      this.hasToken = false
      this.token = undefined
      this.current = continuing
      const callback = this.definition.continue
      if (callback === undefined) return Effect.dieMessage("a continue was asked for, but there is no such callback")
      return callback(token, this.state)
    }
    if (this.idleDue) return this.timeIsUp()
    const signal = this.process.mailbox.shift()
    if (signal === undefined) return this.idleZero ? this.timeIsUp() : nothing
    this.current = signal
    if (signal instanceof Call) {
      if (signal instanceof StateRequest) {
        this.state = signal.answer(this.state)
        return nothing
      }
      this.quietIdle()
      this.currentCall = signal
      return this.handler(signal.request)(signal.payload, this.state, signal)
    }
    if (signal instanceof StopRequest) return Effect.fail(new Ending(signal.reason))
    this.quietIdle()
    if (signal instanceof Cast) return this.handler(signal.request)(signal.payload, this.state, nobody)
    if (signal instanceof Message) return this.inform(signal.body)
    if (signal instanceof ExitSignal && signal.from === this.process.parent?.pid) {
      return Effect.fail(new Ending(signal.reason))
    }
    if (signal instanceof ExitSignal || signal instanceof Down) return this.inform(signal)
    return nothing
  }

  private timeIsUp(): Callback {
    const message = this.idleMessage
    this.quietIdle()
    this.current = message ?? new Timeout()
    return this.inform(message === undefined ? this.current : message.body)
  }

  private handler(tag: string): (payload: unknown, state: unknown, from: Call) => Callback {
    const handler = this.definition.handlers[tag]
    return handler ?? (() => Effect.dieMessage(`there is no handler for "${tag}"`))
  }

  private inform(message: unknown): Callback {
    const info = this.definition.info
    if (info !== undefined) return info(message, this.state)
    const dropped = Effect.annotateLogs(Effect.logWarning("message dropped: the server has no info callback"), {
      server: this.process.label()
    })
    return Effect.map(dropped, () => new NoReply(this.state, undefined))
  }

  private apply(outcome: AnyOutcome): Effect.Effect<never, unknown, unknown> | undefined {
    if (!isOutcome(outcome)) return Effect.dieMessage("a callback returned something that is not an outcome")
    this.state = outcome.state
    switch (outcome._tag) {
      case "Reply":
        this.currentCall?.settle(Exit.succeed(outcome.value))
        break
      case "Fail":
        this.currentCall?.settle(Exit.fail(outcome.error))
        break
      case "NoReply":
        break
      case "Stop":
        this.answer = outcome.answer
        return Effect.fail(new Ending(outcome.reason))
    }
    this.follow(outcome.next)
    return undefined
  }

  private follow(next: Next<unknown> | undefined): void {
    if (next === undefined) return
    if ("continue" in next) {
      this.hasToken = true
      this.token = next.continue
    }
    if (next.timeout === undefined) return
    const millis = Duration.toMillis(next.timeout)
    this.quietIdle()
    this.isTimed = true
    const timed = "message" in next
    if (timed) this.idleMessage = new Message(next.message)
    if (millis <= 0) {
      if (timed) this.idleDue = true
      else this.idleZero = true
      return
    }
    if (this.idle === undefined) {
      this.idle = new IdleTimer(this)
      this.process.hold(this.idle)
    }
    this.process.kernel.timers.arm(this.idle, millis)
  }

  private quietIdle(): void {
    if (!this.isTimed) return
    this.isTimed = false
    this.idleZero = false
    this.idleDue = false
    this.idleMessage = undefined
    this.idle?.disarm()
  }

  /** Runs the user's `terminate` if the end is one that calls for it, then passes the end on. */
  private terminate(cause: Cause.Cause<unknown>): Effect.Effect<never, unknown, unknown> {
    const callback = this.definition.terminate
    const reason = reasonOf(cause)
    this.quietIdle()
    const before =
      callback === undefined || !this.process.alive ? Effect.void : Effect.suspend(() => callback(reason, this.state))
    return before.pipe(
      Effect.onExit(() =>
        Effect.sync(() => {
          if (this.answer !== undefined) this.currentCall?.settle(this.answer)
        })
      ),
      Effect.zipRight(Effect.failCause(cause))
    )
  }

  /** Turns the end into the process's exit reason and reports it if it is abnormal. */
  private finish(cause: Cause.Cause<unknown>): Effect.Effect<void, unknown> {
    const reason = reasonOf(cause)
    this.process.ending = reason
    if (ExitReason.isClean(reason)) return Effect.void
    const report = Effect.logError("server terminated", ExitReason.toCause(reason)).pipe(
      Effect.annotateLogs({
        server: this.process.label(),
        reason: ExitReason.format(reason),
        lastMessage: describe(this.current),
        state: summary(this.state),
        ...(this.current instanceof Call ? { caller: callerOf(this.current) } : {})
      })
    )
    // An abnormal end that is no failure of the fiber (a `stop` with such a reason) is told by `ending` alone.
    return reason._tag === "Crash" && !isEnding(cause) ? Effect.zipRight(report, Effect.failCause(cause)) : report
  }
}

/** The caller of a cast: there is none. */
const nobody = new Call("cast", undefined, "", 0, undefined, undefined)
nobody.settled = true

const isEnding = (cause: Cause.Cause<unknown>): boolean => endingOf(cause) !== undefined

const endingOf = (cause: Cause.Cause<unknown>): Ending | undefined =>
  Cause.isFailType(cause) && cause.error instanceof Ending ? cause.error : undefined

const reasonOf = (cause: Cause.Cause<unknown>): ExitReason.ExitReason =>
  endingOf(cause)?.reason ?? ExitReason.fromCause(cause)

/** The process that called, or the fiber if it was none. */
const callerOf = ({ caller }: Call): string =>
  caller?.getFiberRef(currentProcess)?.label() ?? (caller === undefined ? "unknown" : FiberId.threadName(caller.id()))

const describe = (signal: Signal | Timeout | typeof continuing | undefined): string => {
  if (signal === undefined) return "none"
  if (signal instanceof StopRequest) return "stop"
  if (signal instanceof Call) return `call ${signal.request}`
  if (signal instanceof Cast) return `cast ${signal.request}`
  return signal._tag
}
