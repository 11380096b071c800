/**
 * The gateway of a node: it checks what clients send and hands it to a worker of the store.
 *
 * @since 0.1.0
 */
import * as Event from "@reckon/client/Event"
import type * as Limits from "@reckon/client/Limits"
import {
  EventTooLarge,
  InvalidRequest,
  NoQuorum,
  OutcomeUnknown,
  Overloaded,
  RequestTooLarge
} from "@reckon/client/StoreError"
import { type Append, StoreRpcs } from "@reckon/client/StoreRpcs"
import type { CallError } from "@reckon/otp/CallError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { WorkerRegistry } from "./WorkerRegistry.js"

/** The worker answers every request within its own limits; a second clock here could only contradict it. */
const untilAnswered = { timeout: Duration.infinity }

/** Appends and events in one request, so that a flood of tiny ones is bounded as well as the bytes of large ones. */
const appendsMax = 10_000
const eventsMax = 100_000

const checkSizes = (
  appends: ReadonlyArray<Append>,
  limits: Limits.Limits
): Effect.Effect<void, EventTooLarge | RequestTooLarge | InvalidRequest> =>
  Effect.suspend((): Effect.Effect<void, EventTooLarge | RequestTooLarge | InvalidRequest> => {
    let bytes = 0
    let events = 0
    for (const append of appends) {
      events += append.events.length
      for (const event of append.events) {
        const eventBytes = Event.byteLength(event)
        if (eventBytes > limits.eventBytesMax) {
          return Effect.fail(
            new EventTooLarge({ eventId: event.eventId, bytes: eventBytes, limitBytes: limits.eventBytesMax })
          )
        }
        bytes += eventBytes
      }
    }
    if (bytes > limits.requestBytesMax) {
      return Effect.fail(new RequestTooLarge({ bytes, limitBytes: limits.requestBytesMax }))
    }
    if (appends.length > appendsMax || events > eventsMax) {
      return Effect.fail(
        new InvalidRequest({
          message: `${appends.length} appends with ${events} events, at most ${appendsMax} and ${eventsMax} are taken`
        })
      )
    }
    return Effect.void
  })

/** A worker that could not take the request at all. */
const notTaken = (store: string) => (error: CallError) =>
  Effect.fail(
    error._tag === "MailboxFull"
      ? new Overloaded({ detail: "the gateway worker's mailbox is full" })
      : new NoQuorum({ store, detail: "the gateway worker is being restarted" })
  )

/** A worker that died with the request under way: of an append nobody knows what became, a read is simply made again. */
const recoverRead = (store: string) => ({
  CallTimeout: notTaken(store),
  NoProcess: notTaken(store),
  ServerExited: notTaken(store),
  CallingSelf: notTaken(store),
  MailboxFull: notTaken(store)
})
const recoverAppend = (store: string) => ({
  ...recoverRead(store),
  ServerExited: () => Effect.fail(new OutcomeUnknown({ detail: "the gateway worker stopped" }))
})

/**
 * The handlers of the client's contract on this node.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHandlers = (options: { readonly limits: Limits.Limits }) =>
  StoreRpcs.toLayer(
    Effect.gen(function* () {
      const registry = yield* WorkerRegistry
      return StoreRpcs.of({
        Append: request =>
          Effect.gen(function* () {
            yield* checkSizes(request.appends, options.limits)
            const worker = yield* registry.pick(request.store)
            return yield* worker.ref
              .call("Append", request, untilAnswered)
              .pipe(Effect.catchTags(recoverAppend(request.store)))
          }),
        Read: request =>
          Effect.flatMap(registry.pick(request.store), worker =>
            worker.ref.call("Read", request, untilAnswered).pipe(Effect.catchTags(recoverRead(request.store)))
          ),
        ReadAll: request =>
          Effect.flatMap(registry.pick(request.store), worker =>
            worker.ref.call("ReadAll", request, untilAnswered).pipe(Effect.catchTags(recoverRead(request.store)))
          ),
        GetVersion: request =>
          Effect.flatMap(registry.pick(request.store), worker =>
            worker.ref.call("GetVersion", request, untilAnswered).pipe(Effect.catchTags(recoverRead(request.store)))
          ),
        ListStreams: request =>
          Effect.flatMap(registry.pick(request.store), worker =>
            worker.ref.call("ListStreams", request, untilAnswered).pipe(Effect.catchTags(recoverRead(request.store)))
          ),
        Status: request =>
          Effect.flatMap(registry.pick(request.store), worker =>
            worker.ref.call("Status", request, untilAnswered).pipe(Effect.catchTags(recoverRead(request.store)))
          ),
        Subscribe: ({ from, store, streamId }) =>
          Stream.unwrap(Effect.map(registry.pick(store), worker => worker.subscribe({ streamId, from })))
      })
    })
  )
