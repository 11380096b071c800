/**
 * Raft messages on their way to one peer.
 */
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import type { Delivery } from "../Deliveries.js"
import type { Peer } from "./peerClient.js"

export interface Outbox {
  /** `false` where the outbox is full and the message was dropped. */
  readonly offer: (delivery: Delivery) => boolean
}

const messagesMax = 4096
const bytesMax = 64 * 1024 * 1024
/** One larger message still goes, alone: the peer's decoder takes frames of 32 MiB. */
const frameBytesMax = 8 * 1024 * 1024
/** A peer that cannot be reached is tried no more often than this. */
const pauseMillis = 50

const byteLength = ({ message }: Delivery): number => {
  let bytes = 128
  if (message._tag === "AppendEntries") for (const entry of message.entries) bytes += entry.payload.length + 32
  return bytes
}

export const makeOutbox = (send: Peer["send"]): Effect.Effect<Outbox, never, Scope.Scope> =>
  Effect.gen(function* () {
    const waiting = yield* Mailbox.make<Delivery>({ capacity: messagesMax, strategy: "dropping" })
    let waitingBytes = 0

    /** Waits until the socket has taken it: the slower the peer reads, the more the next frame carries. A socket that breaks meanwhile takes the frame with it. */
    const deliver = (frame: ReadonlyArray<Delivery>) =>
      Effect.catchAllCause(send(frame), cause =>
        Effect.logDebug(`a frame of ${frame.length} messages was lost`, cause).pipe(Effect.delay(pauseMillis))
      )

    yield* Effect.gen(function* () {
      const [messages] = yield* waiting.takeAll
      let frame: Array<Delivery> = []
      let frameBytes = 0
      for (const delivery of messages) {
        const bytes = byteLength(delivery)
        waitingBytes -= bytes
        if (frame.length > 0 && frameBytes + bytes > frameBytesMax) {
          yield* deliver(frame)
          frame = []
          frameBytes = 0
        }
        frame.push(delivery)
        frameBytes += bytes
      }
      if (frame.length > 0) yield* deliver(frame)
    }).pipe(Effect.forever, Effect.forkScoped)

    return {
      offer: delivery => {
        const bytes = byteLength(delivery)
        if (waitingBytes + bytes > bytesMax || !waiting.unsafeOffer(delivery)) return false
        waitingBytes += bytes
        return true
      }
    }
  })
