/**
 * One child of a supervisor, of whichever kind: how it is started, adopted and ended.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ChildSpec, Restart, Shutdown } from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import type { Offender } from "../Report.js"
import { StartFailed, StartIgnored } from "../StartError.js"
import type { Limits } from "./intensity.js"
import type { Process } from "./kernel.js"
import { ExitSignal, Pid } from "./signal.js"

/** What a start returns: the process, and whatever else its maker has to tell. */
export interface Value {
  readonly pid: Pid
}

/** A child spec with its defaults filled in and its environment provided. */
export interface ChildPlan {
  readonly id: string
  /** Undefined once a temporary child runs: it is never started again, so what its start holds on to is let go. */
  readonly start: Effect.Effect<Value, unknown> | undefined
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly type: "worker" | "supervisor"
  readonly significant: boolean
}

/** What all children of a dynamic supervisor are made from, with its environment provided. */
export interface Template extends Limits {
  readonly start: (args: unknown) => Effect.Effect<Value, unknown>
  /** Shared by all children; what differs is their arguments. */
  readonly plan: ChildPlan
  readonly maxChildren: number
}

export interface Child {
  plan: ChildPlan
  pid: Pid | undefined
  /** Kept beyond the process's death, for its reason. */
  process: Process | undefined
  /** The retry that waits in the supervisor's mailbox, while a restart has failed. Any other one that arrives is out of date. */
  retry: Retry | undefined
  /** How often it was started again by the supervisor. */
  restarts: number
}

/** What a supervisor tells itself after a restart failed. */
export class Retry {
  readonly _tag = "Retry"
  constructor(readonly child: Child) {}
}

export const childOf = (plan: ChildPlan): Child => ({
  plan,
  pid: undefined,
  process: undefined,
  retry: undefined,
  restarts: 0
})

/** The environment of a list of children is the union of theirs, so it has what each of them needs. */
export const planOf = (spec: ChildSpec, context: Context.Context<never>): ChildPlan => ({
  id: spec.id,
  start: Effect.provide(spec.start as Effect.Effect<Value, unknown>, context),
  ...defaults(spec)
})

/** The settings of a child with what OTP gives those that are left out. */
export const defaults = (spec: Omit<ChildSpec, "id" | "start">): Omit<ChildPlan, "id" | "start"> => ({
  restart: spec.restart ?? "permanent",
  shutdown: spec.shutdown ?? (spec.type === "supervisor" ? "infinity" : "5 seconds"),
  type: spec.type ?? "worker",
  significant: spec.significant ?? false
})

export type Booted =
  | { readonly _tag: "Running"; readonly process: Process | undefined; readonly value: Value }
  | { readonly _tag: "Ignored" }
  | { readonly _tag: "Failed"; readonly reason: ExitReason.ExitReason; readonly cause: Cause.Cause<unknown> }

/** Runs a start in the supervisor's process and makes the process it returns a child of the supervisor. */
export const boot = (supervisor: Process, start: Effect.Effect<Value, unknown> | undefined): Effect.Effect<Booted> => {
  if (start === undefined) return Effect.dieMessage("a temporary child is never started again")
  return Effect.map(Effect.exit(start), (exit): Booted => {
    if (Exit.isFailure(exit)) {
      const failure = Cause.failureOption(exit.cause)
      if (failure._tag === "None") return { _tag: "Failed", reason: ExitReason.crash(exit.cause), cause: exit.cause }
      if (failure.value instanceof StartIgnored) return { _tag: "Ignored" }
      const reason = failure.value instanceof StartFailed ? failure.value.reason : ExitReason.crash(exit.cause)
      return { _tag: "Failed", reason, cause: exit.cause }
    }
    const value = exit.value
    if (!(value?.pid instanceof Pid)) {
      const cause = Cause.die(new Error(`a start returned ${String(value)} instead of something with a pid`))
      return { _tag: "Failed", reason: ExitReason.crash(cause), cause }
    }
    return { _tag: "Running", process: adopt(supervisor, value.pid), value }
  })
}

/** Makes the supervisor the child's parent, if the start did not, so that its death and its orders arrive. */
const adopt = (supervisor: Process, pid: Pid): Process | undefined => {
  const kernel = supervisor.kernel
  const process = kernel.lookup(pid)
  if (process === undefined) {
    // Dead between its acknowledgement and now. If it was linked, its exit signal is here with the true reason.
    if (!supervisor.mailbox.contains(signal => isExitOf(signal, pid))) {
      kernel.deliverExit(supervisor, pid, ExitReason.noProc)
    }
    return undefined
  }
  if (process.parent === undefined) process.parent = supervisor
  kernel.link(supervisor, process)
  return process
}

/**
 * Ends a child within its shutdown setting and tells the reason. The exit signal that comes of it is stale: the supervisor no longer
 * knows the pid when it reads it.
 */
export const end = (
  supervisor: Process,
  pid: Pid,
  process: Process | undefined,
  shutdown: Shutdown
): Effect.Effect<ExitReason.ExitReason> =>
  Effect.suspend(() => {
    if (process === undefined) {
      const signal = supervisor.mailbox.extract(signal => isExitOf(signal, pid))
      return Effect.succeed(signal instanceof ExitSignal ? signal.reason : ExitReason.noProc)
    }
    const kernel = process.kernel
    const killed = Effect.suspend(() => {
      kernel.kill(process)
      return kernel.awaitDeath(process)
    })
    if (shutdown === "brutal_kill") return killed
    kernel.sendExit(process, supervisor.pid, ExitReason.shutdown())
    const limit = limitOf(shutdown)
    if (limit === undefined) return kernel.awaitDeath(process)
    return Effect.flatMap(kernel.awaitDeathWithin(process, Duration.toMillis(limit)), reason =>
      reason === undefined ? killed : Effect.succeed(reason)
    )
  })

/** Whether the child has a process that lives. It may have died and the news of it not be read yet. */
export const isActive = (child: Child): boolean => child.process?.alive === true

/** How long a child may take to end; undefined is for ever. */
export const limitOf = (shutdown: Exclude<Shutdown, "brutal_kill">): Duration.Duration | undefined => {
  if (shutdown === "infinity") return undefined
  const duration = Duration.decode(shutdown)
  return Duration.isFinite(duration) ? duration : undefined
}

/** Whether a child that was told to go ended in a way that needs no report. */
export const expectedEnd = (reason: ExitReason.ExitReason, plan: Omit<ChildPlan, "id" | "start">): boolean => {
  if (plan.restart !== "permanent" && ExitReason.isClean(reason)) return true
  return plan.shutdown === "brutal_kill"
    ? reason._tag === "Killed"
    : reason._tag === "Shutdown" && reason.term === undefined
}

export const offenderOf = (child: Child, pid: Pid | undefined = child.pid): Offender => ({
  id: child.plan.id,
  pid,
  nbChildren: 1,
  restart: child.plan.restart,
  shutdown: child.plan.shutdown,
  significant: child.plan.significant,
  type: child.plan.type,
  restarts: child.restarts
})

/** The error a start failed with, if it is of this class. */
export const errorIn = <E>(cause: Cause.Cause<unknown>, Class: abstract new (...args: never) => E): E | undefined => {
  const failure = Cause.failureOption(cause)
  return failure._tag === "Some" && failure.value instanceof Class ? failure.value : undefined
}

const isExitOf = (signal: object, pid: Pid): boolean => signal instanceof ExitSignal && signal.from === pid
