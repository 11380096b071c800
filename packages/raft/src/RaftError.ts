/**
 * How a proposal, a read, a change of the membership, a transfer or the opening of a log can fail. Every proposal ends in exactly one of: applied (it has a reply), surely not applied ({@link NotLeader},
 * {@link Overloaded}, {@link EntryTooLarge}, {@link ProposalRefused}), or unknown ({@link ProposalUnknown}).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * This member does not lead, or lost the lead before the entry was kept. The proposal surely was not, and will not be, applied.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotLeader extends Schema.TaggedError<NotLeader>("@reckon/raft/NotLeader")("NotLeader", {
  /** The member that leads, as far as is known here. */
  leader: Schema.NullOr(Schema.String)
}) {
  readonly retryable = true
  override get message() {
    return this.leader === null ? "no leader is known" : `${this.leader} leads`
  }
}

/**
 * The leader has too many uncommitted bytes or waiting reads. The proposal surely was not applied.
 *
 * @since 0.1.0
 * @category errors
 */
export class Overloaded extends Schema.TaggedError<Overloaded>("@reckon/raft/Overloaded")("Overloaded", {}) {
  readonly retryable = true
  override get message() {
    return "the leader has too much uncommitted work waiting"
  }
}

/**
 * The proposal is larger than what the members can send each other, so that no majority could ever have it. It surely was not applied, and never will be.
 *
 * @since 0.1.0
 * @category errors
 */
export class EntryTooLarge extends Schema.TaggedError<EntryTooLarge>("@reckon/raft/EntryTooLarge")("EntryTooLarge", {
  bytes: Schema.Int,
  limitBytes: Schema.Int
}) {
  readonly retryable = false
  override get message() {
    return `the proposal has ${this.bytes} bytes, an entry may have ${this.limitBytes}`
  }
}

/**
 * The leader's machine could not apply the proposal, most likely because whoever made it is of a later release. It surely was not applied.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProposalRefused extends Schema.TaggedError<ProposalRefused>("@reckon/raft/ProposalRefused")(
  "ProposalRefused",
  { detail: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `the leader cannot apply the proposal: ${this.detail}`
  }
}

/**
 * Whether the proposal was or will be applied is not known: its time ran out or the way to the leader broke.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProposalUnknown extends Schema.TaggedError<ProposalUnknown>("@reckon/raft/ProposalUnknown")(
  "ProposalUnknown",
  { detail: Schema.String }
) {
  readonly retryable = true
  override get message() {
    return `it is not known whether the proposal was applied: ${this.detail}`
  }
}

/**
 * No majority confirmed the leader in time, so that the read could not be shown to be fresh.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReadTimeout extends Schema.TaggedError<ReadTimeout>("@reckon/raft/ReadTimeout")("ReadTimeout", {}) {
  readonly retryable = true
  override get message() {
    return "no majority confirmed the leader in time"
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export const ProposeError = Schema.Union(NotLeader, Overloaded, EntryTooLarge, ProposalRefused, ProposalUnknown)

/**
 * @since 0.1.0
 * @category errors
 */
export type ProposeError = Schema.Schema.Type<typeof ProposeError>

/**
 * @since 0.1.0
 * @category errors
 */
export const ReadError = Schema.Union(NotLeader, Overloaded, ReadTimeout)

/**
 * @since 0.1.0
 * @category errors
 */
export type ReadError = Schema.Schema.Type<typeof ReadError>

/**
 * The configuration cannot be changed in this way, or not now. Nobody's log has the change, and nobody's will.
 *
 * `transferring`, `change_pending` and `no_commit_in_term` pass by themselves; the others are about the change, see `Membership`.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChangeRefused extends Schema.TaggedError<ChangeRefused>("@reckon/raft/ChangeRefused")("ChangeRefused", {
  reason: Schema.Literal(
    "transferring",
    "change_pending",
    "no_commit_in_term",
    "already_member",
    "was_removed",
    "not_a_member",
    "last_voter",
    "full",
    "invalid_name"
  )
}) {
  get retryable(): boolean {
    return this.reason === "transferring" || this.reason === "change_pending" || this.reason === "no_commit_in_term"
  }
  override get message() {
    return `the membership was not changed: ${changeReasons[this.reason]}`
  }
}

const changeReasons = {
  transferring: "the leader is handing over",
  change_pending: "another change is not committed yet",
  no_commit_in_term: "the leader has not committed anything in its term yet",
  already_member: "it is a member already",
  was_removed: "a member of this name was removed, and a name is never given again",
  not_a_member: "there is no such member",
  last_voter: "it is the last voter",
  full: "the configuration has no room for it",
  invalid_name: "a name has 1 to 255 characters"
} as const

/**
 * Whether the membership was or will be changed is not known. What the group's status says tells, once there is a leader.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChangeUnknown extends Schema.TaggedError<ChangeUnknown>("@reckon/raft/ChangeUnknown")("ChangeUnknown", {
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `it is not known whether the membership was changed: ${this.detail}`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export const ChangeError = Schema.Union(NotLeader, ChangeRefused, ChangeUnknown)

/**
 * @since 0.1.0
 * @category errors
 */
export type ChangeError = Schema.Schema.Type<typeof ChangeError>

/**
 * The leadership was not handed over, and nothing was done about it. `transferring`: another transfer is under way.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransferRefused extends Schema.TaggedError<TransferRefused>("@reckon/raft/TransferRefused")(
  "TransferRefused",
  { reason: Schema.Literal("transferring", "target_leads", "target_is_learner", "not_a_member") }
) {
  get retryable(): boolean {
    return this.reason === "transferring"
  }
  override get message() {
    return `the leadership was not handed over: ${transferReasons[this.reason]}`
  }
}

const transferReasons = {
  transferring: "another transfer is under way",
  target_leads: "that member leads already",
  target_is_learner: "that member is a learner",
  not_a_member: "there is no such member"
} as const

/**
 * The leadership did not get where it was sent. `gave_up`: the target did not take over in time, and the leader leads on; `lost`:
 * it leads no more, and it is another that does, or nobody it has heard of.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransferFailed extends Schema.TaggedError<TransferFailed>("@reckon/raft/TransferFailed")(
  "TransferFailed",
  { outcome: Schema.Literal("gave_up", "lost"), leader: Schema.NullOr(Schema.String) }
) {
  readonly retryable = true
  override get message() {
    return this.outcome === "gave_up"
      ? "the leadership was not handed over: the target did not take over in time"
      : `the leadership went elsewhere: ${this.leader === null ? "no leader is known" : `${this.leader} leads`}`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export const TransferError = Schema.Union(NotLeader, TransferRefused, TransferFailed)

/**
 * @since 0.1.0
 * @category errors
 */
export type TransferError = Schema.Schema.Type<typeof TransferError>

/**
 * The log on disk cannot be used as it is. `detail` says what is wrong and what to do about it.
 *
 * @since 0.1.0
 * @category errors
 */
export class RaftLogError extends Schema.TaggedError<RaftLogError>("@reckon/raft/RaftLogError")("RaftLogError", {
  filename: Schema.String,
  detail: Schema.String,
  /** Whether that may pass by itself: the disk did not read or did not write, is full perhaps, which is not the file's fault. */
  mayPass: Schema.optionalWith(Schema.Boolean, { default: () => false })
}) {
  readonly retryable = false
  override get message() {
    return `${this.filename}: ${this.detail}`
  }
}
