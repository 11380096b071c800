import type { NewEvent } from "@reckon/client/Event"
import { contentTypeJson } from "@reckon/client/Event"
import * as EventIdBytes from "@reckon/client/EventIdBytes"
import type { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import type { Item, MetadataField } from "@reckon/client/Query"
import type { NewSnapshot } from "@reckon/client/Snapshot"
import type { Append, AppendCondition } from "@reckon/client/StoreRpcs"
import { assertInvariant } from "../sqlite/invariant.js"
import {
  damage,
  type Read,
  readBytes,
  readEach,
  readInteger,
  readNatural,
  readOrNull,
  readString,
  readText,
  readTuple
} from "./read.js"

const loneSurrogates = /\p{Surrogate}/gu

/** A string that is not UTF-16 has no UTF-8: what cannot be kept is replaced here, before the log, and not by each reader in its own way. */
export const wellFormed = (text: string): string => text.replace(loneSurrogates, "\ufffd")

/** The usual content type is a 0: it would otherwise be a tenth of a small event. */
const packContentType = (contentType: string): string | 0 =>
  contentType === contentTypeJson ? 0 : wellFormed(contentType)

const readContentType: Read<string> = (value, what) => (value === 0 ? contentTypeJson : readText(value, what))

// -----------------------------------------------------------------------------
// appends
// -----------------------------------------------------------------------------

const expectedWords = { no_stream: -1, any: -2, stream_exists: -4 } as const

export const packExpected = (expected: ExpectedVersion): number =>
  typeof expected === "number" ? expected : expectedWords[expected]

export const readExpected: Read<ExpectedVersion> = (value, what) => {
  switch (value) {
    case expectedWords.no_stream:
      return "no_stream"
    case expectedWords.any:
      return "any"
    case expectedWords.stream_exists:
      return "stream_exists"
    default:
      return readNatural(value, what)
  }
}

const packEventId = (eventId: string): Uint8Array => {
  const bytes = EventIdBytes.toBytes(eventId)
  assertInvariant(bytes !== null, "an event id in a command is a lower-case UUID", { eventId })
  return bytes
}

const readEventId: Read<string> = (value, what) => {
  const bytes = readBytes(value, what)
  return bytes.length === 16 ? EventIdBytes.fromBytes(bytes) : damage(`${what} has ${bytes.length} bytes`)
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

const readEvent: Read<NewEvent> = (value, what) => {
  const fields = readTuple(value, 7, what)
  return {
    eventId: readEventId(fields[0], "the event id"),
    eventType: readText(fields[1], "the event type"),
    data: readBytes(fields[2], "the data"),
    dataContentType: readContentType(fields[3], "the content type of the data"),
    metadata: readOrNull(fields[4], "the metadata", readBytes),
    metadataContentType: readContentType(fields[5], "the content type of the metadata"),
    tags: readEach(fields[6], "the tags", "a tag", readText)
  }
}

export const packAppend = (append: Append) => [
  wellFormed(append.streamId),
  packExpected(append.expectedVersion),
  append.events.map(packEvent)
]

const readAppend: Read<Append> = (value, what) => {
  const fields = readTuple(value, 3, what)
  return {
    streamId: readText(fields[0], "the stream"),
    expectedVersion: readExpected(fields[1], "the expected version"),
    events: readEach(fields[2], "the events", "an event", readEvent)
  }
}

export const readAppends: Read<ReadonlyArray<Append>> = (value, what) => readEach(value, what, "an append", readAppend)

// -----------------------------------------------------------------------------
// conditions
// -----------------------------------------------------------------------------

const packCriterion = ({ field, value }: MetadataField) => [
  wellFormed(field),
  typeof value === "string" ? wellFormed(value) : value
]

const readCriterionValue: Read<MetadataField["value"]> = (value, what) => {
  if (typeof value === "boolean") return value
  if (typeof value === "number") return Number.isFinite(value) ? value : damage(`${what} is no finite number`)
  return readString(value, what)
}

const readCriterion: Read<MetadataField> = (value, what) => {
  const fields = readTuple(value, 2, what)
  return {
    field: readText(fields[0], "the field of a criterion"),
    value: readCriterionValue(fields[1], "the value of a criterion")
  }
}

const packItem = ({ metadata, stream, tags, types }: Item) => [
  types.map(wellFormed),
  tags.map(wellFormed),
  metadata.map(packCriterion),
  stream === null ? null : wellFormed(stream)
]

const readItem: Read<Item> = (value, what) => {
  const fields = readTuple(value, 4, what)
  return {
    types: readEach(fields[0], "the types of a query", "an event type", readText),
    tags: readEach(fields[1], "the tags of a query", "a tag", readText),
    metadata: readEach(fields[2], "the metadata of a query", "a criterion", readCriterion),
    stream: readOrNull(fields[3], "the pattern of a query", readText)
  }
}

export const packCondition = ({ after, query }: AppendCondition) => [after, query.items.map(packItem)]

export const readCondition: Read<AppendCondition> = (value, what) => {
  const fields = readTuple(value, 2, what)
  return {
    after: readInteger(fields[0], -1, "the position of the condition"),
    query: { items: readEach(fields[1], "the query", "an item", readItem) }
  }
}

// -----------------------------------------------------------------------------
// snapshots
// -----------------------------------------------------------------------------

export const packSnapshot = (snapshot: NewSnapshot) => [
  wellFormed(snapshot.streamId),
  snapshot.version,
  snapshot.data,
  packContentType(snapshot.dataContentType),
  snapshot.metadata,
  packContentType(snapshot.metadataContentType)
]

export const readSnapshot: Read<NewSnapshot> = (value, what) => {
  const fields = readTuple(value, 6, what)
  return {
    streamId: readText(fields[0], "the stream"),
    version: readNatural(fields[1], "the version"),
    data: readBytes(fields[2], "the data"),
    dataContentType: readContentType(fields[3], "the content type of the data"),
    metadata: readOrNull(fields[4], "the metadata", readBytes),
    metadataContentType: readContentType(fields[5], "the content type of the metadata")
  }
}
