/**
 * The children of one supervisor and what happens to them. Runs inside the supervisor's process; its methods are
 * sequential because the process serves one message at a time.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AutoShutdown, ChildSpec, Restart, Shutdown, Strategy } from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import type { Process } from "./kernel.js"
import type { Pid } from "./signal.js"

/** A child spec with its defaults filled in and its environment provided. */
export interface ChildPlan {
  readonly id: string
  readonly start: Effect.Effect<{ readonly pid: Pid }, unknown>
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly type: "worker" | "supervisor"
  readonly significant: boolean
}

export interface Child {
  readonly plan: ChildPlan
  pid: Pid | undefined
  /** Kept beyond the process's death, for its reason. */
  process: Process | undefined
  restarting: boolean
}

/** The environment of a list of children is the union of theirs, so it has what each of them needs. */
export const planOf = (spec: ChildSpec, context: Context.Context<never>): ChildPlan => ({
  id: spec.id,
  start: Effect.provide(spec.start as Effect.Effect<{ readonly pid: Pid }, unknown>, context),
  restart: spec.restart ?? "permanent",
  shutdown: spec.shutdown ?? (spec.type === "supervisor" ? "infinity" : "5 seconds"),
  type: spec.type ?? "worker",
  significant: spec.significant ?? false
})

export type Started =
  | { readonly _tag: "Running"; readonly pid: Pid }
  | { readonly _tag: "Ignored" }
  | { readonly _tag: "Failed"; readonly reason: ExitReason.ExitReason }

/** What a supervisor does after one of its children ended: go on, or stop for this reason. */
export type Verdict = { readonly _tag: "Continue" } | { readonly _tag: "Stop"; readonly reason: ExitReason.ExitReason }

const goOn: Verdict = { _tag: "Continue" }

type ErrorContext = "start_error" | "child_terminated" | "shutdown_error" | "shutdown"

export interface TreeSettings {
  readonly strategy: Strategy
  readonly intensity: number
  readonly periodMillis: number
  readonly autoShutdown: AutoShutdown
  /** Posts the retry of a failed restart to the supervisor's own mailbox. */
  readonly retryLater: (child: Child) => void
  /** Whether a failed start means that the child is not needed. */
  readonly isIgnore: (error: unknown) => boolean
  /** The exit reason a failed start tells of, if it does. */
  readonly reasonOf: (error: unknown) => ExitReason.ExitReason | undefined
}

export class Tree {
  /** In start order. */
  children: Array<Child> = []
  private restarts: Array<number> = []

  constructor(
    private readonly supervisor: Process,
    readonly settings: TreeSettings
  ) {}

  find(id: string): Child | undefined {
    return this.children.find(child => child.plan.id === id)
  }

  /** Starts the first children, left to right. If one fails, those before it are stopped in reverse order. */
  startAll(plans: ReadonlyArray<ChildPlan>): Effect.Effect<FailedToStartChild | undefined> {
    return Effect.gen(this, function* () {
      for (const plan of plans) {
        const started = yield* this.add(plan, "info")
        if (started._tag === "Failed") {
          yield* this.stopAll()
          return new FailedToStartChild(plan.id, started.reason)
        }
      }
      return undefined
    })
  }

  /** Starts a new child at the end of the order. A child that fails, or a temporary one that is ignored, is not kept. */
  add(plan: ChildPlan, progress: "info" | "debug"): Effect.Effect<Started> {
    return Effect.gen(this, function* () {
      const child: Child = { plan, pid: undefined, process: undefined, restarting: false }
      const started = yield* this.boot(child, progress)
      if (started._tag === "Failed") yield* this.report("start_error", started.reason, child)
      else if (started._tag === "Running" || plan.restart !== "temporary") this.children.push(child)
      return started
    })
  }

  boot(child: Child, progress: "info" | "debug"): Effect.Effect<Started> {
    return Effect.flatMap(Effect.exit(child.plan.start), (exit): Effect.Effect<Started> => {
      child.restarting = false
      child.pid = undefined
      child.process = undefined
      if (Exit.isFailure(exit)) {
        const failure = Cause.failureOption(exit.cause)
        if (failure._tag === "Some" && this.settings.isIgnore(failure.value)) {
          return Effect.succeed({ _tag: "Ignored" })
        }
        const told = failure._tag === "Some" ? this.settings.reasonOf(failure.value) : undefined
        return Effect.succeed({ _tag: "Failed", reason: told ?? ExitReason.crash(exit.cause) })
      }
      const pid = exit.value.pid
      child.pid = pid
      this.adopt(child, pid)
      const log = progress === "info" ? Effect.logInfo("child started") : Effect.logDebug("child started")
      return Effect.as(Effect.annotateLogs(log, this.annotations(child)), { _tag: "Running", pid })
    })
  }

  /** Makes the supervisor the child's parent, if the start did not, so that its death and its orders arrive. */
  private adopt(child: Child, pid: Pid): void {
    const kernel = this.supervisor.kernel
    const process = kernel.lookup(pid)
    child.process = process
    if (process === undefined) {
      // Dead between its acknowledgement and now. If it was linked, its exit signal is here with the true reason.
      const arrived = (signal: { readonly _tag: string }): boolean => isExitOf(signal, pid)
      if (!this.supervisor.mailbox.contains(arrived)) kernel.deliverExit(this.supervisor, pid, ExitReason.noProc)
      return
    }
    if (process.parent === undefined) process.parent = this.supervisor
    kernel.link(this.supervisor, process)
  }

  /** A child ended by itself, or something else did whose exit signal came here. */
  exited(pid: Pid, reason: ExitReason.ExitReason): Effect.Effect<Verdict> {
    const child = this.children.find(child => child.pid === pid)
    if (child === undefined) return Effect.succeed(goOn)
    const clean = ExitReason.isClean(reason)
    const { restart } = child.plan
    if (restart === "permanent" || (restart === "transient" && !clean)) {
      return Effect.zipRight(this.report("child_terminated", reason, child), this.restart(child))
    }
    const reported = clean ? Effect.void : this.report("child_terminated", reason, child)
    return Effect.map(reported, () => {
      this.gone(child)
      return this.significantGone(child)
    })
  }

  /** A failed restart is tried again, unless the child was stopped or deleted meanwhile. */
  retry(child: Child): Effect.Effect<Verdict> {
    return child.restarting && this.children.includes(child) ? this.restart(child) : Effect.succeed(goOn)
  }

  private significantGone(child: Child): Verdict {
    if (!child.plan.significant || this.settings.autoShutdown === "never") return goOn
    const others = this.children.some(
      other => other !== child && other.plan.significant && (other.pid !== undefined || other.restarting)
    )
    return this.settings.autoShutdown === "all_significant" && others
      ? goOn
      : { _tag: "Stop", reason: ExitReason.shutdown() }
  }

  private restart(child: Child): Effect.Effect<Verdict> {
    return Effect.gen(this, function* () {
      if (!this.allowed(yield* Clock.currentTimeMillis)) {
        const reason = ExitReason.shutdown("reached_max_restart_intensity")
        yield* this.report("shutdown", reason, child)
        this.remove(child)
        return { _tag: "Stop", reason } as const
      }
      child.pid = undefined
      child.process = undefined
      switch (this.settings.strategy) {
        case "one_for_one":
          yield* this.again(child)
          return goOn
        case "one_for_all":
          yield* this.restartFrom(0, child)
          return goOn
        case "rest_for_one":
          yield* this.restartFrom(this.children.indexOf(child), child)
          return goOn
      }
    })
  }

  /** Counts this restart. An earlier one that is exactly a period old still counts. */
  private allowed(nowMillis: number): boolean {
    const { intensity, periodMillis } = this.settings
    this.restarts = this.restarts.filter(at => at >= nowMillis - periodMillis)
    this.restarts.push(nowMillis)
    return this.restarts.length <= intensity
  }

  /** Starts a child again; false if it failed and was put down for a retry. */
  private again(child: Child): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      const started = yield* this.boot(child, "info")
      if (started._tag === "Failed") {
        child.restarting = true
        yield* this.report("start_error", started.reason, child)
        this.settings.retryLater(child)
        return false
      }
      if (started._tag === "Ignored" && child.plan.restart === "temporary") this.remove(child)
      return true
    })
  }

  /** Stops the siblings from this place on, in reverse, and starts the group again in order. */
  private restartFrom(index: number, dead: Child): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      for (const sibling of this.children.slice(index).reverse()) {
        if (sibling === dead) continue
        yield* this.stop(sibling)
        this.gone(sibling)
      }
      const round: Array<Child> = []
      for (const child of this.children.slice(index)) {
        if (yield* this.again(child)) {
          round.push(child)
          continue
        }
        // For one_for_all the retry is a new round for everybody; for rest_for_one it goes on from the failed child.
        if (this.settings.strategy === "one_for_all") {
          for (const started of round.reverse()) yield* this.stop(started)
        }
        return
      }
    })
  }

  /** Stops the child within its shutdown setting. Its exit signal is consumed here, so it cannot cause a restart later. */
  stop(child: Child): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { pid, process } = child
      child.restarting = false
      child.pid = undefined
      child.process = undefined
      if (pid === undefined) return Effect.void
      const consumed = (): ExitReason.ExitReason | undefined => {
        const signal = this.supervisor.mailbox.extract(signal => isExitOf(signal, pid))
        return signal?._tag === "ExitSignal" ? signal.reason : undefined
      }
      const ended =
        process === undefined ? Effect.succeed(consumed() ?? ExitReason.noProc) : this.end(process, child.plan.shutdown)
      return Effect.flatMap(ended, reason => {
        consumed()
        return this.expected(reason, child.plan)
          ? Effect.void
          : this.report("shutdown_error", reason, { ...child, pid, process })
      })
    })
  }

  private end(process: Process, shutdown: Shutdown): Effect.Effect<ExitReason.ExitReason> {
    const kernel = process.kernel
    const dead = kernel.awaitDeath(process)
    return Effect.suspend(() => {
      if (shutdown === "brutal_kill") {
        kernel.kill(process)
        return dead
      }
      kernel.sendExit(process, this.supervisor.pid, ExitReason.shutdown())
      if (shutdown === "infinity" || Duration.toMillis(shutdown) === Number.POSITIVE_INFINITY) return dead
      return Effect.flatMap(Effect.timeoutOption(dead, shutdown), reason => {
        if (reason._tag === "Some") return Effect.succeed(reason.value)
        kernel.kill(process)
        return dead
      })
    })
  }

  private expected(reason: ExitReason.ExitReason, plan: ChildPlan): boolean {
    if (plan.shutdown === "brutal_kill" && reason._tag === "Killed") return true
    if (reason._tag === "Shutdown" && (reason.term === undefined || plan.restart !== "permanent")) return true
    return plan.restart !== "permanent" && ExitReason.isClean(reason)
  }

  stopAll(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach(Array.from(this.children).reverse(), child => this.stop(child), { discard: true })
    )
  }

  /** The child has no process any more: kept for later, or dropped if it is temporary. */
  gone(child: Child): void {
    child.pid = undefined
    child.process = undefined
    child.restarting = false
    if (child.plan.restart === "temporary") this.remove(child)
  }

  remove(child: Child): void {
    this.children = this.children.filter(other => other !== child)
  }

  private report(errorContext: ErrorContext, reason: ExitReason.ExitReason, child: Child): Effect.Effect<void> {
    const log = ExitReason.isClean(reason)
      ? Effect.logWarning("supervisor report")
      : Effect.logError("supervisor report")
    return Effect.annotateLogs(log, {
      ...this.annotations(child),
      errorContext,
      reason: ExitReason.format(reason)
    })
  }

  private annotations(child: Child): Record<string, unknown> {
    const { plan } = child
    return {
      supervisor: this.supervisor.label(),
      child: plan.id,
      pid: child.pid?.label ?? "none",
      restartType: plan.restart,
      significant: plan.significant,
      shutdown: typeof plan.shutdown === "string" ? plan.shutdown : Duration.format(plan.shutdown),
      childType: plan.type
    }
  }
}

/**
 * Why a supervisor did not start: the term of its `Shutdown` reason.
 *
 * @since 0.1.0
 * @category models
 */
export class FailedToStartChild {
  readonly _tag = "FailedToStartChild"
  constructor(
    readonly id: string,
    readonly reason: ExitReason.ExitReason
  ) {}

  toString(): string {
    return `failed to start child "${this.id}": ${ExitReason.format(this.reason)}`
  }
}

const isExitOf = (signal: { readonly _tag: string }, pid: Pid): boolean =>
  signal._tag === "ExitSignal" && "from" in signal && signal.from === pid
