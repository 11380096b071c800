import type { RecordedEvent } from "@reckon/client/Event"
import type { Catalog } from "./catalog.js"
import type { EventRow } from "./gathered.js"

export const eventOf = (catalog: Catalog, row: EventRow, streamId: string): RecordedEvent => {
  const [position, , version, kindId, epochUs, eventId, tags, metadata, data] = row
  const { dataContentType, eventType, metadataContentType } = catalog.kind(kindId)
  return {
    eventId,
    eventType,
    data,
    dataContentType,
    metadata,
    metadataContentType,
    tags,
    streamId,
    version,
    position,
    epochUs
  }
}

/** What looking at a row in vain costs of a read's budget: one, and one for each further page of the file that it fills. */
export const costOf = (row: EventRow): number => {
  const [, , , , , , tags, metadata, data] = row
  let bytes = (metadata?.length ?? 0) + data.length
  for (const tag of tags) bytes += tag.length
  return 1 + Math.floor(bytes / 4096)
}
