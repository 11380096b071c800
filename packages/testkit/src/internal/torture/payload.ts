/**
 * The events that a run writes. All of an event follows from its id and its size, so that nothing has to be kept to write it again.
 */
import { createHash } from "node:crypto"
import type { NewEvent, RecordedEvent } from "@reckon/client/Event"
import type { Placed, Stored } from "../../TortureHistory.js"

export interface EventKey {
  readonly id: string
  readonly bytes: number
}

const sha256 = (...parts: ReadonlyArray<string | Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex")
}

const digestLength = 16

/** The id of the event with this number. */
export const eventId = (client: number, serial: number): string => {
  const hex = serial.toString(16).padStart(12, "0")
  return `${client.toString(16).padStart(8, "0")}-0000-4000-8000-${hex}`
}

const data = ({ bytes, id }: EventKey): Uint8Array => {
  const seed = Buffer.from(sha256(id), "hex")
  return new Uint8Array(Buffer.alloc(bytes, seed))
}

export const newEvent = (key: EventKey): NewEvent => ({
  eventId: key.id,
  eventType: "Tortured",
  data: data(key),
  dataContentType: "application/octet-stream",
  metadata: null,
  metadataContentType: "application/octet-stream",
  tags: []
})

/** What tells two events with the same id apart. */
export const contentOf = (event: NewEvent | RecordedEvent): string =>
  `${event.data.length}:${sha256(event.eventType, event.dataContentType, event.data).slice(0, digestLength)}`

export const placed = (event: RecordedEvent): Placed => ({
  position: event.position,
  stream: event.streamId,
  version: event.version,
  id: event.eventId,
  content: contentOf(event)
})

export const stored = (event: RecordedEvent): Stored => {
  const { data: payload, metadata, ...rest } = event
  const fields = JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)))
  return {
    ...placed(event),
    epochUs: event.epochUs,
    digest: sha256(fields, payload, metadata === null ? "-" : "+", metadata ?? "").slice(0, digestLength)
  }
}
