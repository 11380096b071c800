import { byteLength } from "@reckon/client/Event"
import * as ExpectedVersion from "@reckon/client/ExpectedVersion"
import type { Query } from "@reckon/client/Query"
import {
  AppendConditionFailed,
  type AppendError,
  EventIdConflict,
  StreamTombstoned,
  WrongExpectedVersion
} from "@reckon/client/StoreError"
import type { Append, Appended } from "@reckon/client/StoreRpcs"
import * as Either from "effect/Either"
import type { Condition, Operation, Outcome } from "../../Command.js"
import type { Catalog, Stream } from "./catalog.js"
import { isSame } from "./content.js"
import { type EventRows, type Fresh, idBytesOf, type Place } from "./eventRows.js"
import type { MovingHead } from "./head.js"
import { assertNamedOnce } from "./invariant.js"
import type { Budget } from "./postings.js"
import type { Retention } from "./retention.js"
import { exists, unborn, versionOf } from "./streamState.js"
import type { Streams } from "./streams.js"

/** What an append's condition asks of the queries. */
export interface Conditions {
  /** The position of the first event behind `after` and up to `to` that matches the query and is visible at this time, `null` where there is none. What it looks at is taken from the budget. */
  readonly firstMatch: (options: {
    readonly query: Query
    readonly after: number
    readonly to: number
    readonly nowUs: number
    readonly budget: Budget
  }) => number | null
}

/** What becomes of one stream's part of an append. */
interface Part {
  readonly append: Append
  readonly stream: Stream | null
  readonly fresh: ReadonlyArray<Fresh>
  /** The place of the part's last event, new or not. */
  readonly last: Place
}

type AppendOperation = Extract<Operation, { _tag: "Append" }>

export interface Appending {
  readonly append: (operation: AppendOperation, head: MovingHead, nowUs: number) => Either.Either<Outcome, AppendError>
}

const noPlace: Place = { version: ExpectedVersion.noEvents, position: -1 }

const conflict = ({ streamId }: Append, eventId: string, version: number) =>
  Either.left(new EventIdConflict({ streamId, eventId, version }))

const sum = (parts: ReadonlyArray<Part>, count: (part: Part) => number): number =>
  parts.reduce((total, part) => total + count(part), 0)

const eventsIn = ({ append }: Part): number => append.events.length
const freshIn = ({ fresh }: Part): number => fresh.length

/**
 * Appends. Everything is judged before anything is written, so that an append that fails leaves nothing to undo.
 *
 * An append with new events is judged as a whole, whatever else of it is present already: the rest of a write that grew since it was first sent can still
 * be written. (KurrentDB refuses a write of which some events are present and some are new.)
 */
export const make = (
  catalog: Catalog,
  rows: EventRows,
  retention: Retention,
  streams: Streams,
  conditions: Conditions
): Appending => {
  // ---------------------------------------------------------------------------
  // judging
  // ---------------------------------------------------------------------------

  /** Which events of a part are new, and where they will stand if the store's last event is at `lastPosition` by then. */
  const compare = (append: Append, lastPosition: number): Either.Either<Part, EventIdConflict> => {
    const stream = catalog.stream(append.streamId)
    const lastVersion = stream === null ? ExpectedVersion.noEvents : stream.version
    const fresh: Array<Fresh> = []
    const freshById = append.events.length > 1 ? new Map<string, Fresh>() : null
    let last: Place = exists(stream) ? stream : noPlace

    for (const event of append.events) {
      const twin = freshById?.get(event.eventId)
      if (twin !== undefined) {
        if (!isSame(twin.event, event)) return conflict(append, event.eventId, twin.version)
        last = twin
        continue
      }
      const idBytes = idBytesOf(event)
      const stored = stream === null ? null : rows.twin(event, idBytes, stream.id)
      if (stored !== null) {
        if (!stored.same) return conflict(append, event.eventId, stored.version)
        last = stored
        continue
      }
      const ahead = fresh.length + 1
      const place = { event, idBytes, version: lastVersion + ahead, position: lastPosition + ahead }
      fresh.push(place)
      freshById?.set(event.eventId, place)
      last = place
    }
    return Either.right({ append, stream, fresh, last })
  }

  const compareAll = (
    appends: ReadonlyArray<Append>,
    lastPosition: number
  ): Either.Either<ReadonlyArray<Part>, EventIdConflict> => {
    const parts: Array<Part> = []
    let ahead = 0
    for (const append of appends) {
      const part = compare(append, lastPosition + ahead)
      if (Either.isLeft(part)) return Either.left(part.left)
      parts.push(part.right)
      ahead += part.right.fresh.length
    }
    return Either.right(parts)
  }

  const objectionOf = (parts: ReadonlyArray<Part>): AppendError | null => {
    for (const { append, stream } of parts) {
      const { expectedVersion: expected, streamId } = append
      if (stream?.state === "tombstoned") return new StreamTombstoned({ streamId })
      const actual = versionOf(stream)
      if (!ExpectedVersion.isMet(expected, actual)) return new WrongExpectedVersion({ streamId, expected, actual })
    }
    return null
  }

  const breachOf = (
    { after, checkedThrough, query }: Condition,
    lastPosition: number,
    nowUs: number
  ): AppendError | null => {
    // The query looks at the tables.
    catalog.flush()
    // What was checked before stays as it was, see `conditionCheck.ts`. The rest must be judged, however long it takes.
    const budget = { left: Number.POSITIVE_INFINITY }
    const span = { after: Math.max(after, checkedThrough), to: lastPosition }
    const position = conditions.firstMatch({ query, ...span, nowUs, budget })
    return position === null ? null : new AppendConditionFailed({ after, position })
  }

  // ---------------------------------------------------------------------------
  // writing
  // ---------------------------------------------------------------------------

  const write = ({ append, fresh, stream }: Part, head: MovingHead, nowUs: number): void => {
    const last = fresh.at(-1)
    if (last === undefined) return
    const before = stream ?? unborn(++head.lastStream, append.streamId)
    let bytes = before.bytes
    for (const one of fresh) {
      rows.insert(one, before.id, nowUs)
      bytes += byteLength(one.event)
    }
    head.lastEpochUs = nowUs
    head.lastPosition = last.position
    head.eventCount += fresh.length
    const born = exists(stream) ? stream : { bornVersion: before.version + 1, createdUs: nowUs }
    // Field by field: a copy of a copy of a copy takes V8 six times as long, for it makes another hidden class of each.
    const after: Stream = {
      id: before.id,
      name: before.name,
      version: last.version,
      position: last.position,
      state: "active",
      firstVersion: before.firstVersion,
      bornVersion: born.bornVersion,
      bytes,
      createdUs: born.createdUs,
      updatedUs: nowUs,
      metadata: before.metadata
    }
    streams.save(stream, retention.limit(after), head)
  }

  const appendedOf = ({ append, fresh, last }: Part): Appended => ({
    streamId: append.streamId,
    version: last.version,
    position: last.position,
    alreadyPresent: append.events.length - fresh.length
  })

  return {
    append: ({ appends, condition }, head, nowUs) => {
      assertNamedOnce(appends.map(({ streamId }) => streamId))
      const compared = compareAll(appends, head.lastPosition)
      if (Either.isLeft(compared)) return Either.left(compared.left)
      const parts = compared.right
      const isRepetition = sum(parts, freshIn) === 0 && sum(parts, eventsIn) > 0
      if (!isRepetition) {
        const objection =
          objectionOf(parts) ?? (condition === null ? null : breachOf(condition, head.lastPosition, nowUs))
        if (objection !== null) return Either.left(objection)
        for (const part of parts) write(part, head, nowUs)
      }
      return Either.right(parts.map(appendedOf))
    }
  }
}
