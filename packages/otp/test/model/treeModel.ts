/**
 * What a tree of supervisors does, written from OTP's rules alone: no processes, no waiting, one function per thing that can happen.
 * Time is a number that goes on while slow children stop.
 */
import type { Model } from "./property.js"
import {
  busy,
  type Child,
  childOf,
  counts,
  type Instance,
  infoOf,
  isFailed,
  remove,
  type Started,
  type Supervisor,
  showStarted,
  supervisorOf
} from "./treeState.js"
import {
  type ChildSpec,
  describe,
  type Flags,
  gaveUp,
  isClean,
  type Observation,
  type Outcome,
  problemOf,
  type Reason,
  restartOf,
  shutdownOf,
  slowMillis,
  type TreeCall,
  type TreeMove,
  top
} from "./vocabulary.js"

export class TreeModel implements Model<TreeMove> {
  nowMillis = 0
  root: Supervisor | undefined
  /** Processes that ended without anybody waiting for their finalizers: when these run is not promised. */
  readonly loose = new Set<string>()
  /** Of these, the ones whose supervisor was killed: when they end is not promised either. */
  readonly orphans = new Set<string>()
  private readonly starts = new Map<string, number>()
  private readonly faults = new Map<string, Array<Outcome>>()
  private readonly instances = new Map<string, Instance>()
  private calls = 0
  private answers: Array<string> = []
  private journal: Array<string> = []
  private ends: Array<string> = []

  // ---------------------------------------------------------------------------------------------------------------
  // what can happen
  // ---------------------------------------------------------------------------------------------------------------

  apply(move: TreeMove): Observation {
    this.answers = []
    this.journal = []
    this.ends = []
    switch (move._) {
      case "Start":
        this.startRoot(move.spec)
        break
      case "Exit":
        this.exit(move.instance, move.reason)
        break
      case "Call":
        this.send(move.to, move.call)
        break
      case "Fault":
        this.faults.set(move.path, [...move.outcomes])
        break
      case "Pass":
        this.nowMillis += move.millis
        break
      case "Hold":
      case "Release":
        for (const supervisor of this.supervisors) {
          if (supervisor.instance.path === move.to) supervisor.isHeld = move._ === "Hold"
        }
        break
    }
    this.run()
    return {
      answers: this.answers,
      journal: this.journal.map(line => [line]),
      ends: this.ends.sort(),
      listing: this.supervisors.filter(each => !each.isHeld).flatMap(each => [this.whichChildren(each), counts(each)])
    }
  }

  get hasStarted(): boolean {
    return this.instances.size > 0
  }

  /** The living ones, from the top down. */
  get supervisors(): ReadonlyArray<Supervisor> {
    const below = (supervisor: Supervisor): ReadonlyArray<Supervisor> => [
      supervisor,
      ...supervisor.children.flatMap(({ instance }) =>
        instance?.alive === true && instance.supervisor !== undefined ? below(instance.supervisor) : []
      )
    ]
    return this.root === undefined ? [] : below(this.root)
  }

  private startRoot(flags: Flags): void {
    const started = this.start({ id: top, work: flags }, top, undefined)
    this.root = started === "ignored" || isFailed(started) ? undefined : started.supervisor
    this.answer(this.calls++, showStarted(started, "StartFailed"))
  }

  /** A child ends by itself; a supervisor does so only if it is killed, it ignores the exit signals of strangers. */
  private exit(tag: string, reason: Reason): void {
    const instance = this.instances.get(tag)
    if (instance?.alive !== true) return
    if (reason === "killed") this.kill(instance)
    else if (instance.supervisor === undefined) {
      this.note(`-${tag}`)
      this.die(instance, reason)
    }
  }

  private send(to: string, call: TreeCall): void {
    const number = this.calls++
    const target = this.supervisors.find(supervisor => supervisor.instance.path === to)
    if (target === undefined) this.answer(number, "noproc")
    else target.mailbox.push({ _: "Call", number, call })
  }

  /** Every supervisor reads its mailbox to its end. */
  private run(): void {
    for (;;) {
      const busy = this.supervisors.find(supervisor => supervisor.mailbox.length > 0 && !supervisor.isHeld)
      const signal = busy?.mailbox.shift()
      if (busy === undefined || signal === undefined) return
      switch (signal._) {
        case "Exit":
          this.exited(busy, signal.from, signal.reason)
          break
        case "Retry":
          if (signal.child.retry === signal) this.restart(busy, signal.child)
          break
        case "Call":
          if (signal.call._ === "Stop") {
            this.finish(busy, "shutdown")
            this.answer(signal.number, "ok")
          } else this.answer(signal.number, this.serve(busy, signal.call))
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // starts
  // ---------------------------------------------------------------------------------------------------------------

  private start(spec: ChildSpec, path: string, parent: Supervisor | undefined): Started {
    const count = (this.starts.get(path) ?? 0) + 1
    this.starts.set(path, count)
    const tag = `${path}#${count}`
    const outcome = this.faults.get(path)?.shift()
    if (outcome === "ignore") {
      this.note(`~${tag}`)
      return "ignored"
    }
    if (outcome !== undefined) {
      this.note(`!${tag}`)
      return { failure: "crash", isTaken: outcome === "taken" }
    }
    const instance: Instance = { tag, path, slow: spec.work === "slow", parent, supervisor: undefined, alive: true }
    if (typeof spec.work === "string") this.note(`+${tag}`)
    else {
      const supervisor = supervisorOf(instance, spec.work)
      const failure = this.startAll(supervisor, spec.work.children)
      if (failure !== undefined) return { failure, isTaken: false }
      instance.supervisor = supervisor
    }
    this.instances.set(tag, instance)
    return instance
  }

  /** Left to right. If one fails, those before it are stopped in reverse. */
  private startAll(supervisor: Supervisor, specs: ReadonlyArray<ChildSpec>): Reason | undefined {
    for (const spec of specs) {
      const started = this.add(supervisor, spec)
      if (isFailed(started)) {
        this.stopAll(supervisor)
        return `shutdown(failed ${spec.id}: ${started.failure})`
      }
    }
    return undefined
  }

  private add(supervisor: Supervisor, spec: ChildSpec): Started {
    const child = childOf(spec)
    const started = this.boot(supervisor, child)
    if (isFailed(started) || (started === "ignored" && restartOf(spec) === "temporary")) return started
    supervisor.children.push(child)
    return started
  }

  private boot(supervisor: Supervisor, child: Child): Started {
    const started = this.start(child.spec, `${supervisor.instance.path}/${child.spec.id}`, supervisor)
    child.instance = started === "ignored" || isFailed(started) ? undefined : started
    child.retry = undefined
    return started
  }

  // ---------------------------------------------------------------------------------------------------------------
  // ends
  // ---------------------------------------------------------------------------------------------------------------

  private exited(supervisor: Supervisor, from: Instance, reason: Reason): void {
    const child = supervisor.children.find(({ instance }) => instance === from)
    // Stopped or started again since: the signal is stale.
    if (child === undefined) return
    const restart = restartOf(child.spec)
    if (restart === "permanent" || (restart === "transient" && !isClean(reason))) {
      this.restart(supervisor, child)
      return
    }
    this.gone(supervisor, child)
    const { autoShutdown } = supervisor.flags
    if (child.spec.significant !== true || autoShutdown === "never") return
    const isLast = !supervisor.children.some(
      ({ instance, retry, spec }) => spec.significant === true && (instance !== undefined || retry !== undefined)
    )
    if (autoShutdown === "any_significant" || isLast) this.finish(supervisor, "shutdown")
  }

  private restart(supervisor: Supervisor, child: Child): void {
    const { intensity, periodMillis, strategy } = supervisor.flags
    supervisor.instants = supervisor.instants.filter(instant => instant >= this.nowMillis - periodMillis)
    supervisor.instants.push(this.nowMillis)
    child.instance = undefined
    child.retry = undefined
    if (supervisor.instants.length > intensity) {
      remove(supervisor, child)
      this.finish(supervisor, gaveUp)
      return
    }
    if (strategy === "one_for_one") {
      this.again(supervisor, child)
      return
    }
    const isInGroup = (at: number): boolean => strategy === "one_for_all" || at >= place
    const place = supervisor.children.indexOf(child)
    const siblings = supervisor.children.filter((other, at) => other !== child && isInGroup(at))
    for (const sibling of siblings.reverse()) {
      this.stop(sibling)
      this.gone(supervisor, sibling)
    }
    const group = supervisor.children.filter((_, at) => isInGroup(at))
    for (const member of group) if (!this.again(supervisor, member)) return
  }

  /** False if the start failed and is to be tried again. */
  private again(supervisor: Supervisor, child: Child): boolean {
    const started = this.boot(supervisor, child)
    if (isFailed(started)) {
      child.retry = { _: "Retry", child }
      supervisor.mailbox.push(child.retry)
      return false
    }
    if (started !== "ignored") child.restarts++
    else if (restartOf(child.spec) === "temporary") remove(supervisor, child)
    return true
  }

  /** The child keeps its place unless it is temporary. */
  private gone(supervisor: Supervisor, child: Child): void {
    child.instance = undefined
    child.retry = undefined
    if (restartOf(child.spec) === "temporary") remove(supervisor, child)
  }

  /** Stops the child's process within its shutdown setting; the news of its death that still waits is stale then. */
  private stop(child: Child): void {
    const { instance } = child
    child.instance = undefined
    child.retry = undefined
    if (instance === undefined || !instance.alive) return
    const shutdown = shutdownOf(child.spec)
    if (shutdown === "brutal_kill") {
      this.kill(instance)
      return
    }
    if (instance.supervisor !== undefined) {
      this.finish(instance.supervisor, "shutdown")
      return
    }
    this.note(`-${instance.tag}`)
    const neededMillis = instance.slow ? slowMillis : 0
    const limitMillis = shutdown === "infinity" ? neededMillis : shutdown
    this.nowMillis += Math.min(neededMillis, limitMillis)
    this.die(instance, neededMillis > limitMillis ? "killed" : "shutdown")
  }

  private stopAll(supervisor: Supervisor): void {
    for (const child of [...supervisor.children].reverse()) this.stop(child)
  }

  /** The supervisor ends in order. */
  private finish(supervisor: Supervisor, reason: Reason): void {
    this.stopAll(supervisor)
    this.die(supervisor.instance, reason)
  }

  private kill(instance: Instance): void {
    this.die(instance, "killed")
    this.loose.add(instance.tag)
    this.abandon(instance)
  }

  /** The killed process takes those below it along. */
  private abandon(instance: Instance): void {
    for (const { instance: child } of instance.supervisor?.children ?? []) {
      if (child?.alive !== true) continue
      child.alive = false
      this.loose.add(child.tag)
      this.orphans.add(child.tag)
      this.abandon(child)
    }
  }

  private die(instance: Instance, reason: Reason): void {
    instance.alive = false
    this.ends.push(`${instance.tag}: ${reason}`)
    for (const signal of instance.supervisor?.mailbox.splice(0) ?? []) {
      if (signal._ !== "Call") continue
      const isMet = signal.call._ === "Stop" && reason === "shutdown"
      this.answer(signal.number, isMet ? "ok" : `exited: ${reason}`)
    }
    instance.parent?.mailbox.push({ _: "Exit", from: instance, reason })
    if (instance === this.root?.instance) this.root = undefined
  }

  // ---------------------------------------------------------------------------------------------------------------
  // calls
  // ---------------------------------------------------------------------------------------------------------------

  private serve(supervisor: Supervisor, call: Exclude<TreeCall, { readonly _: "Stop" }>): string {
    const child = "id" in call ? supervisor.children.find(({ spec }) => spec.id === call.id) : undefined
    switch (call._) {
      case "StartChild":
        return this.startChild(supervisor, call.child)
      case "TerminateByPid":
        return "not_found"
      case "GetChildSpecByPid": {
        const found = supervisor.children.find(({ instance }) => instance?.tag === call.instance)
        return found === undefined ? "not_found" : describe(found.spec)
      }
      case "WhichChildren":
        return this.whichChildren(supervisor)
      case "CountChildren":
        return counts(supervisor)
      case "Reconfigure":
        return this.reconfigure(supervisor, call.flags)
      case "RunInit":
        return this.reconfigure(supervisor, supervisor.init)
      default:
        return child === undefined ? "not_found" : this.serveChild(supervisor, child, call._)
    }
  }

  private serveChild(
    supervisor: Supervisor,
    child: Child,
    call: "TerminateChild" | "RestartChild" | "DeleteChild" | "WhichChild" | "GetChildSpec"
  ): string {
    switch (call) {
      case "TerminateChild":
        this.stop(child)
        this.gone(supervisor, child)
        return "ok"
      case "WhichChild":
        return infoOf(child)
      case "GetChildSpec":
        return describe(child.spec)
      case "RestartChild":
        return busy(child) ?? showStarted(this.boot(supervisor, child))
      case "DeleteChild": {
        const state = busy(child)
        if (state === undefined) remove(supervisor, child)
        return state ?? "ok"
      }
    }
  }

  private startChild(supervisor: Supervisor, spec: ChildSpec): string {
    const problem = problemOf(spec, supervisor.flags)
    if (problem !== undefined) return problem
    const known = supervisor.children.find(child => child.spec.id === spec.id)
    if (known === undefined) return showStarted(this.add(supervisor, spec))
    return known.instance === undefined ? "already_present" : `already_started ${known.instance.tag}`
  }

  /** New children are kept, but not started; those that are no longer named come last. */
  private reconfigure(supervisor: Supervisor, flags: Flags): string {
    const ids = flags.children.map(spec => spec.id)
    const problem =
      flags.intensity < 0
        ? "invalid_intensity"
        : (flags.children.map(spec => problemOf(spec, flags)).find(each => each !== undefined) ??
          (new Set(ids).size < ids.length ? "duplicate_child_name" : undefined))
    if (problem !== undefined) return problem
    const left = supervisor.children.filter(child => !ids.includes(child.spec.id))
    const named = flags.children.map(spec => {
      const known = supervisor.children.find(child => child.spec.id === spec.id)
      if (known === undefined) return childOf(spec)
      known.spec = spec
      return known
    })
    supervisor.flags = flags
    supervisor.children = [...named, ...left]
    return "ok"
  }

  private whichChildren(supervisor: Supervisor): string {
    return `[${supervisor.children.map(infoOf).reverse().join("; ")}]`
  }

  private answer(number: number, answer: string): void {
    this.answers.push(`${number} at ${this.nowMillis}: ${answer}`)
  }

  private note(line: string): void {
    this.journal.push(`${line} at ${this.nowMillis}`)
  }
}
