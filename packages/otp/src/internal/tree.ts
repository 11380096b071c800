/**
 * The children of one supervisor and what happens to them. Runs inside the supervisor's process; its methods are
 * sequential because the process serves one message at a time.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type { AutoShutdown, Spec, Strategy } from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import { type Booted, boot, type Child, type ChildPlan, childOf, end, expectedEnd, offenderOf, Retry } from "./child.js"
import { Intensity, type Limits } from "./intensity.js"
import type { Process, SupervisorView } from "./kernel.js"
import { Reporter } from "./reporter.js"
import { Message, type Pid } from "./signal.js"

/** What a supervisor does after one of its children ended: go on, or stop for this reason. */
export type Verdict = { readonly _tag: "Continue" } | { readonly _tag: "Stop"; readonly reason: ExitReason.ExitReason }

export const goOn: Verdict = { _tag: "Continue" }

/** How a supervisor ends that gave up. Clean, so that a parent restarts it only if it is permanent; the term says more than OTP does. */
export const gaveUp: ExitReason.ExitReason = ExitReason.shutdown("reached_max_restart_intensity")

export interface TreeSettings extends Limits {
  readonly strategy: Strategy
  readonly autoShutdown: AutoShutdown
}

/** A supervisor's spec, checked, with its defaults filled in and its children's environment provided. */
export interface Design {
  readonly settings: TreeSettings
  readonly plans: ReadonlyArray<ChildPlan>
}

/** The settings of a supervisor with what OTP gives those that are left out. */
export const settingsOf = (spec: Omit<Spec, "name" | "children">): TreeSettings => ({
  strategy: spec.strategy ?? "one_for_one",
  intensity: spec.intensity ?? 1,
  periodMillis: Duration.toMillis(spec.period ?? "5 seconds"),
  autoShutdown: spec.autoShutdown ?? "never"
})

export class Tree {
  /** In start order. */
  private byId = new Map<string, Child>()
  /** Those that run. A signal of a process that is not here is stale, or somebody else's. */
  private readonly byPid = new Map<Pid, Child>()
  private readonly intensity: Intensity
  private readonly reporter: Reporter
  private restarts = 0

  constructor(
    private readonly supervisor: Process,
    public settings: TreeSettings
  ) {
    this.intensity = new Intensity(settings)
    this.reporter = new Reporter(supervisor)
  }

  /** In start order. */
  get children(): ReadonlyArray<Child> {
    return Array.from(this.byId.values())
  }

  find(key: string | Pid): Child | undefined {
    return typeof key === "string" ? this.byId.get(key) : this.byPid.get(key)
  }

  view(): SupervisorView {
    const children = this.children.map(child => ({ id: child.plan.id, pid: child.pid, restarts: child.restarts }))
    return { strategy: this.settings.strategy, restarts: this.restarts, children }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // start
  // ---------------------------------------------------------------------------------------------------------------

  /** Starts the first children, left to right. If one fails, those before it are stopped in reverse order. */
  startAll(plans: ReadonlyArray<ChildPlan>): Effect.Effect<FailedToStartChild | undefined> {
    return Effect.gen(this, function* () {
      for (const plan of plans) {
        const started = yield* this.add(plan, "info")
        if (started._tag === "Failed") {
          // Whoever starts this supervisor is told the reason, and logs it if nobody else is told.
          yield* this.reporter.error("start_error", started.reason, offenderOf(childOf(plan)), LogLevel.Debug)
          yield* this.stopAll()
          return new FailedToStartChild(plan.id, started.reason)
        }
      }
      return undefined
    })
  }

  /** Starts a new child at the end of the order. A child that fails, or a temporary one that is ignored, is not kept. */
  add(plan: ChildPlan, level: "info" | "debug"): Effect.Effect<Booted> {
    return Effect.suspend(() => {
      const child = childOf(plan)
      return Effect.map(this.boot(child, level), booted => {
        const isKept = booted._tag === "Running" || (booted._tag === "Ignored" && plan.restart !== "temporary")
        if (isKept) this.byId.set(plan.id, child)
        return booted
      })
    })
  }

  /** Starts a child in the place it has. */
  boot(child: Child, level: "info" | "debug"): Effect.Effect<Booted> {
    return Effect.flatMap(boot(this.supervisor, child.plan.start), (booted): Effect.Effect<Booted> => {
      this.vacate(child)
      if (booted._tag !== "Running") return Effect.succeed(booted)
      const pid = booted.value.pid
      child.pid = pid
      child.process = booted.process
      this.byPid.set(pid, child)
      this.letGo(child)
      return Effect.as(this.reporter.progress(level, offenderOf(child)), booted)
    })
  }

  /** A temporary child that runs is never started again, so what its start holds on to is let go. */
  private letGo(child: Child): void {
    if (child.pid !== undefined && child.plan.restart === "temporary") child.plan = { ...child.plan, start: undefined }
  }

  /** The child has no process, and no retry waits for it. */
  private vacate(child: Child): void {
    if (child.pid !== undefined) this.byPid.delete(child.pid)
    child.pid = undefined
    child.process = undefined
    child.retry = undefined
  }

  // ---------------------------------------------------------------------------------------------------------------
  // when a child ends by itself
  // ---------------------------------------------------------------------------------------------------------------

  exited(pid: Pid, reason: ExitReason.ExitReason): Effect.Effect<Verdict> {
    const child = this.byPid.get(pid)
    if (child === undefined) return Effect.succeed(goOn)
    const clean = ExitReason.isClean(reason)
    const { restart } = child.plan
    if (restart === "permanent" || (restart === "transient" && !clean)) {
      return Effect.zipRight(
        this.reporter.error("child_terminated", reason, offenderOf(child)),
        Effect.suspend(() => this.restart(child))
      )
    }
    const reported = clean ? Effect.void : this.reporter.error("child_terminated", reason, offenderOf(child))
    return Effect.map(reported, () => {
      this.gone(child)
      return this.significantGone(child)
    })
  }

  /** A failed restart is tried again, unless the child was stopped, deleted or started meanwhile. */
  retry(retry: Retry): Effect.Effect<Verdict> {
    return retry.child.retry === retry ? this.restart(retry.child) : Effect.succeed(goOn)
  }

  private significantGone(child: Child): Verdict {
    if (!child.plan.significant || this.settings.autoShutdown === "never") return goOn
    const others = this.children.some(
      other => other !== child && other.plan.significant && (other.pid !== undefined || other.retry !== undefined)
    )
    return this.settings.autoShutdown === "all_significant" && others
      ? goOn
      : { _tag: "Stop", reason: ExitReason.shutdown() }
  }

  private restart(child: Child): Effect.Effect<Verdict> {
    return Effect.gen(this, function* () {
      if (!this.intensity.count(this.supervisor.kernel.timers.nowMillis())) {
        yield* this.reporter.error("shutdown", gaveUp, offenderOf(child))
        this.vacate(child)
        this.remove(child)
        return { _tag: "Stop", reason: gaveUp } as const
      }
      this.vacate(child)
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

  /** Starts a child again; false if it failed and was put down for a retry. */
  private again(child: Child): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      const booted = yield* this.boot(child, "info")
      switch (booted._tag) {
        case "Failed": {
          const retry = new Retry(child)
          child.retry = retry
          yield* this.reporter.error("start_error", booted.reason, offenderOf(child))
          // Past the capacity: a supervisor that cannot tell itself to retry would lose the child.
          this.supervisor.mailbox.push(new Message(retry))
          return false
        }
        case "Ignored":
          if (child.plan.restart === "temporary") this.remove(child)
          return true
        case "Running":
          child.restarts++
          this.restarts++
          yield* this.reporter.restarted()
          return true
      }
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
      for (const child of this.children.slice(index)) {
        // What was started before it runs until the retry, which for one_for_all is a new round for everybody, and for good if there
        // is none because somebody stops the failed child.
        if (!(yield* this.again(child))) return
      }
    })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // stop
  // ---------------------------------------------------------------------------------------------------------------

  /** Stops the child within its shutdown setting; it keeps its place. Also cancels a restart. */
  stop(child: Child): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { pid, process } = child
      this.vacate(child)
      if (pid === undefined) return Effect.void
      return Effect.flatMap(end(this.supervisor, pid, process, child.plan.shutdown), reason =>
        expectedEnd(reason, child.plan)
          ? Effect.void
          : this.reporter.error("shutdown_error", reason, offenderOf(child, pid))
      )
    })
  }

  stopAll(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach(Array.from(this.byId.values()).reverse(), child => this.stop(child), { discard: true })
    )
  }

  /** The child has no process any more: kept for later, or dropped if it is temporary. */
  gone(child: Child): void {
    this.vacate(child)
    if (child.plan.restart === "temporary") this.remove(child)
  }

  remove(child: Child): void {
    this.byId.delete(child.plan.id)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // reconfiguration
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * Takes over new settings and plans. Children that are new are kept but not started; those that are no longer named stay, behind
   * the others; the rest get their new plans, which count from their next start or stop on.
   */
  reconfigure({ plans, settings }: Design): void {
    this.settings = settings
    this.intensity.limits = settings
    const left = this.byId
    this.byId = new Map()
    for (const plan of plans) {
      const known = left.get(plan.id)
      left.delete(plan.id)
      const child = known ?? childOf(plan)
      child.plan = plan
      this.letGo(child)
      this.byId.set(plan.id, child)
    }
    for (const [id, child] of left) this.byId.set(id, child)
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
