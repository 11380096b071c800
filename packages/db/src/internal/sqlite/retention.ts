import type { StreamMetadata } from "@reckon/client/StreamMetadata"
import type { Stream } from "./catalog.js"
import type { EventRows } from "./eventRows.js"
import type { Temporal } from "./temporal.js"

/** What streams keep of their events. What a stream once hid stays hidden: its `firstVersion` never falls. */
export interface Retention {
  /** The stream without the events before a version, which is at most the one behind its last. */
  readonly truncate: (stream: Stream, before: number) => Stream
  /** The stream without what its `maxCount` leaves no room for. */
  readonly limit: (stream: Stream) => Stream
  /** The stream under other limits. What `maxAgeUs` hides of it at this time would come back if that were simply replaced: it is cut off first. */
  readonly replace: (stream: Stream, metadata: StreamMetadata, nowUs: number) => Stream
}

export const make = (rows: EventRows, temporal: Temporal): Retention => {
  /** Looks at the events that are hidden or at those that stay, whichever are fewer: an append to a full stream looks at as many as it hides. */
  const bytesKept = (stream: Stream, before: number): number => {
    const end = stream.version + 1
    const hidden = before - stream.firstVersion
    const kept = end - before
    if (kept === 0) return 0
    return kept < hidden
      ? rows.bytes(stream.id, before, end)
      : stream.bytes - rows.bytes(stream.id, stream.firstVersion, before)
  }

  const truncate = (stream: Stream, before: number): Stream =>
    before <= stream.firstVersion ? stream : { ...stream, firstVersion: before, bytes: bytesKept(stream, before) }

  const limit = (stream: Stream): Stream => {
    const { maxCount } = stream.metadata
    return maxCount === null ? stream : truncate(stream, stream.version + 1 - maxCount)
  }

  return {
    truncate,
    limit,
    replace: (stream, metadata, nowUs) => {
      // A cut beyond the last event cuts what there is now. Kept as it was given, it would also hide events that are yet to come.
      const truncateBefore =
        metadata.truncateBefore === null ? null : Math.min(metadata.truncateBefore, stream.version + 1)
      const before = Math.max(temporal.firstVisible(stream, nowUs), truncateBefore ?? 0)
      return limit(truncate({ ...stream, metadata: { ...metadata, truncateBefore } }, before))
    }
  }
}
