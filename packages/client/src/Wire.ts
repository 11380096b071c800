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
import * as Frame from "./internal/frame.js"

/**
 * The largest message either end takes, in bytes. A request at the limit of `Limits.requestBytesMax` stays well below it.
 *
 * @since 0.1.0
 * @category constants
 */
export const messageBytesMax = 32 * 1024 * 1024

/**
 * What is wrong with bytes that are to be read as one MessagePack value; `undefined` where they hold just that, of the values that messages are made of and at most so many of them. Such bytes
 * make no more of themselves than they are: MessagePack can announce more in five bytes than a process has room for.
 *
 * @since 0.1.0
 * @category checks
 */
export const faultOf: (bytes: Uint8Array, valuesMax?: number) => string | undefined = Frame.faultOf

const headerBytes = 4
/** The room a message begins with that does not come in one piece. */
const firstBodyBytes = 64 * 1024

const tooLong = (bytes: number) =>
  new RpcSerialization.RpcSerializationError({
    reason: "BufferSizeExceeded",
    maxBufferSize: messageBytesMax,
    bufferSize: bytes
  })

const makeParser = (): RpcSerialization.Parser => {
  const messagePack = RpcSerialization.makeMsgPack({ useRecords: true, maxBufferSize: "unbounded" })
  const encoder = messagePack.unsafeMake()
  const decoder = messagePack.unsafeMake()

  const header = new Uint8Array(headerBytes)
  const headerView = new DataView(header.buffer)
  /** Room for the message that has begun to arrive; without one a header is next. */
  let body: Uint8Array | undefined
  let bodyLength = 0
  /** How much of `body`, or else of `header`, is there. */
  let filled = 0

  const unpack = (frame: Uint8Array): unknown => {
    const fault = Frame.isRecord(frame) ? faultOf(frame) : "it is no record"
    if (fault !== undefined) throw new Error(`a frame is no message: ${fault}`)
    return decoder.decode(frame)[0]
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
 * How many bytes of a message that is not whole yet have come on a connection, piece by piece of what it brings.
 *
 * @since 0.1.0
 * @category serialization
 */
export const makeUnfinished = (): ((data: Uint8Array | string) => number) => {
  const header = new Uint8Array(headerBytes)
  const headerView = new DataView(header.buffer)
  let headerFilled = 0
  /** Bytes of the message that are still to come. */
  let missing = 0
  let held = 0
  return data => {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
    for (let at = 0; at < bytes.length; ) {
      if (missing === 0) {
        held = 0
        header[headerFilled++] = bytes[at++] ?? 0
        if (headerFilled < headerBytes) continue
        headerFilled = 0
        missing = headerView.getUint32(0)
      } else {
        const taken = Math.min(missing, bytes.length - at)
        at += taken
        held += taken
        missing -= taken
      }
    }
    return missing === 0 ? 0 : held
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
