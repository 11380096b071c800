/**
 * How messages lie on a socket between a client and a gateway: MessagePack values, each behind four bytes with its length. Both ends provide {@link layer}.
 *
 * The length comes first so that a message of many megabytes is put together once instead of being tried anew with each packet, and so that
 * a peer that speaks anything else (HTTP, TLS) is found out by its first four bytes.
 *
 * @since 0.1.0
 */
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as Layer from "effect/Layer"

/**
 * The largest message either end takes, in bytes. A request at the limit of `Limits.requestBytesMax` stays well below it.
 *
 * @since 0.1.0
 * @category constants
 */
export const messageBytesMax = 32 * 1024 * 1024

const headerBytes = 4
/** The room a message begins with that does not come in one piece. */
const firstBodyBytes = 64 * 1024

const isMessage = (value: unknown): boolean => typeof value === "object" && value !== null

const tooLong = (bytes: number) =>
  new RpcSerialization.RpcSerializationError({
    reason: "BufferSizeExceeded",
    maxBufferSize: messageBytesMax,
    bufferSize: bytes
  })

const makeParser = (): RpcSerialization.Parser => {
  const messagePack = RpcSerialization.makeMsgPack({ useRecords: true, maxBufferSize: "unbounded" })
  const encoder = messagePack.unsafeMake()
  let decoder = messagePack.unsafeMake()

  const header = new Uint8Array(headerBytes)
  const headerView = new DataView(header.buffer)
  /** Room for the message that has begun to arrive; without one a header is next. */
  let body: Uint8Array | undefined
  let bodyLength = 0
  /** How much of `body`, or else of `header`, is there. */
  let filled = 0

  const unpack = (frame: Uint8Array): unknown => {
    const values = decoder.decode(frame)
    if (values.length === 1 && isMessage(values[0])) return values[0]
    // The decoder may have kept the tail of a broken value and would put it before the next one.
    decoder = messagePack.unsafeMake()
    throw new Error("a frame does not hold exactly one message")
  }

  /** What a header announces costs nothing until it arrives: the room doubles as it fills. */
  const grow = (bytes: number): Uint8Array => {
    const grown = new Uint8Array(Math.min(bodyLength, Math.max(bytes, firstBodyBytes)))
    if (body !== undefined) grown.set(body.subarray(0, filled))
    body = grown
    return grown
  }

  const fill = (target: Uint8Array, bytes: Uint8Array, at: number): number => {
    const end = Math.min(bytes.length, at + target.length - filled)
    target.set(bytes.subarray(at, end), filled)
    filled += end - at
    return end
  }

  return {
    encode: message => {
      const packed = encoder.encode(message)
      if (packed === undefined || typeof packed === "string") return undefined
      if (packed.length > messageBytesMax) throw tooLong(packed.length)
      const frame = new Uint8Array(headerBytes + packed.length)
      new DataView(frame.buffer).setUint32(0, packed.length)
      frame.set(packed, headerBytes)
      return frame
    },
    decode: data => {
      const raw = typeof data === "string" ? new TextEncoder().encode(data) : data
      // A plain view even of a Node Buffer, for the payloads that are cut out of it are handed to users.
      const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength)
      const messages: Array<unknown> = []
      let at = 0
      while (at < bytes.length) {
        if (body === undefined) {
          at = fill(header, bytes, at)
          if (filled < headerBytes) break
          filled = 0
          const length = headerView.getUint32(0)
          if (length === 0 || length > messageBytesMax) throw tooLong(length)
          if (bytes.length - at >= length) {
            at += length
            messages.push(unpack(bytes.subarray(at - length, at)))
          } else {
            bodyLength = length
            grow(bytes.length - at)
          }
        } else {
          const room = filled === body.length ? grow(2 * filled) : body
          at = fill(room, bytes, at)
          if (filled < bodyLength) continue
          const whole = room
          body = undefined
          filled = 0
          messages.push(unpack(whole))
        }
      }
      return messages
    }
  }
}

/**
 * @since 0.1.0
 * @category serialization
 */
export const serialization: RpcSerialization.RpcSerialization["Type"] = RpcSerialization.RpcSerialization.of({
  contentType: "application/x-reckon-msgpack",
  includesFraming: true,
  unsafeMake: makeParser
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RpcSerialization.RpcSerialization> = Layer.succeed(
  RpcSerialization.RpcSerialization,
  serialization
)
