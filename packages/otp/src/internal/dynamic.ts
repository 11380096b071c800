/**
 * The children of a dynamic supervisor: all alike, found by their process, in no order, stopped all at once.
 */
import * as Effect from "effect/Effect"
import type * as ChildSpec from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import * as GenServer from "../GenServer.js"
import { infoOf, Protocol, RawFailure, specOf, stateError } from "./administration.js"
import {
  type Booted,
  boot,
  type Child,
  childOf,
  end,
  expectedEnd,
  limitOf,
  offenderOf,
  Retry,
  type Template
} from "./child.js"
import { current } from "./current.js"
import { Intensity } from "./intensity.js"
import type { Process, SupervisorView } from "./kernel.js"
import { Ignore } from "./outcome.js"
import { Reporter } from "./reporter.js"
import { Message, type Pid } from "./signal.js"
import { attend, type Init, reconfigure } from "./supervision.js"
import { gaveUp, goOn, type Verdict } from "./tree.js"

interface Member extends Child {
  /** Given to the template's start. Let go once a temporary child runs. */
  args: unknown
}

class Crew {
  /** By the process; a child that is restarting, by the process it had. */
  private readonly children = new Map<Pid, Member>()
  private readonly intensity: Intensity
  private readonly reporter: Reporter
  private restarts = 0

  constructor(
    private readonly supervisor: Process,
    private template: Template
  ) {
    this.intensity = new Intensity(template)
    this.reporter = new Reporter(supervisor)
  }

  get all(): Iterable<Member> {
    return this.children.values()
  }

  get isFull(): boolean {
    return this.children.size >= this.template.maxChildren
  }

  find(pid: Pid): Member | undefined {
    return this.children.get(pid)
  }

  isAlive(pid: Pid): boolean {
    return this.supervisor.kernel.lookup(pid) !== undefined
  }

  view(): SupervisorView {
    const children = Array.from(this.all, ({ pid, restarts }) => ({ id: undefined, pid, restarts }))
    return { strategy: "simple_one_for_one", restarts: this.restarts, children }
  }

  counts(): ChildSpec.Counts {
    let active = 0
    // As OTP counts its template's children: by what the supervisor has read, not by who lives.
    for (const child of this.all) if (child.retry === undefined) active++
    const isSupervisor = this.template.plan.type === "supervisor"
    const size = this.children.size
    return { specs: 1, active, supervisors: isSupervisor ? size : 0, workers: isSupervisor ? 0 : size }
  }

  /** A start that is ignored or fails leaves nothing behind. */
  add(args: unknown): Effect.Effect<Booted> {
    return Effect.suspend(() => this.boot({ ...childOf(this.template.plan), args }))
  }

  private boot(child: Member): Effect.Effect<Booted> {
    const start = Effect.suspend(() => this.template.start(child.args))
    return Effect.map(boot(this.supervisor, start), booted => {
      if (booted._tag !== "Running") return booted
      child.retry = undefined
      child.pid = booted.value.pid
      child.process = booted.process
      this.children.set(child.pid, child)
      this.letGo(child)
      return booted
    })
  }

  /** A temporary child that runs is never started again. */
  private letGo(child: Member): void {
    if (child.pid !== undefined && child.plan.restart === "temporary") child.args = undefined
  }

  exited(pid: Pid, reason: ExitReason.ExitReason): Effect.Effect<Verdict> {
    const child = this.children.get(pid)
    if (child === undefined || child.pid === undefined) return Effect.succeed(goOn)
    const clean = ExitReason.isClean(reason)
    const { restart } = child.plan
    if (restart === "permanent" || (restart === "transient" && !clean)) {
      return Effect.zipRight(
        this.reporter.error("child_terminated", reason, this.offender(child)),
        Effect.suspend(() => this.restart(child, pid))
      )
    }
    this.children.delete(pid)
    return Effect.as(clean ? Effect.void : this.reporter.error("child_terminated", reason, this.offender(child)), goOn)
  }

  /** `key` is the process by which the child is known: its last one. */
  private restart(child: Member, key: Pid): Effect.Effect<Verdict> {
    return Effect.gen(this, function* () {
      if (!this.intensity.count(this.supervisor.kernel.timers.nowMillis())) {
        yield* this.reporter.error("shutdown", gaveUp, this.offender(child))
        this.children.delete(key)
        return { _tag: "Stop", reason: gaveUp } as const
      }
      child.process = undefined
      child.pid = undefined
      const booted = yield* this.boot(child)
      if (booted._tag === "Failed") {
        const retry = new KeyedRetry(child, key)
        child.retry = retry
        yield* this.reporter.error("start_error", booted.reason, this.offender(child, key))
        this.supervisor.mailbox.push(new Message(retry))
        return goOn
      }
      if (booted._tag === "Ignored" || booted.value.pid !== key) this.children.delete(key)
      if (booted._tag === "Running") {
        child.restarts++
        this.restarts++
        yield* this.reporter.restarted()
      }
      return goOn
    })
  }

  retry(retry: Retry): Effect.Effect<Verdict> {
    const child = retry instanceof KeyedRetry ? this.children.get(retry.key) : undefined
    return retry instanceof KeyedRetry && child?.retry === retry ? this.restart(child, retry.key) : Effect.succeed(goOn)
  }

  /** Stops one child and forgets it. */
  stop(pid: Pid, child: Member): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { process } = child
      this.children.delete(pid)
      child.retry = undefined
      if (child.pid === undefined) return Effect.void
      return Effect.flatMap(end(this.supervisor, pid, process, child.plan.shutdown), reason =>
        expectedEnd(reason, child.plan)
          ? Effect.void
          : this.reporter.error("shutdown_error", reason, this.offender(child, pid))
      )
    })
  }

  /**
   * Stops everybody at once, within one shutdown time for all. There can be very many, so failures are reported by reason with
   * a count.
   */
  stopAll(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const processes = Array.from(this.all).flatMap(({ process }) => process ?? [])
      this.children.clear()
      const { plan } = this.template
      const unexpected = new Map<string, { reason: ExitReason.ExitReason; count: number }>()
      const note = (reason: ExitReason.ExitReason): void => {
        if (expectedEnd(reason, plan)) return
        const key = ExitReason.format(reason)
        const group = unexpected.get(key)
        if (group === undefined) unexpected.set(key, { reason, count: 1 })
        else group.count++
      }
      const dead = allDead(processes, note)
      const kernel = this.supervisor.kernel
      const kill = (): void => {
        for (const process of processes) kernel.kill(process)
      }
      if (plan.shutdown === "brutal_kill") {
        kill()
        yield* dead
      } else {
        for (const process of processes) kernel.sendExit(process, this.supervisor.pid, ExitReason.shutdown())
        const limit = limitOf(plan.shutdown)
        if (limit === undefined) yield* dead
        else if ((yield* Effect.timeoutOption(dead, limit))._tag === "None") {
          kill()
          yield* dead
        }
      }
      for (const { count, reason } of unexpected.values()) {
        const offender = { ...offenderOf(childOf(plan)), id: undefined, nbChildren: count }
        yield* this.reporter.error("shutdown_error", reason, offender)
      }
    })
  }

  /**
   * The new template counts for every start, restart and stop from now on, also of children that live already. But one that was
   * temporary stays so: it has no arguments any more to be started again with.
   */
  reconfigure(template: Template): void {
    this.template = template
    this.intensity.limits = template
    for (const child of this.all) {
      const stays = child.pid !== undefined && child.plan.restart === "temporary"
      child.plan = stays ? { ...template.plan, restart: "temporary" } : template.plan
      this.letGo(child)
    }
  }

  private offender(child: Child, pid?: Pid) {
    return { ...offenderOf(child, pid ?? child.pid), id: undefined }
  }
}

class KeyedRetry extends Retry {
  constructor(
    child: Child,
    readonly key: Pid
  ) {
    super(child)
  }
}

/** Waits until all are dead, noting each reason once however often this is run. */
const allDead = (
  processes: ReadonlyArray<Process>,
  note: (reason: ExitReason.ExitReason) => void
): Effect.Effect<void> => {
  const waitingFor = new Set(processes)
  return Effect.async<void>(resume => {
    const gone = (process: Process, reason: ExitReason.ExitReason): void => {
      if (waitingFor.delete(process)) note(reason)
    }
    const forget = Array.from(waitingFor, process => {
      if (process.exitReason === undefined) {
        return process.onDeath(reason => {
          gone(process, reason)
          if (waitingFor.size === 0) resume(Effect.void)
        })
      }
      gone(process, process.exitReason)
      return () => {}
    })
    if (waitingFor.size === 0) resume(Effect.void)
    return Effect.sync(() => {
      for (const each of forget) each()
    })
  })
}

export const serverOf = <R>(init: Init<Template, R>) =>
  GenServer.make(Protocol, {
    trapExit: true,
    init: (_: GenServer.Self<Retry>) =>
      Effect.gen(function* () {
        const template = yield* init
        if (template instanceof Ignore) return template
        const process = yield* current
        const crew = new Crew(process, template)
        process.view = () => crew.view()
        return crew
      }),
    handlers: {
      StartChild: (_, crew) => GenServer.fail(stateError("", "simple_one_for_one"), crew),
      StartDynamic: ({ args }, crew) => {
        if (crew.isFull) return GenServer.fail(stateError("", "max_children"), crew)
        return Effect.map(crew.add(args), booted => {
          switch (booted._tag) {
            case "Running":
              return GenServer.reply(booted.value, crew)
            case "Ignored":
              return GenServer.reply(undefined, crew)
            case "Failed":
              return GenServer.fail(new RawFailure(booted.cause), crew)
          }
        })
      },
      TerminateChild: ({ child: pid }, crew) => {
        if (typeof pid === "string") return GenServer.fail(stateError(pid, "simple_one_for_one"), crew)
        const child = crew.find(pid)
        if (child !== undefined) return Effect.as(crew.stop(pid, child), GenServer.reply(undefined, crew))
        // A stranger must not be touched; a dead one may well have been a child.
        return crew.isAlive(pid) ? GenServer.fail(stateError(pid, "not_found"), crew) : GenServer.reply(undefined, crew)
      },
      RestartChild: ({ id }, crew) => GenServer.fail(stateError(id, "simple_one_for_one"), crew),
      DeleteChild: ({ id }, crew) => GenServer.fail(stateError(id, "simple_one_for_one"), crew),
      WhichChildren: (_, crew) =>
        GenServer.reply(
          Array.from(crew.all, child => infoOf(child, undefined)),
          crew
        ),
      WhichChild: ({ child: pid }, crew) => {
        if (typeof pid === "string") return GenServer.fail(stateError(pid, "simple_one_for_one"), crew)
        const child = crew.find(pid)
        return child === undefined
          ? GenServer.fail(stateError(pid, "not_found"), crew)
          : GenServer.reply(infoOf(child, undefined), crew)
      },
      GetChildSpec: ({ child: pid }, crew) => {
        const child = typeof pid === "string" ? undefined : crew.find(pid)
        return child === undefined
          ? GenServer.fail(stateError(pid, "not_found"), crew)
          : GenServer.reply(specOf(child), crew)
      },
      CountChildren: (_, crew) => GenServer.reply(crew.counts(), crew),
      Reconfigure: (_, crew) => GenServer.fail(stateError("", "simple_one_for_one"), crew),
      ReconfigureDynamic: ({ checked }, crew) => reconfigure(checked, crew),
      RunInitAgain: (_, crew) => reconfigure(init, crew)
    },
    info: attend,
    terminate: (_, crew) => crew.stopAll()
  })
