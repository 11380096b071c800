/**
 * What a member's process answers.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { MemberId } from "./Membership.js"
import { ProposeError, ReadError } from "./RaftError.js"

/**
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
  lastIndex: Schema.NonNegativeInt
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Status extends Schema.Schema.Type<typeof Status> {}

/**
 * What the process answers. `Propose` and `ReadIndex` are the leader's; other members refuse them with `NotLeader`. `AwaitApplied` answers
 * once this member's state machine has applied the index.
 *
 * @since 0.1.0
 * @category protocol
 */
export class RaftProtocol extends RpcGroup.make(
  Rpc.make("Propose", {
    payload: { payload: Schema.Uint8ArrayFromSelf },
    success: Schema.Uint8ArrayFromSelf,
    error: ProposeError
  }),
  Rpc.make("ReadIndex", { success: Schema.NonNegativeInt, error: ReadError }),
  Rpc.make("AwaitApplied", { payload: { index: Schema.NonNegativeInt }, error: ReadError }),
  Rpc.make("Status", { success: Status })
) {}
