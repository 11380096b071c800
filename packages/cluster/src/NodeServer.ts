/**
 * The socket that a node listens on, for clients and peers alike.
 *
 * @since 0.1.0
 */

import type { SocketServerError } from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type * as Rpc from "@effect/rpc/Rpc"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as RpcServer from "@effect/rpc/RpcServer"
import type { Endpoint } from "@reckon/client/Endpoint"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Deliveries from "./Deliveries.js"

/**
 * Serves the group's handlers at the address. A request that cannot be decoded is answered with a defect, a frame that cannot be read ends its own
 * connection; neither concerns anybody else. Raft's messages go to {@link Deliveries.Deliveries}.
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
      Layer.scoped(RpcServer.Protocol, Effect.flatMap(RpcServer.makeProtocolSocketServer, Deliveries.aside))
    ),
    Layer.provide([Wire.layer, NodeSocketServer.layer({ host: address.host, port: address.port, noDelay: true })])
  )
