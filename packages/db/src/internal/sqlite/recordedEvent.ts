import type { RecordedEvent } from "@reckon/client/Event"
import type { Catalog } from "./catalog.js"
import { tagsFromColumn } from "./content.js"
import * as EventIdBytes from "./eventId.js"

/** An event as it stands in its row. */
export type EventRow = [
  position: number,
  stream: number,
  version: number,
  kind: number,
  epochUs: number,
  eventId: Buffer,
  tags: string | null,
  metadata: Buffer | null,
  data: Buffer
]

export const columns = "position, stream, version, kind, epoch_us, event_id, tags, metadata, data"

/** Plain bytes: a Buffer would differ from what a client gets over the wire, in `slice` for one. */
export const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)

export const eventOf = (catalog: Catalog, row: EventRow, streamId: string): RecordedEvent => {
  const [position, , version, kindId, epochUs, eventId, tags, metadata, data] = row
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

/** What looking at a row in vain costs of a read's budget: one, and one for each further page of the file that it fills. */
export const costOf = (row: EventRow): number => {
  const [, , , , , , tags, metadata, data] = row
  return 1 + Math.floor(((tags?.length ?? 0) + (metadata?.length ?? 0) + data.length) / 4096)
}
