/**
 * Raft messages on the sockets between nodes: requests that nobody answers.
 *
 * What there is to say to a message Raft says itself, in another message. An answer to the request as well would double what goes over the socket, and costs each end more than the
 * message does. So these requests have ids below zero, which clients of `@effect/rpc` never give out, and are taken off the socket before its server sees them. One that does
 * answer them is not listened to; one that comes with an ordinary id is served and answered like any request.
 *
 * @since 0.1.0
 */
import type * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import type { FromClientEncoded, RequestEncoded } from "@effect/rpc/RpcMessage"
import * as RpcServer from "@effect/rpc/RpcServer"
import type { Message } from "@reckon/raft/Message"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { DeliverRpc } from "./PeerRpcs.js"

/**
 * A message and the group that it concerns.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery {
  readonly group: string
  readonly message: Message
}

/**
 * Takes the messages that arrive, in the order in which they were sent.
 *
 * @since 0.1.0
 * @category services
 */
export class Deliveries extends Context.Tag("@reckon/cluster/Deliveries")<
  Deliveries,
  (messages: ReadonlyArray<Delivery>) => void
>() {}

const encode = Schema.encodeSync(DeliverRpc.payloadSchema)
const decode = Schema.decodeUnknownEither(DeliverRpc.payloadSchema)

/**
 * Sends messages over a connection to a peer, as one frame. Ends when the socket has taken it; whether it arrives nobody says. Fails, at once, while there is no connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeSend = (
  protocol: RpcClient.Protocol["Type"]
): ((messages: ReadonlyArray<Delivery>) => Effect.Effect<void, RpcClientError>) => {
  let lastId = 0
  return messages =>
    Effect.suspend(() => {
      lastId -= 1
      return protocol.send({
        _tag: "Request",
        id: `${lastId}`,
        tag: DeliverRpc._tag,
        payload: encode({ messages }),
        headers: []
      })
    })
}

const isDelivery = (message: FromClientEncoded): message is RequestEncoded =>
  message._tag === "Request" && message.tag === DeliverRpc._tag && message.id.startsWith("-")

/** So many are told of, and so much of each: what a peer sends must not fill the disk by way of the log. */
const reportsMax = 64
const reportCharacters = 500

/**
 * The protocol of a server without the deliveries, which go to {@link Deliveries}. One that makes no sense is dropped; the first of several is reported.
 *
 * @since 0.1.0
 * @category protocols
 */
export const aside = (
  protocol: RpcServer.Protocol["Type"]
): Effect.Effect<RpcServer.Protocol["Type"], never, Deliveries> =>
  Effect.map(Deliveries, take => {
    let isReported = false
    let reports = 0
    const deliver = (payload: unknown) => {
      const decoded = decode(payload)
      const wasReported = isReported
      isReported = Either.isLeft(decoded)
      if (Either.isRight(decoded)) return Effect.sync(() => take(decoded.right.messages))
      if (wasReported || reports >= reportsMax) return Effect.void
      reports += 1
      return Effect.logWarning(`messages of a peer cannot be read: ${decoded.left.message.slice(0, reportCharacters)}`)
    }
    return RpcServer.Protocol.of({
      ...protocol,
      run: serve =>
        protocol.run((client, message) => (isDelivery(message) ? deliver(message.payload) : serve(client, message)))
    })
  })
