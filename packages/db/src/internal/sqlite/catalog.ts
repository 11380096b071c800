import type { NewEvent } from "@reckon/client/Event"
import type { StreamDetails, StreamMetadata } from "@reckon/client/StreamMetadata"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"
import { Lru } from "./lru.js"

/**
 * What the store knows of a stream. `version` and `position` are those of the last event that was ever appended, -1 where there is none; `firstVersion` is the
 * oldest it keeps, without regard to `maxAgeUs`; `bornVersion` the first of its events since it was created, or created anew.
 */
export interface Stream {
  readonly id: number
  readonly name: string
  readonly version: number
  readonly position: number
  readonly state: StreamDetails["state"]
  readonly firstVersion: number
  readonly bornVersion: number
  readonly bytes: number
  readonly createdUs: number
  readonly updatedUs: number
  readonly metadata: StreamMetadata
}

/** What the events of one sort have in common. */
export interface Kind {
  readonly eventType: string
  readonly dataContentType: string
  readonly metadataContentType: string
}

export interface Catalog {
  readonly stream: (name: string) => Stream | null
  /** The stream of an event that is there. To be asked when all is flushed. */
  readonly streamById: (id: number) => Stream
  /** Takes a stream as it is from now on. Its row is written with the next `flush`, once, however often it changes until then. */
  readonly save: (stream: Stream, isNew: boolean) => void
  /** Writes what was saved, for those who look at the tables. */
  readonly flush: () => void
  readonly kindId: (event: NewEvent) => number
  readonly kind: (id: number) => Kind
  /** The ids of at most so many kinds with this event type; there is one for each combination of content types. */
  readonly kindsOfType: (eventType: string, most: number) => ReadonlyArray<number>
  /** The id of a tag, `null` where no event has it. */
  readonly tagId: (name: string) => number | null
  /** The id of a tag, given to it now if it has none. */
  readonly makeTagId: (name: string) => number
  /** To be called when a transaction was rolled back: what it wrote is no longer so. */
  readonly forget: () => void
}

const streamColumns = `id, name, version, position, state, first_version, born_version, bytes, created_us, updated_us,
  max_age_us, max_count, truncate_before`

/** The look-ups, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  stream: `SELECT ${streamColumns} FROM streams WHERE name = +?`,
  streamById: `SELECT ${streamColumns} FROM streams WHERE id = +?`,
  kindId: "SELECT id FROM kinds WHERE event_type = +? AND data_content_type = +? AND metadata_content_type = +?",
  kind: "SELECT event_type, data_content_type, metadata_content_type FROM kinds WHERE id = +?",
  kindsOfType: "SELECT id FROM kinds WHERE event_type = +? LIMIT +?",
  tagId: "SELECT id FROM tags WHERE name = +?"
} as const

const cachedStreamsMax = 16_384
const cachedKindsMax = 4096
const cachedTagsMax = 16_384

/** Their places are the numbers in the column. */
const states = ["active", "deleted", "tombstoned"] as const satisfies ReadonlyArray<Stream["state"]>

/** What changes of a stream, in the order of its columns. */
type Changing = [
  version: number,
  position: number,
  state: number,
  firstVersion: number,
  bornVersion: number,
  bytes: number,
  createdUs: number,
  updatedUs: number,
  maxAgeUs: number | null,
  maxCount: number | null,
  truncateBefore: number | null
]

type StreamRow = [id: number, name: string, ...Changing]

const changingOf = (stream: Stream): Changing => [
  stream.version,
  stream.position,
  states.indexOf(stream.state),
  stream.firstVersion,
  stream.bornVersion,
  stream.bytes,
  stream.createdUs,
  stream.updatedUs,
  stream.metadata.maxAgeUs,
  stream.metadata.maxCount,
  stream.metadata.truncateBefore
]

const streamOf = (row: StreamRow): Stream => {
  const [
    id,
    name,
    version,
    position,
    stateNumber,
    firstVersion,
    bornVersion,
    bytes,
    createdUs,
    updatedUs,
    maxAgeUs,
    maxCount,
    truncateBefore
  ] = row
  const state = states[stateNumber]
  assertInvariant(state !== undefined, "a stream is in a known state", { stream: id, state: stateNumber })
  const metadata = { maxAgeUs, maxCount, truncateBefore }
  return { id, name, version, position, state, firstVersion, bornVersion, bytes, createdUs, updatedUs, metadata }
}

/** Streams, kinds and tags, by name and by number, with the busy ones in memory. */
export const make = (db: Connection): Catalog => {
  const selectStream = db.prepare<[string], StreamRow>(queries.stream).raw()
  const selectStreamById = db.prepare<[number], StreamRow>(queries.streamById).raw()
  const insertStream = db.prepare<StreamRow>(
    `INSERT INTO streams (${streamColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
  )
  const updateStream = db.prepare<[...Changing, number]>(
    `UPDATE streams SET version = ?, position = ?, state = ?, first_version = ?, born_version = ?, bytes = ?,
       created_us = ?, updated_us = ?, max_age_us = ?, max_count = ?, truncate_before = ? WHERE id = +?`
  )
  const selectKindId = db.prepare<[string, string, string], number>(queries.kindId).pluck()
  const selectKind = db.prepare<[number], [string, string, string]>(queries.kind).raw()
  const selectKindsOfType = db.prepare<[string, number], number>(queries.kindsOfType).pluck()
  const insertKind = db.prepare<[string, string, string]>(
    "INSERT INTO kinds (event_type, data_content_type, metadata_content_type) VALUES (?, ?, ?)"
  )
  const selectTagId = db.prepare<[string], number>(queries.tagId).pluck()
  const insertTag = db.prepare<[string]>("INSERT INTO tags (name) VALUES (?)")

  // ---------------------------------------------------------------------------
  // streams
  // ---------------------------------------------------------------------------

  const streams = new Lru<string, Stream>(cachedStreamsMax)
  const streamsById = new Lru<number, Stream>(cachedStreamsMax)
  /** Saved and not yet written. The caches may forget these, and the table does not know them. */
  const unwritten = new Map<string, { readonly stream: Stream; readonly isNew: boolean }>()

  const remember = (stream: Stream): Stream => {
    streams.set(stream.name, stream)
    streamsById.set(stream.id, stream)
    return stream
  }

  const stream = (name: string): Stream | null => {
    const known = streams.get(name) ?? unwritten.get(name)?.stream
    if (known !== undefined) return known
    const row = selectStream.get(name)
    return row === undefined ? null : remember(streamOf(row))
  }

  const streamById = (id: number): Stream => {
    const known = streamsById.get(id)
    if (known !== undefined) return known
    const row = selectStreamById.get(id)
    assertInvariant(row !== undefined, "every event is of a known stream", { stream: id })
    return remember(streamOf(row))
  }

  const save = (stream: Stream, isNew: boolean): void => {
    unwritten.set(stream.name, { stream, isNew: isNew || unwritten.get(stream.name)?.isNew === true })
    remember(stream)
  }

  const flush = (): void => {
    for (const { isNew, stream } of unwritten.values()) {
      if (isNew) insertStream.run(stream.id, stream.name, ...changingOf(stream))
      else updateStream.run(...changingOf(stream), stream.id)
    }
    unwritten.clear()
  }

  // ---------------------------------------------------------------------------
  // kinds
  // ---------------------------------------------------------------------------

  const kindIds = new Lru<string, number>(cachedKindsMax)
  const kinds = new Lru<number, Kind>(cachedKindsMax)

  const kindId = ({ dataContentType, eventType, metadataContentType }: NewEvent): number => {
    // With the lengths in front, no two kinds have the same key.
    const key = `${eventType.length}.${dataContentType.length}.${eventType}${dataContentType}${metadataContentType}`
    const known = kindIds.get(key)
    if (known !== undefined) return known
    const id =
      selectKindId.get(eventType, dataContentType, metadataContentType) ??
      Number(insertKind.run(eventType, dataContentType, metadataContentType).lastInsertRowid)
    kindIds.set(key, id)
    return id
  }

  const kind = (id: number): Kind => {
    const known = kinds.get(id)
    if (known !== undefined) return known
    const row = selectKind.get(id)
    assertInvariant(row !== undefined, "every event is of a known kind", { kind: id })
    const [eventType, dataContentType, metadataContentType] = row
    const kind = { eventType, dataContentType, metadataContentType }
    kinds.set(id, kind)
    return kind
  }

  // ---------------------------------------------------------------------------
  // tags
  // ---------------------------------------------------------------------------

  const tagIds = new Lru<string, number>(cachedTagsMax)

  const tagId = (name: string): number | null => {
    const known = tagIds.get(name)
    if (known !== undefined) return known
    const id = selectTagId.get(name)
    if (id === undefined) return null
    tagIds.set(name, id)
    return id
  }

  const makeTagId = (name: string): number => {
    const known = tagId(name)
    if (known !== null) return known
    const id = Number(insertTag.run(name).lastInsertRowid)
    tagIds.set(name, id)
    return id
  }

  const forget = (): void => {
    unwritten.clear()
    for (const cache of [streams, streamsById, kindIds, kinds, tagIds]) cache.clear()
  }

  return {
    stream,
    streamById,
    save,
    flush,
    kindId,
    kind,
    kindsOfType: (type, most) => selectKindsOfType.all(type, most),
    tagId,
    makeTagId,
    forget
  }
}
