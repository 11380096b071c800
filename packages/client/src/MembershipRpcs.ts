/**
 * The members of a store's group, and how they are changed: the requests of whoever runs a cluster.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { NoQuorum, RequestError, StoreNotFound } from "./StoreError.js"
import { StoreId } from "./StoreRpcs.js"

/**
 * The name of a node.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NodeName = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(255))

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * The members, or who of them leads, cannot be changed in this way, or not now. Nothing was done.
 *
 * @since 0.1.0
 * @category errors
 */
export class MembershipRefused extends Schema.TaggedError<MembershipRefused>("@reckon/client/MembershipRefused")(
  "MembershipRefused",
  { detail: Schema.String, retryable: Schema.Boolean }
) {
  override get message() {
    return this.detail
  }
}

/**
 * Whether the change takes effect is not known: the answer got lost. The members tell.
 *
 * @since 0.1.0
 * @category errors
 */
export class MembershipUnknown extends Schema.TaggedError<MembershipUnknown>("@reckon/client/MembershipUnknown")(
  "MembershipUnknown",
  { detail: Schema.String }
) {
  readonly retryable = true
  override get message() {
    return this.detail
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export const MembershipError = Schema.Union(...RequestError.members, MembershipRefused, MembershipUnknown)

/**
 * @since 0.1.0
 * @category errors
 */
export type MembershipError = Schema.Schema.Type<typeof MembershipError>

// -----------------------------------------------------------------------------
// what there is
// -----------------------------------------------------------------------------

/**
 * A node that keeps the store. A `learner` is sent everything and has no vote yet.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoreMember = Schema.Struct({
  name: NodeName,
  role: Schema.Literal("leader", "voter", "learner"),
  /** As `HOST:PORT`; `null` where the node that answers does not know it. */
  address: Schema.NullOr(Schema.String),
  /** How many entries of the log it lacks; `null` where the node that answers does not lead. */
  lag: Schema.NullOr(Schema.NonNegativeInt),
  /** Whether the leader has heard from it lately; `null` where the node that answers does not lead. */
  active: Schema.NullOr(Schema.Boolean)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreMember extends Schema.Schema.Type<typeof StoreMember> {}

/**
 * The members of a store as a node sees them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoreMembers = Schema.Struct({
  store: StoreId,
  /** The node that answers. */
  node: NodeName,
  leader: Schema.NullOr(NodeName),
  members: Schema.Array(StoreMember),
  /** Nodes that have introduced themselves and are in no store of the one that answers. */
  waiting: Schema.Array(Schema.Struct({ name: NodeName, address: Schema.String }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreMembers extends Schema.Schema.Type<typeof StoreMembers> {}

// -----------------------------------------------------------------------------
// requests
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category requests
 */
export const MembersRpc = Rpc.make("Members", {
  payload: { store: StoreId },
  success: StoreMembers,
  error: Schema.Union(StoreNotFound, NoQuorum)
})

/**
 * Adds a node that was started to join. It is a learner first, and votes once it keeps up. Answered when the change is committed.
 *
 * @since 0.1.0
 * @category requests
 */
export const AddMemberRpc = Rpc.make("AddMember", {
  payload: { store: StoreId, member: NodeName },
  error: MembershipError
})

/**
 * Removes a member for ever: no node of its name joins the store again. Answered when the change is committed.
 *
 * @since 0.1.0
 * @category requests
 */
export const RemoveMemberRpc = Rpc.make("RemoveMember", {
  payload: { store: StoreId, member: NodeName },
  error: MembershipError
})

/**
 * Makes another voter the leader. Answered when it leads.
 *
 * @since 0.1.0
 * @category requests
 */
export const TransferLeadershipRpc = Rpc.make("TransferLeadership", {
  payload: { store: StoreId, member: NodeName },
  error: MembershipError
})

/**
 * @since 0.1.0
 * @category requests
 */
export class MembershipRpcs extends RpcGroup.make(MembersRpc, AddMemberRpc, RemoveMemberRpc, TransferLeadershipRpc) {}
