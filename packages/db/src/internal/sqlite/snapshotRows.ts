import * as Snapshot from "@reckon/client/Snapshot"
import {
  SnapshotOutOfRange,
  StreamDeleted,
  type StreamError,
  StreamNotFound,
  StreamTombstoned
} from "@reckon/client/StoreError"
import * as Either from "effect/Either"
import type { Operation, Outcome } from "../../Command.js"
import type { Catalog, Stream } from "./catalog.js"
import type { Connection } from "./database.js"
import { exists } from "./streamState.js"

type Save = Extract<Operation, { _tag: "SaveSnapshot" }>
type Delete = Extract<Operation, { _tag: "DeleteSnapshots" }>

export interface SnapshotRows {
  readonly save: (operation: Save, nowUs: number) => Either.Either<Outcome, StreamError | SnapshotOutOfRange>
  readonly delete: (operation: Delete) => Either.Either<Outcome>
  /** Deletes all of the stream with this number. */
  readonly deleteAll: (stream: number) => void
}

/** What a write asks and could scan for, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  deleteAll: "DELETE FROM snapshots WHERE stream = +?",
  deleteOne: "DELETE FROM snapshots WHERE stream = +? AND version = +?",
  deleteOlder: `DELETE FROM snapshots WHERE stream = +? AND version <
    (SELECT version FROM snapshots WHERE stream = +? ORDER BY version DESC LIMIT 1 OFFSET +?)`
} as const

type Row = [
  stream: number,
  version: number,
  epochUs: number,
  bytes: number,
  dataContentType: string,
  metadataContentType: string,
  metadata: Uint8Array | null,
  data: Uint8Array
]

const notThere = (stream: Stream | null, streamId: string): StreamError => {
  if (stream?.state === "tombstoned") return new StreamTombstoned({ streamId })
  if (stream?.state === "deleted") return new StreamDeleted({ streamId })
  return new StreamNotFound({ streamId })
}

export const make = (db: Connection, catalog: Catalog): SnapshotRows => {
  const upsert = db.prepare<Row>(
    `INSERT INTO snapshots (stream, version, epoch_us, bytes, data_content_type, metadata_content_type, metadata, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (stream, version) DO UPDATE SET epoch_us = excluded.epoch_us, bytes = excluded.bytes,
         data_content_type = excluded.data_content_type, metadata_content_type = excluded.metadata_content_type,
         metadata = excluded.metadata, data = excluded.data`
  )
  const deleteAll = db.prepare<[number]>(queries.deleteAll)
  const deleteOne = db.prepare<[number, number]>(queries.deleteOne)
  const deleteOlder = db.prepare<[number, number, number]>(queries.deleteOlder)

  return {
    save: ({ keep, snapshot }, nowUs) => {
      const { data, dataContentType, metadata, metadataContentType, streamId, version } = snapshot
      const stream = catalog.stream(streamId)
      if (!exists(stream)) return Either.left(notThere(stream, streamId))
      const range = { least: stream.bornVersion, most: stream.version }
      if (version < range.least || version > range.most) {
        return Either.left(new SnapshotOutOfRange({ streamId, version, ...range }))
      }
      const bytes = Snapshot.byteLength(snapshot)
      upsert.run(stream.id, version, nowUs, bytes, dataContentType, metadataContentType, metadata, data)
      if (keep !== null) deleteOlder.run(stream.id, stream.id, keep - 1)
      return Either.right([])
    },

    delete: ({ streamId, version }) => {
      const stream = catalog.stream(streamId)
      if (stream !== null && version === null) deleteAll.run(stream.id)
      if (stream !== null && version !== null) deleteOne.run(stream.id, version)
      return Either.right([])
    },

    deleteAll: stream => {
      deleteAll.run(stream)
    }
  }
}
