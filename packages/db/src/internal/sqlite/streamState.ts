import { noEvents } from "@reckon/client/ExpectedVersion"
import { unlimited } from "@reckon/client/StreamMetadata"
import type { Stream } from "./catalog.js"

/** A stream that was not deleted, and had an event since it was created. */
export interface Existing extends Stream {
  readonly state: "active"
}

/** Whether there is such a stream, to those who read and append. */
export const exists = (stream: Stream | null): stream is Existing =>
  stream !== null && stream.state === "active" && stream.version >= stream.bornVersion

/** Whether it has an event that no time will hide. */
export const isLasting = (stream: Stream | null): boolean =>
  exists(stream) && stream.version >= stream.firstVersion && stream.metadata.maxAgeUs === null

/** A stream's version to those who expect one. */
export const versionOf = (stream: Stream | null): number => (exists(stream) ? stream.version : noEvents)

/** A stream of which nothing was known. */
export const unborn = (id: number, name: string): Stream => ({
  id,
  name,
  version: -1,
  position: -1,
  state: "active",
  firstVersion: 0,
  bornVersion: 0,
  bytes: 0,
  createdUs: 0,
  updatedUs: 0,
  metadata: unlimited
})
