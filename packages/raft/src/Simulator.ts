/**
 * Whole groups of {@link RaftCore} members in one synchronous loop, with clients, and a network and disks that fail, drawn
 * from a seed: the seed is the run, on every machine.
 *
 * Every run first does its worst: messages lost, delayed, doubled and overtaken, links cut one way and groups parted,
 * disks that hang, rot and fail to sync, processes that pause, crashes that take what was not synced and tear what was being
 * written, members that come and go, leaderships handed on, logs cut behind what is applied, snapshots that come late, twice,
 * changed or never and are damaged where they are kept, installs cut between their steps, machines whose file is lost. Each seed draws its own selection of these. All the while every promise of Raft is checked at each event: one
 * leader a term, one vote a term (also across restarts), log matching, leader completeness, state machine safety (also
 * through snapshots), nothing acknowledged before it is durable on a majority of the configuration in force, nothing
 * acknowledged lost, reads linearizable, one change of the membership at a time, no way back for who has left, nothing that
 * may only grow ever falling. Then all is healed and the group must elect, converge, serve, hand over, bring back by a snapshot
 * who was away, and take in a member within a bounded time. At the end {@link Linearizability} judges what the clients saw: they
 * write through the leader and read through every member, and ask again where they got no answer.
 *
 * What runs on the group is a {@link Workload}: streams of events, or a machine of one's own.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import { explain, Play, type Setting } from "./internal/sim/play.js"
import type { Random } from "./internal/sim/random.js"
import * as randoms from "./internal/sim/random.js"
import { drawFaults, Schedule } from "./internal/sim/schedule.js"
import { definition as streamsDefinition } from "./internal/sim/streams.js"
import { make as makeWorkload } from "./internal/sim/workload.js"
import { type SnapshotRules, rules as snapshotRules } from "./internal/snapshot/rules.js"
import type * as Linearizability from "./Linearizability.js"
import type * as Membership from "./Membership.js"
import * as RaftCore from "./RaftCore.js"
import { leaseTicksMax } from "./RaftOptions.js"

/** @since 0.1.0 */
export type { Random } from "./internal/sim/random.js"

/** @since 0.1.0 */
export type { SnapshotRules } from "./internal/snapshot/rules.js"

// -----------------------------------------------------------------------------
// what runs on the group
// -----------------------------------------------------------------------------

/**
 * Who begins an operation, and its number: no other in a run has it, and a client's numbers grow.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly client: string
  readonly number: number
}

/**
 * What a client did last, if it was answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Last<Input, Output> {
  readonly input: Input
  readonly output: Output
}

/**
 * A deterministic machine, its clients, and what their history has to look like.
 *
 * @since 0.1.0
 * @category models
 */
export interface Definition<State, Input, Output, Spec, StateI, InputI, OutputI> {
  /** The schemas must encode to what JSON can hold: inputs travel so, and the state in snapshots and over restarts. */
  readonly input: Schema.Schema<Input, InputI>
  readonly output: Schema.Schema<Output, OutputI>
  readonly state: Schema.Schema<State, StateI>
  readonly initial: State
  /**
   * The machine. A client that gets no answer sends the same input again, and both may be committed. A machine that is to do it once must know it
   * again, and give it the answer that it got: also if that was a refusal.
   */
  readonly apply: (state: State, input: Input) => readonly [state: State, output: Output]
  /** A read does not go through the log: `apply` answers it, through any member, and the state it makes is dropped. */
  readonly isRead: (input: Input) => boolean
  /** A client's next operation. */
  readonly draw: (random: Random, call: Call, last: Last<Input, Output> | undefined) => Input
  /** What is asked when all is healed: reads of everything, so that nothing that was lost goes unseen. */
  readonly closing: ReadonlyArray<Input>
  /** What is wrong with a state, as a sentence; looked at after each input, on each member. */
  readonly complaint?: ((state: State) => string | undefined) | undefined
  /** What the history is held against, where that is not `apply`, with each operation done once. */
  readonly model?: Linearizability.Model<Input, Output, Spec> | undefined
}

/**
 * A machine in one of its states, from outside.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replica {
  readonly apply: (input: string) => { readonly replica: Replica; readonly output: string }
  readonly image: () => string
  readonly complaint: () => string | undefined
}

/**
 * A {@link Definition} as texts, see {@link workload}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Workload {
  readonly initial: Replica
  readonly restore: (image: string) => Replica
  readonly isRead: (input: string) => boolean
  readonly draw: (random: Random, call: Call, last: Last<string, string> | undefined) => string
  readonly closing: ReadonlyArray<string>
  readonly judge: (
    history: ReadonlyArray<Linearizability.Event<string, string>>
  ) => Linearizability.Verdict<unknown, unknown>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const workload: <State, Input, Output, Spec, StateI, InputI, OutputI>(
  definition: Definition<State, Input, Output, Spec, StateI, InputI, OutputI>
) => Workload = makeWorkload

/**
 * What runs if nothing else is asked for: three streams of events that are appended to, with and without an expected
 * version, and read. The machine knows each client's last append again.
 *
 * @since 0.1.0
 * @category workloads
 */
export const streams = streamsDefinition

const streamsWorkload = workload(streams)

// -----------------------------------------------------------------------------
// runs
// -----------------------------------------------------------------------------

/**
 * One thing that happens. Messages are named by their link and their place on it. A run is a list of these.
 *
 * `Tick` says `at` what time it happens, where time is the same for all members.
 * `Crash` keeps the first `writes` of the writes under way, and of the next one its hard state, its cut and
 * `torn` of its entries (-1: none of it); `forgotten` is how many applied entries the state machine had not stored.
 * An install has two parts, the log's new beginning and the machine: `torn` 0 keeps the first, 1 both.
 * `FailSync` is a crash and a restart at once: nobody can tell what a sync that failed has written. `Rot` changes the entry at
 * `index` on the disk, at 0 the record of term and vote, at -1 the machine's own file; `RotSnapshot` a bit of a snapshot that is kept, coming in or going out;
 * `LoseMachine` takes the machine's file from a member that is down, or puts the one from before its last change in its place. These three do nothing where the group
 * could not bear it. `Spoil` is the delivery of a snapshot's piece with other bytes.
 * `Compact` stores the state machine and cuts the log behind it, but for the last `kept` entries. `SnapshotEnd` tells the
 * sender what became of a snapshot: delivered if it was, else failed, though it may still arrive. `Propose` and `Read` are asked by
 * nobody; `Call` begins a client's operation, `Retry` asks for it again, and `Abandon` gives it up.
 *
 * @since 0.1.0
 * @category models
 */
export type Event =
  | { readonly _tag: "Campaign" | "Read"; readonly node: string }
  | { readonly _tag: "Tick"; readonly node: string; readonly at?: number | undefined }
  | { readonly _tag: "Restart"; readonly node: string }
  | { readonly _tag: "Propose"; readonly node: string; readonly count: number; readonly bytes: number }
  /** `heldUp`: for how many ticks the write kept its member from everything else, as one on the member's own thread does. */
  | { readonly _tag: "Sync"; readonly node: string; readonly writes: number; readonly heldUp?: number }
  | {
      readonly _tag: "Crash" | "FailSync"
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
  | { readonly _tag: "Rot"; readonly node: string; readonly index: number }
  | {
      readonly _tag: "RotSnapshot"
      readonly node: string
      readonly file: "incoming" | "outgoing"
      readonly at: number
    }
  | { readonly _tag: "LoseMachine"; readonly node: string; readonly older: boolean }
  | { readonly _tag: "Call"; readonly client: string; readonly node: string; readonly input: string }
  | { readonly _tag: "Retry"; readonly client: string; readonly node: string }
  | { readonly _tag: "Abandon"; readonly client: string }
  | { readonly _tag: "Transfer"; readonly node: string; readonly target: string }
  | { readonly _tag: "Compact"; readonly node: string; readonly kept: number }
  | { readonly _tag: "SnapshotEnd"; readonly node: string; readonly to: string }
  | {
      readonly _tag: "Deliver" | "Duplicate" | "Drop" | "Spoil"
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
  /** What is on a disk changes, on no more members than the group can do without. */
  readonly rot: boolean
  readonly failedSync: boolean
  /** Disks hang, beside their member or with it. */
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
  /** Leaders read by lease, the longest there is. Time is the same for all then, but for what a lease forgives. */
  readonly lease: boolean
  /** Pieces of snapshots arrive with other bytes. */
  readonly spoil: boolean
  /** The state machine's file is lost while its member is down, or an older one comes back: on no more members than the group can do without. */
  readonly amnesia: boolean
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
  /** The time that passed: ticks of all members together. */
  readonly ticks: number
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
  /** Installs that a crash cut between log and machine, and the next start ended. */
  readonly installsEnded: number
  /** Pieces and whole snapshots that were refused for their checksum. */
  readonly snapshotsRefused: number
  readonly crashes: number
  /** Times that a member met with what had rotted on its disk, or with a machine from before its log, running or at its start, and stopped. */
  readonly damageNoticed: number
  /** Calls, answers and refusals that clients saw. */
  readonly historyEvents: number
  /** Keys whose history the search could not judge within its limit. */
  readonly undecided: number
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
  /** What members decide about snapshots' bytes, where it is not to be what they really decide. */
  readonly snapshotRules?: Partial<SnapshotRules> | undefined
  /** What runs on the group: {@link streams} when absent. */
  readonly workload?: Workload | undefined
  /** False for disks that do not notice what has rotted; true when absent. */
  readonly checksums?: boolean | undefined
  /** Only what the clients saw is judged, and a member with a defect is restarted; false when absent. */
  readonly historiesOnly?: boolean | undefined
  /** Told of each event and of what came of it, in one line, see {@link Trace}. */
  readonly trace?: ((line: string) => void) | undefined
}

const drawOptions = (random: randoms.Random, lease: boolean): RaftCore.Options => {
  const options = drawLimits(random)
  return { ...options, leaseTicks: lease ? leaseTicksMax(options.electionTicks) : 0 }
}

const drawLimits = (random: randoms.Random): RaftCore.Options => ({
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

/** Members that a run may add. */
const sparesCount = 4

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
    options: drawOptions(random, faults.lease),
    workload: options.workload ?? streamsWorkload,
    checksums: options.checksums ?? true,
    rules: { ...snapshotRules, ...options.snapshotRules },
    step: options.step ?? RaftCore.step,
    historiesOnly: options.historiesOnly ?? false
  }
  const play = new Play(setting, options.trace)
  const { world } = play
  const schedule = new Schedule(world, faults, random)
  const events: Array<Event> = []
  const failed = play.finish(() => {
    for (let at = 0; at < (options.steps ?? 3_000); at++) {
      const event = schedule.next()
      events.push(event)
      play.apply(event)
    }
    play.heal()
  })
  const { checker } = world
  return {
    seed: options.seed,
    nodes,
    options: setting.options,
    faults,
    events: play.happened,
    ticks: play.ticks,
    elections: checker.leaders.size,
    committed: checker.commitIndex,
    acknowledged: checker.acknowledged,
    ...world.tally,
    crashes: events.filter(({ _tag }) => _tag === "Crash" || _tag === "FailSync").length,
    historyEvents: world.clients.history.length,
    undecided: play.undecided,
    violations:
      failed === undefined ? [] : [explain(setting, events.slice(0, failed.after), failed, options.shrink ?? true)]
  }
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
    `${changesCommitted} members changed, ${transfers} leaders handed over, ${snapshotsInstalled} snapshots installed, ` +
    `${report.installsEnded} of them after a crash, ${report.snapshotsRefused} refused, ` +
    `${report.historyEvents} events of clients, ${report.damageNoticed} times damage was met, ${report.undecided} keys undecided`
  if (report.violations.length === 0) return head
  const lines = report.violations.flatMap(({ detail, history, invariant }) => [
    `BROKEN ${invariant}: ${detail}`,
    ...history.map((line, at) => `  ${at + 1}. ${line}`)
  ])
  return [head, `options ${JSON.stringify(report.options)}`, `faults ${JSON.stringify(report.faults)}`, ...lines].join(
    "\n"
  )
}
