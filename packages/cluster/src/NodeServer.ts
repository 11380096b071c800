/**
 * The socket that a node listens on, for clients and peers alike.
 *
 * @since 0.1.0
 */

import type { SocketServerError } from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type * as Rpc from "@effect/rpc/Rpc"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as RpcSchema from "@effect/rpc/RpcSchema"
import * as RpcServer from "@effect/rpc/RpcServer"
import type { Endpoint } from "@reckon/client/Endpoint"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Deliveries from "./Deliveries.js"
import { bounded } from "./internal/unread.js"
import { PeerRpcs } from "./PeerRpcs.js"

/** Requests of clients, but for streams, which send no more than is acknowledged. */
const isLargeAnswer = <Rpcs extends Rpc.Any>(group: RpcGroup.RpcGroup<Rpcs>) => {
  const tags = new Set<string>()
  for (const [tag, rpc] of group.requests) {
    const isStream =
      "successSchema" in rpc && Schema.isSchema(rpc.successSchema) && RpcSchema.isStreamSchema(rpc.successSchema)
    if (!isStream && !PeerRpcs.requests.has(tag)) tags.add(tag)
  }
  return (tag: string): boolean => tags.has(tag)
}

/**
 * A machine that loses its power, or its network, says nothing more, and a subscription with nothing to deliver would wait for it for ever: after ten seconds of silence the system asks for a sign of
 * life, and ends the connection where there is none.
 */
const connectionOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }

/**
 * Serves the group's handlers at the address. A request that cannot be decoded is answered with a defect, a frame that cannot be read ends its own
 * connection; neither concerns anybody else. Of a connection 64 requests are under way at a time; one that does not read its answers is not read from, and is cut off where more than 256 MiB
 * of answers wait on this node. Raft's messages go to {@link Deliveries.Deliveries}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <Rpcs extends Rpc.Any>(
  group: RpcGroup.RpcGroup<Rpcs>,
  address: Endpoint
): Layer.Layer<
  never,
  SocketServerError,
  Deliveries.Deliveries | Rpc.ToHandler<Rpcs> | Rpc.Context<Rpcs> | Rpc.Middleware<Rpcs>
> =>
  RpcServer.layer(group, { disableTracing: true, disableFatalDefects: true }).pipe(
    Layer.provide(
      Layer.scoped(
        RpcServer.Protocol,
        Effect.map(Effect.flatMap(RpcServer.makeProtocolSocketServer, Deliveries.aside), protocol =>
          bounded(protocol, isLargeAnswer(group))
        )
      )
    ),
    Layer.provide([Wire.layer, NodeSocketServer.layer({ ...address, ...connectionOptions })])
  )
