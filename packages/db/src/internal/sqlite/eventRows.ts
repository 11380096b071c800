import type { NewEvent } from "@reckon/client/Event"
import * as EventIdBytes from "@reckon/client/EventIdBytes"
import type { Catalog } from "./catalog.js"
import { byteLengthOf, isSame, tagsFromColumn, tagsToColumn } from "./content.js"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"
import { Lru } from "./lru.js"
import * as LsmIndex from "./lsmIndex.js"
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
  /** Writes an event that the stream does not have yet, with what it is found by. */
  readonly insert: (fresh: Fresh, stream: number, epochUs: number) => void
  /** The event of the stream with this one's id. */
  readonly twin: (event: NewEvent, idBytes: Uint8Array, stream: number) => Twin | null
  /** The bytes (`Event.byteLength`) of the stream's events from one version on and before another. */
  readonly bytes: (stream: number, from: number, before: number) => number
  /** From which version on the events of a stream are not committed; infinity where all of them are. */
  readonly uncommittedFrom: (stream: number) => number
  /** To be called when all events are committed. */
  readonly committed: () => void
  /** See `LsmIndex`. */
  readonly merge: (events: number) => void
  readonly forget: () => void
}

/** The queries of a write that could scan, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  twin: `SELECT events.position, version, kind, tags, metadata, data
    FROM event_ids CROSS JOIN events USING (position) WHERE event_ids.stream = +? AND event_ids.event_id = +?`,
  // The length of a payload stands in the head of its row: `length` of a column does not read it.
  sizes: `SELECT kind, tags, length(data) + ifnull(length(metadata), 0) FROM versions
    CROSS JOIN events USING (position) WHERE versions.stream = +? AND versions.version >= +? AND versions.version < +?`
} as const

/** Of the ids of a stream, which come in no order. Those of a longer one lie on too many pages for two of them to be near each other. */
const nearIdsMost = 16_384

/** Streams, tags and terms of each kind that count as seen lately. */
const recentMax = 128

/** Whether the number was seen lately. From now on it was. */
const see = (recent: Lru<number, true>, id: number): boolean => {
  const isRecent = recent.get(id) === true
  if (!isRecent) recent.set(id, true)
  return isRecent
}

export const idBytesOf = ({ eventId }: NewEvent): Uint8Array => {
  const bytes = EventIdBytes.toBytes(eventId)
  assertInvariant(bytes !== null, "an event id in a command is a lower-case UUID", { eventId })
  return bytes
}

export const make = (db: Connection, catalog: Catalog): EventRows => {
  const insertEvent = db.prepare<
    [number, number, number, number, number, Uint8Array, string | null, Uint8Array | null, Uint8Array]
  >("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
  const versions = LsmIndex.make<[number, number, number]>(db, "versions", ["stream", "version", "position"])
  const eventIds = LsmIndex.make<[number, Uint8Array, number]>(db, "event_ids", ["stream", "event_id", "position"])
  const tagged = LsmIndex.make<[number, number]>(db, "tagged", ["tag", "position"])
  const fields = LsmIndex.make<[number, number]>(db, "fields", ["term", "position"])
  const recentStreams = new Lru<number, true>(recentMax)
  const recentTags = new Lru<number, true>(recentMax)
  const recentTerms = new Lru<number, true>(recentMax)
  const uncommitted = new Map<number, number>()
  const indexes = [versions, eventIds, tagged, fields]
  const selectTwin = db
    .prepare<[number, Uint8Array], [number, number, number, string | null, Buffer | null, Buffer]>(queries.twin)
    .raw()
  const selectSizes = db.prepare<[number, number, number], [number, string | null, number]>(queries.sizes).raw()

  return {
    insert: ({ event, idBytes, position, version }, stream, epochUs) => {
      const { data, metadata, tags } = event
      const kind = catalog.kindId(event)
      const columns = tagsToColumn(tags)
      insertEvent.run(position, stream, version, kind, epochUs, idBytes, columns, metadata, data)
      if (!uncommitted.has(stream)) uncommitted.set(stream, version)
      const isRecent = see(recentStreams, stream)
      versions.insert(isRecent, stream, version, position)
      eventIds.insert(isRecent && version < nearIdsMost, stream, idBytes, position)
      if (tags.length > 0) {
        for (const name of new Set(tags)) {
          const tag = catalog.makeTagId(name)
          tagged.insert(see(recentTags, tag), tag, position)
        }
      }
      if (metadata !== null) {
        for (const term of termsOf(event)) fields.insert(see(recentTerms, term), term, position)
      }
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
    },

    uncommittedFrom: stream => uncommitted.get(stream) ?? Number.POSITIVE_INFINITY,
    committed: () => uncommitted.clear(),

    merge: events => {
      for (const index of indexes) index.merge(events)
    },
    forget: () => {
      for (const index of indexes) index.forget()
    }
  }
}
