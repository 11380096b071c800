/**
 * A server of sockets that serves those alone who have the cluster's secret, and nobody else can read what they say.
 */
import type * as Net from "node:net"
import * as Socket from "@effect/platform/Socket"
import type * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as ClusterSecret from "@reckon/client/ClusterSecret"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** How long who connects may take to prove that it has the secret. */
const proofMillis = 5_000

/** So many addresses are told of before it is no more than noise, or somebody's play. */
const reportedMax = 64

type Service = SocketServer.SocketServer["Type"]

const unproven = (cause: Error) => new Socket.SocketGenericError({ reason: "Open", cause })

/** Ends when the other end has proved that it has the secret. */
const proof = (socket: Net.Socket): Effect.Effect<void, Socket.SocketError> =>
  Effect.async<void, Socket.SocketError>(resume => {
    const refuse = (cause: Error) => resume(Effect.fail(unproven(cause)))
    const closed = () => refuse(new Error("it was closed"))
    if (socket.destroyed) return closed()
    socket.once("secure", () => resume(Effect.void))
    socket.once("error", refuse)
    socket.once("close", closed)
  }).pipe(Effect.timeoutFail({ duration: proofMillis, onTimeout: () => unproven(new Error("it said nothing")) }))

export const secured = (server: Service, secret: ClusterSecret.ClusterSecret): Service => {
  const accept = ClusterSecret.acceptor(secret)
  const reported = new Set<string>()
  const report = (address: string) =>
    Effect.suspend(() => {
      if (reported.has(address) || reported.size >= reportedMax) return Effect.void
      reported.add(address)
      return Effect.logWarning(`a connection from ${address} was refused: it does not have this node's cluster secret`)
    })

  return {
    ...server,
    run: handler =>
      server.run(() =>
        Effect.flatMap(Effect.serviceOption(NodeSocket.NetSocket), connection => {
          if (Option.isNone(connection)) return Effect.die(new Error("only sockets of TCP can be secured"))
          const address = connection.value.remoteAddress ?? "somewhere"
          const socket = accept(connection.value)
          let isProven = false
          const open = Effect.gen(function* () {
            // In good order, as far as there is somebody to whom that is owed.
            yield* Effect.addFinalizer(() => Effect.sync(() => (isProven ? socket.destroySoon() : socket.destroy())))
            yield* Effect.tapError(proof(socket), () => report(address))
            isProven = true
            return socket
          })
          return NodeSocket.fromDuplex(open).pipe(
            Effect.flatMap(handler),
            Effect.provideService(NodeSocket.NetSocket, socket)
          )
        })
      )
  }
}
