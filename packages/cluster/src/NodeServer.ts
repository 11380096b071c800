/**
 * The socket that a node listens on, for clients and peers alike.
 *
 * @since 0.1.0
 */

import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type * as Rpc from "@effect/rpc/Rpc"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as RpcSchema from "@effect/rpc/RpcSchema"
import * as RpcServer from "@effect/rpc/RpcServer"
import type { ClusterSecret } from "@reckon/client/ClusterSecret"
import type { Endpoint } from "@reckon/client/Endpoint"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Deliveries from "./Deliveries.js"
import * as Arriving from "./internal/arriving.js"
import { understood } from "./internal/envelope.js"
import { secured } from "./internal/secured.js"
import { bounded } from "./internal/unread.js"
import { PeerRpcs } from "./PeerRpcs.js"

/** Of the requests there are, those of clients have large answers, but for streams, which send no more than is acknowledged. */
const largeAnswers = <Rpcs extends Rpc.Any>(group: RpcGroup.RpcGroup<Rpcs>): ReadonlyMap<string, boolean> => {
  const isLarge = new Map<string, boolean>()
  for (const [tag, rpc] of group.requests) {
    const isStream =
      "successSchema" in rpc && Schema.isSchema(rpc.successSchema) && RpcSchema.isStreamSchema(rpc.successSchema)
    isLarge.set(tag, !isStream && !PeerRpcs.requests.has(tag))
  }
  return isLarge
}

/**
 * A machine that loses its power, or its network, says nothing more, and a subscription with nothing to deliver would wait for it for ever: after ten seconds of silence the system asks for a sign of
 * life, and ends the connection where there is none.
 */
const connectionOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }

const layerSockets = (address: Endpoint, secret: ClusterSecret | undefined) =>
  Layer.scoped(
    SocketServer.SocketServer,
    Effect.map(NodeSocketServer.make({ ...address, ...connectionOptions }), server =>
      Arriving.bounded(secret === undefined ? server : secured(server, secret))
    )
  )

/**
 * Serves the group's handlers at the address, with a secret to those alone who have it. A request that cannot be decoded is answered with a defect, a frame that cannot be read ends its own
 * connection, and so does an id that is under way already; neither concerns anybody else. Of a connection 64 requests are under way at a
 * time; one that does not read its answers is not read from, and is cut off where more than 256 MiB of answers wait on this node, or where that much waits for the rest of messages that have only
 * begun. There are 4,096 connections at most: beyond them the one is ended from which nothing has come for longest. Raft's messages go to {@link Deliveries.Deliveries}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <Rpcs extends Rpc.Any>(
  group: RpcGroup.RpcGroup<Rpcs>,
  address: Endpoint,
  secret?: ClusterSecret | undefined
): Layer.Layer<
  never,
  SocketServer.SocketServerError,
  Deliveries.Deliveries | Rpc.ToHandler<Rpcs> | Rpc.Context<Rpcs> | Rpc.Middleware<Rpcs>
> => {
  const isLarge = largeAnswers(group)
  return RpcServer.layer(group, { disableTracing: true, disableFatalDefects: true }).pipe(
    Layer.provide(
      Layer.scoped(
        RpcServer.Protocol,
        RpcServer.makeProtocolSocketServer.pipe(
          Effect.map(understood),
          Effect.flatMap(Deliveries.aside),
          Effect.map(protocol => bounded(protocol, tag => isLarge.get(tag)))
        )
      )
    ),
    Layer.provide([Wire.layer, layerSockets(address, secret)])
  )
}
