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
import type { Service } from "../../StoreEngine.js"
import type { Catalog, Stream } from "./catalog.js"
import type { Connection } from "./database.js"
import * as Gathered from "./gathered.js"
import { Lru } from "./lru.js"
import { exists } from "./streamState.js"

type Save = Extract<Operation, { _tag: "SaveSnapshot" }>
type Delete = Extract<Operation, { _tag: "DeleteSnapshots" }>

export interface SnapshotRows {
  /** With a version that one, without the latest; `null` where there is none. */
  readonly load: Service["loadSnapshot"]
  readonly list: Service["listSnapshots"]
  readonly save: (operation: Save, nowUs: number) => Either.Either<Outcome, StreamError | SnapshotOutOfRange>
  readonly delete: (operation: Delete) => Either.Either<Outcome>
  /** Deletes all of the stream with this number. */
  readonly deleteAll: (stream: number) => void
  /** To be called when a transaction was rolled back: what it wrote is no longer so. */
  readonly forget: () => void
}

const loadedColumns = "version, epoch_us, data_content_type, metadata_content_type, metadata, data"

/** What is asked and could scan, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  one: `SELECT ${loadedColumns} FROM snapshots WHERE stream = +? AND version = +?`,
  latest: `SELECT ${loadedColumns} FROM snapshots WHERE stream = +? ORDER BY version DESC LIMIT 1`,
  list: "SELECT version, epoch_us, bytes FROM snapshots WHERE stream = +? AND version >= +? ORDER BY version LIMIT +?",
  deleteAll: "DELETE FROM snapshots WHERE stream = +?",
  deleteOne: "DELETE FROM snapshots WHERE stream = +? AND version = +?",
  deleteOlder: `DELETE FROM snapshots WHERE stream = +? AND version <
    (SELECT version FROM snapshots WHERE stream = +? ORDER BY version DESC LIMIT 1 OFFSET +?)`
} as const

/** Of the streams in use the latest snapshot is kept in memory, if it is small: eight megabytes of them at most. */
const keptMax = 512
const keptBytesMax = 8 * 1024

type LoadedRow = [
  version: number,
  epochUs: number,
  dataContentType: string,
  metadataContentType: string,
  metadata: Buffer | null,
  data: Buffer
]

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

const snapshotOf = (streamId: string, row: LoadedRow): Snapshot.Snapshot => {
  const [version, epochUs, dataContentType, metadataContentType, metadata, data] = row
  return {
    streamId,
    version,
    data: Gathered.plain(data),
    dataContentType,
    metadata: metadata === null ? null : Gathered.plain(metadata),
    metadataContentType,
    epochUs
  }
}

/** Small ones share what Node.js keeps ready for that, which takes a third of the time that memory of their own does. */
const copyOfBytes = (bytes: Uint8Array): Uint8Array => Gathered.plain(Buffer.from(bytes))

/** With bytes of its own: whoever gets it may write to them. */
const copyOf = (snapshot: Snapshot.Snapshot): Snapshot.Snapshot => ({
  ...snapshot,
  data: copyOfBytes(snapshot.data),
  metadata: snapshot.metadata === null ? null : copyOfBytes(snapshot.metadata)
})

export const make = (db: Connection, catalog: Catalog): SnapshotRows => {
  const selectOne = db.prepare<[number, number], LoadedRow>(queries.one).raw()
  const selectLatest = db.prepare<[number], LoadedRow>(queries.latest).raw()
  const selectList = db.prepare<[number, number, number], [number, number, number]>(queries.list).raw()
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

  /** By the number of the stream. */
  const kept = new Lru<number, Snapshot.Snapshot>(keptMax)

  const latest = (stream: Stream): Snapshot.Snapshot | null => {
    const known = kept.get(stream.id)
    if (known !== undefined) return copyOf(known)
    const row = selectLatest.get(stream.id)
    if (row === undefined) return null
    const snapshot = snapshotOf(stream.name, row)
    if (Snapshot.byteLength(snapshot) <= keptBytesMax) kept.set(stream.id, copyOf(snapshot))
    return snapshot
  }

  return {
    load: (streamId, version) => {
      const stream = catalog.stream(streamId)
      if (stream === null) return null
      if (version === null) return latest(stream)
      const row = selectOne.get(stream.id, version)
      return row === undefined ? null : snapshotOf(streamId, row)
    },

    list: ({ count, from, streamId }) => {
      const stream = catalog.stream(streamId)
      // One more than asked for tells whether that was the end.
      const rows = stream === null ? [] : selectList.all(stream.id, from, count + 1)
      const snapshots = rows.slice(0, count).map(([version, epochUs, bytes]) => ({ streamId, version, epochUs, bytes }))
      return { snapshots, isEnd: rows.length <= count }
    },

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
      kept.delete(stream.id)
      return Either.right([])
    },

    delete: ({ streamId, version }) => {
      const stream = catalog.stream(streamId)
      if (stream === null) return Either.right([])
      if (version === null) deleteAll.run(stream.id)
      else deleteOne.run(stream.id, version)
      kept.delete(stream.id)
      return Either.right([])
    },

    deleteAll: stream => {
      deleteAll.run(stream)
      kept.delete(stream)
    },

    forget: () => kept.clear()
  }
}
