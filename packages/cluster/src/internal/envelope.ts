/**
 * What a socket brings was read as a record, and nothing more. What the server of `@effect/rpc` takes for granted of its envelope is made sure of here: it would turn an id of a million digits into a
 * number, and the number into text again, while everybody else waits.
 */
import type { FromClientEncoded } from "@effect/rpc/RpcMessage"
import type * as RpcServer from "@effect/rpc/RpcServer"
import * as Effect from "effect/Effect"

/** As it comes back in the answer. Below zero are Raft's messages, see `Deliveries`. */
const id = /^(?:0|-?[1-9]\d{0,18})$/
const headersMax = 64

const isId = (value: unknown): boolean => typeof value === "string" && value.length <= 20 && id.test(value)

const isHeader = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "string"

/** Kinds of messages that are not known here are none of its business: the server says so to whoever sent one. */
const isEnvelope = (message: FromClientEncoded): boolean => {
  switch (message._tag) {
    case "Request":
      return (
        isId(message.id) &&
        typeof message.tag === "string" &&
        Array.isArray(message.headers) &&
        message.headers.length <= headersMax &&
        message.headers.every(isHeader)
      )
    case "Ack":
    case "Interrupt":
      return isId(message.requestId)
    default:
      return typeof message._tag === "string"
  }
}

/** The protocol of a server that ends the connection on which something else comes than messages. */
export const understood = (protocol: RpcServer.Protocol["Type"]): RpcServer.Protocol["Type"] => ({
  ...protocol,
  run: serve =>
    protocol.run((client, message) =>
      isEnvelope(message) ? serve(client, message) : Effect.die(new Error("what came is no message"))
    )
})
