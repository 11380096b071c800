/** What a writer has to know of an operation. */
import { byteLength, StreamId } from "@reckon/client/Event"
import { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import type { Query } from "@reckon/client/Query"
import * as Snapshot from "@reckon/client/Snapshot"
import { Append, AppendCondition } from "@reckon/client/StoreRpcs"
import { StreamMetadata } from "@reckon/client/StreamMetadata"
import * as Schema from "effect/Schema"
import type * as Command from "../../Command.js"

const Condition = Schema.Struct({ ...AppendCondition.fields, checkedThrough: Schema.Int })

/** An operation as a schema. Between processes of one node it travels as it is. */
export const Operation = Schema.Union(
  Schema.TaggedStruct("Append", { appends: Schema.Array(Append), condition: Schema.NullOr(Condition) }),
  Schema.TaggedStruct("DeleteStream", {
    streamId: StreamId,
    expectedVersion: ExpectedVersion,
    tombstone: Schema.Boolean
  }),
  Schema.TaggedStruct("SetStreamMetadata", { streamId: StreamId, metadata: StreamMetadata }),
  Schema.TaggedStruct("SaveSnapshot", {
    snapshot: Snapshot.NewSnapshot,
    keep: Schema.NullOr(Schema.Int.pipe(Schema.positive()))
  }),
  Schema.TaggedStruct("DeleteSnapshots", { streamId: StreamId, version: Schema.NullOr(Schema.NonNegativeInt) })
)

/** The streams that an operation changes or expects something of. */
export const streamsOf = (operation: Command.Operation): ReadonlyArray<string> => {
  switch (operation._tag) {
    case "Append":
      return operation.appends.map(({ streamId }) => streamId)
    case "SaveSnapshot":
      return [operation.snapshot.streamId]
    case "DeleteStream":
    case "SetStreamMetadata":
    case "DeleteSnapshots":
      return [operation.streamId]
  }
}

/** What an operation takes besides its payloads, roughly. */
const overheadBytes = 64

const queryBytes = ({ items }: Query): number => {
  let bytes = 0
  for (const { metadata, stream, tags, types } of items) {
    bytes += overheadBytes + (stream?.length ?? 0)
    for (const text of types) bytes += text.length
    for (const text of tags) bytes += text.length
    for (const { field, value } of metadata) bytes += field.length + String(value).length
  }
  return bytes
}

/** The bytes of an operation, as they count towards the limits of what may wait. */
export const bytesOf = (operation: Command.Operation): number => {
  switch (operation._tag) {
    case "Append": {
      let bytes = operation.condition === null ? 0 : queryBytes(operation.condition.query)
      for (const { events } of operation.appends) {
        bytes += overheadBytes
        for (const event of events) bytes += byteLength(event)
      }
      return bytes
    }
    case "SaveSnapshot":
      return overheadBytes + Snapshot.byteLength(operation.snapshot)
    case "DeleteStream":
    case "SetStreamMetadata":
    case "DeleteSnapshots":
      return overheadBytes
  }
}
