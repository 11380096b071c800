/**
 * What nodes say to each other.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import { Claim } from "@reckon/raft/Incarnation"
import { Change, MemberId } from "@reckon/raft/Membership"
import { Message } from "@reckon/raft/Message"
import { ChangeError, ProposeError, ReadError, TransferError } from "@reckon/raft/RaftError"
import { Receipt, SnapshotChunk, SnapshotRefused } from "@reckon/raft/SnapshotChunk"
import * as Schema from "effect/Schema"

/**
 * The name of a Raft group.
 *
 * @since 0.1.0
 * @category schemas
 */
export const GroupName = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(256))

/** Who asks, and what it says of its group's incarnation. One that says nothing is answered. */
const asker = { from: Schema.optional(MemberId), ...Claim.fields }

/**
 * Raft messages in the order they were sent, several to a request because a request is what costs.
 *
 * @since 0.1.0
 * @category requests
 */
export const DeliverRpc = Rpc.make("PeerDeliver", {
  payload: { messages: Schema.Array(Schema.Struct({ group: GroupName, message: Message })) }
})

/**
 * Proposals forwarded to the leader, several to a request; the answer is what became of each, in their order.
 *
 * @since 0.1.0
 * @category requests
 */
export const ProposeRpc = Rpc.make("PeerPropose", {
  payload: {
    ...asker,
    group: GroupName,
    payloads: Schema.Array(Schema.Uint8ArrayFromSelf).pipe(Schema.maxItems(1_024))
  },
  success: Schema.Array(Schema.Either({ left: ProposeError, right: Schema.Uint8ArrayFromSelf }))
})

/**
 * A linearizable read's question to the leader: which index must I have applied?
 *
 * @since 0.1.0
 * @category requests
 */
export const ReadIndexRpc = Rpc.make("PeerReadIndex", {
  payload: { ...asker, group: GroupName },
  success: Schema.NonNegativeInt,
  error: ReadError
})

/**
 * A change of the membership forwarded to the leader; the answer is the index at which it is committed.
 *
 * @since 0.1.0
 * @category requests
 */
export const ChangeMembershipRpc = Rpc.make("PeerChangeMembership", {
  payload: { ...asker, group: GroupName, change: Change },
  success: Schema.NonNegativeInt,
  error: ChangeError
})

/**
 * A transfer forwarded to the leader.
 *
 * @since 0.1.0
 * @category requests
 */
export const TransferLeadershipRpc = Rpc.make("PeerTransferLeadership", {
  payload: { ...asker, group: GroupName, target: MemberId },
  error: TransferError
})

/**
 * A piece of a snapshot.
 *
 * @since 0.1.0
 * @category requests
 */
export const SnapshotRpc = Rpc.make("PeerSnapshot", {
  payload: { group: GroupName, chunk: SnapshotChunk },
  success: Receipt,
  error: SnapshotRefused
})

/**
 * A node and where it is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NodeAddress = Schema.Struct({
  name: MemberId,
  address: Schema.Struct({
    host: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(255)),
    port: Schema.Int.pipe(Schema.between(1, 65_535))
  })
})

/**
 * A node says who and where it is, so that it is heard also by those that were not told of it. The answer: whether it is known now, which takes that a group here has it as a member, and who else is.
 *
 * @since 0.1.0
 * @category requests
 */
export const IntroduceRpc = Rpc.make("PeerIntroduce", {
  payload: NodeAddress.fields,
  success: Schema.Struct({ isKnown: Schema.Boolean, members: Schema.Array(NodeAddress) })
})

/**
 * @since 0.1.0
 * @category requests
 */
export class PeerRpcs extends RpcGroup.make(
  DeliverRpc,
  ProposeRpc,
  ReadIndexRpc,
  ChangeMembershipRpc,
  TransferLeadershipRpc,
  SnapshotRpc,
  IntroduceRpc
) {}
