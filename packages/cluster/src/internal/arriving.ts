/**
 * What a node holds for those who connect and do not come to the point.
 *
 * It keeps so many connections; where there is one more, that one is ended from which nothing has come for longest. Clients and peers say every few seconds that they are there. And it keeps so
 * many bytes of messages of which the rest has yet to come; where there are more, the connection is cut off that brought most of them.
 */
import type * as Net from "node:net"
import type * as Socket from "@effect/platform/Socket"
import type * as SocketServer from "@effect/platform/SocketServer"
import { NetSocket } from "@effect/platform-node/NodeSocket"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export interface Limits {
  readonly connectionsMax: number
  /** Bytes of messages that are not whole yet, of all connections together. */
  readonly bytesMax: number
}

export const defaults: Limits = { connectionsMax: 4096, bytesMax: 256 * 1024 * 1024 }

type Service = SocketServer.SocketServer["Type"]

/** The socket, which tells of all that comes before anybody takes it. */
const overheard = (socket: Socket.Socket, hear: (bytes: number) => void): Socket.Socket => {
  const unfinished = Wire.makeUnfinished()
  return {
    ...socket,
    runRaw: (handler, options) =>
      socket.runRaw(data => {
        hear(unfinished(data))
        return handler(data)
      }, options)
  }
}

/** The server with bounds on what has only begun. */
export const bounded = (server: Service, limits: Limits = defaults): Service => {
  /** Bytes of the message that has begun to arrive, by connection: the one first from which nothing has come for longest. */
  const unfinished = new Map<Net.Socket, number>()
  let bytes = 0

  const forget = (connection: Net.Socket) => {
    bytes -= unfinished.get(connection) ?? 0
    unfinished.delete(connection)
  }

  const hear = (connection: Net.Socket, held: number) => {
    forget(connection)
    if (connection.destroyed) return
    unfinished.set(connection, held)
    bytes += held
    if (bytes <= limits.bytesMax) return
    let most: readonly [Net.Socket, number] = [connection, held]
    for (const entry of unfinished) if (entry[1] > most[1]) most = entry
    forget(most[0])
    most[0].destroy()
  }

  const makeRoom = () => {
    const [silent] = unfinished.keys()
    if (silent === undefined || unfinished.size < limits.connectionsMax) return
    forget(silent)
    silent.destroy()
  }

  return {
    ...server,
    run: handler =>
      server.run(socket =>
        Effect.flatMap(Effect.serviceOption(NetSocket), connection => {
          if (Option.isNone(connection)) return handler(socket)
          makeRoom()
          hear(connection.value, 0)
          return Effect.ensuring(
            handler(overheard(socket, held => hear(connection.value, held))),
            Effect.sync(() => forget(connection.value))
          )
        })
      )
  }
}
