/**
 * Raft messages on their way to one peer.
 */
import type { Message } from "@reckon/raft/Message"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import type { PeerClient } from "./peerClient.js"

export interface Outgoing {
  readonly group: string
  readonly message: Message
}

export interface Outbox {
  /** `false` where the outbox is full and the message was dropped. */
  readonly offer: (outgoing: Outgoing) => boolean
}

const messagesMax = 4096
const bytesMax = 64 * 1024 * 1024
/** The peer's decoder takes frames of 32 MiB; one entry may have 16. */
const frameBytesMax = 8 * 1024 * 1024
/** Requests that may be unanswered at once, so that a heartbeat does not wait for the answer to the one before it. */
const requestsMax = 8
/** A request without an answer for so long is given up, so that newer messages get their turn. */
const deliveryTimeoutMillis = 3_000
/** A peer that cannot be reached is tried no more often than this. */
const pauseMillis = 50

const byteLength = ({ message }: Outgoing): number => {
  let bytes = 128
  if (message._tag === "AppendEntries") for (const entry of message.entries) bytes += entry.payload.length + 32
  return bytes
}

export const makeOutbox = (client: PeerClient): Effect.Effect<Outbox, never, Scope.Scope> =>
  Effect.gen(function* () {
    const waiting = yield* Mailbox.make<Outgoing>({ capacity: messagesMax, strategy: "dropping" })
    let waitingBytes = 0

    const scope = yield* Effect.scope
    const requests = yield* Effect.makeSemaphore(requestsMax)

    /** Returns as soon as the frame is on its way; waits only where too many are. */
    const deliver = (messages: ReadonlyArray<Outgoing>) =>
      Effect.zipRight(
        requests.take(1),
        client.PeerDeliver({ messages }).pipe(
          Effect.timeout(deliveryTimeoutMillis),
          Effect.catchAll(error =>
            Effect.logDebug(`a frame of ${messages.length} messages was lost`, error).pipe(Effect.delay(pauseMillis))
          ),
          Effect.ensuring(requests.release(1)),
          Effect.forkIn(scope)
        )
      )

    yield* Effect.gen(function* () {
      const [messages] = yield* waiting.takeAll
      let frame: Array<Outgoing> = []
      let frameBytes = 0
      for (const outgoing of messages) {
        const bytes = byteLength(outgoing)
        waitingBytes -= bytes
        if (frame.length > 0 && frameBytes + bytes > frameBytesMax) {
          yield* deliver(frame)
          frame = []
          frameBytes = 0
        }
        frame.push(outgoing)
        frameBytes += bytes
      }
      if (frame.length > 0) yield* deliver(frame)
    }).pipe(Effect.forever, Effect.forkScoped)

    return {
      offer: outgoing => {
        const bytes = byteLength(outgoing)
        if (waitingBytes + bytes > bytesMax || !waiting.unsafeOffer(outgoing)) return false
        waitingBytes += bytes
        return true
      }
    }
  })
