/**
 * What the members of a group say to each other.
 *
 * `term` is always the term the **sender** is in when it speaks. A question about an election names the term it is
 * about in `askedTerm`, and its answer repeats it: the two differ for a pre-vote, which asks about a term nobody has
 * entered yet, and whoever mixed them up would leave a member with a higher or a lower term waiting for ever.
 *
 * `round` numbers the leader's read rounds. An answer repeats the round of the message it answers, so that a
 * confirmation can never be taken for one of a later question.
 *
 * What the sender says of its group's {@link Claim incarnation} is written on a message as it leaves, and held against the receiver's before anything else
 * of it is looked at. The core knows nothing of it.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Claim } from "./Incarnation.js"
import { EntryBatch } from "./internal/entryBatch.js"
import { Index, Term } from "./LogEntry.js"
import * as Membership from "./Membership.js"
import { Snapshot } from "./Snapshot.js"

/**
 * A leader's counter of read rounds, unique within its term. The first round is 1; 0 confirms nothing.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Round = Schema.Int.pipe(Schema.nonNegative())

const envelope = { from: Membership.MemberId, to: Membership.MemberId, term: Term, ...Claim.fields }

const ballot = { ...envelope, askedTerm: Term, lastIndex: Index, lastTerm: Term }

const ballotReply = { ...envelope, askedTerm: Term, granted: Schema.Boolean }

/**
 * "Would you vote for me in `askedTerm`?" Changes neither the term nor the vote of anybody.
 *
 * @since 0.1.0
 * @category messages
 */
export const PreVote = Schema.TaggedStruct("PreVote", ballot)

/**
 * @since 0.1.0
 * @category messages
 */
export interface PreVote extends Schema.Schema.Type<typeof PreVote> {}

/**
 * @since 0.1.0
 * @category messages
 */
export const PreVoteReply = Schema.TaggedStruct("PreVoteReply", ballotReply)

/**
 * @since 0.1.0
 * @category messages
 */
export interface PreVoteReply extends Schema.Schema.Type<typeof PreVoteReply> {}

/**
 * "Vote for me in `askedTerm`", which is the sender's own term. Leaves the candidate only after its vote for itself
 * is durable. `transfer` says that the leader itself sent the candidate forward: then nobody refuses for the leader's sake.
 *
 * @since 0.1.0
 * @category messages
 */
export const RequestVote = Schema.TaggedStruct("RequestVote", { ...ballot, transfer: Schema.Boolean })

/**
 * @since 0.1.0
 * @category messages
 */
export interface RequestVote extends Schema.Schema.Type<typeof RequestVote> {}

/**
 * Leaves the voter only after its term and vote are durable.
 *
 * @since 0.1.0
 * @category messages
 */
export const VoteReply = Schema.TaggedStruct("VoteReply", ballotReply)

/**
 * @since 0.1.0
 * @category messages
 */
export interface VoteReply extends Schema.Schema.Type<typeof VoteReply> {}

/**
 * Entries `prevIndex + 1 …` of the leader's log, without a gap; without entries it only asks whether the follower has
 * `prevIndex` with `prevTerm`. A message whose entries do not follow each other, or with a configuration that is none,
 * does not decode.
 *
 * @since 0.1.0
 * @category messages
 */
export const AppendEntries = Schema.TaggedStruct("AppendEntries", {
  ...envelope,
  prevIndex: Index,
  prevTerm: Term,
  entries: EntryBatch,
  commit: Index,
  round: Round
}).pipe(
  Schema.filter(message => {
    let index = message.prevIndex
    let term = message.prevTerm
    for (const entry of message.entries) {
      if (entry.index !== index + 1) return `entry ${entry.index} does not follow ${index}`
      if (entry.term < term) return `entry ${entry.index} of term ${entry.term} follows one of term ${term}`
      if (entry.kind === "configuration" && Option.isNone(Membership.decode(entry.payload))) {
        return `entry ${entry.index} is no configuration`
      }
      index = entry.index
      term = entry.term
    }
    return term <= message.term ? true : `the log is of term ${term} and its sender only in ${message.term}`
  })
)

/**
 * @since 0.1.0
 * @category messages
 */
export interface AppendEntries extends Schema.Schema.Type<typeof AppendEntries> {}

/**
 * The answer to {@link AppendEntries} and to {@link InstallSnapshot}. When it succeeded, the follower's log up to
 * `matchIndex` is durable and equal to the leader's. When it did not, `prevIndex` names the question refused and the hint
 * is the last entry of the follower, at or before it, that could still agree: its index and its term. `Lost` answers a
 * {@link Heartbeat} that commits what the follower acknowledged, but has no longer: its log is empty.
 *
 * @since 0.1.0
 * @category messages
 */
export const AppendReply = Schema.TaggedStruct("AppendReply", {
  ...envelope,
  round: Round,
  result: Schema.Union(
    Schema.TaggedStruct("Matched", { matchIndex: Index }),
    Schema.TaggedStruct("Conflict", { prevIndex: Index, hintIndex: Index, hintTerm: Term }),
    Schema.TaggedStruct("Lost", {})
  )
})

/**
 * @since 0.1.0
 * @category messages
 */
export interface AppendReply extends Schema.Schema.Type<typeof AppendReply> {}

/**
 * "I still lead." `commit` never exceeds what the follower is known to hold, because a heartbeat verifies no log.
 *
 * @since 0.1.0
 * @category messages
 */
export const Heartbeat = Schema.TaggedStruct("Heartbeat", { ...envelope, commit: Index, round: Round })

/**
 * @since 0.1.0
 * @category messages
 */
export interface Heartbeat extends Schema.Schema.Type<typeof Heartbeat> {}

/**
 * "I still follow." Says nothing about the follower's log.
 *
 * @since 0.1.0
 * @category messages
 */
export const HeartbeatReply = Schema.TaggedStruct("HeartbeatReply", { ...envelope, round: Round })

/**
 * @since 0.1.0
 * @category messages
 */
export interface HeartbeatReply extends Schema.Schema.Type<typeof HeartbeatReply> {}

/**
 * "Ask for an election, now, and without a pre-vote": from a leader that hands over to a voter with all of its log.
 *
 * @since 0.1.0
 * @category messages
 */
export const TimeoutNow = Schema.TaggedStruct("TimeoutNow", envelope)

/**
 * @since 0.1.0
 * @category messages
 */
export interface TimeoutNow extends Schema.Schema.Type<typeof TimeoutNow> {}

/**
 * "You are a member no more", from one who knows that the removal is committed. Whoever was removed gets no more
 * entries, and so would never learn it from its own log, and ask for elections for ever.
 *
 * @since 0.1.0
 * @category messages
 */
export const Removed = Schema.TaggedStruct("Removed", envelope)

/**
 * @since 0.1.0
 * @category messages
 */
export interface Removed extends Schema.Schema.Type<typeof Removed> {}

/**
 * "Begin after this snapshot, whose bytes you now hold": from a leader whose log no longer has what the follower needs.
 * Answered with an {@link AppendReply} that confirms no round.
 *
 * It is no part of {@link Message}, for it must not arrive by itself: it travels at the head of the snapshot's bytes, and
 * the follower's driver hands it to the core once it has all of them and their checksum is right.
 *
 * @since 0.1.0
 * @category messages
 */
export const InstallSnapshot = Schema.TaggedStruct("InstallSnapshot", { ...envelope, snapshot: Snapshot }).pipe(
  Schema.filter(({ snapshot, term }) =>
    snapshot.term <= term ? true : `the snapshot is of term ${snapshot.term} and its sender only in ${term}`
  )
)

/**
 * @since 0.1.0
 * @category messages
 */
export interface InstallSnapshot extends Schema.Schema.Type<typeof InstallSnapshot> {}

/**
 * Every message that travels by itself.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Message = Schema.Union(
  AppendEntries,
  AppendReply,
  Heartbeat,
  HeartbeatReply,
  PreVote,
  PreVoteReply,
  Removed,
  RequestVote,
  TimeoutNow,
  VoteReply
).annotations({ identifier: "RaftMessage" })

/**
 * @since 0.1.0
 * @category models
 */
export type Message =
  | AppendEntries
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | PreVote
  | PreVoteReply
  | Removed
  | RequestVote
  | TimeoutNow
  | VoteReply
