import type { NewEvent } from "@reckon/client/Event"
import * as ExpectedVersion from "@reckon/client/ExpectedVersion"
import { type AppendError, EventIdConflict, WrongExpectedVersion } from "@reckon/client/StoreError"
import type { Append, Appended } from "@reckon/client/StoreRpcs"
import * as Either from "effect/Either"
import type { Command, Reply } from "../../Command.js"
import type { Entry } from "../../StoreEngine.js"
import type { Catalog, Stream } from "./catalog.js"
import { isSame, tagsFromColumn, tagsToColumn } from "./content.js"
import type { Connection } from "./database.js"
import * as EventIdBytes from "./eventId.js"
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
}

type HeadRow = [number, number, number, number, number, number, number]

interface Place {
  readonly version: number
  readonly position: number
}

/** An event that is to be written, with the place it gets if its append succeeds. */
interface Fresh extends Place {
  readonly event: NewEvent
  readonly idBytes: Uint8Array
}

const noPlace: Place = { version: -1, position: -1 }

const idBytesOf = (event: NewEvent): Uint8Array => {
  const bytes = EventIdBytes.toBytes(event.eventId)
  assertInvariant(bytes !== null, "an event id in a command is a lower-case UUID", { eventId: event.eventId })
  return bytes
}

const checkOrder = (entries: ReadonlyArray<Entry>, head: Head): void => {
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

/** The one query of a write that could scan, by name, so that a test can ask SQLite how it would go about it. */
export const queries = {
  twin: "SELECT position, version, kind, tags, metadata, data FROM events WHERE stream = ? AND event_id = ?"
} as const

export interface Writer {
  readonly head: () => Head
  readonly apply: (entries: ReadonlyArray<Entry>) => ReadonlyArray<Reply | null>
}

export const make = (db: Connection, catalog: Catalog): Writer => {
  const selectHead = db
    .prepare<[], HeadRow>(
      `SELECT applied_index, applied_term, last_epoch_us, last_position, last_stream, stream_count, event_count
         FROM meta WHERE id = 0`
    )
    .raw()
  const updateHead = db.prepare<HeadRow>(
    `UPDATE meta SET applied_index = ?, applied_term = ?, last_epoch_us = ?, last_position = ?, last_stream = ?,
       stream_count = ?, event_count = ? WHERE id = 0`
  )
  const insertEvent = db.prepare<
    [number, number, number, number, number, Uint8Array, string | null, Uint8Array | null, Uint8Array]
  >("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
  const selectTwin = db
    .prepare<[number, Uint8Array], [number, number, number, string | null, Buffer | null, Buffer]>(queries.twin)
    .raw()

  const readHead = (): Head => {
    const row = selectHead.get()
    assertInvariant(row !== undefined, "the store has its row of counters", {})
    const [appliedIndex, appliedTerm, lastEpochUs, lastPosition, lastStream, streamCount, eventCount] = row
    return { appliedIndex, appliedTerm, lastEpochUs, lastPosition, lastStream, streamCount, eventCount }
  }

  let head = readHead()

  // ---------------------------------------------------------------------------
  // one batch
  // ---------------------------------------------------------------------------

  const applyBatch = (entries: ReadonlyArray<Entry>) => {
    let { lastEpochUs, lastPosition, lastStream, streamCount, eventCount } = head
    // A stream is written once per batch, at the end, however many appends touch it.
    const touched = new Map<string, { stream: Stream; readonly isNew: boolean }>()

    const currentOf = (name: string): Stream | null => touched.get(name)?.stream ?? catalog.stream(name)

    const conflict = (append: Append, event: NewEvent, version: number): AppendError =>
      new EventIdConflict({ streamId: append.streamId, eventId: event.eventId, version })

    const storedTwin = (stream: Stream | null, event: NewEvent, idBytes: Uint8Array) => {
      const row = stream === null ? undefined : selectTwin.get(stream.id, idBytes)
      if (row === undefined) return null
      const [position, version, kind, tags, metadata, data] = row
      const content = { ...catalog.kind(kind), tags: tagsFromColumn(tags), metadata, data }
      return { version, position, same: isSame(content, event) }
    }

    /** Everything is judged before anything is written, so that a failing append leaves nothing to undo. */
    const judge = (append: Append, stream: Stream | null) => {
      const fresh: Array<Fresh> = []
      const freshById = append.events.length > 1 ? new Map<string, Fresh>() : null
      const version = stream === null ? ExpectedVersion.noEvents : stream.version
      let last: Place = stream ?? noPlace

      for (const event of append.events) {
        const twin = freshById?.get(event.eventId)
        if (twin !== undefined) {
          if (!isSame(twin.event, event)) return Either.left(conflict(append, event, twin.version))
          last = twin
          continue
        }
        const idBytes = idBytesOf(event)
        const stored = storedTwin(stream, event, idBytes)
        if (stored !== null) {
          if (!stored.same) return Either.left(conflict(append, event, stored.version))
          last = stored
          continue
        }
        const ahead = fresh.length + 1
        const place = { event, idBytes, version: version + ahead, position: lastPosition + ahead }
        fresh.push(place)
        freshById?.set(event.eventId, place)
        last = place
      }

      const nothingToJudge = fresh.length === 0 && append.events.length > 0
      return nothingToJudge || ExpectedVersion.isMet(append.expectedVersion, version)
        ? Either.right({ fresh, last })
        : Either.left(
            new WrongExpectedVersion({
              streamId: append.streamId,
              expected: append.expectedVersion,
              actual: version
            })
          )
    }

    const write = (name: string, stream: Stream | null, fresh: ReadonlyArray<Fresh>, last: Fresh, at: number): void => {
      const id = stream?.id ?? ++lastStream
      const epochUs = Math.max(at, lastEpochUs)
      for (const { event, idBytes, position, version } of fresh) {
        const kind = catalog.kindId(event)
        insertEvent.run(
          position,
          id,
          version,
          kind,
          epochUs,
          idBytes,
          tagsToColumn(event.tags),
          event.metadata,
          event.data
        )
      }
      lastEpochUs = epochUs
      lastPosition = last.position
      eventCount += fresh.length
      if (stream === null) streamCount += 1
      touched.set(name, {
        stream: { id, name, version: last.version, position: last.position },
        isNew: stream === null || touched.get(name)?.isNew === true
      })
    }

    const applyAppend = (append: Append, at: number): Either.Either<Appended, AppendError> => {
      const stream = currentOf(append.streamId)
      return Either.map(judge(append, stream), ({ fresh, last }) => {
        const lastFresh = fresh.at(-1)
        if (lastFresh !== undefined) write(append.streamId, stream, fresh, lastFresh, at)
        return {
          streamId: append.streamId,
          version: last.version,
          position: last.position,
          alreadyPresent: append.events.length - fresh.length
        }
      })
    }

    const applyCommand = (command: Command): Reply => command.appends.map(append => applyAppend(append, command.at))

    const replies = entries.map(({ command }) => (command === null ? null : applyCommand(command)))

    for (const { isNew, stream } of touched.values()) catalog.save(stream, isNew)
    const { index, term } = entries.at(-1) ?? { index: head.appliedIndex, term: head.appliedTerm }
    updateHead.run(index, term, lastEpochUs, lastPosition, lastStream, streamCount, eventCount)
    const next: Head = {
      appliedIndex: index,
      appliedTerm: term,
      lastEpochUs,
      lastPosition,
      lastStream,
      streamCount,
      eventCount
    }
    return { replies, next }
  }

  const transaction = db.transaction(applyBatch).immediate

  return {
    head: () => head,
    apply: entries => {
      if (entries.length === 0) return []
      checkOrder(entries, head)
      try {
        const { next, replies } = transaction(entries)
        head = next
        return replies
      } catch (cause) {
        catalog.forget()
        throw cause
      }
    }
  }
}
