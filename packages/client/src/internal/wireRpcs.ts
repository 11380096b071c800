/**
 * The client's side of `StoreRpcs`: the same requests on the wire. An append's payload is checked once, when it enters the client's queue
 * (its encoded form is the value itself), so here it passes unchecked: `RpcClient` would check every event of every batch twice more.
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import {
  type Append,
  AppendRpc,
  GetVersionRpc,
  ListStreamsRpc,
  ReadAllRpc,
  ReadRpc,
  StatusRpc,
  SubscribeRpc
} from "../StoreRpcs.js"

const checkedAppends = Schema.declare((_value: unknown): _value is ReadonlyArray<Append> => true)

export const WireRpcs = RpcGroup.make(
  Rpc.make("Append", {
    payload: { store: Schema.String, appends: checkedAppends },
    success: AppendRpc.successSchema,
    error: AppendRpc.errorSchema
  }),
  ReadRpc,
  ReadAllRpc,
  GetVersionRpc,
  ListStreamsRpc,
  SubscribeRpc,
  StatusRpc
)
