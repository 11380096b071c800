/**
 * What nodes say to each other.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import { Message } from "@reckon/raft/Message"
import { ProposeError, ReadError } from "@reckon/raft/RaftError"
import * as Schema from "effect/Schema"

/**
 * The name of a Raft group.
 *
 * @since 0.1.0
 * @category schemas
 */
export const GroupName = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(256))

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
 * A proposal forwarded to the leader; the answer is the state machine's reply.
 *
 * @since 0.1.0
 * @category requests
 */
export const ProposeRpc = Rpc.make("PeerPropose", {
  payload: { group: GroupName, payload: Schema.Uint8ArrayFromSelf },
  success: Schema.Uint8ArrayFromSelf,
  error: ProposeError
})

/**
 * A linearizable read's question to the leader: which index must I have applied?
 *
 * @since 0.1.0
 * @category requests
 */
export const ReadIndexRpc = Rpc.make("PeerReadIndex", {
  payload: { group: GroupName },
  success: Schema.NonNegativeInt,
  error: ReadError
})

/**
 * @since 0.1.0
 * @category requests
 */
export class PeerRpcs extends RpcGroup.make(DeliverRpc, ProposeRpc, ReadIndexRpc) {}
