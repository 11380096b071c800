/**
 * What the group owes its machine: timers that will fire and subjects that are watched. Part of the replicated state; whoever leads sees to it that they come back.
 */

import { type MachineEffect, nameLengthMax, type Subject, timerMillisMax } from "../../MachineEffect.js"
import type { RefusalReason } from "../../MachineError.js"

export interface Timer {
  readonly name: string
  /** By the replicated time. */
  readonly deadlineMillis: number
  /** The index of the entry that set it: a firing is of this setting only if it names it. */
  readonly armed: number
}

export interface Monitor {
  readonly subject: Subject
  readonly armed: number
}

const effectsMax = 1024
const timersMax = 4096
const monitorsMax = 4096

/** One key for each subject. */
export const keyOf = (subject: Subject): string =>
  JSON.stringify(subject._tag === "Process" ? [subject.node, subject.name] : [subject.node])

const anyLoneSurrogate = /\p{Surrogate}/u

/** A name that is no UTF-16 has no UTF-8, and would come back from the log as another. */
const isName = (name: string): boolean => name.length <= nameLengthMax && !anyLoneSurrogate.test(name)

const isValid = (effect: MachineEffect<unknown>): boolean => {
  switch (effect._tag) {
    case "SetTimer":
      return (
        isName(effect.name) &&
        Number.isSafeInteger(effect.afterMillis) &&
        effect.afterMillis >= 0 &&
        effect.afterMillis <= timerMillisMax
      )
    case "CancelTimer":
      return isName(effect.name)
    case "Monitor":
    case "Demonitor":
      return isName(effect.subject.node) && (effect.subject._tag === "Node" || isName(effect.subject.name))
    case "Notify":
    case "Release":
      return true
  }
}

export class Obligations {
  readonly timers = new Map<string, Timer>()
  readonly monitors = new Map<string, Monitor>()
  /** Which ones are no longer as they were when this was last looked at. */
  readonly changedTimers = new Set<string>()
  readonly changedMonitors = new Set<string>()

  /** Why not all the effects can be taken, where they cannot. */
  refusal(effects: ReadonlyArray<MachineEffect<unknown>>): RefusalReason | undefined {
    if (effects.length > effectsMax) return "effects_exceeded"
    const timers = new Map<string, boolean>()
    const monitors = new Map<string, boolean>()
    for (const effect of effects) {
      if (!isValid(effect)) return "invalid_effect"
      if (effect._tag === "SetTimer" || effect._tag === "CancelTimer") {
        timers.set(effect.name, effect._tag === "SetTimer")
      } else if (effect._tag === "Monitor" || effect._tag === "Demonitor") {
        monitors.set(keyOf(effect.subject), effect._tag === "Monitor")
      }
    }
    if (sizeAfter(this.timers, timers) > timersMax) return "timers_exceeded"
    if (sizeAfter(this.monitors, monitors) > monitorsMax) return "monitors_exceeded"
    return undefined
  }

  take(effect: MachineEffect<unknown>, index: number, nowMillis: number): void {
    switch (effect._tag) {
      case "SetTimer":
        this.timers.set(effect.name, {
          name: effect.name,
          deadlineMillis: nowMillis + effect.afterMillis,
          armed: index
        })
        this.changedTimers.add(effect.name)
        return
      case "CancelTimer":
        this.removeTimer(effect.name)
        return
      case "Monitor": {
        const key = keyOf(effect.subject)
        if (this.monitors.has(key)) return
        this.monitors.set(key, { subject: effect.subject, armed: index })
        this.changedMonitors.add(key)
        return
      }
      case "Demonitor":
        this.removeMonitor(keyOf(effect.subject))
        return
      case "Notify":
      case "Release":
        return
    }
  }

  /** The timer fires, unless it is another setting by now: then nothing does. */
  fire(name: string, armed: number): boolean {
    if (this.timers.get(name)?.armed !== armed) return false
    this.removeTimer(name)
    return true
  }

  /** What is down, unless it is not watched any more, or watched anew. */
  down(key: string, armed: number): Subject | undefined {
    const monitor = this.monitors.get(key)
    if (monitor?.armed !== armed) return undefined
    this.removeMonitor(key)
    return monitor.subject
  }

  private removeTimer(name: string): void {
    if (this.timers.delete(name)) this.changedTimers.add(name)
  }

  private removeMonitor(key: string): void {
    if (this.monitors.delete(key)) this.changedMonitors.add(key)
  }
}

const sizeAfter = (table: ReadonlyMap<string, unknown>, changes: ReadonlyMap<string, boolean>): number => {
  let size = table.size
  for (const [key, present] of changes) size += Number(present) - Number(table.has(key))
  return size
}
