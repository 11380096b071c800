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
import type { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import type { NewSnapshot } from "@reckon/client/Snapshot"
import type { WriteError } from "@reckon/client/StoreError"
import type { Append, AppendCondition, Appended } from "@reckon/client/StoreRpcs"
import type { StreamMetadata } from "@reckon/client/StreamMetadata"
import * as Wire from "@reckon/client/Wire"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Parts from "./internal/codec/parts.js"
import {
  damage,
  type Read,
  readArray,
  readBoolean,
  readEach,
  readInteger,
  readNatural,
  readOrNull,
  readPositive,
  readText,
  readTuple
} from "./internal/codec/read.js"
import { decodeVersioned, encodeVersioned } from "./internal/codec/versioned.js"
import { packWriteError, readWriteError } from "./internal/codec/writeError.js"
import { assertNamedOnce } from "./internal/sqlite/invariant.js"

/**
 * The condition of an append in the log. Up to the position `checkedThrough` no event breaks it: who proposed the append has seen to that (-1: nothing was looked at), so that
 * only what lies behind is left to be judged when it is applied.
 *
 * @since 0.1.0
 * @category models
 */
export interface Condition extends AppendCondition {
  readonly checkedThrough: number
}

/**
 * One thing that is done to the store, whole or not at all.
 *
 * - `Append`: events for one stream, or for several that are each named once, under a condition if there is one;
 * - `DeleteStream`: hides a stream's events, with `tombstone` for good, and drops its snapshots;
 * - `SetStreamMetadata`: how much the stream keeps from now on;
 * - `SaveSnapshot`: over one of the same version; with `keep` only so many of the latest stay;
 * - `DeleteSnapshots`: the one of a version, or all (`version` null).
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = Data.TaggedEnum<{
  Append: { readonly appends: ReadonlyArray<Append>; readonly condition: Condition | null }
  DeleteStream: {
    readonly streamId: string
    readonly expectedVersion: ExpectedVersion
    readonly tombstone: boolean
  }
  SetStreamMetadata: { readonly streamId: string; readonly metadata: StreamMetadata }
  SaveSnapshot: { readonly snapshot: NewSnapshot; readonly keep: number | null }
  DeleteSnapshots: { readonly streamId: string; readonly version: number | null }
}>

/**
 * The constructors of operations, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const Operation = Data.taggedEnum<Operation>()

/**
 * An append of its own, to one stream and without a condition.
 *
 * @since 0.1.0
 * @category constructors
 */
export const single = (append: Append): Operation => Operation.Append({ appends: [append], condition: null })

/**
 * Operations to be applied together, each on its own. `at` is the time in microseconds since 1970 (UTC), read before the command entered the log, so that every replica
 * records the same times.
 *
 * @since 0.1.0
 * @category models
 */
export interface Command {
  readonly at: number
  readonly operations: ReadonlyArray<Operation>
}

/**
 * What an operation that succeeded answers: for each part of an append its {@link Appended}, for everything else nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = ReadonlyArray<Appended>

/**
 * The answer to each operation of a command, in their order. Each succeeded or failed on its own.
 *
 * @since 0.1.0
 * @category models
 */
export type Reply = ReadonlyArray<Either.Either<Outcome, WriteError>>

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
 * The version this release writes as the first byte. Commands of version 1, which knew appends to one stream only, can still be read: a log
 * may hold them for as long as it is not compacted.
 *
 * @since 0.1.0
 * @category constants
 */
export const formatVersion = 2

// -----------------------------------------------------------------------------
// commands
// -----------------------------------------------------------------------------

/** The first field of an operation: what it is. Never given another meaning. */
const kinds = {
  Append: 0,
  AppendUnderCondition: 1,
  DeleteStream: 2,
  SetStreamMetadata: 3,
  SaveSnapshot: 4,
  DeleteSnapshots: 5,
  AppendUnderCheckedCondition: 6
} as const

const packOperation = (operation: Operation): ReadonlyArray<unknown> => {
  switch (operation._tag) {
    case "Append": {
      const { condition } = operation
      // Here it is the defect of the one who asked. Found when the command is applied, it would stop every replica, again and again.
      assertNamedOnce(operation.appends.map(({ streamId }) => Parts.wellFormed(streamId)))
      const appends = operation.appends.map(Parts.packAppend)
      if (condition === null) return [kinds.Append, appends]
      const packed = Parts.packCondition(condition)
      return condition.checkedThrough < 0
        ? [kinds.AppendUnderCondition, appends, packed]
        : [kinds.AppendUnderCheckedCondition, appends, packed, condition.checkedThrough]
    }
    case "DeleteStream":
      return [
        kinds.DeleteStream,
        Parts.wellFormed(operation.streamId),
        Parts.packExpected(operation.expectedVersion),
        operation.tombstone
      ]
    case "SetStreamMetadata": {
      const { maxAgeUs, maxCount, truncateBefore } = operation.metadata
      return [kinds.SetStreamMetadata, Parts.wellFormed(operation.streamId), maxAgeUs, maxCount, truncateBefore]
    }
    case "SaveSnapshot":
      return [kinds.SaveSnapshot, Parts.packSnapshot(operation.snapshot), operation.keep]
    case "DeleteSnapshots":
      return [kinds.DeleteSnapshots, Parts.wellFormed(operation.streamId), operation.version]
  }
}

/**
 * A command as bytes. Its parts must have passed the contract's schemas: an event id that is no lower-case UUID and an append that names a stream
 * twice are defects here. A surrogate without its half, in a name, type or tag, becomes U+FFFD.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (command: Command): Uint8Array =>
  encodeVersioned(formatVersion, [command.at, command.operations.map(packOperation)])

const readDeleteStream: Read<Operation> = (value, what) => {
  const [, streamId, expectedVersion, tombstone] = readTuple(value, 4, what)
  return Operation.DeleteStream({
    streamId: readText(streamId, "the stream"),
    expectedVersion: Parts.readExpected(expectedVersion, "the expected version"),
    tombstone: readBoolean(tombstone, "the tombstone")
  })
}

const readSetStreamMetadata: Read<Operation> = (value, what) => {
  const [, streamId, maxAgeUs, maxCount, truncateBefore] = readTuple(value, 5, what)
  return Operation.SetStreamMetadata({
    streamId: readText(streamId, "the stream"),
    metadata: {
      maxAgeUs: readOrNull(maxAgeUs, "the greatest age", readPositive),
      maxCount: readOrNull(maxCount, "the greatest count", readPositive),
      truncateBefore: readOrNull(truncateBefore, "the version to truncate before", readNatural)
    }
  })
}

const readOperation: Read<Operation> = (value, what) => {
  switch (readArray(value, what)[0]) {
    case kinds.Append: {
      const [, appends] = readTuple(value, 2, what)
      return Operation.Append({ appends: Parts.readAppends(appends, "the appends"), condition: null })
    }
    case kinds.AppendUnderCondition: {
      const [, appends, condition] = readTuple(value, 3, what)
      return Operation.Append({
        appends: Parts.readAppends(appends, "the appends"),
        condition: { ...Parts.readCondition(condition, "the condition"), checkedThrough: -1 }
      })
    }
    case kinds.AppendUnderCheckedCondition: {
      const [, appends, condition, checkedThrough] = readTuple(value, 4, what)
      return Operation.Append({
        appends: Parts.readAppends(appends, "the appends"),
        condition: {
          ...Parts.readCondition(condition, "the condition"),
          checkedThrough: readNatural(checkedThrough, "the position up to which the condition was checked")
        }
      })
    }
    case kinds.DeleteStream:
      return readDeleteStream(value, what)
    case kinds.SetStreamMetadata:
      return readSetStreamMetadata(value, what)
    case kinds.SaveSnapshot: {
      const [, snapshot, keep] = readTuple(value, 3, what)
      return Operation.SaveSnapshot({
        snapshot: Parts.readSnapshot(snapshot, "the snapshot"),
        keep: readOrNull(keep, "the number of snapshots to keep", readPositive)
      })
    }
    case kinds.DeleteSnapshots: {
      const [, streamId, version] = readTuple(value, 3, what)
      return Operation.DeleteSnapshots({
        streamId: readText(streamId, "the stream"),
        version: readOrNull(version, "the version", readNatural)
      })
    }
    default:
      return damage(`${what} is of no known kind`)
  }
}

const readCommand: Read<Command> = (value, what) => {
  const [at, operations] = readTuple(value, 2, what)
  return {
    at: readNatural(at, "the time"),
    operations: readEach(operations, "the operations", "an operation", readOperation)
  }
}

const readCommandOfFormat1: Read<Command> = (value, what) => {
  const [at, appends] = readTuple(value, 2, what)
  return {
    at: readNatural(at, "the time"),
    operations: Parts.readAppends(appends, "the appends").map(single)
  }
}

const commandFormats = new Map([
  [1, readCommandOfFormat1],
  [formatVersion, readCommand]
])

/**
 * The command in `bytes`. The payloads are views of `bytes`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (bytes: Uint8Array): Either.Either<Command, UnreadableBytes> =>
  Either.mapLeft(
    decodeVersioned(bytes, "the command", commandFormats),
    detail => new UnreadableBytes({ what: "command", detail })
  )

/** Values of one command: twice what the events of the largest one have, and their appends. */
const foreignValuesMax = 4 * 1024 * 1024

/**
 * Reads a command that another member made, before it is in the log. It may be anything: nothing is made of what announces more than it holds.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeForeign = (bytes: Uint8Array): Either.Either<Command, UnreadableBytes> => {
  const fault = Wire.faultOf(bytes.subarray(1), foreignValuesMax)
  return fault === undefined ? decode(bytes) : Either.left(new UnreadableBytes({ what: "command", detail: fault }))
}

// -----------------------------------------------------------------------------
// replies
// -----------------------------------------------------------------------------

/** The first field of the answer to an operation that succeeded; those of errors are greater. */
const succeeded = 0

const packAppended = ({ alreadyPresent, position, streamId, version }: Appended) => [
  Parts.wellFormed(streamId),
  version,
  position,
  alreadyPresent
]

const packAnswer = (answer: Reply[number]): ReadonlyArray<unknown> =>
  Either.isRight(answer) ? [succeeded, answer.right.map(packAppended)] : packWriteError(answer.left)

/**
 * A reply as bytes, for the way from the leader to the node that forwarded the command.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeReply = (reply: Reply): Uint8Array => encodeVersioned(formatVersion, reply.map(packAnswer))

const readAppended: Read<Appended> = (value, what) => {
  const [streamId, version, position, alreadyPresent] = readTuple(value, 4, what)
  return {
    streamId: readText(streamId, "the stream"),
    version: readInteger(version, -1, "the version"),
    position: readInteger(position, -1, "the position"),
    alreadyPresent: readNatural(alreadyPresent, "the number of events already present")
  }
}

const readAnswer: Read<Reply[number]> = (value, what) => {
  if (readArray(value, what)[0] !== succeeded) return Either.left(readWriteError(value, what))
  const [, outcome] = readTuple(value, 2, what)
  return Either.right(readEach(outcome, "the outcome", "a part of the outcome", readAppended))
}

const readReply: Read<Reply> = (value, what) => readEach(value, what, "an answer", readAnswer)

/** A reply is read within moments and kept nowhere: no older format has to stay readable. */
const replyFormats = new Map([[formatVersion, readReply]])

/**
 * The reply in `bytes`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeReply = (bytes: Uint8Array): Either.Either<Reply, UnreadableBytes> =>
  Either.mapLeft(
    decodeVersioned(bytes, "the reply", replyFormats),
    detail => new UnreadableBytes({ what: "reply", detail })
  )
