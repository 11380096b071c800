/**
 * What a dynamic supervisor does, written from OTP's rules for `simple_one_for_one` alone. Its children are workers, made from
 * one template; the arguments of each are a letter, the last of which makes it slow to stop.
 */
import type { Model } from "./property.js"
import {
  gaveUp,
  isClean,
  type Move,
  type Observation,
  type Outcome,
  type Reason,
  type Restart,
  type Shutdown,
  showCounts,
  showInfo,
  showSpec,
  slowMillis,
  top
} from "./vocabulary.js"

export const letters = ["a", "b", "z"] as const
export type Letter = (typeof letters)[number]
export const isSlow = (letter: string): boolean => letter === "z"

export interface Template {
  readonly restart: Restart
  readonly shutdown?: Shutdown | undefined
  readonly type: "worker" | "supervisor"
  readonly intensity: number
  readonly periodMillis: number
  readonly childrenMax: number
}

/** `instance` is a process that is a child or was one; `stranger` is one that never was. */
export type DynamicCall =
  | { readonly _: "StartChild"; readonly letter: Letter }
  | { readonly _: "TerminateChild"; readonly instance: string }
  | { readonly _: "WhichChild"; readonly instance: string }
  | { readonly _: "GetChildSpec"; readonly instance: string }
  | { readonly _: ById; readonly id: string }
  | { readonly _: "WhichChildren" }
  | { readonly _: "CountChildren" }
  | { readonly _: "Reconfigure"; readonly template: Template }
  | { readonly _: "RunInit" }
  | { readonly _: "Stop" }

/** What only a supervisor that knows its children by ids understands. */
export const byId = ["StartById", "TerminateById", "RestartById", "DeleteById", "WhichById"] as const
export type ById = (typeof byId)[number]

export type DynamicMove = Move<Template, DynamicCall>

export const stranger = "stranger"

export const showTemplate = (template: Template): string => {
  const shutdown = template.shutdown === undefined ? "" : ` shutdown=${template.shutdown}`
  const limits = `${template.intensity}/${template.periodMillis}ms max=${template.childrenMax}`
  return `{${template.restart} ${template.type}${shutdown} ${limits}}`
}

export const showDynamicCall = (call: DynamicCall): string => {
  if ("letter" in call) return `${call._} ${call.letter}`
  if ("instance" in call) return `${call._} ${call.instance}`
  if ("id" in call) return `${call._} ${call.id}`
  return "template" in call ? `${call._} ${showTemplate(call.template)}` : call._
}

interface Member {
  readonly letter: Letter
  /** The process it has, or had before the restart that failed. */
  tag: string
  retry: Signal | undefined
  restarts: number
  /** The template's, unless it was started as temporary: then it stays so, because its arguments are gone. */
  restart: Restart
}

type Signal =
  | { readonly _: "Exit"; readonly tag: string; readonly reason: Reason }
  | { readonly _: "Retry"; readonly member: Member }
  | { readonly _: "Call"; readonly number: number; readonly call: DynamicCall }

type Started = { readonly tag: string } | "ignored" | "failed" | "taken"

export class DynamicModel implements Model<DynamicMove> {
  nowMillis = 0
  /** Undefined while there is no supervisor. */
  template: Template | undefined
  readonly loose = new Set<string>()
  /** The children of its children are not looked at. */
  readonly orphans: ReadonlySet<string> = new Set()
  /** Every process that was ever started. */
  readonly instances: Array<string> = []
  isHeld = false
  /** When it restarted, as far as that still counts. */
  instants: Array<number> = []
  private tag = ""
  /** What its init computes. */
  private init: Template | undefined
  private members: Array<Member> = []
  private readonly living = new Set<string>()
  private mailbox: Array<Signal> = []
  private readonly starts = new Map<string, number>()
  private readonly faults = new Map<string, Array<Outcome>>()
  private calls = 0
  private answers: Array<string> = []
  private journal: Array<ReadonlyArray<string>> = []
  private ends: Array<string> = []

  get alive(): ReadonlyArray<string> {
    return [...this.living]
  }

  apply(move: DynamicMove): Observation {
    this.answers = []
    this.journal = []
    this.ends = []
    switch (move._) {
      case "Start":
        this.tag = `${top}#${this.count(top)}`
        this.template = move.spec
        this.init = move.spec
        this.instants = []
        this.answer(this.calls++, `ok ${this.tag}`)
        break
      case "Exit":
        this.exit(move.instance, move.reason)
        break
      case "Call":
        if (this.template === undefined) this.answer(this.calls++, "noproc")
        else this.mailbox.push({ _: "Call", number: this.calls++, call: move.call })
        break
      case "Fault":
        this.faults.set(move.path, [...move.outcomes])
        break
      case "Pass":
        this.nowMillis += move.millis
        break
      case "Hold":
        // A full supervisor refuses the start that is to hold it.
        this.isHeld = this.template !== undefined && this.members.length < this.template.childrenMax
        break
      case "Release":
        this.isHeld = false
        break
    }
    this.run()
    const listing =
      this.template === undefined || this.isHeld ? [] : [this.whichChildren(this.template), this.counts(this.template)]
    return { answers: this.answers, journal: this.journal, ends: this.ends, listing }
  }

  private run(): void {
    while (this.template !== undefined && !this.isHeld) {
      const signal = this.mailbox.shift()
      if (signal === undefined) return
      switch (signal._) {
        case "Exit":
          this.exited(this.template, signal.tag, signal.reason)
          break
        case "Retry":
          if (signal.member.retry === signal) this.restart(this.template, signal.member)
          break
        case "Call":
          if (signal.call._ === "Stop") {
            this.finish(this.template, "shutdown")
            this.answer(signal.number, "ok")
          } else this.answer(signal.number, this.serve(this.template, signal.call))
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // starts and ends
  // ---------------------------------------------------------------------------------------------------------------

  private start(letter: Letter): Started {
    const path = `${top}/${letter}`
    const tag = `${path}#${this.count(path)}`
    const outcome = this.faults.get(path)?.shift()
    if (outcome !== undefined) {
      this.note(`${outcome === "ignore" ? "~" : "!"}${tag}`)
      return outcome === "ignore" ? "ignored" : outcome === "taken" ? "taken" : "failed"
    }
    this.note(`+${tag}`)
    this.living.add(tag)
    this.instances.push(tag)
    return { tag }
  }

  private exit(tag: string, reason: Reason): void {
    if (!this.living.has(tag)) return
    if (reason === "killed") this.loose.add(tag)
    this.note(`-${tag}`)
    this.die(tag, reason)
  }

  private die(tag: string, reason: Reason): void {
    this.living.delete(tag)
    this.ends.push(`${tag}: ${reason}`)
    this.mailbox.push({ _: "Exit", tag, reason })
  }

  private exited(template: Template, tag: string, reason: Reason): void {
    const member = this.members.find(each => each.tag === tag && each.retry === undefined)
    if (member === undefined) return
    const isWanted = member.restart === "permanent" || (member.restart === "transient" && !isClean(reason))
    if (isWanted) this.restart(template, member)
    else this.remove(member)
  }

  private restart(template: Template, member: Member): void {
    this.instants = this.instants.filter(instant => instant >= this.nowMillis - template.periodMillis)
    this.instants.push(this.nowMillis)
    if (this.instants.length > template.intensity) {
      this.remove(member)
      this.finish(template, gaveUp)
      return
    }
    member.retry = undefined
    const started = this.start(member.letter)
    if (started === "ignored") this.remove(member)
    else if (typeof started === "string") {
      member.retry = { _: "Retry", member }
      this.mailbox.push(member.retry)
    } else {
      member.tag = started.tag
      member.restarts++
    }
  }

  /** The child gets its shutdown time, and is forgotten. */
  private terminate(template: Template, member: Member): void {
    this.remove(member)
    if (this.living.has(member.tag)) this.stop(template, [member])
  }

  /** All at once; one shutdown time for all of them. */
  private stop(template: Template, members: ReadonlyArray<Member>): void {
    const shutdown = template.shutdown ?? (template.type === "worker" ? 5_000 : "infinity")
    const isBrutal = shutdown === "brutal_kill"
    this.journal.push(members.map(({ tag }) => `-${tag} at ${this.nowMillis}`))
    const limitMillis = isBrutal ? 0 : shutdown === "infinity" ? slowMillis : Math.min(shutdown, slowMillis)
    if (members.some(({ letter }) => isSlow(letter))) this.nowMillis += limitMillis
    for (const { letter, tag } of members) {
      if (isBrutal) this.loose.add(tag)
      this.die(tag, isBrutal || (isSlow(letter) && limitMillis < slowMillis) ? "killed" : "shutdown")
    }
  }

  private finish(template: Template, reason: Reason): void {
    this.stop(
      template,
      this.members.filter(({ tag }) => this.living.has(tag))
    )
    this.members = []
    this.template = undefined
    this.ends.push(`${this.tag}: ${reason}`)
    for (const signal of this.mailbox.splice(0)) {
      if (signal._ !== "Call") continue
      const isMet = signal.call._ === "Stop" && reason === "shutdown"
      this.answer(signal.number, isMet ? "ok" : `exited: ${reason}`)
    }
  }

  private remove(member: Member): void {
    member.retry = undefined
    this.members = this.members.filter(other => other !== member)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // calls
  // ---------------------------------------------------------------------------------------------------------------

  private serve(template: Template, call: Exclude<DynamicCall, { readonly _: "Stop" }>): string {
    switch (call._) {
      case "StartChild":
        return this.startChild(template, call.letter)
      case "TerminateChild": {
        const member = this.find(call.instance)
        if (member === undefined) return call.instance === stranger ? "not_found" : "ok"
        this.terminate(template, member)
        return "ok"
      }
      case "WhichChild": {
        const member = this.find(call.instance)
        return member === undefined ? "not_found" : this.info(template, member)
      }
      case "GetChildSpec": {
        const member = this.find(call.instance)
        return member === undefined ? "not_found" : describe({ ...template, restart: member.restart })
      }
      case "WhichChildren":
        return this.whichChildren(template)
      case "CountChildren":
        return this.counts(template)
      case "Reconfigure":
        return this.reconfigure(call.template)
      case "RunInit":
        return this.reconfigure(this.init ?? template)
      default:
        return "simple_one_for_one"
    }
  }

  private startChild(template: Template, letter: Letter): string {
    if (this.members.length >= template.childrenMax) return "max_children"
    const started = this.start(letter)
    if (typeof started === "object") {
      this.members.push({ letter, tag: started.tag, retry: undefined, restarts: 0, restart: template.restart })
      return `ok ${started.tag}`
    }
    if (started === "ignored") return started
    return started === "taken" ? "already_started elsewhere" : "StartFailed: crash"
  }

  private reconfigure(template: Template): string {
    if (template.intensity < 0) return "invalid_intensity"
    this.template = template
    for (const member of this.members) {
      const isKept = member.retry === undefined && member.restart === "temporary"
      if (!isKept) member.restart = template.restart
    }
    return "ok"
  }

  private find(tag: string): Member | undefined {
    return this.members.find(member => member.tag === tag)
  }

  private whichChildren(template: Template): string {
    return `[${this.members
      .map(member => this.info(template, member))
      .sort()
      .join("; ")}]`
  }

  private info(template: Template, { restart, restarts, retry, tag }: Member): string {
    const pid = retry === undefined ? tag : "restarting"
    return showInfo({ id: undefined, pid, type: template.type, restart, restarts })
  }

  private counts(template: Template): string {
    const { length } = this.members
    const active = this.members.filter(({ retry }) => retry === undefined).length
    return template.type === "worker"
      ? showCounts({ specs: 1, active, supervisors: 0, workers: length })
      : showCounts({ specs: 1, active, supervisors: length, workers: 0 })
  }

  private count(path: string): number {
    const count = (this.starts.get(path) ?? 0) + 1
    this.starts.set(path, count)
    return count
  }

  private answer(number: number, answer: string): void {
    this.answers.push(`${number} at ${this.nowMillis}: ${answer}`)
  }

  private note(line: string): void {
    this.journal.push([`${line} at ${this.nowMillis}`])
  }
}

const describe = ({ restart, shutdown, type }: Template): string =>
  showSpec({
    id: "template",
    restart,
    shutdown: shutdown ?? (type === "worker" ? 5_000 : "infinity"),
    type,
    significant: false
  })
