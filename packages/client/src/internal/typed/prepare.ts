/**
 * Typed events made ready to be appended, and those that were read told apart.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type NewEvent, randomId } from "../../Event.js"
import * as EventMetadata from "../../EventMetadata.js"
import * as EventType from "../../EventType.js"
import { InvalidRequest } from "../../StoreError.js"
import { contentTypeJson } from "../payload.js"
import * as Ids from "./ids.js"
import * as Json from "./json.js"

/** Longer ones are not indexed in metadata, and could not be found again. */
const commandIdLengthMax = 256

const metadataCodec = Json.codec(EventMetadata.EventMetadata)

const encodeMetadata = (metadata: EventMetadata.EventMetadata): Either.Either<Uint8Array | null, InvalidRequest> =>
  Object.values(metadata).every(value => value === undefined)
    ? Either.right(null)
    : Either.mapLeft(
        metadataCodec.encode(metadata),
        fault => new InvalidRequest({ message: `metadata cannot be encoded: ${Json.describe(fault)}` })
      )

/** What is said of the events here, and of the command they came of. */
const metadataOf = (commandId: string | undefined) =>
  Effect.map(EventMetadata.Current, current =>
    commandId === undefined
      ? current
      : {
          ...current,
          causation_id: current.causation_id ?? commandId,
          correlation_id: current.correlation_id ?? commandId,
          command_id: commandId
        }
  )

export const checkCommandId = (commandId: string): Effect.Effect<void, InvalidRequest> =>
  commandId.length > 0 && commandId.length <= commandIdLengthMax && !/\p{Surrogate}/u.test(commandId)
    ? Effect.void
    : new InvalidRequest({
        message: `a command id has 1 to ${commandIdLengthMax} characters, none of them half of a surrogate pair; this one has ${commandId.length}`
      })

/** An event as it is appended, and as it will be read. */
export interface Prepared<out E> {
  readonly encoded: NewEvent
  readonly event: E
}

/**
 * Encodes the events and reads each of them back: one that could not be read again must not get into the store. `scope` is where the events belong; in another one the same
 * command has other ids.
 */
export const prepare = <E>(
  union: EventType.Union<E>,
  typed: ReadonlyArray<E>,
  { commandId, scope }: { readonly commandId: string | undefined; readonly scope: string | null }
): Effect.Effect<ReadonlyArray<Prepared<E>>, EventType.EventNotEncodable | InvalidRequest> =>
  Effect.gen(function* () {
    if (commandId !== undefined) yield* checkCommandId(commandId)
    const metadata = yield* encodeMetadata(yield* metadataOf(commandId))
    const prepared: Array<Prepared<E>> = []
    for (const [index, event] of typed.entries()) {
      const content = yield* union.encode(event)
      const eventId = commandId === undefined ? yield* randomId : Ids.ofCommand(commandId, scope, index, typed.length)
      const encoded = { ...content, eventId, metadata, metadataContentType: contentTypeJson }
      const reading = union.decode({ ...encoded, streamId: "", version: index, position: index, epochUs: 0 })
      if (!isDecoded(reading)) {
        const { detail, path } = reading._tag === "Undecodable" ? reading.error : { detail: "its type", path: "" }
        const { eventType } = content
        return yield* new EventType.EventNotEncodable({ eventType, path, detail: `could not be read back: ${detail}` })
      }
      prepared.push({ encoded, event: reading.event })
    }
    return prepared
  })

export const isDecoded = <E>(reading: EventType.Reading<E>): reading is EventType.Decoded<E> =>
  reading._tag === "Decoded"

/** Says in the log that an event is passed over. */
export const warn = <E>(reading: EventType.Reading<E>): Effect.Effect<void> =>
  isDecoded(reading)
    ? Effect.void
    : Effect.logWarning("passed over an event that cannot be read", EventType.unreadable(reading).message)
