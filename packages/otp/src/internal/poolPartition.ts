/**
 * One partition of a pool: whom its requests go to, and where they wait while there is nobody.
 *
 * Everything here is synchronous, as in the kernel. JavaScript runs one thing at a time, so a request is in a worker's mailbox in
 * the same step in which that worker was found, and a worker is no longer to be found in the same step in which it was told to
 * stop. No request can fall between, and no order can change.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { type CallError, CallingSelf, MailboxFull, NoProcess } from "../CallError.js"
import { ChildStartFailed, ChildStateError } from "../ChildError.js"
import * as ExitReason from "../ExitReason.js"
import { Call, Cast, StateRequest, StopRequest } from "./envelope.js"
import type { Process, Waiting } from "./kernel.js"
import type { Pid } from "./signal.js"
import { Alarm } from "./timers.js"

/** What all partitions of a pool have in common. Times that are not finite never come. */
export interface Limits {
  /** How long a worker may be without a request before it is stopped. */
  readonly idleMillis: number
  /** How long an idle worker may take to stop by itself. */
  readonly stopMillis: number
  /** How many requests may wait for a worker. */
  readonly waitingCapacity: number
}

type Resume = (answer: Effect.Effect<unknown, unknown>) => void
type Caller = Fiber.RuntimeFiber<unknown, unknown>

const forEver = Number.POSITIVE_INFINITY

export class Partition {
  readonly id: string
  starts = 0
  idleStops = 0
  /** Requests that found no room to wait for a worker, ever. */
  refused = 0
  private readonly label: string
  /** Whom requests go to: the routing table. */
  private worker: Process | undefined = undefined
  /** Found idle and told to stop. No other may start while it lives: it may hold a file. */
  private leaving: Process | undefined = undefined
  /** The question for a worker that the supervisor has not answered yet. */
  private asked: Call | undefined = undefined
  /** Requests that wait for a worker, in the order in which they came. */
  private readonly line = new Set<Call | Cast>()
  private readonly idle = new Alarm(() => this.probe())
  private readonly overdue = new Alarm(() => void this.demand("TerminateChild", { child: this.id }))

  constructor(
    private readonly supervisor: Process,
    poolLabel: string,
    index: number,
    private readonly limits: Limits
  ) {
    this.id = String(index)
    this.label = `${poolLabel}/${index}`
  }

  get running(): boolean {
    return this.worker !== undefined
  }

  get waiting(): number {
    return this.line.size
  }

  /** How many callers wait for an answer. They are counted when somebody wants to know; a call costs nothing for it. */
  get inFlight(): number {
    let count = 0
    for (const request of this.line) if (request instanceof Call) count++
    for (let call: Waiting | undefined = this.worker?.waitingHead; call !== undefined; call = call.waitingAfter) count++
    return count
  }

  // ---------------------------------------------------------------------------------------------------------------
  // requests
  // ---------------------------------------------------------------------------------------------------------------

  /** Routes a call: a worker that waits takes it at once, in the step of the caller, as any server does. */
  call(tag: string, payload: unknown, limitMillis: number, caller: Caller): Effect.Effect<unknown, unknown> {
    // A callback of the worker itself would wait for ever. A fiber it has forked may call.
    if (caller === (this.worker ?? this.leaving)?.fiber) {
      return Effect.fail(new CallingSelf({ server: this.label, request: tag }))
    }
    const call = new Call(tag, payload, this.label, limitMillis, undefined, caller)
    if (limitMillis === forEver || this.worker?.server?.serve(call) !== true) {
      return Effect.async(resume => this.enqueue(call, resume))
    }
    this.rest()
    if (call.exit === undefined) this.timers.arm(call, limitMillis)
    return call.awaited
  }

  /** What is returned withdraws the call, if no time limit would ever settle it. */
  private enqueue(call: Call, resume: Resume): Effect.Effect<void> | undefined {
    const { limitMillis, request, server } = call
    call.resume = exit => {
      this.line.delete(call)
      resume(exit)
    }
    const capacity = this.worker?.mailbox.capacity ?? this.limits.waitingCapacity
    if (!this.take(call)) {
      resume(Effect.fail(new MailboxFull({ server, request, capacity })))
      return undefined
    }
    this.timers.arm(call, limitMillis)
    if (limitMillis !== forEver) return undefined
    return Effect.sync(() => {
      call.retire()
      this.line.delete(call)
    })
  }

  cast(tag: string, payload: unknown): void {
    this.take(new Cast(tag, payload))
  }

  private take(request: Call | Cast): boolean {
    if (this.worker !== undefined) {
      this.rest()
      return hand(this.worker, request)
    }
    if (this.line.size >= this.limits.waitingCapacity) {
      this.refused++
      return false
    }
    this.line.add(request)
    this.ask()
    return true
  }

  private failLine(errorFor: (tag: string) => CallError | ChildStartFailed): void {
    const line = Array.from(this.line)
    this.line.clear()
    for (const request of line) {
      if (request instanceof Call) request.settle(Exit.fail(errorFor(request.request)))
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // workers come and go
  // ---------------------------------------------------------------------------------------------------------------

  /** A worker has started, for whatever reason. It gets all that waited, before anything newer. */
  arrived(pid: Pid): void {
    const worker = this.supervisor.kernel.lookup(pid)
    // Dead already. The supervisor has, or will have, its exit signal, and decides.
    if (worker === undefined || !this.supervisor.alive) return
    this.starts++
    this.worker = worker
    this.asked = undefined
    worker.onDeath(() => this.gone(worker))
    const line = Array.from(this.line)
    this.line.clear()
    for (const request of line) {
      if (hand(worker, request) || !(request instanceof Call)) continue
      const { capacity } = worker.mailbox
      request.settle(Exit.fail(new MailboxFull({ server: this.label, request: request.request, capacity })))
    }
    this.rest()
  }

  private gone(worker: Process): void {
    if (this.worker === worker) {
      this.worker = undefined
      this.idle.disarm()
    }
    if (this.leaving === worker) {
      this.leaving = undefined
      this.overdue.disarm()
    }
    if (this.line.size > 0) this.ask()
  }

  /** The pool is dead. Nobody will come to serve those who wait. */
  close(): void {
    this.worker = undefined
    this.asked = undefined
    this.idle.disarm()
    this.overdue.disarm()
    this.failLine(request => new NoProcess({ server: this.label, request }))
  }

  /**
   * Asks the supervisor for a worker, once for all who wait. A worker that has died is no special case: its exit signal went
   * into the supervisor's mailbox before anybody could find the partition empty, so the supervisor has dealt with it when it
   * comes to this question.
   */
  private ask(): void {
    if (this.asked !== undefined || this.leaving !== undefined || !this.supervisor.alive) return
    const question = this.demand("RestartChild", { id: this.id }, exit => {
      if (this.asked !== question) return
      this.asked = undefined
      this.answered(exit)
    })
    this.asked = question
  }

  /** The supervisor has answered, and no worker has arrived. */
  private answered(exit: Exit.Exit<unknown, unknown>): void {
    if (this.line.size === 0) return
    const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    if (failure instanceof ChildStateError && failure.state === "restarting") {
      // A restart has failed and is tried again, from the supervisor's mailbox, before it comes to this question. Each
      // try counts against its intensity, so this ends.
      this.ask()
    } else if (failure instanceof ChildStartFailed) {
      this.failLine(() => failure)
    } else if (failure !== undefined && !(failure instanceof ChildStateError)) {
      this.failLine(() => new ChildStartFailed({ id: this.id, reason: ExitReason.crashWith(failure) }))
    } else {
      // The worker was not needed, by its own word, or was dead before it could be given anything. To start it again and again
      // for those who wait would be a loop without a limit.
      this.failLine(request => new NoProcess({ server: this.label, request }))
    }
  }

  /** Past the mailbox's capacity: a supervisor that cannot be told would leave the partition stuck. At most two per partition wait. */
  private demand(request: string, payload: unknown, answered?: (exit: Exit.Exit<unknown, unknown>) => void): Call {
    const call = new Call(request, payload, this.supervisor.pid.label, forEver, answered, undefined)
    this.supervisor.mailbox.push(call)
    this.supervisor.await(call)
    return call
  }

  // ---------------------------------------------------------------------------------------------------------------
  // idle workers
  // ---------------------------------------------------------------------------------------------------------------

  private rest(): void {
    if (this.limits.idleMillis === forEver) return
    this.idle.disarm()
    this.timers.arm(this.idle, this.limits.idleMillis)
  }

  /**
   * The worker has had no request for long enough, but it may still be at work on one. So the question whether it is idle
   * is put to the worker itself, which answers it in its turn, between two messages.
   */
  private probe(): void {
    const worker = this.worker
    if (worker === undefined) return
    if (isBusy(worker)) {
      this.rest()
      return
    }
    const probed = (): void => this.probed(worker)
    worker.mailbox.push(new StateRequest("idle", undefined, this.label, forEver, probed, undefined))
  }

  /** Runs in the worker's turn: it has served all that came before the probe, and what came after is in its mailbox. */
  private probed(worker: Process): void {
    if (this.worker !== worker) return
    if (isBusy(worker)) {
      this.rest()
      return
    }
    // One step: nothing waits, nobody is owed an answer, and from here on nobody finds the worker. The request to stop is the
    // next thing it reads. Whoever comes now waits in the line until it is dead.
    this.worker = undefined
    this.leaving = worker
    this.idleStops++
    worker.mailbox.push(new StopRequest(ExitReason.normal))
    // Only its `terminate` and its finalizers are left to run. Past their time the supervisor ends it, as it would any child.
    this.timers.arm(this.overdue, this.limits.stopMillis)
  }

  private get timers() {
    return this.supervisor.kernel.timers
  }
}

const hand = (worker: Process, request: Call | Cast): boolean => {
  if (!worker.mailbox.offer(request)) return false
  if (request instanceof Call) worker.await(request)
  return true
}

/** Messages wait, or callers do: also those of an earlier message whose answer the worker has put off. */
const isBusy = (worker: Process): boolean => worker.mailbox.length > 0 || worker.waitingHead !== undefined
