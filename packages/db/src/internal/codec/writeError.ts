import {
  AppendConditionFailed,
  EventIdConflict,
  SnapshotOutOfRange,
  StreamDeleted,
  StreamNotFound,
  StreamTombstoned,
  type WriteError,
  WrongExpectedVersion
} from "@reckon/client/StoreError"
import { wellFormed } from "./parts.js"
import { damage, type Read, readArray, readInteger, readNatural, readText, readTuple } from "./read.js"

/** The first field of an answer: what it is. 0 is success. Never given another meaning. */
const kinds = {
  WrongExpectedVersion: 1,
  EventIdConflict: 2,
  AppendConditionFailed: 3,
  StreamTombstoned: 4,
  StreamNotFound: 5,
  StreamDeleted: 6,
  SnapshotOutOfRange: 7
} as const satisfies Record<WriteError["_tag"], number>

export const packWriteError = (error: WriteError): ReadonlyArray<string | number> => {
  const kind = kinds[error._tag]
  switch (error._tag) {
    case "WrongExpectedVersion":
      return [kind, wellFormed(error.streamId), error.expected, error.actual]
    case "EventIdConflict":
      return [kind, wellFormed(error.streamId), error.eventId, error.version]
    case "AppendConditionFailed":
      return [kind, error.after, error.position]
    case "StreamTombstoned":
    case "StreamNotFound":
    case "StreamDeleted":
      return [kind, wellFormed(error.streamId)]
    case "SnapshotOutOfRange":
      return [kind, wellFormed(error.streamId), error.version, error.least, error.most]
  }
}

const readWrongExpectedVersion: Read<WriteError> = (value, what) => {
  const [, streamId, expected, actual] = readTuple(value, 4, what)
  return new WrongExpectedVersion({
    streamId: readText(streamId, "the stream"),
    expected: typeof expected === "string" ? expected : readNatural(expected, "the expected version"),
    actual: readInteger(actual, -1, "the actual version")
  })
}

const readEventIdConflict: Read<WriteError> = (value, what) => {
  const [, streamId, eventId, version] = readTuple(value, 4, what)
  return new EventIdConflict({
    streamId: readText(streamId, "the stream"),
    eventId: readText(eventId, "the event id"),
    version: readNatural(version, "the version")
  })
}

const readAppendConditionFailed: Read<WriteError> = (value, what) => {
  const [, after, position] = readTuple(value, 3, what)
  return new AppendConditionFailed({
    after: readInteger(after, -1, "the position of the condition"),
    position: readNatural(position, "the position")
  })
}

const readStreamId = (value: unknown, what: string): { readonly streamId: string } => ({
  streamId: readText(readTuple(value, 2, what)[1], "the stream")
})

const readSnapshotOutOfRange: Read<WriteError> = (value, what) => {
  const [, streamId, version, least, most] = readTuple(value, 5, what)
  return new SnapshotOutOfRange({
    streamId: readText(streamId, "the stream"),
    version: readNatural(version, "the version"),
    least: readNatural(least, "the least version"),
    most: readNatural(most, "the last version")
  })
}

export const readWriteError: Read<WriteError> = (value, what) => {
  switch (readArray(value, what)[0]) {
    case kinds.WrongExpectedVersion:
      return readWrongExpectedVersion(value, what)
    case kinds.EventIdConflict:
      return readEventIdConflict(value, what)
    case kinds.AppendConditionFailed:
      return readAppendConditionFailed(value, what)
    case kinds.StreamTombstoned:
      return new StreamTombstoned(readStreamId(value, what))
    case kinds.StreamNotFound:
      return new StreamNotFound(readStreamId(value, what))
    case kinds.StreamDeleted:
      return new StreamDeleted(readStreamId(value, what))
    case kinds.SnapshotOutOfRange:
      return readSnapshotOutOfRange(value, what)
    default:
      return damage(`${what} is of no known kind`)
  }
}
