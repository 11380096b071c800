import * as EventIdBytes from "@reckon/client/EventIdBytes"
import { tagsFromColumn } from "./content.js"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"

/** An event as it stands in its row. */
export type EventRow = [
  position: number,
  stream: number,
  version: number,
  kind: number,
  epochUs: number,
  eventId: string,
  tags: ReadonlyArray<string>,
  metadata: Uint8Array | null,
  data: Uint8Array
]

/** The columns that rows must have to be gathered. */
export const columns = `position, stream, version, kind, epoch_us, event_id, tags, metadata, data,
  length(data) + ifnull(length(metadata), 0) + ifnull(octet_length(tags), 0) AS bytes`

/** Payloads and tags of up to so many bytes together travel with their rows. Larger ones spill to pages of their own, which are read when it is their turn: a read may stop before. */
export const smallMax = 4096

/**
 * The rows of a query as one row. To bring a row from SQLite into JavaScript costs several times what it costs to find it, and a BLOB, which gets memory of its own, most of all; a page of a hundred small
 * events comes in one piece for a quarter of that.
 *
 * The query must have the {@link columns}, in their order, and a `LIMIT`, without which SQLite would forget the order of its rows. What comes is bounded by that limit.
 */
export const gathered = (rows: string): string => `SELECT
  json_group_array(json_array(position, stream, version, kind, epoch_us, bytes,
    CASE WHEN bytes <= ${smallMax} THEN tags END, length(metadata), length(data))),
  CAST(group_concat(event_id, '') AS BLOB),
  CAST(group_concat(metadata, '') FILTER (WHERE bytes <= ${smallMax}) AS BLOB),
  CAST(group_concat(data, '') FILTER (WHERE bytes <= ${smallMax}) AS BLOB)
  FROM (${rows})`

type GatheredRow = [heads: string, eventIds: Buffer | null, metadata: Buffer | null, data: Buffer | null]

type Head = [
  position: number,
  stream: number,
  version: number,
  kind: number,
  epochUs: number,
  bytes: number,
  tags: string | null,
  metadataLength: number | null,
  dataLength: number
]

/** The look-up of a large event, by name, so that a test can ask SQLite how it would go about it. */
export const queries = {
  payloads: "SELECT tags, metadata, data FROM events WHERE position = +?"
} as const

/** Plain bytes: a Buffer would differ from what a client gets over the wire, in `slice` for one. */
export const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)

const nothing = Buffer.alloc(0)

/** {@link tagsFromColumn} for the rows of a page: mostly several have the same tags, and to find them costs a tenth of reading them. */
const makeTagsOf = (): ((column: string | null) => ReadonlyArray<string>) => {
  const known = new Map<string | null, ReadonlyArray<string>>()
  return column => {
    const found = known.get(column)
    if (found !== undefined) return found
    const tags = tagsFromColumn(column)
    known.set(column, tags)
    return tags
  }
}

/** Takes one piece after another from the bytes, without copying them. */
class Pieces {
  #at = 0

  constructor(private readonly bytes: Buffer) {}

  next(length: number): Uint8Array {
    const { buffer, byteOffset } = this.bytes
    const piece = new Uint8Array(buffer, byteOffset + this.#at, length)
    this.#at += length
    return piece
  }

  assertEmpty(): void {
    const facts = { taken: this.#at, bytes: this.bytes.length }
    assertInvariant(facts.taken === facts.bytes, "gathered payloads are as long as their rows say", facts)
  }
}

/** Prepares queries whose rows are gathered. The payloads of small events share the memory of what they came in. */
export const make = (db: Connection) => {
  const selectPayloads = db.prepare<[number], [string | null, Buffer | null, Buffer]>(queries.payloads).raw()

  const payloadsAt = (position: number): [tags: string | null, metadata: Uint8Array | null, data: Uint8Array] => {
    const row = selectPayloads.get(position)
    assertInvariant(row !== undefined, "an event that was just found is there", { position })
    const [tags, metadata, data] = row
    return [tags, metadata === null ? null : plain(metadata), plain(data)]
  }

  function* rowsOf([heads, eventIds, allMetadata, allData]: GatheredRow): Generator<EventRow, undefined> {
    const rows: ReadonlyArray<Head> = JSON.parse(heads)
    const idAt = EventIdBytes.texts(eventIds ?? nothing)
    const tagsOf = makeTagsOf()
    const metadataPieces = new Pieces(allMetadata ?? nothing)
    const dataPieces = new Pieces(allData ?? nothing)
    let at = 0
    for (const [position, stream, version, kind, epochUs, bytes, smallTags, metadataLength, dataLength] of rows) {
      const [tags, metadata, data] =
        bytes > smallMax
          ? payloadsAt(position)
          : [
              smallTags,
              metadataLength === null ? null : metadataPieces.next(metadataLength),
              dataPieces.next(dataLength)
            ]
      yield [position, stream, version, kind, epochUs, idAt(at++), tagsOf(tags), metadata, data]
    }
    metadataPieces.assertEmpty()
    dataPieces.assertEmpty()
  }

  return <Parameters extends ReadonlyArray<number | string>>(
    sql: string
  ): ((...parameters: Parameters) => Generator<EventRow, undefined>) => {
    const statement = db.prepare<[...Parameters], GatheredRow>(gathered(sql)).raw()
    return (...parameters) => {
      const row = statement.get(...parameters)
      assertInvariant(row !== undefined, "an aggregate has a row", {})
      return rowsOf(row)
    }
  }
}

export type Gather = ReturnType<typeof make>
