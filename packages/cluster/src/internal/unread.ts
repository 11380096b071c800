/**
 * What a node holds for those who do not read their answers.
 *
 * A connection has so many requests under way, from their arrival until the socket has taken the answer; behind them nothing is read from it, so that the sender waits as it would for any slow
 * server. So it does where a message is not taken at once, for the socket has to take a short answer first. That leaves those that make many connections: where the answers that wait for all of
 * them are too much, the one with most is cut off.
 */
import type * as Net from "node:net"
import { NetSocket } from "@effect/platform-node/NodeSocket"
import type { FromServerEncoded } from "@effect/rpc/RpcMessage"
import * as RpcServer from "@effect/rpc/RpcServer"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export interface Limits {
  /** Requests that a connection may have under way. */
  readonly requestsMax: number
  /** Bytes that may wait for all connections together. */
  readonly bytesMax: number
  /** Bytes that may wait for one connection before anybody looks at the others. */
  readonly connectionBytesMax: number
}

/** A page has 4 MiB and a snapshot 16, so one connection alone seldom comes to the limit. */
export const defaults: Limits = {
  requestsMax: 64,
  bytesMax: 256 * 1024 * 1024,
  connectionBytesMax: 1024 * 1024
}

interface Connection {
  readonly socket: Net.Socket
  /** The ids of the requests that have no answer yet. */
  readonly open: Set<string>
  /** Those of them that count. */
  readonly underWay: Set<string>
  /** Those that wait for one to end, in order. */
  readonly waiting: Array<() => void>
  /** Pieces of what was read with a message that is being taken. */
  taking: number
}

/** Behind the one that is being worked off there is the next, and no third. */
const takingMax = 2

/**
 * The protocol with bounds on what waits. `counts`: the requests that may have to wait themselves; nothing of one that is unknown. Those of peers carry Raft, which must not wait, and a subscription
 * stays under way; what is unread of their answers is bounded all the same.
 */
export const bounded = (
  protocol: RpcServer.Protocol["Type"],
  counts: (tag: string) => boolean | undefined,
  limits: Limits = defaults
): RpcServer.Protocol["Type"] => {
  const connections = new Map<number, Connection>()

  const connectionOf = (client: number, socket: Net.Socket): Connection => {
    const known = connections.get(client)
    if (known !== undefined) return known
    const connection: Connection = { socket, open: new Set(), underWay: new Set(), waiting: [], taking: 0 }
    connections.set(client, connection)
    socket.once("close", () => connections.delete(client))
    return connection
  }

  const pace = ({ socket, taking, waiting }: Connection) => {
    if (waiting.length > 0 || taking >= takingMax) socket.pause()
    else socket.resume()
  }

  /** Ends when the connection may have one more request under way. */
  const admit = (connection: Connection, id: string) =>
    Effect.async<void>(resume => {
      const { underWay, waiting } = connection
      const enter = () => {
        underWay.add(id)
        resume(Effect.void)
      }
      if (waiting.length === 0 && underWay.size < limits.requestsMax) return enter()
      waiting.push(enter)
      pace(connection)
      return Effect.sync(() => {
        const at = waiting.indexOf(enter)
        if (at >= 0) waiting.splice(at, 1)
      })
    })

  const release = (connection: Connection, id: string) => {
    connection.open.delete(id)
    if (!connection.underWay.delete(id)) return
    connection.waiting.shift()?.()
    pace(connection)
  }

  /** Takes a message. The messages of one piece of what was read come one after the other, those of several pieces beside each other. */
  const taken = (connection: Connection, take: Effect.Effect<void>) =>
    Effect.suspend(() => {
      connection.taking += 1
      pace(connection)
      return Effect.ensuring(
        take,
        Effect.sync(() => {
          connection.taking -= 1
          pace(connection)
        })
      )
    })

  /** Cuts off the connection for which most waits, if too much waits for all of them. */
  const relieve = Effect.suspend(() => {
    let bytes = 0
    let most: Connection | undefined
    for (const connection of connections.values()) {
      const { destroyed, writableLength } = connection.socket
      if (destroyed) continue
      bytes += writableLength
      if (most === undefined || writableLength > most.socket.writableLength) most = connection
    }
    if (most === undefined || bytes <= limits.bytesMax) return Effect.void
    const { remoteAddress, remotePort, writableLength } = most.socket
    most.socket.destroy()
    return Effect.logWarning(
      `${remoteAddress}:${remotePort} was cut off: ${bytes} bytes of answers wait for clients that do not read them, ${writableLength} of them for this one`
    )
  })

  return RpcServer.Protocol.of({
    ...protocol,
    run: serve =>
      protocol.run((client, message) =>
        Effect.flatMap(Effect.serviceOption(NetSocket), socket => {
          if (Option.isNone(socket)) return serve(client, message)
          const connection = connectionOf(client, socket.value)
          return taken(
            connection,
            Effect.suspend(() => {
              const served = serve(client, message)
              const isCounted = message._tag === "Request" ? counts(message.tag) : undefined
              if (message._tag !== "Request" || isCounted === undefined) return served
              // The server would wait for the other one, a subscription for ever, and meanwhile not hear that the connection ends.
              if (connection.open.has(message.id)) return Effect.die(new Error("a request of this id is under way"))
              connection.open.add(message.id)
              return isCounted ? Effect.zipRight(admit(connection, message.id), served) : served
            })
          )
        })
      ),
    send: (client, response, transferables) => {
      const connection = connections.get(client)
      if (connection === undefined) return protocol.send(client, response, transferables)
      const sent = Effect.ensuring(
        protocol.send(client, response, transferables),
        Effect.sync(() => {
          if (isEnd(response)) release(connection, response.requestId)
        })
      )
      return connection.socket.writableLength > limits.connectionBytesMax ? Effect.zipRight(relieve, sent) : sent
    }
  })
}

const isEnd = (response: FromServerEncoded): response is Extract<FromServerEncoded, { readonly _tag: "Exit" }> =>
  response._tag === "Exit"
