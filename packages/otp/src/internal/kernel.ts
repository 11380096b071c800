/**
 * What processes are made of: pids, names, links, monitors and the one step in which a process dies.
 *
 * Everything here is synchronous. JavaScript runs one thing at a time, so a method that does not suspend is atomic
 * for every fiber, and that is what makes "the name is free before the news arrives" true rather than likely.
 */

import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import type * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as ExitReason from "../ExitReason.js"
import { Changes } from "./changes.js"
import { EventLoop } from "./eventLoop.js"
import { Mailbox } from "./mailbox.js"
import { Down, ExitSignal, type Kind, type Message, MonitorRef, Pid } from "./signal.js"
import { Alarm, Timers } from "./timers.js"

/** A message of a process kind of its own (a server's calls and casts), told apart by class. */
export interface Envelope {
  readonly _tag: "Envelope"
}

/** Whatever may wait in a mailbox. */
export type Signal = Envelope | Message | ExitSignal | Down

/** Something that waits for an answer of a process and must hear of its death: a call, say. Kept in a linked list. */
export interface Waiting {
  waitingOn: Process | undefined
  waitingBefore: Waiting | undefined
  waitingAfter: Waiting | undefined
  abandoned(reason: ExitReason.ExitReason): void
}

/** What reads the mailbox of a process and can do so in another fiber's step. */
export interface Serving {
  /**
   * Takes the message at once if nothing is ahead of it: the reader waits and has not been asked to end. False if not; then it
   * belongs in the mailbox.
   */
  serve(envelope: Envelope): boolean
}

interface Watcher {
  readonly process: Process
  readonly ref: MonitorRef
  /** Its `Down` goes ahead of the ordinary messages. */
  readonly priority: boolean
}

/** What a process has that is free for others once it is dead: its places in a registry, say. */
export interface Holding {
  release(process: Process): void
}

/** One child as its supervisor sees it. */
export interface ChildView {
  readonly id: string | undefined
  readonly pid: Pid | undefined
  readonly restarts: number
}

export interface SupervisorView {
  readonly strategy: string
  /** Restarts of any child, ever. */
  readonly restarts: number
  readonly children: ReadonlyArray<ChildView>
}

/** Most processes have few relations or none: each collection is made when it is first needed. */
export class Process {
  readonly mailbox: Mailbox<Signal>
  links: Set<Process> | undefined = undefined
  /** Who monitors this process, by the number of the monitor. */
  watchers: Map<number, Watcher> | undefined = undefined
  /** Whom this process monitors, by the number of the monitor. */
  watching: Map<number, Process> | undefined = undefined
  /** Released in the step of death, before anybody is told. */
  holdings: Set<Holding> | undefined = undefined
  /** Called once, in the step of death, after links and monitors were told. */
  private observers: Set<(reason: ExitReason.ExitReason) => void> | undefined = undefined
  /** Who started this process as its child; its exit signal stops even a process that traps exits. */
  parent: Process | undefined = undefined
  /** True until a start was acknowledged: until then a linked starter is told by the start's result, not by a signal. */
  starting = false
  alive = true
  /** Why the process has been asked to end, while its finalizers still run. The first reason wins. */
  ending: ExitReason.ExitReason | undefined = undefined
  exitReason: ExitReason.ExitReason | undefined = undefined
  name: string | undefined = undefined
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  waitingHead: Waiting | undefined = undefined
  /** Set if it is a server. */
  server: Serving | undefined = undefined
  /** By the node's monotonic clock. */
  readonly bornMillis: number
  /** What kind of process it is, for people and the observer. */
  kind: Kind = "process"
  /** How a supervisor shows its children to the observer. */
  view: (() => SupervisorView) | undefined = undefined

  constructor(
    readonly kernel: Kernel,
    readonly pid: Pid,
    readonly scope: Scope.CloseableScope,
    public trapExit: boolean,
    capacity: number
  ) {
    this.mailbox = new Mailbox<Signal>(capacity)
    this.bornMillis = kernel.timers.nowMillis()
  }

  await(waiting: Waiting): void {
    const head = this.waitingHead
    waiting.waitingOn = this
    waiting.waitingAfter = head
    if (head !== undefined) head.waitingBefore = waiting
    this.waitingHead = waiting
  }

  retire(waiting: Waiting): void {
    const { waitingAfter, waitingBefore } = waiting
    if (waitingBefore === undefined) this.waitingHead = waitingAfter
    else waitingBefore.waitingAfter = waitingAfter
    if (waitingAfter !== undefined) waitingAfter.waitingBefore = waitingBefore
    waiting.waitingOn = undefined
    waiting.waitingBefore = undefined
    waiting.waitingAfter = undefined
  }

  hold(holding: Holding): void {
    this.holdings ??= new Set()
    this.holdings.add(holding)
  }

  /** Calls back once the process is dead; the returned function takes the wish back. */
  onDeath(observer: (reason: ExitReason.ExitReason) => void): () => void {
    this.observers ??= new Set()
    this.observers.add(observer)
    return () => void this.observers?.delete(observer)
  }

  takeObservers(): Iterable<(reason: ExitReason.ExitReason) => void> {
    const observers = this.observers ?? []
    this.observers = undefined
    return observers
  }

  interrupt(): void {
    this.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  label(): string {
    return this.name === undefined ? this.pid.label : `${this.name}${this.pid.label}`
  }
}

/** Whether a process is about to end because its parent has: along the link, or, as a server that traps exits, when it comes to the signal. */
export const isOrphan = ({ ending, parent, server, trapExit }: Process): boolean =>
  parent !== undefined && !parent.alive && (ending !== undefined || (server !== undefined && trapExit))

/** The process the running fiber belongs to. A key only: the value lives in each fiber. */
export const currentProcess: FiberRef.FiberRef<Process | undefined> = globalValue(
  Symbol.for("@reckon/otp/currentProcess"),
  () => FiberRef.unsafeMake<Process | undefined>(undefined)
)

export class Kernel {
  readonly processes = new Map<number, Process>()
  readonly names = new Map<string, Process>()
  readonly timers: Timers
  /** Runs the fibers of the processes. */
  readonly eventLoop: EventLoop
  readonly changes = new Changes()
  /** Stands for code outside any process as the sender of exit signals. */
  readonly host: Pid
  /** Stands for the process that nobody is. */
  readonly nobody: Pid
  private nextPid = 1
  private nextMonitor = 1

  constructor(clock: Clock.Clock, runtime: Runtime.Runtime<never>) {
    this.timers = new Timers(clock, runtime)
    this.eventLoop = new EventLoop(clock)
    this.host = new Pid(0, "<host>")
    this.nobody = new Pid(-1, "<nobody>")
  }

  lookup(pid: Pid): Process | undefined {
    const process = this.processes.get(pid.id)
    return process !== undefined && process.pid === pid ? process : undefined
  }

  create(options: {
    readonly scope: Scope.CloseableScope
    readonly trapExit: boolean
    readonly capacity: number
    readonly label: string | undefined
  }): Process {
    const id = this.nextPid++
    const label = options.label === undefined ? `<${id}>` : `<${id} ${options.label}>`
    const process = new Process(this, new Pid(id, label), options.scope, options.trapExit, options.capacity)
    this.processes.set(id, process)
    return process
  }

  /** Takes the name for the process, or returns the holder it belongs to already. */
  claim(name: string, process: Process): Process | undefined {
    const holder = this.names.get(name)
    if (holder !== undefined) return holder
    this.names.set(name, process)
    process.name = name
    return undefined
  }

  release(process: Process): void {
    if (process.name === undefined) return
    this.names.delete(process.name)
    process.name = undefined
  }

  link(a: Process, b: Process): void {
    if (a === b || !a.alive) return
    if (!b.alive) {
      this.deliverExit(a, b.pid, ExitReason.noProc)
      return
    }
    a.links ??= new Set()
    b.links ??= new Set()
    a.links.add(b)
    b.links.add(a)
  }

  unlink(a: Process, b: Process): void {
    a.links?.delete(b)
    b.links?.delete(a)
  }

  monitor(watcher: Process, pid: Pid, name?: string, priority = false): MonitorRef {
    const ref = new MonitorRef(this.nextMonitor++, pid, watcher.pid, name)
    // A fiber may outlive its process; the dead have no relations that anybody would ever take back.
    if (!watcher.alive) return ref
    const target = this.lookup(pid)
    if (target === undefined) {
      watcher.mailbox.push(new Down({ ref, pid, reason: ExitReason.noProc }), priority)
    } else {
      target.watchers ??= new Map()
      watcher.watching ??= new Map()
      target.watchers.set(ref.id, { process: watcher, ref, priority })
      watcher.watching.set(ref.id, target)
    }
    return ref
  }

  /** True when the monitor was still active: then no down will ever come for it. */
  demonitor(watcher: Process, ref: MonitorRef): boolean {
    const target = watcher.watching?.get(ref.id)
    if (target === undefined) return false
    watcher.watching?.delete(ref.id)
    target.watchers?.delete(ref.id)
    return true
  }

  /** An exit signal sent on purpose. `Killed` cannot be trapped; `Normal` ends nobody but the sender itself. */
  sendExit(target: Process, from: Pid, reason: ExitReason.ExitReason, priority = false): void {
    if (!target.alive) return
    if (reason._tag === "Killed") this.kill(target)
    else if (reason._tag === "Normal" && !target.trapExit && from === target.pid) this.end(target, reason)
    else this.deliverExit(target, from, reason, priority)
  }

  /** An exit signal as it comes along a link. */
  deliverExit(target: Process, from: Pid, reason: ExitReason.ExitReason, priority = false): void {
    if (!target.alive) return
    if (target.trapExit) target.mailbox.push(new ExitSignal({ from, reason }), priority)
    else if (reason._tag !== "Normal") this.end(target, reason)
  }

  /** Asks the process to end: its fiber is interrupted, its finalizers run, then it dies with this reason. */
  end(target: Process, reason: ExitReason.ExitReason): void {
    if (!target.alive || target.ending !== undefined) return
    target.ending = reason
    target.interrupt()
  }

  /**
   * Ends the process now. Its fiber is interrupted too, but nobody waits for it: should it sit in an uninterruptible
   * region, it is a ghost without name, links or mailbox.
   */
  kill(target: Process): void {
    if (!target.alive) return
    target.ending = ExitReason.killed
    this.die(target, ExitReason.killed)
    target.interrupt()
  }

  /** The one step of death. The order matters: whoever hears of it may take the name at once. */
  die(process: Process, reason: ExitReason.ExitReason): void {
    if (!process.alive) return
    process.alive = false
    process.exitReason = reason
    this.processes.delete(process.pid.id)
    this.release(process)
    if (process.holdings !== undefined) {
      for (const holding of process.holdings) holding.release(process)
      process.holdings = undefined
    }
    if (process.watching !== undefined) {
      for (const [id, target] of process.watching) target.watchers?.delete(id)
      process.watching = undefined
    }
    if (process.starting && process.parent !== undefined) this.unlink(process, process.parent)
    // Who starts its successor and ends must not be kept by it, with all its forebears.
    process.parent = undefined
    if (process.links !== undefined) {
      for (const other of process.links) {
        other.links?.delete(process)
        this.deliverExit(other, process.pid, reason)
      }
      process.links = undefined
    }
    if (process.watchers !== undefined) {
      for (const { priority, process: watcher, ref } of process.watchers.values()) {
        watcher.watching?.delete(ref.id)
        watcher.mailbox.push(new Down({ ref, pid: process.pid, reason }), priority)
      }
      process.watchers = undefined
    }
    process.mailbox.clear()
    for (let waiting = process.waitingHead; waiting !== undefined; waiting = process.waitingHead) {
      process.retire(waiting)
      waiting.abandoned(reason)
    }
    for (const observer of process.takeObservers()) observer(reason)
    if (this.changes.wanted) this.changes.publish({ _tag: "Exited", pid: process.pid, reason })
  }

  /** Settles why a process ends once its effect and its finalizers are through. */
  static verdict(
    process: Process,
    exit: Exit.Exit<unknown, unknown>,
    closed: Exit.Exit<unknown, unknown>
  ): ExitReason.ExitReason {
    if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) return ExitReason.fromExit(exit)
    if (Exit.isFailure(closed) && !Cause.isInterruptedOnly(closed.cause)) return ExitReason.fromExit(closed)
    return process.ending ?? ExitReason.fromExit(exit)
  }

  /** Waits until the process is dead. */
  awaitDeath(process: Process): Effect.Effect<ExitReason.ExitReason> {
    return Effect.async<ExitReason.ExitReason>(resume => {
      if (process.exitReason !== undefined) {
        resume(Effect.succeed(process.exitReason))
        return
      }
      const forget = process.onDeath(reason => resume(Effect.succeed(reason)))
      return Effect.sync(forget)
    })
  }

  /**
   * Waits until the process is dead; undefined when the time is up first. It takes no fiber to watch the time: supervisors stop
   * children by the thousand.
   */
  awaitDeathWithin(process: Process, limitMillis: number): Effect.Effect<ExitReason.ExitReason | undefined> {
    return Effect.async<ExitReason.ExitReason | undefined>(resume => {
      if (process.exitReason !== undefined) {
        resume(Effect.succeed(process.exitReason))
        return
      }
      const limit = new Alarm(() => {
        forget()
        resume(Effect.succeed(undefined))
      })
      const forget = process.onDeath(reason => {
        limit.disarm()
        resume(Effect.succeed(reason))
      })
      this.timers.arm(limit, limitMillis)
      return Effect.sync(() => {
        limit.disarm()
        forget()
      })
    })
  }
}
