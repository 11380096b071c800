import { byteLength, type NewEvent } from "@reckon/client/Event"

/** Tags as they stand in a row. Their order is part of an event's content. */
export const tagsToColumn = (tags: ReadonlyArray<string>): string | null =>
  tags.length === 0 ? null : JSON.stringify(tags)

const none: ReadonlyArray<string> = []

export const tagsFromColumn = (column: string | null): ReadonlyArray<string> =>
  // Written by `tagsToColumn` alone: what stands there is an array of texts.
  column === null ? none : (JSON.parse(column) as ReadonlyArray<string>)

/** Several of them, between commas and brackets. */
export const tagsListFromColumns = (columns: string): ReadonlyArray<ReadonlyArray<string>> =>
  JSON.parse(columns) as ReadonlyArray<ReadonlyArray<string>>

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0

const sameMetadata = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === null || b === null ? a === b : sameBytes(a, b)

const sameTags = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((tag, at) => tag === b[at])

export type Content = Omit<NewEvent, "eventId">

/** Whether two events with the same id are the same event. */
export const isSame = (a: Content, b: Content): boolean =>
  a.eventType === b.eventType &&
  a.dataContentType === b.dataContentType &&
  a.metadataContentType === b.metadataContentType &&
  sameTags(a.tags, b.tags) &&
  sameMetadata(a.metadata, b.metadata) &&
  sameBytes(a.data, b.data)

const noBytes = new Uint8Array(0)

/** `Event.byteLength` of an event whose payloads nobody has to read for it: of one without any, and then theirs. */
export const byteLengthOf = (event: Pick<NewEvent, "eventType" | "tags">, payloadBytes: number): number =>
  payloadBytes +
  byteLength({
    eventId: "",
    eventType: event.eventType,
    data: noBytes,
    dataContentType: "",
    metadata: null,
    metadataContentType: "",
    tags: event.tags
  })
