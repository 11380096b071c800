/**
 * What travels in an entry of the replicated log, and what applying it answers, as bytes.
 *
 * Both formats begin with a byte that names their version; the rest is one MessagePack array, without field names. Payloads are copied once on
 * encoding and not at all on decoding, where they are views of the bytes they were decoded from: whoever reuses that buffer must copy first.
 *
 * Decoding checks types, ranges and UTF-8, and trusts nothing. It does not check the sizes a gateway accepts (`Limits`, the length of names): a
 * limit lowered in a later release must not make an old log unreadable.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@reckon/client/Event"
import { contentTypeJson } from "@reckon/client/Event"
import type { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import { type AppendError, EventIdConflict, WrongExpectedVersion } from "@reckon/client/StoreError"
import type { Append, Appended } from "@reckon/client/StoreRpcs"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { Packr, RESERVE_START_SPACE } from "msgpackr"
import * as EventIdBytes from "./internal/sqlite/eventId.js"
import { assertInvariant } from "./internal/sqlite/invariant.js"

/**
 * Appends to be applied together. `at` is the time in microseconds since 1970 (UTC), read before the command entered the log, so that every replica
 * records the same times.
 *
 * @since 0.1.0
 * @category models
 */
export interface Command {
  readonly at: number
  readonly appends: ReadonlyArray<Append>
}

/**
 * The answer to each append of a command, in their order. Each succeeded or failed on its own.
 *
 * @since 0.1.0
 * @category models
 */
export type Reply = ReadonlyArray<Either.Either<Appended, AppendError>>

/**
 * Bytes that are no command (or reply) this release can read: damaged, cut off, or written in a newer format. Reading them again cannot help.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnreadableBytes extends Schema.TaggedError<UnreadableBytes>("@reckon/db/UnreadableBytes")(
  "UnreadableBytes",
  {
    what: Schema.Literal("command", "reply"),
    detail: Schema.String
  }
) {
  readonly retryable = false
  override get message() {
    return `not a readable ${this.what}: ${this.detail}`
  }
}

/**
 * The version this release writes as the first byte. It reads this one only.
 *
 * @since 0.1.0
 * @category constants
 */
export const formatVersion = 1

// -----------------------------------------------------------------------------
// encoding
// -----------------------------------------------------------------------------

const packr = new Packr({ useRecords: false, mapsAsObjects: true })

const encodeVersioned = (value: unknown): Uint8Array => {
  const bytes = packr.pack(value, RESERVE_START_SPACE | 1)
  bytes[0] = formatVersion
  return bytes
}

const loneSurrogates = /\p{Surrogate}/gu

/** A string that is not UTF-16 has no UTF-8: what cannot be kept is replaced here, before the log, and not by each reader in its own way. */
const wellFormed = (text: string): string => text.replace(loneSurrogates, "\ufffd")

/** The usual content type is a 0: it would otherwise be a tenth of a small event. */
const packContentType = (contentType: string): string | 0 =>
  contentType === contentTypeJson ? 0 : wellFormed(contentType)

const expectedWords = { no_stream: -1, any: -2, stream_exists: -4 } as const

const packExpected = (expected: ExpectedVersion): number =>
  typeof expected === "number" ? expected : expectedWords[expected]

const packEventId = (eventId: string): Uint8Array => {
  const bytes = EventIdBytes.toBytes(eventId)
  assertInvariant(bytes !== null, "an event id in a command is a lower-case UUID", { eventId })
  return bytes
}

const packEvent = (event: NewEvent) => [
  packEventId(event.eventId),
  wellFormed(event.eventType),
  event.data,
  packContentType(event.dataContentType),
  event.metadata,
  packContentType(event.metadataContentType),
  event.tags.map(wellFormed)
]

const packAppend = (append: Append) => [
  wellFormed(append.streamId),
  packExpected(append.expectedVersion),
  append.events.map(packEvent)
]

/**
 * A command as bytes. Its events must have passed the contract's schema: an event id that is no lower-case UUID is a defect here. A surrogate
 * without its half, in a name, type or tag, becomes U+FFFD.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (command: Command): Uint8Array => encodeVersioned([command.at, command.appends.map(packAppend)])

const appendedTag = 0
const wrongVersionTag = 1
const conflictTag = 2

const packAnswer = (answer: Reply[number]) => {
  if (Either.isRight(answer)) {
    const { alreadyPresent, position, streamId, version } = answer.right
    return [appendedTag, wellFormed(streamId), version, position, alreadyPresent]
  }
  const error = answer.left
  switch (error._tag) {
    case "WrongExpectedVersion":
      return [wrongVersionTag, wellFormed(error.streamId), error.expected, error.actual]
    case "EventIdConflict":
      return [conflictTag, wellFormed(error.streamId), error.eventId, error.version]
  }
}

/**
 * A reply as bytes, for the way from the leader to the node that forwarded the command.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeReply = (reply: Reply): Uint8Array => encodeVersioned(reply.map(packAnswer))

// -----------------------------------------------------------------------------
// decoding
// -----------------------------------------------------------------------------

/** Leaves the nested readers below; becomes an `UnreadableBytes` before anyone else sees it. */
class Damage extends Error {}

const damage = (detail: string): never => {
  throw new Damage(detail)
}

const readArray = (value: unknown, what: string): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value : damage(`${what} is not an array`)

const readTuple = (value: unknown, length: number, what: string): ReadonlyArray<unknown> => {
  const fields = readArray(value, what)
  return fields.length === length ? fields : damage(`${what} has ${fields.length} fields instead of ${length}`)
}

const anyLoneSurrogate = /\p{Surrogate}/u

const readText = (value: unknown, what: string): string =>
  typeof value === "string" && value.length > 0 && !anyLoneSurrogate.test(value)
    ? value
    : damage(`${what} is not a text of at least one character`)

const readInteger = (value: unknown, least: number, what: string): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? value
    : damage(`${what} is not an integer from ${least} on`)

const readBytes = (value: unknown, what: string): Uint8Array =>
  value instanceof Uint8Array ? value : damage(`${what} is not bytes`)

const readContentType = (value: unknown, what: string): string =>
  value === 0 ? contentTypeJson : readText(value, what)

const readExpected = (value: unknown): ExpectedVersion => {
  switch (value) {
    case expectedWords.no_stream:
      return "no_stream"
    case expectedWords.any:
      return "any"
    case expectedWords.stream_exists:
      return "stream_exists"
    default:
      return readInteger(value, 0, "the expected version")
  }
}

const readEventId = (value: unknown): string => {
  const bytes = readBytes(value, "the event id")
  return bytes.length === 16 ? EventIdBytes.fromBytes(bytes) : damage(`the event id has ${bytes.length} bytes`)
}

const readTag = (value: unknown): string => readText(value, "a tag")

const readEvent = (value: unknown): NewEvent => {
  const fields = readTuple(value, 7, "an event")
  return {
    eventId: readEventId(fields[0]),
    eventType: readText(fields[1], "the event type"),
    data: readBytes(fields[2], "the data"),
    dataContentType: readContentType(fields[3], "the content type of the data"),
    metadata: fields[4] === null ? null : readBytes(fields[4], "the metadata"),
    metadataContentType: readContentType(fields[5], "the content type of the metadata"),
    tags: readArray(fields[6], "the tags").map(readTag)
  }
}

const readAppend = (value: unknown): Append => {
  const fields = readTuple(value, 3, "an append")
  return {
    streamId: readText(fields[0], "the stream"),
    expectedVersion: readExpected(fields[1]),
    events: readArray(fields[2], "the events").map(readEvent)
  }
}

const readCommand = (value: unknown): Command => {
  const fields = readTuple(value, 2, "the command")
  return {
    at: readInteger(fields[0], 0, "the time"),
    appends: readArray(fields[1], "the appends").map(readAppend)
  }
}

const readAnswer = (value: unknown): Reply[number] => {
  const fields = readArray(value, "an answer")
  const streamId = readText(fields[1], "the stream")
  switch (fields[0]) {
    case appendedTag: {
      const [, , version, position, alreadyPresent] = readTuple(fields, 5, "an answer")
      return Either.right({
        streamId,
        version: readInteger(version, -1, "the version"),
        position: readInteger(position, -1, "the position"),
        alreadyPresent: readInteger(alreadyPresent, 0, "the number of events already present")
      })
    }
    case wrongVersionTag: {
      const [, , expected, actual] = readTuple(fields, 4, "an answer")
      return Either.left(
        new WrongExpectedVersion({
          streamId,
          expected: typeof expected === "string" ? expected : readInteger(expected, 0, "the expected version"),
          actual: readInteger(actual, -1, "the actual version")
        })
      )
    }
    case conflictTag: {
      const [, , eventId, version] = readTuple(fields, 4, "an answer")
      return Either.left(
        new EventIdConflict({
          streamId,
          eventId: readText(eventId, "the event id"),
          version: readInteger(version, 0, "the version")
        })
      )
    }
    default:
      return damage("an answer is of no known kind")
  }
}

const decodeVersioned = <A>(
  what: "command" | "reply",
  bytes: Uint8Array,
  read: (value: unknown) => A
): Either.Either<A, UnreadableBytes> => {
  const unreadable = (detail: string) => Either.left(new UnreadableBytes({ what, detail }))
  if (bytes.length === 0) return unreadable("there are no bytes")
  if (bytes[0] !== formatVersion) {
    return unreadable(`it is in format ${bytes[0]}, this release reads format ${formatVersion}`)
  }
  try {
    return Either.right(read(packr.unpack(bytes.subarray(1))))
  } catch (cause) {
    // msgpackr throws plain errors for damaged input, and only for that: nothing else is in the way here.
    return unreadable(cause instanceof Error ? cause.message : String(cause))
  }
}

/**
 * The command in `bytes`. The payloads are views of `bytes`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (bytes: Uint8Array): Either.Either<Command, UnreadableBytes> =>
  decodeVersioned("command", bytes, readCommand)

/**
 * The reply in `bytes`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeReply = (bytes: Uint8Array): Either.Either<Reply, UnreadableBytes> =>
  decodeVersioned("reply", bytes, value => readArray(value, "the reply").map(readAnswer))
