/**
 * What the model of a tree remembers: supervisors, their children and the signals that wait for them.
 */
import {
  type ChildSpec,
  type Flags,
  type Reason,
  restartOf,
  showCounts,
  showInfo,
  type TreeCall,
  typeOf
} from "./vocabulary.js"

/** A process of a child. */
export interface Instance {
  readonly tag: string
  readonly path: string
  readonly slow: boolean
  readonly parent: Supervisor | undefined
  /** What it does if it is a supervisor. */
  supervisor: Supervisor | undefined
  alive: boolean
}

export interface Child {
  spec: ChildSpec
  instance: Instance | undefined
  /** The retry that waits in the mailbox while a restart has failed. */
  retry: Signal | undefined
  restarts: number
}

export type Signal =
  | { readonly _: "Exit"; readonly from: Instance; readonly reason: Reason }
  | { readonly _: "Retry"; readonly child: Child }
  | { readonly _: "Call"; readonly number: number; readonly call: TreeCall }

export interface Supervisor {
  readonly instance: Instance
  /** What its init computes. */
  readonly init: Flags
  flags: Flags
  /** In start order. */
  children: Array<Child>
  /** When it restarted, as far as that still counts. */
  instants: Array<number>
  readonly mailbox: Array<Signal>
  isHeld: boolean
}

export interface Failure {
  readonly failure: Reason
  /** The start found its name taken. */
  readonly isTaken: boolean
}

/** What a start comes to. */
export type Started = Instance | "ignored" | Failure

export const isFailed = (started: Started): started is Failure => typeof started === "object" && "failure" in started

export const childOf = (spec: ChildSpec): Child => ({ spec, instance: undefined, retry: undefined, restarts: 0 })

export const supervisorOf = (instance: Instance, flags: Flags): Supervisor => ({
  instance,
  init: flags,
  flags,
  children: [],
  instants: [],
  mailbox: [],
  isHeld: false
})

export const remove = (supervisor: Supervisor, child: Child): void => {
  supervisor.children = supervisor.children.filter(other => other !== child)
}

export const busy = (child: Child): "running" | "restarting" | undefined =>
  child.retry !== undefined ? "restarting" : child.instance !== undefined ? "running" : undefined

export const infoOf = ({ instance, restarts, retry, spec }: Child): string =>
  showInfo({
    id: spec.id,
    pid: retry !== undefined ? "restarting" : (instance?.tag ?? "stopped"),
    type: typeOf(spec),
    restart: restartOf(spec),
    restarts
  })

export const counts = (supervisor: Supervisor): string => {
  const supervisors = supervisor.children.filter(({ spec }) => typeOf(spec) === "supervisor").length
  return showCounts({
    specs: supervisor.children.length,
    // Dead already, even if the supervisor has not read of it.
    active: supervisor.children.filter(({ instance }) => instance?.alive === true).length,
    supervisors,
    workers: supervisor.children.length - supervisors
  })
}

export const showStarted = (started: Started, error = "ChildStartFailed"): string => {
  if (started === "ignored") return "ignored"
  if (!isFailed(started)) return `ok ${started.tag}`
  return started.isTaken ? "already_started elsewhere" : `${error}: ${started.failure}`
}
