/**
 * The RPC connection to one peer. It connects, and reconnects, by itself; requests made while it is down fail at once.
 */

import * as Socket from "@effect/platform/Socket"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as ClusterSecret from "@reckon/client/ClusterSecret"
import * as Wire from "@reckon/client/Wire"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Deliveries from "../Deliveries.js"
import type { Member } from "../Members.js"
import { PeerRpcs } from "../PeerRpcs.js"

export type PeerClient = RpcClient.RpcClient<RpcGroup.Rpcs<typeof PeerRpcs>, RpcClientError>

export interface Peer {
  readonly client: PeerClient
  /** Ends once the connection was open. What is asked before waits for that, however long, and cannot be called off. */
  readonly opened: Effect.Effect<void>
  /** Sends Raft messages, see `Deliveries.makeSend`. */
  readonly send: (messages: ReadonlyArray<Deliveries.Delivery>) => Effect.Effect<void, RpcClientError>
}

const reconnectMillis = 200
const openMillis = 2_000

export const connectPeer = (
  peer: Member,
  secret?: ClusterSecret.ClusterSecret | undefined
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const first = yield* Deferred.make<void>()
    const socket = Layer.effect(
      Socket.Socket,
      // Only describes the connection; it is made, and made again, by the protocol, which reports what goes wrong with it.
      NodeSocket.fromDuplex(
        Effect.tap(ClusterSecret.connect(peer.address, secret), () => Deferred.succeed(first, undefined)),
        { openTimeout: openMillis }
      )
    )
    const protocol = Layer.scoped(
      RpcClient.Protocol,
      RpcClient.makeProtocolSocket({ retrySchedule: Schedule.spaced(reconnectMillis) })
    ).pipe(Layer.provide([socket, Wire.layer]))
    const context = yield* Layer.build(protocol)
    const client = yield* RpcClient.make(PeerRpcs, { disableTracing: true }).pipe(Effect.provide(context))
    return {
      client,
      opened: Deferred.await(first),
      send: Deliveries.makeSend(Context.get(context, RpcClient.Protocol))
    }
  })
