/**
 * What a member's process answers.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { Incarnation } from "./Incarnation.js"
import { Intake } from "./internal/driver/intake.js"
import { Change, MemberId } from "./Membership.js"
import { ChangeError, ReadError, TransferError } from "./RaftError.js"

/**
 * What a leader knows of another member. `phase`: `probe` looks for where the logs agree, `replicate` streams, `snapshot`
 * sends what the log no longer has.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Follower = Schema.Struct({
  member: MemberId,
  phase: Schema.Literal("probe", "replicate", "snapshot"),
  /** Whether it was heard of lately. */
  active: Schema.Boolean,
  matchIndex: Schema.NonNegativeInt,
  /** How many entries it lacks. */
  lag: Schema.NonNegativeInt,
  inflightMessages: Schema.NonNegativeInt,
  inflightBytes: Schema.NonNegativeInt
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Follower extends Schema.Schema.Type<typeof Follower> {}

/**
 * A member as it is now.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Status = Schema.Struct({
  member: MemberId,
  role: Schema.Literal("leader", "candidate", "pre_candidate", "follower"),
  leader: Schema.NullOr(MemberId),
  term: Schema.NonNegativeInt,
  commitIndex: Schema.NonNegativeInt,
  appliedIndex: Schema.NonNegativeInt,
  lastIndex: Schema.NonNegativeInt,
  /** The first entry that the log still has, or will have next. */
  firstIndex: Schema.NonNegativeInt,
  logBytes: Schema.NonNegativeInt,
  /** What the newest write of the log took, its sync included; `null` before the first. */
  lastFlushMillis: Schema.NullOr(Schema.Number),
  voters: Schema.Array(MemberId),
  learners: Schema.Array(MemberId),
  /** Whether this member knows that it was removed. */
  removed: Schema.Boolean,
  /** Why it takes no part in its group and cannot without somebody's help, and what to do about it; `null` while all is well. */
  problem: Schema.NullOr(Schema.String),
  /** The group's, the same on all members; `null` until it is known here to be settled. */
  incarnation: Schema.NullOr(Incarnation),
  /** Proposals taken here that have no outcome yet. */
  openProposals: Schema.NonNegativeInt,
  uncommittedBytes: Schema.NonNegativeInt,
  /** The index of the membership's change whose outcome somebody waits for. */
  pendingChange: Schema.NullOr(Schema.NonNegativeInt),
  transferringTo: Schema.NullOr(MemberId),
  /** `required`: what the machine would have to know to go on. */
  machine: Schema.NullOr(
    Schema.Struct({
      supported: Schema.NonNegativeInt,
      effective: Schema.NonNegativeInt,
      required: Schema.optional(Schema.NonNegativeInt)
    })
  ),
  /** A leader's; nobody else knows. */
  followers: Schema.Array(Follower)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Status extends Schema.Schema.Type<typeof Status> {}

/**
 * What the process answers. `AwaitApplied`, once this member's state machine has applied the index, and `Status` are for every member; the others are
 * the leader's, and refused by everybody else with `NotLeader`. `Intake` is where proposals go and reads look first, and for those beside the process only.
 * `ChangeMembership` answers the index at which the change is committed.
 *
 * @since 0.1.0
 * @category protocol
 */
export class RaftProtocol extends RpcGroup.make(
  Rpc.make("Intake", { success: Schema.instanceOf(Intake) }),
  Rpc.make("ReadIndex", { success: Schema.NonNegativeInt, error: ReadError }),
  Rpc.make("AwaitApplied", { payload: { index: Schema.NonNegativeInt }, error: ReadError }),
  Rpc.make("ChangeMembership", {
    payload: { change: Change },
    success: Schema.NonNegativeInt,
    error: ChangeError
  }),
  Rpc.make("TransferLeadership", { payload: { target: MemberId }, error: TransferError }),
  Rpc.make("Status", { success: Status })
) {}
