import type { Event, Violation } from "../../Simulator.js"
import * as Trace from "../../Trace.js"
import * as TraceCheck from "../../TraceCheck.js"
import type { Group } from "./node.js"
import { settle } from "./settle.js"
import { shrink } from "./shrink.js"
import { Violation as Broken } from "./violation.js"
import { type StepFunction, World } from "./world.js"

export interface Setting extends Group {
  readonly step: StepFunction
  readonly historiesOnly: boolean
}

const failureOf = (cause: unknown): Broken => {
  if (cause instanceof Broken) return cause
  return new Broken("no defects", cause instanceof Error ? cause.message : String(cause))
}

/** The lines of one in so many seeds are held against the specification, which costs their rendering. */
const checkedEach = 8

const linearizable = "histories are linearizable"

/** The numbers of a defect differ from replay to replay, its sentence does not. */
const kindOf = ({ detail, invariant }: Broken): string =>
  invariant === linearizable ? invariant : `${invariant}: ${detail.replace(/ \(.*\)$/, "").replace(/\d+/g, "n")}`

const printEvent = (event: Event): string =>
  Object.entries(event)
    .map(([key, value]) => (key === "_tag" ? value : `${key}=${value}`))
    .join(" ")

/** What broke, after how many events that was certain, and whether the group was being healed by then. */
interface Failure {
  readonly broken: Broken
  readonly after: number
  readonly healing: boolean
}

/** One group, from its first event to the verdict on what its clients saw. */
export class Play {
  readonly world: World
  /** By event: how long the clients' history was after it. */
  private readonly historyLengths: Array<number> = []
  private transitions: Array<string> = []
  private broken: Broken | undefined
  /** Events before the healing. */
  private troubled = Number.POSITIVE_INFINITY
  happened = 0
  ticks = 0
  undecided = 0

  constructor(
    private readonly setting: Setting,
    private readonly trace: ((line: string) => void) | undefined
  ) {
    const { historiesOnly, seed, step } = setting
    const check = seed % checkedEach === 0 && !historiesOnly ? TraceCheck.make() : undefined
    this.world = new World(
      setting,
      step,
      historiesOnly,
      (input, next) => {
        if (trace === undefined && check === undefined) return
        const line = Trace.line(input, next)
        if (trace !== undefined) this.transitions.push(line)
        const refusal = check?.line(line)
        if (refusal !== undefined) throw new Broken(`the trace is one of Raft, ${refusal.rule}`, refusal.detail)
      },
      id => check?.restarted(id)
    )
  }

  apply(event: Event): void {
    this.transitions = []
    try {
      if (this.world.apply(event)) {
        this.happened += 1
        if (event._tag === "Tick") this.ticks += 1
      }
    } catch (cause) {
      this.broken = failureOf(cause)
      throw cause
    } finally {
      this.historyLengths.push(this.world.clients.history.length)
      this.tell(event)
    }
  }

  private tell(event: Event): void {
    if (this.trace === undefined) return
    const outcome = this.broken === undefined ? [] : [`BROKEN ${this.broken.message}`]
    this.trace([printEvent(event), ...this.transitions, ...outcome].join(" => "))
  }

  /** Runs to the end, and tells what broke. */
  finish(play: () => void): Failure | undefined {
    try {
      play()
    } catch (cause) {
      // where only histories count, a group that does not heal has a history as well
      const after = this.historyLengths.length
      if (!this.setting.historiesOnly) return { broken: failureOf(cause), after, healing: after >= this.troubled }
    }
    return this.judge()
  }

  private judge(): Failure | undefined {
    const { clients, group } = this.world
    const after = this.historyLengths.length
    let verdict: ReturnType<Group["workload"]["judge"]>
    try {
      verdict = group.workload.judge(clients.history)
    } catch (cause) {
      return { broken: failureOf(cause), after, healing: after > this.troubled }
    }
    if (verdict._tag === "Undecided") this.undecided = verdict.keys.length
    if (verdict._tag !== "Violation") return undefined
    const certain = this.historyLengths.findIndex(length => length >= verdict.end) + 1
    return { broken: new Broken(linearizable, verdict.explanation), after: certain, healing: certain > this.troubled }
  }

  heal(): void {
    this.troubled = this.historyLengths.length
    settle(this.world, this.setting.options.electionTicks, event => this.apply(event))
  }
}

/** How a list of events fails, if it does, and after how many of them. */
const replay = (
  setting: Setting,
  events: ReadonlyArray<Event>,
  heal: boolean,
  trace?: (line: string) => void
): Failure | undefined => {
  const play = new Play(setting, trace)
  const failed = play.finish(() => {
    for (const event of events) play.apply(event)
    if (heal) play.heal()
  })
  return failed && { ...failed, after: Math.min(failed.after, events.length) }
}

/** A violation as it is reported: what broke, and the events that lead there, shortened if that is wanted. */
export const explain = (
  setting: Setting,
  events: ReadonlyArray<Event>,
  { broken, healing }: Failure,
  shortened: boolean
): Violation => {
  if (!shortened) return { invariant: broken.invariant, detail: broken.detail, history: events.map(printEvent) }
  const kind = kindOf(broken)
  const shortest = shrink(events, candidate => {
    const again = replay(setting, candidate, healing)
    return again !== undefined && kindOf(again.broken) === kind ? again.after : undefined
  })
  const history: Array<string> = []
  const shown = replay(setting, shortest, healing, line => {
    if (history.length < shortest.length) history.push(line)
  })
  if (healing) history.push("all is healed")
  return { invariant: broken.invariant, detail: shown?.broken.detail ?? broken.detail, history }
}
