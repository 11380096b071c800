/**
 * The socket that a node listens on, for clients and peers alike.
 *
 * @since 0.1.0
 */

import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type * as Rpc from "@effect/rpc/Rpc"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as RpcServer from "@effect/rpc/RpcServer"
import type { Endpoint } from "@reckon/client/Endpoint"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/** A listening socket each of whose connections gathers its writes. */
const listening = (address: Endpoint) =>
  Layer.scoped(
    SocketServer.SocketServer,
    Effect.map(NodeSocketServer.make({ host: address.host, port: address.port, noDelay: true }), server =>
      SocketServer.SocketServer.of({
        ...server,
        run: handler =>
          server.run(socket =>
            Effect.flatMap(Effect.serviceOption(NodeSocket.NetSocket), connection =>
              handler(Wire.gatherWrites(socket, () => Option.getOrUndefined(connection)))
            )
          )
      })
    )
  )

/**
 * Serves the group's handlers at the address. A request that cannot be decoded is answered with a defect, a frame that cannot be read ends its own
 * connection; neither concerns anybody else.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <Rpcs extends Rpc.Any>(
  group: RpcGroup.RpcGroup<Rpcs>,
  address: Endpoint
): Layer.Layer<never, SocketServer.SocketServerError, Rpc.ToHandler<Rpcs> | Rpc.Context<Rpcs> | Rpc.Middleware<Rpcs>> =>
  RpcServer.layer(group, { disableTracing: true, disableFatalDefects: true }).pipe(
    Layer.provide(RpcServer.layerProtocolSocketServer),
    Layer.provide([Wire.layer, listening(address)])
  )
