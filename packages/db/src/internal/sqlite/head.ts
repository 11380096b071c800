import type { Entry } from "../../StoreEngine.js"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"

/** Where the store stands: one row of the file, and the same in memory. */
export interface Head {
  readonly appliedIndex: number
  readonly appliedTerm: number
  readonly lastEpochUs: number
  readonly lastPosition: number
  readonly lastStream: number
  readonly streamCount: number
  readonly eventCount: number
  /** Streams that keep an event, whatever its age. */
  readonly lastingCount: number
}

/** The head as a batch moves it on. The store's own stays where it is until the batch is committed. */
export type MovingHead = { -readonly [Field in keyof Head]: Head[Field] }

type HeadRow = [number, number, number, number, number, number, number, number]

export interface HeadRows {
  readonly read: () => Head
  readonly write: (head: Head) => void
}

export const make = (db: Connection): HeadRows => {
  const selectHead = db
    .prepare<[], HeadRow>(
      `SELECT applied_index, applied_term, last_epoch_us, last_position, last_stream, stream_count, event_count,
              lasting_count
         FROM meta WHERE id = 0`
    )
    .raw()
  const updateHead = db.prepare<HeadRow>(
    `UPDATE meta SET applied_index = ?, applied_term = ?, last_epoch_us = ?, last_position = ?, last_stream = ?,
       stream_count = ?, event_count = ?, lasting_count = ? WHERE id = 0`
  )

  return {
    read: () => {
      const row = selectHead.get()
      assertInvariant(row !== undefined, "the store has its row of counters", {})
      const [appliedIndex, appliedTerm, lastEpochUs, lastPosition, lastStream, streamCount, eventCount, lastingCount] =
        row
      return {
        appliedIndex,
        appliedTerm,
        lastEpochUs,
        lastPosition,
        lastStream,
        streamCount,
        eventCount,
        lastingCount
      }
    },
    write: head => {
      updateHead.run(
        head.appliedIndex,
        head.appliedTerm,
        head.lastEpochUs,
        head.lastPosition,
        head.lastStream,
        head.streamCount,
        head.eventCount,
        head.lastingCount
      )
    }
  }
}

/** Entries continue the log that was applied. */
export const checkOrder = (entries: ReadonlyArray<Entry>, head: Head): void => {
  let { appliedIndex, appliedTerm } = head
  for (const { index, term } of entries) {
    const facts = { index, term, appliedIndex, appliedTerm }
    assertInvariant(index > appliedIndex, "a log entry is applied once", facts)
    assertInvariant(index === appliedIndex + 1, "log entries are applied without a gap", facts)
    assertInvariant(term >= appliedTerm, "terms do not decrease along the log", facts)
    appliedIndex = index
    appliedTerm = term
  }
}
