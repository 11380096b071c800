import type { NewEvent } from "@reckon/client/Event"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"
import { Lru } from "./lru.js"

/** What the store knows of a stream that has events. `position` is that of its last event. */
export interface Stream {
  readonly id: number
  readonly name: string
  readonly version: number
  readonly position: number
}

/** What the events of one sort have in common. */
export interface Kind {
  readonly eventType: string
  readonly dataContentType: string
  readonly metadataContentType: string
}

export interface Catalog {
  readonly stream: (name: string) => Stream | null
  /** Writes a stream that got events. */
  readonly save: (stream: Stream, isNew: boolean) => void
  readonly kindId: (event: NewEvent) => number
  readonly kind: (id: number) => Kind
  /** To be called when a transaction was rolled back: what it wrote is no longer so. */
  readonly forget: () => void
}

/** The look-ups, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  stream: "SELECT id, version, position FROM streams WHERE name = ?",
  kindId: "SELECT id FROM kinds WHERE event_type = ? AND data_content_type = ? AND metadata_content_type = ?",
  kind: "SELECT event_type, data_content_type, metadata_content_type FROM kinds WHERE id = ?"
} as const

const cachedStreamsMax = 16_384
const cachedKindsMax = 4096

/** Streams and kinds, by name and by number, with the busy ones in memory. */
export const make = (db: Connection): Catalog => {
  const selectStream = db.prepare<[string], [number, number, number]>(queries.stream).raw()
  const insertStream = db.prepare<[number, string, number, number]>("INSERT INTO streams VALUES (?, ?, ?, ?)")
  const updateStream = db.prepare<[number, number, number]>("UPDATE streams SET version = ?, position = ? WHERE id = ?")
  const selectKindId = db.prepare<[string, string, string], number>(queries.kindId).pluck()
  const selectKind = db.prepare<[number], [string, string, string]>(queries.kind).raw()
  const insertKind = db.prepare<[string, string, string]>(
    "INSERT INTO kinds (event_type, data_content_type, metadata_content_type) VALUES (?, ?, ?)"
  )

  const streams = new Lru<string, Stream>(cachedStreamsMax)
  const kindIds = new Lru<string, number>(cachedKindsMax)
  const kinds = new Lru<number, Kind>(cachedKindsMax)

  return {
    stream: name => {
      const known = streams.get(name)
      if (known !== undefined) return known
      const row = selectStream.get(name)
      if (row === undefined) return null
      const [id, version, position] = row
      const stream = { id, name, version, position }
      streams.set(name, stream)
      return stream
    },

    save: (stream, isNew) => {
      if (isNew) insertStream.run(stream.id, stream.name, stream.version, stream.position)
      else updateStream.run(stream.version, stream.position, stream.id)
      streams.set(stream.name, stream)
    },

    kindId: ({ dataContentType, eventType, metadataContentType }) => {
      // With the lengths in front, no two kinds have the same key.
      const key = `${eventType.length}.${dataContentType.length}.${eventType}${dataContentType}${metadataContentType}`
      const known = kindIds.get(key)
      if (known !== undefined) return known
      const id =
        selectKindId.get(eventType, dataContentType, metadataContentType) ??
        Number(insertKind.run(eventType, dataContentType, metadataContentType).lastInsertRowid)
      kindIds.set(key, id)
      return id
    },

    kind: id => {
      const known = kinds.get(id)
      if (known !== undefined) return known
      const row = selectKind.get(id)
      assertInvariant(row !== undefined, "every event is of a known kind", { kind: id })
      const [eventType, dataContentType, metadataContentType] = row
      const kind = { eventType, dataContentType, metadataContentType }
      kinds.set(id, kind)
      return kind
    },

    forget: () => {
      streams.clear()
      kindIds.clear()
      kinds.clear()
    }
  }
}
