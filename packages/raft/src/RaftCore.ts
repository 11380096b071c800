/**
 * Consensus as a function: a state and an input in, a state and a list of outputs out.
 *
 * There is no clock, no chance, no disk and no socket in here. Time is a {@link Tick}, chance is a seed in the state,
 * the disk is a {@link Persist} that comes back as {@link Persisted}, and the network is a {@link Send}.
 * Whoever drives the core owes it five things:
 *
 * 1. One writer. Every input of a group goes through one queue, heartbeats and storage completions included, and the
 *    outputs of a step are taken in order before the next step begins.
 * 2. A {@link Persist} enters the accepted log at once (the next step's {@link LogView} shows it) and reaches
 *    the disk in the order of the tokens. {@link Persisted} says which token, and so all before it, is synced.
 * 3. A {@link SendAfterPersist} leaves when its token is durable, and is forgotten if the process dies before.
 * 4. A {@link Send} may be lost, delayed, doubled or overtaken. So may everything else on the way to a peer.
 * 5. A restart makes a new state from what is durable, see {@link make}, with a fresh seed.
 *
 * Who belongs to the group is part of the log, and in force from the moment it is appended: see {@link Membership}.
 *
 * PreVote and CheckQuorum are always on. Neither is safe company without the other: PreVote alone lets a partial
 * partition flap between leaders, CheckQuorum alone lets a returning member depose a healthy one.
 *
 * @since 0.1.0
 */
import * as invariant from "./internal/core/invariant.js"
import * as jitter from "./internal/core/jitter.js"
import * as core from "./internal/core/step.js"
import type { LogEntry } from "./LogEntry.js"
import type { MemberId } from "./Membership.js"
import * as Membership from "./Membership.js"
import type { Message } from "./Message.js"

/**
 * The limits of a member. All members of a group should have the same.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Ticks without a word from a leader before a member asks for an election; each member waits a fresh random
   * time between this and twice this. A leader that has not heard from a majority for as long steps down, and so does
   * one whose own disk write is outstanding for as long. Ten times `heartbeatTicks` forgives a lost message or two; too
   * short and a pause of the process deposes a healthy leader, too long and a dead one is missed.
   */
  readonly electionTicks: number
  /** Ticks between a leader's heartbeats. Must be smaller than `electionTicks`. */
  readonly heartbeatTicks: number
  /**
   * Bytes of entries in one AppendEntries. A single larger entry still goes, alone. Large values make a slow
   * follower catch up faster and hold up the heartbeats behind them.
   */
  readonly appendBytesMax: number
  /** Entries in one AppendEntries. */
  readonly appendEntriesMax: number
  /** AppendEntries to one follower that may be unanswered at once. One makes replication stop-and-wait. */
  readonly inflightMessagesMax: number
  /** Bytes of entries to one follower that may be unanswered at once; at least one message always may. */
  readonly inflightBytesMax: number
  /**
   * Bytes a leader accepts beyond its commit index before it refuses proposals as `overloaded`. One batch is always
   * accepted when nothing is uncommitted, however large. This bounds the memory of a leader that lost its followers.
   */
  readonly uncommittedBytesMax: number
  /** Reads a leader holds unconfirmed before it refuses them as `overloaded`. */
  readonly pendingReadsMax: number
}

/**
 * Elections after 10 to 20 ticks, a heartbeat each tick, 1 MiB or 1,024 entries a message, 64 messages or 16 MiB in
 * flight to a follower, 64 MiB uncommitted, 10,000 reads.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Options = {
  electionTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1024 * 1024,
  appendEntriesMax: 1024,
  inflightMessagesMax: 64,
  inflightBytesMax: 16 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  pendingReadsMax: 10_000
}

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
 * `replicate` streams, as far as the window allows; `behind` needs entries that this leader no longer has.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly id: MemberId
  readonly phase: "probe" | "replicate" | "behind"
  /** The last entry known to be durable and equal at the follower. Only grows while the leader leads. */
  readonly matchIndex: number
  /** The next entry to send; always greater than `matchIndex`. */
  readonly nextIndex: number
  /** While probing: a probe is unanswered. Any heartbeat answer allows the next. */
  readonly paused: boolean
  readonly inflight: ReadonlyArray<Inflight>
  readonly inflightBytes: number
  /** Whether it was heard of since the last CheckQuorum. */
  readonly active: boolean
  /** The newest read round it answered. */
  readonly ackedRound: number
  /** The newest commit index it was told of. */
  readonly sentCommit: number
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
 * Everything a member remembers, entries apart. Small enough to print; treat it as immutable.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  readonly id: MemberId
  readonly options: Options

  /** The configuration in force, and before it those that a cut of the log can bring back. */
  readonly configurations: Membership.History
  /** Whether this member knows that it belongs to the group no more: it asks for no election ever again. */
  readonly removed: boolean

  readonly role: Role
  readonly term: number
  readonly votedFor: MemberId | undefined
  readonly leader: MemberId | undefined

  /** The end of the accepted log. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** Entries up to here are in every future leader's log. */
  readonly commitIndex: number
  /** Entries up to here are committed **and** durable here; what {@link Commit} last said. */
  readonly applyIndex: number

  /** Entries up to here are durable here, as they now stand in the accepted log. */
  readonly durableIndex: number
  /** The newest {@link Persist} given out, and the newest known to be durable. */
  readonly issuedToken: number
  readonly persistedToken: number
  /** The newest {@link Persist} that carried a hard state. */
  readonly hardStateToken: number
  /** The newest {@link Persist} that truncated; until it is durable no older one vouches for `truncatedFrom` and beyond. */
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
  /** As a leader: the change whose outcome somebody waits for. */
  readonly change: PendingChange | undefined
  /** The transfer whose outcome somebody waits for; as a leader, no proposals are taken meanwhile. */
  readonly transfer: Transfer | undefined
}

/**
 * The accepted log as it was **before** a step: everything earlier steps gave out to persist, durable or not.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogView {
  /** The first entry there is; `lastIndex + 1` when there is none. 1 until the log is compacted. */
  readonly firstIndex: number
  /** The last entry there is; 0 in a new log. */
  readonly lastIndex: number
  /** The term of an entry from `firstIndex - 1` to `lastIndex`; 0 for index 0. */
  readonly term: (index: number) => number
  /**
   * Entries `from` to `toInclusive`, cut where {@link LogEntry.sizeBytes} together would exceed `bytesMax`, but at least
   * one.
   */
  readonly entries: (from: number, toInclusive: number, bytesMax: number) => ReadonlyArray<LogEntry>
}

// -----------------------------------------------------------------------------
// inputs
// -----------------------------------------------------------------------------

/**
 * A unit of time has passed.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Tick {
  readonly _tag: "Tick"
}

/**
 * A peer's message has arrived.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Receive {
  readonly _tag: "Receive"
  readonly message: Message
}

/**
 * A batch of commands to replicate. It is accepted whole, as consecutive entries in one {@link Persist}, or refused whole.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Propose {
  readonly _tag: "Propose"
  readonly proposals: ReadonlyArray<{ readonly id: number; readonly payload: Uint8Array }>
}

/**
 * The {@link Persist} with this token, and every earlier one, is synced. Repeats its `lastIndex`. One completion
 * may stand for many writes: report the newest.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Persisted {
  readonly _tag: "Persisted"
  readonly token: number
  readonly lastIndex: number
}

/**
 * A linearizable read asks for the index it has to wait for.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface ReadIndex {
  readonly _tag: "ReadIndex"
  readonly id: number
}

/**
 * Ask for an election now. Still a pre-vote: a healthy leader is not deposed by it.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Campaign {
  readonly _tag: "Campaign"
}

/**
 * Change who belongs to the group. Answered once: {@link ChangeCommitted}, {@link ChangeRefused} or {@link ChangeUnknown}.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface ChangeMembership {
  readonly _tag: "ChangeMembership"
  readonly id: number
  readonly change: Membership.Change
}

/**
 * Hand the leadership over. Answered once, after two election time-outs at the latest: {@link TransferRefused} or
 * {@link TransferEnded}.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface TransferLeadership {
  readonly _tag: "TransferLeadership"
  readonly id: number
  readonly target: MemberId
}

/**
 * @since 0.1.0
 * @category inputs
 */
export type Input = Tick | Receive | Propose | Persisted | ReadIndex | Campaign | ChangeMembership | TransferLeadership

// -----------------------------------------------------------------------------
// outputs
// -----------------------------------------------------------------------------

/**
 * Write this, in this order and as one: the hard state, the cut, the entries. At most one a step, always the first output.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Persist {
  readonly _tag: "Persist"
  /** 1, 2, 3 … for the life of this state. */
  readonly token: number
  readonly hardState: HardState | undefined
  /** Remove this entry and all after it, before adding `entries`. */
  readonly truncateFrom: number | undefined
  readonly entries: ReadonlyArray<LogEntry>
  /** The last entry of the log once this is written. */
  readonly lastIndex: number
}

/**
 * The role, the term or the known leader changed. At most one a step.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface RoleChanged {
  readonly _tag: "RoleChanged"
  readonly role: Role
  readonly term: number
  readonly leader: MemberId | undefined
}

/**
 * Accepted entries from this index on are gone. A proposal among them has an unknown fate: another member may still hold
 * it and commit it.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Truncated {
  readonly _tag: "Truncated"
  readonly fromIndex: number
}

/**
 * Another configuration is in force: appended with this step's entries, or brought back by its cut. At most one a step.
 * It may be taken back until {@link Commit} has reached its index. Whoever is in it must be reachable, and who is not
 * soon needs to be no more.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface MembershipChanged {
  readonly _tag: "MembershipChanged"
  readonly index: number
  readonly configuration: Membership.Configuration
}

/**
 * Entries up to here are committed and locally durable: apply them. The index only grows.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Commit {
  readonly _tag: "Commit"
  readonly index: number
}

/**
 * This member belongs to the group no more, and never will again: its removal is committed. It does nothing of its own
 * from now on, and may be stopped. At most once for a state.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface MemberRemoved {
  readonly _tag: "MemberRemoved"
}

/**
 * This may leave at once.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Send {
  readonly _tag: "Send"
  readonly message: Message
}

/**
 * This may leave once the {@link Persist} with this token, and every earlier one, is durable. The token is not
 * always this step's: it may belong to an earlier one that is still on its way.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface SendAfterPersist {
  readonly _tag: "SendAfterPersist"
  readonly token: number
  readonly message: Message
}

/**
 * The proposals are in the leader's log, at these places. They are applied when {@link Commit} reaches the index and the
 * entry there still has this term.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ProposalsAppended {
  readonly _tag: "ProposalsAppended"
  readonly proposals: ReadonlyArray<{ readonly id: number; readonly index: number; readonly term: number }>
}

/**
 * The proposals are in nobody's log and never will be. `transferring`: this leader hands over, ask again soon.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ProposalsRefused {
  readonly _tag: "ProposalsRefused"
  readonly ids: ReadonlyArray<number>
  readonly reason: "not_leader" | "overloaded" | "transferring"
  readonly leader: MemberId | undefined
}

/**
 * The read may be served once `index` is applied.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ReadReady {
  readonly _tag: "ReadReady"
  readonly id: number
  readonly index: number
}

/**
 * The read cannot be confirmed here; asking again, or asking the leader, is harmless.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ReadRefused {
  readonly _tag: "ReadRefused"
  readonly id: number
  readonly reason: "not_leader" | "overloaded"
  readonly leader: MemberId | undefined
}

/**
 * The change is committed, at this index. For one that adds a member: as a learner, whose promotion is the leader's own
 * next change.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ChangeCommitted {
  readonly _tag: "ChangeCommitted"
  readonly id: number
  readonly index: number
}

/**
 * Why a leader refuses a change that the configuration would allow. `change_pending`: another one, a promotion perhaps,
 * is not committed yet. `no_commit_in_term`: it does not know yet what is committed, and so not whether another change
 * is pending elsewhere; two at once could each have a majority without a common member. Both pass by themselves.
 *
 * @since 0.1.0
 * @category models
 */
export type Untimely = "not_leader" | "transferring" | "change_pending" | "no_commit_in_term"

/**
 * The change is in nobody's log and never will be.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ChangeRefused {
  readonly _tag: "ChangeRefused"
  readonly id: number
  readonly reason: Untimely | Membership.Impossible
  readonly leader: MemberId | undefined
}

/**
 * The leader stepped down with the change in its log, not committed: a later leader will commit it or cut it off.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ChangeUnknown {
  readonly _tag: "ChangeUnknown"
  readonly id: number
  readonly index: number
}

/**
 * Nothing was done. `transferring`: one transfer at a time, and the first goes on. The others are about the target.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface TransferRefused {
  readonly _tag: "TransferRefused"
  readonly id: number
  readonly reason: "not_leader" | "transferring" | "target_leads" | "target_is_learner" | "not_a_member"
  readonly leader: MemberId | undefined
}

/**
 * `transferred`: the target leads. `gave_up`: it did not take over within an election time-out; this member leads on
 * and takes proposals again. `lost`: this member leads no more, but somebody else does, or nobody that it has heard of.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface TransferEnded {
  readonly _tag: "TransferEnded"
  readonly id: number
  readonly outcome: "transferred" | "gave_up" | "lost"
}

/**
 * What a step asks for. Order: {@link Persist}, {@link RoleChanged}, {@link Truncated}, {@link MembershipChanged},
 * {@link Commit}, {@link MemberRemoved}, then the rest as it came about.
 *
 * @since 0.1.0
 * @category outputs
 */
export type Output =
  | Persist
  | RoleChanged
  | Truncated
  | MembershipChanged
  | Commit
  | MemberRemoved
  | Send
  | SendAfterPersist
  | ProposalsAppended
  | ProposalsRefused
  | ReadReady
  | ReadRefused
  | ChangeCommitted
  | ChangeRefused
  | ChangeUnknown
  | TransferRefused
  | TransferEnded

/**
 * @since 0.1.0
 * @category models
 */
export interface Step {
  readonly state: State
  readonly outputs: ReadonlyArray<Output>
}

// -----------------------------------------------------------------------------
// functions
// -----------------------------------------------------------------------------

/**
 * The configuration in force.
 *
 * @since 0.1.0
 * @category getters
 */
export const configuration = (state: State): Membership.Configuration => state.configurations[0].configuration

/**
 * A member as it starts or restarts: a follower that knows of no leader, with what its disk holds.
 *
 * `configurations` are all that the durable log has, to its end, on top of the founding one or a snapshot's: a member
 * that forgot one it had appended could leave the group without a majority that agrees who belongs to it. `lastIndex`
 * and `lastTerm` describe the durable log. `appliedIndex` is how far the state machine durably is: applied entries were
 * committed, so it is where the commit index starts. `seed` must differ between members and restarts, or they ask for
 * elections in lock-step.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (init: {
  readonly id: MemberId
  readonly configurations: Membership.History
  readonly hardState: HardState
  readonly lastIndex: number
  readonly lastTerm: number
  readonly appliedIndex: number
  readonly seed: number
  readonly options?: Partial<Options> | undefined
}): State => {
  const options = { ...defaults, ...init.options }
  invariant.checkOptions(options)
  invariant.assertInvariant(init.configurations[0].index <= init.lastIndex, "configurations are in the log", {
    id: init.id,
    configurationIndex: init.configurations[0].index,
    lastIndex: init.lastIndex
  })
  invariant.assertInvariant(init.appliedIndex <= init.lastIndex, "applied entries are in the log", {
    id: init.id,
    appliedIndex: init.appliedIndex,
    lastIndex: init.lastIndex
  })
  invariant.assertInvariant(init.lastTerm <= init.hardState.term, "the log is not of a later term than the member", {
    id: init.id,
    lastTerm: init.lastTerm,
    term: init.hardState.term
  })
  const draw = jitter.electionTimeout(jitter.scramble(init.seed), options.electionTicks)
  return {
    id: init.id,
    options,
    configurations: Membership.settle(init.configurations, init.appliedIndex),
    removed: Membership.committed(init.configurations, init.appliedIndex).removed.includes(init.id),
    role: "follower",
    term: init.hardState.term,
    votedFor: init.hardState.votedFor,
    leader: undefined,
    lastIndex: init.lastIndex,
    lastTerm: init.lastTerm,
    commitIndex: init.appliedIndex,
    applyIndex: init.appliedIndex,
    durableIndex: init.lastIndex,
    issuedToken: 0,
    persistedToken: 0,
    hardStateToken: 0,
    truncateToken: 0,
    truncatedFrom: 0,
    watchedToken: 0,
    watchedTicks: 0,
    electionElapsed: 0,
    electionTimeout: draw.ticks,
    heartbeatElapsed: 0,
    seed: draw.seed,
    votes: [],
    progress: [],
    termStartIndex: 0,
    uncommitted: [],
    uncommittedBytes: 0,
    round: 0,
    reads: [],
    change: undefined,
    transfer: undefined
  }
}

/**
 * The next state and what to do about it. Pure: the same arguments give the same answer, and none of them is changed.
 * Throws a defect, with the numbers in it, when an invariant is broken; a member that throws must not go on.
 *
 * @since 0.1.0
 * @category stepping
 */
export const step = (state: State, input: Input, log: LogView): Step => core.step(state, input, log)

/**
 * The input for a unit of time.
 *
 * @since 0.1.0
 * @category inputs
 */
export const tick: Input = { _tag: "Tick" }
