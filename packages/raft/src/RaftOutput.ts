/**
 * What a member wants done: the outputs of the core.
 *
 * @since 0.1.0
 */
import type { LogEntry } from "./LogEntry.js"
import type * as Membership from "./Membership.js"
import type { MemberId } from "./Membership.js"
import type { Message } from "./Message.js"
import type { Contradiction, HardState, Role, State } from "./RaftState.js"
import type { Snapshot } from "./Snapshot.js"

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
 * Put a snapshot in the place of the log and of the state machine, and write the hard state: all of it or nothing, also
 * where the process dies meanwhile. It stands where a {@link Persist} would, takes its token from the same count, and is
 * reported durable by the same completion, once log, hard state **and** machine are.
 *
 * The accepted log begins after the snapshot at once, and is empty. What {@link Commit} said before and the machine has
 * not done yet, it does no more: the snapshot has it. A proposal whose answer was to come from there has an unknown fate.
 * The {@link Commit} of the snapshot's own index follows when all is durable, and leaves the machine nothing to do.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Install {
  readonly _tag: "Install"
  readonly token: number
  readonly hardState: HardState | undefined
  readonly snapshot: Snapshot
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
 * Accepted entries from this index on are gone, cut off or replaced by a snapshot. A proposal among them has an unknown
 * fate: another member may still hold it and commit it, or it is in the snapshot.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Truncated {
  readonly _tag: "Truncated"
  readonly fromIndex: number
}

/**
 * A configuration is in force: appended with this step's entries, brought back by its cut, or installed with its
 * snapshot. At most one a step.
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
 * A message shows what cannot be as long as every disk keeps what it synced: see {@link Contradiction}, after which this member takes no part in its group any
 * more until it is started anew. `two_leaders`, of the term that this member is in, is said each time that the second is heard, whom it does not follow; if it leads itself, it gives up the lead.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface Contradicted {
  readonly _tag: "Contradicted"
  readonly how: Contradiction["how"] | "two_leaders"
  /** Who said so. */
  readonly member: MemberId
  /** As in {@link Contradiction}; of two leaders, how far this member has committed. */
  readonly index: number
  /** Where this member's log ends. */
  readonly lastIndex: number
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
 * This may leave once the {@link Persist} or {@link Install} with this token, and every earlier one, is durable. The
 * token is not always this step's: it may belong to an earlier one that is still on its way.
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
 * The member needs entries from before the log's beginning: send it, in this term's name, the newest snapshot there is,
 * which must reach `throughIndex` at least. Answered once, by a `SnapshotDelivered` or a `SnapshotFailed` with the same
 * term. A later one to the same member takes the place of one still under way, and only the later is answered.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface SendSnapshot {
  readonly _tag: "SendSnapshot"
  readonly to: MemberId
  readonly term: number
  readonly throughIndex: number
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
 * The proposals are in nobody's log and never will be. `transferring`: this leader hands over, ask again soon. `founding`: the group's
 * incarnation is not committed yet, ask again soon.
 *
 * @since 0.1.0
 * @category outputs
 */
export interface ProposalsRefused {
  readonly _tag: "ProposalsRefused"
  readonly ids: ReadonlyArray<number>
  readonly reason: "not_leader" | "overloaded" | "transferring" | "founding"
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
 * What a step asks for. Order: {@link Persist} or {@link Install}, {@link RoleChanged}, {@link Truncated}, {@link MembershipChanged},
 * {@link Commit}, {@link MemberRemoved}, then the rest as it came about.
 *
 * @since 0.1.0
 * @category outputs
 */
export type Output =
  | Persist
  | Install
  | RoleChanged
  | Truncated
  | MembershipChanged
  | Commit
  | MemberRemoved
  | Contradicted
  | Send
  | SendAfterPersist
  | SendSnapshot
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
 * The next state, and what to do about it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step {
  readonly state: State
  readonly outputs: ReadonlyArray<Output>
}
