/**
 * The client's side of `StoreRpcs`: the same requests on the wire. What is appended is checked once, before it leaves (its encoded form is the value itself), so here it passes
 * unchecked: `RpcClient` would check every event of every append twice more.
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { MembershipRpcs } from "../MembershipRpcs.js"
import {
  type Append,
  AppendBatchRpc,
  AppendRpc,
  DeleteSnapshotsRpc,
  DeleteStreamRpc,
  GetVersionRpc,
  HasEventsRpc,
  ListSnapshotsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  PositionAtRpc,
  QueryRpc,
  ReadAllRpc,
  ReadRpc,
  SaveSnapshotRpc,
  SetStreamMetadataRpc,
  StatusRpc,
  StreamDetailsRpc,
  SubscribeRpc,
  VersionAtRpc
} from "../StoreRpcs.js"

const checkedAppends = Schema.declare((_value: unknown): _value is ReadonlyArray<Append> => true)

export const WireRpcs = RpcGroup.make(
  Rpc.make("Append", {
    payload: { store: Schema.String, appends: checkedAppends },
    success: AppendRpc.successSchema,
    error: AppendRpc.errorSchema
  }),
  Rpc.make("AppendBatch", {
    payload: {
      store: Schema.String,
      appends: checkedAppends,
      condition: AppendBatchRpc.payloadSchema.fields.condition
    },
    success: AppendBatchRpc.successSchema,
    error: AppendBatchRpc.errorSchema
  }),
  DeleteStreamRpc,
  SetStreamMetadataRpc,
  SaveSnapshotRpc,
  DeleteSnapshotsRpc,
  ReadRpc,
  ReadAllRpc,
  QueryRpc,
  VersionAtRpc,
  PositionAtRpc,
  GetVersionRpc,
  StreamDetailsRpc,
  HasEventsRpc,
  ListStreamsRpc,
  LoadSnapshotRpc,
  ListSnapshotsRpc,
  SubscribeRpc,
  StatusRpc
).merge(MembershipRpcs)
