/**
 * The words in which the models and the real supervisors are compared: plain data, and text for everything that is observed.
 */

export type Restart = "permanent" | "transient" | "temporary"
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one"
export type AutoShutdown = "never" | "any_significant" | "all_significant"
/** A time limit in milliseconds, or one of the two words. */
export type Shutdown = number | "brutal_kill" | "infinity"

/** Why a process ended, as text: those that a child can be told to end with, and what supervisors add to them. */
export type Reason = string
export const ownReasons = ["normal", "shutdown", "shutdown(moved)", "crash", "killed"] as const
export type OwnReason = (typeof ownReasons)[number]
export const gaveUp: Reason = "shutdown(reached_max_restart_intensity)"
export const isClean = (reason: Reason): boolean => reason === "normal" || reason.startsWith("shutdown")

/** How a start goes when it is told to: it fails, dies of a defect, is not needed, or finds its name taken. */
export const outcomes = ["fail", "die", "ignore", "taken"] as const
export type Outcome = (typeof outcomes)[number]

/** What a child is: a worker, one that needs `slowMillis` to stop when it is asked to, or a supervisor. */
export type Work = "prompt" | "slow" | Flags
export const slowMillis = 300

export interface ChildSpec {
  readonly id: string
  readonly restart?: Restart | undefined
  readonly shutdown?: Shutdown | undefined
  readonly significant?: boolean | undefined
  readonly work: Work
}

export interface Flags {
  readonly strategy: Strategy
  readonly intensity: number
  readonly periodMillis: number
  readonly autoShutdown: AutoShutdown
  readonly children: ReadonlyArray<ChildSpec>
}

export const restartOf = (spec: ChildSpec): Restart => spec.restart ?? "permanent"
export const typeOf = (spec: ChildSpec) => (typeof spec.work === "string" ? "worker" : "supervisor")
export const shutdownOf = (spec: ChildSpec): Shutdown =>
  spec.shutdown ?? (typeOf(spec) === "worker" ? 5_000 : "infinity")

/** Why the child cannot be one of a supervisor with these flags. */
export const problemOf = (spec: ChildSpec, flags: Flags): string | undefined =>
  spec.significant === true && (flags.autoShutdown === "never" || restartOf(spec) === "permanent")
    ? "bad_combination"
    : undefined

/** A call to a supervisor of a tree. */
export type TreeCall =
  | { readonly _: "StartChild"; readonly child: ChildSpec }
  | { readonly _: "TerminateChild"; readonly id: string }
  | { readonly _: "TerminateByPid"; readonly instance: string }
  | { readonly _: "RestartChild"; readonly id: string }
  | { readonly _: "DeleteChild"; readonly id: string }
  | { readonly _: "WhichChildren" }
  | { readonly _: "WhichChild"; readonly id: string }
  | { readonly _: "GetChildSpec"; readonly id: string }
  | { readonly _: "GetChildSpecByPid"; readonly instance: string }
  | { readonly _: "CountChildren" }
  | { readonly _: "Reconfigure"; readonly flags: Flags }
  | { readonly _: "RunInit" }
  | { readonly _: "Stop" }

/**
 * One thing that happens. `Hold` makes a supervisor deaf until `Release`, so that what happens meanwhile waits in its mailbox, in
 * order. Supervisors are named by their paths; an instance is one process of a child: its path, and which of its starts it was.
 */
export type Move<Spec, Call> =
  | { readonly _: "Start"; readonly spec: Spec }
  | { readonly _: "Exit"; readonly instance: string; readonly reason: OwnReason }
  | { readonly _: "Call"; readonly to: string; readonly call: Call }
  | { readonly _: "Fault"; readonly path: string; readonly outcomes: ReadonlyArray<Outcome> }
  | { readonly _: "Pass"; readonly millis: number }
  | { readonly _: "Hold"; readonly to: string }
  | { readonly _: "Release"; readonly to: string }

export type TreeMove = Move<Flags, TreeCall>

/** What a move led to. */
export interface Observation {
  /** Of the calls that were answered during the move, in the order in which they were made. */
  readonly answers: ReadonlyArray<string>
  /** Starts and stops of children, in order; those of one group in any. */
  readonly journal: ReadonlyArray<ReadonlyArray<string>>
  /** The processes that ended, and why; sorted. */
  readonly ends: ReadonlyArray<string>
  /** What each living supervisor that is not held says about its children. */
  readonly listing: ReadonlyArray<string>
}

/** The root of all paths. */
export const top = "top"

export interface Info {
  readonly id: string | undefined
  readonly pid: string
  readonly type: "worker" | "supervisor"
  readonly restart: Restart
  readonly restarts: number
}

export const showInfo = (info: Info): string =>
  `${info.id ?? "-"} ${info.pid} ${info.type} ${info.restart} restarts=${info.restarts}`

export const showSpec = (spec: {
  readonly id: string
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly type: string
  readonly significant: boolean
}): string => `${spec.id} ${spec.restart} ${spec.shutdown} ${spec.type}${spec.significant ? " significant" : ""}`

/** A child's spec with everything filled in. */
export const describe = (spec: ChildSpec): string =>
  showSpec({
    id: spec.id,
    restart: restartOf(spec),
    shutdown: shutdownOf(spec),
    type: typeOf(spec),
    significant: spec.significant ?? false
  })

export const showCounts = (counts: {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}): string =>
  `specs=${counts.specs} active=${counts.active} supervisors=${counts.supervisors} workers=${counts.workers}`

export const showChild = (child: ChildSpec): string => {
  const options = [
    child.restart,
    child.shutdown === undefined ? undefined : `shutdown=${child.shutdown}`,
    child.significant === true ? "significant" : undefined,
    child.work === "slow" ? "slow" : undefined
  ].filter(option => option !== undefined)
  const own = options.length === 0 ? child.id : `${child.id}(${options.join(" ")})`
  return typeof child.work === "string" ? own : `${own}${showFlags(child.work)}`
}

export const showFlags = (flags: Flags): string => {
  const auto = flags.autoShutdown === "never" ? "" : ` ${flags.autoShutdown}`
  const own = `${flags.strategy} ${flags.intensity}/${flags.periodMillis}ms${auto}`
  return `{${own}: ${flags.children.map(showChild).join(", ")}}`
}

export const showTreeCall = (call: TreeCall): string => {
  switch (call._) {
    case "StartChild":
      return `StartChild ${showChild(call.child)}`
    case "Reconfigure":
      return `Reconfigure ${showFlags(call.flags)}`
    case "TerminateByPid":
    case "GetChildSpecByPid":
      return `${call._} ${call.instance}`
    case "WhichChildren":
    case "CountChildren":
    case "RunInit":
    case "Stop":
      return call._
    default:
      return `${call._} ${call.id}`
  }
}

export const showMove =
  <Spec, Call>(showSpec: (spec: Spec) => string, showCall: (call: Call) => string) =>
  (move: Move<Spec, Call>): string => {
    switch (move._) {
      case "Start":
        return `start ${top}${showSpec(move.spec)}`
      case "Exit":
        return `${move.instance} exits: ${move.reason}`
      case "Call":
        return `ask ${move.to}: ${showCall(move.call)}`
      case "Fault":
        return `the next starts of ${move.path}: ${move.outcomes.join(", ")}`
      case "Pass":
        return `${move.millis} ms pass`
      case "Hold":
        return `hold ${move.to}`
      case "Release":
        return `release ${move.to}`
    }
  }
