import type { NewEvent } from "@reckon/client/Event"
import type { Catalog } from "./catalog.js"
import { byteLengthOf, isSame, tagsFromColumn, tagsToColumn } from "./content.js"
import type { Connection } from "./database.js"
import * as EventIdBytes from "./eventId.js"
import { assertInvariant } from "./invariant.js"
import { termsOf } from "./term.js"

export interface Place {
  readonly version: number
  readonly position: number
}

/** An event that is to be written, with the place it gets if its append succeeds. */
export interface Fresh extends Place {
  readonly event: NewEvent
  readonly idBytes: Uint8Array
}

/** An event that a stream holds already, with the id of another one, and whether that has the same content. */
export interface Twin extends Place {
  readonly same: boolean
}

/** The rows of events, as those who write need them. `stream` is the number of a stream. */
export interface EventRows {
  /** Writes an event, with what it is found by. False where the stream has one with its id already: then nothing is written. */
  readonly insert: (fresh: Fresh, stream: number, epochUs: number) => boolean
  /** The event of the stream with this one's id. */
  readonly twin: (event: NewEvent, idBytes: Uint8Array, stream: number) => Twin | null
  /** The bytes (`Event.byteLength`) of the stream's events from one version on and before another. */
  readonly bytes: (stream: number, from: number, before: number) => number
}

/** The queries of a write that could scan, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  twin: "SELECT position, version, kind, tags, metadata, data FROM events WHERE stream = ? AND event_id = ?",
  // The length of a payload stands in the head of its row: `length` of a column does not read it.
  sizes: `SELECT kind, tags, length(data) + ifnull(length(metadata), 0) FROM events
    WHERE stream = ? AND version >= ? AND version < ?`
} as const

export const idBytesOf = ({ eventId }: NewEvent): Uint8Array => {
  const bytes = EventIdBytes.toBytes(eventId)
  assertInvariant(bytes !== null, "an event id in a command is a lower-case UUID", { eventId })
  return bytes
}

export const make = (db: Connection, catalog: Catalog): EventRows => {
  const insertEvent = db.prepare<
    [number, number, number, number, number, Uint8Array, string | null, Uint8Array | null, Uint8Array]
  >("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (stream, event_id) DO NOTHING")
  const insertTagged = db.prepare<[number, number]>("INSERT INTO tagged (tag, position) VALUES (?, ?)")
  const insertField = db.prepare<[number, number]>("INSERT INTO fields (term, position) VALUES (?, ?)")
  const selectTwin = db
    .prepare<[number, Uint8Array], [number, number, number, string | null, Buffer | null, Buffer]>(queries.twin)
    .raw()
  const selectSizes = db.prepare<[number, number, number], [number, string | null, number]>(queries.sizes).raw()

  return {
    insert: ({ event, idBytes, position, version }, stream, epochUs) => {
      const { data, metadata, tags } = event
      const kind = catalog.kindId(event)
      const columns = tagsToColumn(tags)
      const { changes } = insertEvent.run(position, stream, version, kind, epochUs, idBytes, columns, metadata, data)
      if (changes === 0) return false
      if (tags.length > 0) for (const tag of new Set(tags)) insertTagged.run(catalog.makeTagId(tag), position)
      if (metadata !== null) for (const term of termsOf(event)) insertField.run(term, position)
      return true
    },

    twin: (event, idBytes, stream) => {
      const row = selectTwin.get(stream, idBytes)
      if (row === undefined) return null
      const [position, version, kind, tags, metadata, data] = row
      const content = { ...catalog.kind(kind), tags: tagsFromColumn(tags), metadata, data }
      return { version, position, same: isSame(content, event) }
    },

    bytes: (stream, from, before) => {
      let bytes = 0
      for (const [kind, tags, payloadBytes] of selectSizes.iterate(stream, from, before)) {
        bytes += byteLengthOf({ eventType: catalog.kind(kind).eventType, tags: tagsFromColumn(tags) }, payloadBytes)
      }
      return bytes
    }
  }
}
