/**
 * How a proposal, a read or the opening of a log can fail. Every proposal ends in exactly one of: applied (it has a reply), surely not applied ({@link NotLeader},
 * {@link Overloaded}), or unknown ({@link ProposalUnknown}).
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
export const ProposeError = Schema.Union(NotLeader, Overloaded, ProposalUnknown)

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
 * The log on disk cannot be used as it is. `detail` says what is wrong and what to do about it.
 *
 * @since 0.1.0
 * @category errors
 */
export class RaftLogError extends Schema.TaggedError<RaftLogError>("@reckon/raft/RaftLogError")("RaftLogError", {
  filename: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `${this.filename}: ${this.detail}`
  }
}
