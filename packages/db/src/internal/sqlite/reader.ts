import { byteLength, type RecordedEvent } from "@reckon/client/Event"
import type { EventPage } from "@reckon/client/StoreRpcs"
import type { ReadAll, ReadStream, StreamsPage } from "../../StoreEngine.js"
import type { Catalog } from "./catalog.js"
import { tagsFromColumn } from "./content.js"
import type { Connection } from "./database.js"
import * as EventIdBytes from "./eventId.js"

type EventRow = [
  position: number,
  version: number,
  kind: number,
  epochUs: number,
  eventId: Buffer,
  tags: string | null,
  metadata: Buffer | null,
  data: Buffer
]

type NamedEventRow = [...EventRow, streamId: string]

const columns = "position, version, kind, epoch_us, event_id, tags, metadata, data"
const namedColumns = `e.position, e.version, e.kind, e.epoch_us, e.event_id, e.tags, e.metadata, e.data, s.name`

/** The queries, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  streamForward: `SELECT ${columns} FROM events WHERE stream = ? AND version >= ? ORDER BY version LIMIT ?`,
  streamBackward: `SELECT ${columns} FROM events WHERE stream = ? AND version <= ? ORDER BY version DESC LIMIT ?`,
  allForward: `SELECT ${namedColumns} FROM events e JOIN streams s ON s.id = e.stream
    WHERE e.position >= ? ORDER BY e.position LIMIT ?`,
  allBackward: `SELECT ${namedColumns} FROM events e JOIN streams s ON s.id = e.stream
    WHERE e.position <= ? ORDER BY e.position DESC LIMIT ?`,
  streamNames: "SELECT name, version FROM streams ORDER BY name LIMIT ?",
  streamNamesAfter: "SELECT name, version FROM streams WHERE name > ? ORDER BY name LIMIT ?"
} as const

/** Plain bytes: a Buffer would differ from what a client gets over the wire, in `slice` for one. */
const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)

export interface Reader {
  readonly readStream: (options: ReadStream) => EventPage | null
  readonly readAll: (options: ReadAll & { readonly lastPosition: number }) => EventPage
  readonly listStreams: (options: { readonly after: string | null; readonly count: number }) => StreamsPage
}

export const make = (db: Connection, catalog: Catalog): Reader => {
  const stream = {
    forward: db.prepare<[number, number, number], EventRow>(queries.streamForward).raw(),
    backward: db.prepare<[number, number, number], EventRow>(queries.streamBackward).raw()
  }
  const all = {
    forward: db.prepare<[number, number], NamedEventRow>(queries.allForward).raw(),
    backward: db.prepare<[number, number], NamedEventRow>(queries.allBackward).raw()
  }
  const names = db.prepare<[number], [string, number]>(queries.streamNames).raw()
  const namesAfter = db.prepare<[string, number], [string, number]>(queries.streamNamesAfter).raw()

  const eventOf = (row: EventRow | NamedEventRow, streamId: string): RecordedEvent => {
    const [position, version, kindId, epochUs, eventId, tags, metadata, data] = row
    const kind = catalog.kind(kindId)
    return {
      eventId: EventIdBytes.fromBytes(eventId),
      eventType: kind.eventType,
      data: plain(data),
      dataContentType: kind.dataContentType,
      metadata: metadata === null ? null : plain(metadata),
      metadataContentType: kind.metadataContentType,
      tags: tagsFromColumn(tags),
      streamId,
      version,
      position,
      epochUs
    }
  }

  /** Row by row, and not all at once: a page of `count` events may be far larger than `bytesMax`. */
  const pageOf = <Row>(
    rows: Iterable<Row>,
    toEvent: (row: Row) => RecordedEvent,
    options: ReadAll,
    isLast: (event: RecordedEvent) => boolean
  ): EventPage => {
    const events: Array<RecordedEvent> = []
    let bytes = 0
    for (const row of rows) {
      const event = toEvent(row)
      bytes += byteLength(event)
      if (events.length > 0 && bytes > options.bytesMax) return { events, isEnd: false }
      events.push(event)
    }
    const last = events.at(-1)
    return { events, isEnd: events.length < options.count || (last !== undefined && isLast(last)) }
  }

  /** Without a query: nothing was asked for, or there is nothing where it was asked for. */
  const emptyPage = (options: ReadAll, from: number, end: number): EventPage => ({
    events: [],
    isEnd: options.direction === "forward" ? from > end : from < 0
  })

  /** The first version or position to look at. `end` is the last there is. */
  const startOf = (options: ReadAll, end: number): number =>
    options.direction === "forward" ? Math.max(options.from, 0) : Math.min(options.from, end)

  return {
    readStream: options => {
      const info = catalog.stream(options.streamId)
      if (info === null) return null
      const from = startOf(options, info.version)
      const isOutside = from > info.version || from < 0
      if (options.count === 0 || isOutside) return emptyPage(options, from, info.version)
      return pageOf(
        stream[options.direction].iterate(info.id, from, options.count),
        row => eventOf(row, options.streamId),
        options,
        event => event.version === (options.direction === "forward" ? info.version : 0)
      )
    },

    readAll: options => {
      const from = startOf(options, options.lastPosition)
      const isOutside = from > options.lastPosition || from < 0
      if (options.count === 0 || isOutside) return emptyPage(options, from, options.lastPosition)
      return pageOf(
        all[options.direction].iterate(from, options.count),
        row => eventOf(row, row[8]),
        options,
        event => event.position === (options.direction === "forward" ? options.lastPosition : 0)
      )
    },

    listStreams: ({ after, count }) => {
      // One name more than asked for tells whether that was the end.
      const rows = after === null ? names.all(count + 1) : namesAfter.all(after, count + 1)
      return {
        streams: rows.slice(0, count).map(([streamId, version]) => ({ streamId, version })),
        isEnd: rows.length <= count
      }
    }
  }
}
