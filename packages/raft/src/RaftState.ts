/**
 * What a member remembers, and what it sees of its log.
 *
 * @since 0.1.0
 */
import type { Incarnation } from "./Incarnation.js"
import type { LogEntry } from "./LogEntry.js"
import type * as Membership from "./Membership.js"
import type { MemberId } from "./Membership.js"
import type { Options } from "./RaftOptions.js"

/**
 * `pre_candidate` asks whether an election could be won, in its old term; `candidate` holds it, in a new one.
 *
 * @since 0.1.0
 * @category models
 */
export type Role = "follower" | "pre_candidate" | "candidate" | "leader"

/**
 * What must be durable before a member answers for it: its term, and whom it voted for in that term. One record,
 * written at once: with two a crash between them votes twice or forgets a term.
 *
 * @since 0.1.0
 * @category models
 */
export interface HardState {
  readonly term: number
  readonly votedFor: MemberId | undefined
}

/**
 * One unanswered AppendEntries.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inflight {
  readonly lastIndex: number
  readonly bytes: number
}

/**
 * How a learner keeps up, by rounds: one lasts until the learner has what the leader's log had when the round began.
 * When that took no longer than `electionTicks`, the learner lacks no more than came in within such a time, and may
 * vote.
 *
 * @since 0.1.0
 * @category models
 */
export interface CatchUp {
  /** Where the leader's log ended when the round began. */
  readonly lastIndex: number
  readonly ticks: number
}

/**
 * What a leader knows of a follower, or of a learner. `probe` finds where the logs agree, one message at a time;
 * `replicate` streams, as far as the window allows; `snapshot` needs entries that this leader no longer has, and gets
 * heartbeats only until it has a snapshot instead.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly id: MemberId
  readonly phase: "probe" | "replicate" | "snapshot"
  /** The last entry known to be durable and equal at the follower. Only grows while the leader leads, unless the follower says that it lost its disk. */
  readonly matchIndex: number
  /** The next entry to send; always greater than `matchIndex`. */
  readonly nextIndex: number
  /** While probing: a probe is unanswered. Any heartbeat answer allows the next. */
  readonly paused: boolean
  readonly inflight: ReadonlyArray<Inflight>
  readonly inflightBytes: number
  /** Snapshots that did not reach it, one after the other. */
  readonly snapshotFailures: number
  /** In phase `snapshot`: ticks until it is asked anew what it has, after a failure; 0 while a snapshot is under way. */
  readonly snapshotPause: number
  /** Whether it was heard of since the last CheckQuorum. */
  readonly active: boolean
  /** The newest read round it answered. */
  readonly ackedRound: number
  /** The newest commit index it was told of. */
  readonly sentCommit: number
  /** The last entry sent to it before the newest heartbeat: what an answer to that finds unanswered of it may be lost. */
  readonly heartbeatIndex: number
  /** The present round of a learner; `undefined` for a voter. */
  readonly catchUp: CatchUp | undefined
}

/**
 * A read that waits. `index` is -1 until the leader has committed in its term, `round` is -1 until a round
 * for it has been sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingRead {
  readonly id: number
  readonly index: number
  readonly round: number
}

/**
 * A change of the membership that its leader has appended: who asked for it, and where it stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingChange {
  readonly id: number
  readonly index: number
}

/**
 * A leadership on its way to another, and for how many ticks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transfer {
  readonly id: number
  readonly target: MemberId
  readonly ticks: number
}

/**
 * The time of a leader that reads by lease: ticks of its leadership, and in which of them its newest read rounds began. Of
 * the rounds that began in one tick the first stands here, and none that is older than a lease.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  readonly now: number
  readonly rounds: ReadonlyArray<{ readonly round: number; readonly at: number }>
}

/**
 * To whom a lease was given, and for how many more ticks: until then this member neither votes for anybody else nor asks
 * for votes. `to` is `undefined` after a start: a lease that was given before it is not remembered.
 *
 * @since 0.1.0
 * @category models
 */
export interface LeasePromise {
  readonly to: MemberId | undefined
  readonly ticks: number
}

/**
 * Why a member was set aside: what it heard and what it has cannot both be, as long as every disk keeps what it synced.
 *
 * - `forgotten`: the leader has committed `index` on the word of this member, whose log is shorter.
 * - `behind`: this member led, and its follower has committed `index`, which its log has not got.
 * - `forked`: `index` is committed here, and the leader has another entry there; or what the leader has behind it is another group's.
 *
 * So it is where a folder was put back from an older copy, of this member or of others, and where a disk loses what it said to be synced.
 *
 * @since 0.1.0
 * @category models
 */
export interface Contradiction {
  readonly how: "forgotten" | "behind" | "forked"
  /** Who said so. */
  readonly member: MemberId
  readonly index: number
}

/**
 * Everything a member remembers, entries apart. Small enough to print; treat it as immutable.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  readonly id: MemberId
  readonly options: Options
  /** What this member calls the incarnation of a group that has none, should it be the one that leads it first. */
  readonly newIncarnation: Incarnation | undefined

  /** The configuration in force, and before it those that a cut of the log can bring back. */
  readonly configurations: Membership.History
  /** Whether this member knows that it belongs to the group no more: it asks for no election ever again. */
  readonly removed: boolean
  /** Set once for the life of the process: from then on it hears nobody, votes for nobody and leads nothing. */
  readonly contradiction: Contradiction | undefined

  readonly role: Role
  readonly term: number
  readonly votedFor: MemberId | undefined
  readonly leader: MemberId | undefined

  /** The end of the accepted log. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** Entries up to here are in every future leader's log. */
  readonly commitIndex: number
  /** The newest commit index that a leader has told of since the start; beyond `lastIndex` where entries are still on their way here. */
  readonly heardCommitIndex: number
  /** The term in which this member last said that its log is lost; 0 if it never did. */
  readonly lostTerm: number
  /** Entries up to here are committed **and** durable here; what `Commit` last said. */
  readonly applyIndex: number

  /** Entries up to here are durable here, as they now stand in the accepted log. */
  readonly durableIndex: number
  /** The newest `Persist` or `Install` given out, and the newest known to be durable. */
  readonly issuedToken: number
  readonly persistedToken: number
  /** The newest of them that carried a hard state. */
  readonly hardStateToken: number
  /**
   * The newest of them that cut the log or replaced it; until it is durable no older one vouches for `truncatedFrom` and
   * beyond.
   */
  readonly truncateToken: number
  readonly truncatedFrom: number
  /** The token watched for a stall, and for how many ticks. */
  readonly watchedToken: number
  readonly watchedTicks: number

  readonly electionElapsed: number
  /** This member's present, randomly drawn election time-out in ticks. */
  readonly electionTimeout: number
  readonly heartbeatElapsed: number
  readonly seed: number

  /** The answers to the present (pre-)election, in order of arrival, the own one included. */
  readonly votes: ReadonlyArray<{ readonly id: MemberId; readonly granted: boolean }>

  /** As a leader: all other members, voters first. */
  readonly progress: ReadonlyArray<Progress>
  /** As a leader: the index of the no-op with which the term began. */
  readonly termStartIndex: number
  /** As a leader: batches beyond the commit index, and their bytes together. */
  readonly uncommitted: ReadonlyArray<Inflight>
  readonly uncommittedBytes: number
  /** The newest read round. Grows for the life of the process, over all terms. */
  readonly round: number
  readonly reads: ReadonlyArray<PendingRead>
  /** As a leader: `undefined` without `leaseTicks`, and once it has begun to hand over. */
  readonly lease: Lease | undefined
  /** With `leaseTicks`: what a leader's lease may rest on. */
  readonly promise: LeasePromise | undefined
  /** As a leader: the change whose outcome somebody waits for. */
  readonly change: PendingChange | undefined
  /** The transfer whose outcome somebody waits for; as a leader, no proposals are taken meanwhile. */
  readonly transfer: Transfer | undefined
}

/**
 * The accepted log as it was **before** a step: everything earlier steps gave out to persist, durable or not. Between
 * steps its beginning may be cut off, up to what the state machine has durably applied.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogView {
  /** The first entry there is; `lastIndex + 1` when there is none. 1 until the log is cut or begins after a snapshot. */
  readonly firstIndex: number
  /** The last entry there is, or what the log begins after where there is none; 0 in a new log. */
  readonly lastIndex: number
  /** The term of an entry from `firstIndex - 1` to `lastIndex`; 0 for index 0. */
  readonly term: (index: number) => number
  /**
   * Entries `from` to `toInclusive`, cut where {@link LogEntry.sizeBytes} together would exceed `bytesMax`, but at least
   * one.
   */
  readonly entries: (from: number, toInclusive: number, bytesMax: number) => ReadonlyArray<LogEntry>
}
