/**
 * Whole groups of {@link RaftCore} members in one synchronous loop, with a network and disks that fail, drawn from a
 * seed: the seed is the run, on every machine.
 *
 * Every run first does its worst: messages lost, delayed, doubled and overtaken, links cut one way and groups parted,
 * disks that hang, processes that pause, crashes that take what was not synced and tear what was being written, members
 * that come and go, leaderships handed on, logs cut behind what is applied, snapshots that come late, twice or never. Each
 * seed draws its own selection of these. All the while every promise of Raft is checked at each event: one leader a term,
 * one vote a term (also across restarts), log matching, leader completeness, state machine safety (also through
 * snapshots), nothing acknowledged before it is durable on a majority of the configuration in force, nothing acknowledged
 * lost, reads linearizable, one change of the membership at a time, no way back for who has left, nothing that may only grow
 * ever falling. Then all is healed and the group must elect, converge, serve, hand over, bring back by a snapshot who was
 * away, and take in a member within a bounded time.
 *
 * @since 0.1.0
 */
import type { Group } from "./internal/sim/node.js"
import * as randoms from "./internal/sim/random.js"
import { drawFaults, Schedule } from "./internal/sim/schedule.js"
import { settle } from "./internal/sim/settle.js"
import { shrink } from "./internal/sim/shrink.js"
import { Violation as Broken } from "./internal/sim/violation.js"
import { World } from "./internal/sim/world.js"
import type * as Membership from "./Membership.js"
import * as RaftCore from "./RaftCore.js"

/**
 * One thing that happens. Messages are named by their link and their place on it. A run is a list of these.
 *
 * `Crash` keeps the first `writes` of the writes under way, and of the next one its hard state, its cut and
 * `torn` of its entries (-1: none of it); `forgotten` is how many applied entries the state machine had not stored.
 * `Compact` stores the state machine and cuts the log behind it, but for the last `kept` entries. `SnapshotEnd` tells the
 * sender what became of a snapshot: delivered if it was, else failed, though it may still arrive.
 *
 * @since 0.1.0
 * @category models
 */
export type Event =
  | { readonly _tag: "Tick" | "Campaign" | "Read"; readonly node: string }
  | { readonly _tag: "Restart"; readonly node: string }
  | { readonly _tag: "Propose"; readonly node: string; readonly count: number; readonly bytes: number }
  | { readonly _tag: "Sync"; readonly node: string; readonly writes: number }
  | {
      readonly _tag: "Crash"
      readonly node: string
      readonly writes: number
      readonly torn: number
      readonly forgotten: number
    }
  | {
      readonly _tag: "Change"
      readonly node: string
      readonly change: Membership.Change["_tag"]
      readonly member: string
    }
  | { readonly _tag: "Transfer"; readonly node: string; readonly target: string }
  | { readonly _tag: "Compact"; readonly node: string; readonly kept: number }
  | { readonly _tag: "SnapshotEnd"; readonly node: string; readonly to: string }
  | {
      readonly _tag: "Deliver" | "Duplicate" | "Drop"
      readonly from: string
      readonly to: string
      readonly at: number
    }

/**
 * The troubles of a run: shares of messages for the first three, presence for the rest.
 *
 * @since 0.1.0
 * @category models
 */
export interface Faults {
  readonly loss: number
  readonly duplicate: number
  readonly reorder: number
  readonly crash: boolean
  readonly tear: boolean
  readonly stall: boolean
  readonly pause: boolean
  readonly cut: boolean
  readonly partition: boolean
  readonly skew: boolean
  readonly campaign: boolean
  /** Time runs fast against the network, so that elections overlap. */
  readonly haste: boolean
  /** Members are added, from four spare ones, and removed. */
  readonly membership: boolean
  readonly transfer: boolean
  /** Members cut their logs, and send snapshots to those that needed what is gone. */
  readonly compaction: boolean
}

/**
 * A broken promise: which, how, and the shortened list of events that leads there, one line each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Violation {
  readonly invariant: string
  readonly detail: string
  readonly history: ReadonlyArray<string>
}

/**
 * What a run was and what came of it. A run stops at its first violation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  readonly seed: number
  readonly nodes: number
  readonly options: RaftCore.Options
  readonly faults: Faults
  /** Events that happened, the healing phase included. */
  readonly events: number
  /** Terms that had a leader. */
  readonly elections: number
  readonly committed: number
  readonly acknowledged: number
  readonly readsServed: number
  /** Changes of the membership that somebody asked for and got. */
  readonly changesCommitted: number
  /** Leaderships that went where they were sent. */
  readonly transfers: number
  /** Snapshots that took the place of a log, in the healing phase as well. */
  readonly snapshotsInstalled: number
  readonly crashes: number
  readonly violations: ReadonlyArray<Violation>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /** The run. */
  readonly seed: number
  /** Members in the beginning; drawn from 2, 3 and 5 when absent. */
  readonly nodes?: number | undefined
  /** Troubles that are to be as said here; the others are drawn. */
  readonly faults?: Partial<Faults> | undefined
  /** Events before the healing; 3,000 when absent. */
  readonly steps?: number | undefined
  /** Whether to search for a shorter history of a violation, which takes seconds; true when absent. */
  readonly shrink?: boolean | undefined
  /** The core under test: {@link RaftCore.step} when absent. A broken one shows whether the simulator sees. */
  readonly step?: typeof RaftCore.step | undefined
}

const drawOptions = (random: randoms.Random): RaftCore.Options => ({
  ...RaftCore.defaults,
  electionTicks: random.between(6, 12),
  heartbeatTicks: random.between(1, 2),
  appendBytesMax: random.pick([50, 300, 100_000]) ?? 300,
  appendEntriesMax: random.between(1, 8),
  inflightMessagesMax: random.between(1, 6),
  inflightBytesMax: random.pick([100, 2_000, 100_000]) ?? 2_000,
  uncommittedBytesMax: random.pick([500, 5_000, 100_000]) ?? 5_000,
  pendingReadsMax: random.between(2, 20)
})

interface Setting extends Group {
  readonly step: typeof RaftCore.step
}

/** Members that a run may add. */
const sparesCount = 4

const failureOf = (cause: unknown): Broken => {
  if (cause instanceof Broken) return cause
  return new Broken("no defects", cause instanceof Error ? cause.message : String(cause))
}

/** The numbers of a defect differ from replay to replay, its sentence does not. */
const kindOf = ({ detail, invariant }: Broken): string =>
  `${invariant}: ${detail.replace(/ \(.*\)$/, "").replace(/\d+/g, "n")}`

/** How a list of events fails, if it does, and after how many of them. */
const replay = (
  setting: Setting,
  events: ReadonlyArray<Event>,
  heal: boolean
): { readonly broken: Broken; readonly after: number } | undefined => {
  let after = 0
  try {
    const world = new World(setting, setting.step)
    for (const event of events) {
      after += 1
      world.apply(event)
    }
    if (heal) settle(world, setting.options.electionTicks, event => world.apply(event))
    return undefined
  } catch (cause) {
    return { broken: failureOf(cause), after }
  }
}

const subjectOf = (event: Event): string => ("node" in event ? event.node : event.to)

const printEvent = (event: Event): string =>
  Object.entries(event)
    .map(([key, value]) => (key === "_tag" ? value : `${key}=${value}`))
    .join(" ")

/** One line an event, with what it made of the member it happened to. */
const narrate = (setting: Setting, events: ReadonlyArray<Event>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const world = new World(setting, setting.step)
  for (const event of events) {
    let message = ""
    if ("from" in event) {
      const link = world.links.find(({ from, to }) => from.id === event.from && to.id === event.to)
      message = ` ${link?.messages[event.at]?._tag ?? "nothing"}`
    }
    try {
      world.apply(event)
    } catch (cause) {
      lines.push(`${printEvent(event)}${message} ⇒ ${failureOf(cause).message}`)
      return lines
    }
    const { core, up } = world.node(subjectOf(event))
    const after = up
      ? `${core.role} term=${core.term} last=${core.lastIndex}/${core.lastTerm} durable=${core.durableIndex} commit=${core.commitIndex}`
      : "down"
    lines.push(`${printEvent(event)}${message} ⇒ ${subjectOf(event)} ${after}`)
  }
  lines.push("all is healed")
  return lines
}

/**
 * Runs one seed.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (options: RunOptions): Report => {
  const random = randoms.make(options.seed)
  const drawn = random.pick([2, 3, 3, 3, 5, 5]) ?? 3
  const nodes = options.nodes ?? drawn
  const faults = { ...drawFaults(random), ...options.faults }
  const setting: Setting = {
    seed: options.seed,
    voters: Array.from({ length: nodes }, (_, at) => `n${at + 1}`),
    spares: Array.from({ length: faults.membership ? sparesCount : 0 }, (_, at) => `n${nodes + at + 1}`),
    options: drawOptions(random),
    step: options.step ?? RaftCore.step
  }
  const world = new World(setting, setting.step)
  const schedule = new Schedule(world, faults, random)
  const events: Array<Event> = []
  let crashes = 0
  let happened = 0
  let healing = false
  let broken: Broken | undefined
  try {
    for (let at = 0; at < (options.steps ?? 3_000); at++) {
      const event = schedule.next()
      events.push(event)
      if (world.apply(event)) happened += 1
      if (event._tag === "Crash") crashes += 1
    }
    healing = true
    settle(world, setting.options.electionTicks, event => {
      if (world.apply(event)) happened += 1
    })
  } catch (cause) {
    broken = failureOf(cause)
  }
  return {
    seed: options.seed,
    nodes,
    options: setting.options,
    faults,
    events: happened,
    elections: world.checker.leaders.size,
    committed: world.checker.commitIndex,
    acknowledged: world.checker.acknowledged,
    readsServed: world.readsServed,
    changesCommitted: world.changesCommitted,
    transfers: world.transfersDone,
    snapshotsInstalled: world.snapshotsInstalled,
    crashes,
    violations: broken === undefined ? [] : [explain(setting, events, broken, healing, options.shrink ?? true)]
  }
}

const explain = (
  setting: Setting,
  events: ReadonlyArray<Event>,
  broken: Broken,
  heal: boolean,
  shortened: boolean
): Violation => {
  if (!shortened) return { invariant: broken.invariant, detail: broken.detail, history: events.map(printEvent) }
  const kind = kindOf(broken)
  const shortest = shrink(events, candidate => {
    const again = replay(setting, candidate, heal)
    return again !== undefined && kindOf(again.broken) === kind ? again.after : undefined
  })
  return { invariant: broken.invariant, detail: broken.detail, history: narrate(setting, shortest) }
}

/**
 * A report as text: a line when all is well; else the seed, the configuration and the shortened history.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (report: Report): string => {
  const { acknowledged, committed, crashes, elections, events, nodes, readsServed, seed } = report
  const { changesCommitted, snapshotsInstalled, transfers } = report
  const head =
    `seed ${seed}: ${nodes} nodes, ${events} events, ${crashes} crashes, ${elections} elections, ` +
    `${committed} entries committed, ${acknowledged} proposals acknowledged, ${readsServed} reads served, ` +
    `${changesCommitted} members changed, ${transfers} leaders handed over, ${snapshotsInstalled} snapshots installed`
  if (report.violations.length === 0) return head
  const lines = report.violations.flatMap(({ detail, history, invariant }) => [
    `BROKEN ${invariant}: ${detail}`,
    ...history.map((line, at) => `  ${at + 1}. ${line}`)
  ])
  return [head, `options ${JSON.stringify(report.options)}`, `faults ${JSON.stringify(report.faults)}`, ...lines].join(
    "\n"
  )
}
