import { byteLength } from "@reckon/client/Event"
import type { EventPage } from "@reckon/client/StoreRpcs"
import type { StreamDetails } from "@reckon/client/StreamMetadata"
import type { Absent, ReadAll, ReadQuery, Service } from "../../StoreEngine.js"
import type { Catalog, Stream } from "./catalog.js"
import type { Connection } from "./database.js"
import * as Gathered from "./gathered.js"
import { assertInvariant } from "./invariant.js"
import { type Budget, type Order, orderOf } from "./postings.js"
import { type Found, moreRows, type Queries } from "./query.js"
import { costOf, eventOf } from "./recordedEvent.js"
import * as StreamNames from "./streamNames.js"
import { exists } from "./streamState.js"
import * as Temporal from "./temporal.js"
import { isVisible } from "./visible.js"

/** The positions first, which the parts of the index are merged for, and then their rows, in this order: of rows that are merged each is copied. */
const ofStream = (direction: "ASC" | "DESC"): string => `SELECT ${Gathered.columns} FROM (
    SELECT position AS place, version AS number FROM versions WHERE stream = +? AND version BETWEEN +? AND +?
    ORDER BY version ${direction} LIMIT +?
  ) CROSS JOIN events ON position = place LIMIT -1`

/** The look-ups, by name, so that a test can ask SQLite how it would go about each. A limit that is a bare parameter, without the sign, would have one planned anew each time that it runs. */
export const queries = {
  streamForward: ofStream("ASC"),
  streamBackward: ofStream("DESC"),
  allForward: `SELECT ${Gathered.columns} FROM events WHERE position BETWEEN +? AND +? ORDER BY position LIMIT +?`,
  allBackward: `SELECT ${Gathered.columns} FROM events WHERE position BETWEEN +? AND +? ORDER BY position DESC LIMIT +?`,
  youngEnough: `SELECT id FROM streams WHERE updated_us + max_age_us >= +? AND max_age_us IS NOT NULL AND state = 0
    AND version >= first_version LIMIT 1`
} as const

/** What one page may look at without returning it: some milliseconds of work, for which the appends behind it wait. */
export const passedOverMax = 4096

export interface Reader
  extends Pick<Service, "getVersion" | "listStreams" | "readStream" | "streamDetails" | "versionAt"> {
  /** Whether one of the streams that hide their events by age shows one at this time. */
  readonly hasYoungEvents: (nowUs: number) => boolean
  readonly readAll: (options: ReadAll, lastPosition: number) => EventPage
  readonly readQuery: (options: ReadQuery, lastPosition: number) => EventPage
  readonly positionAt: (epochUs: number, lastPosition: number) => number
}

/** The places that a page may come from: `from` first, `to` last, of which `from` may lie behind `to`. */
interface Range {
  readonly from: number
  readonly to: number
  /** Where to go on when there is nothing more, for those who wait for more. */
  readonly end: number
}

const versionOf = (row: Gathered.EventRow): number => row[2]
const positionOf = (row: Gathered.EventRow): number => row[0]

/**
 * Row after row from a place on, fetched in pieces. The first is as large as the page, because mostly all rows are shown; `fetch` answers at most so many from a place
 * on.
 */
function* inPieces(
  { count, from }: { readonly count: number; readonly from: number },
  placeOf: (row: Gathered.EventRow) => number,
  { isBefore, step }: Order,
  fetch: (from: number, limit: number) => Iterable<Gathered.EventRow>
): Generator<Gathered.EventRow> {
  let next = from
  for (let limit = count + 1; ; limit = moreRows(limit)) {
    let fetched = 0
    for (const row of fetch(next, limit)) {
      const place = placeOf(row)
      assertInvariant(!isBefore(place, next), "rows come in the order of their places", { place, next })
      next = place + step
      fetched += 1
      yield row
    }
    if (fetched < limit) return
  }
}

export const make = (db: Connection, catalog: Catalog, search: Queries["search"]): Reader => {
  const gather = Gathered.make(db)
  const selectStream = {
    forward: gather<[stream: number, first: number, last: number, limit: number]>(queries.streamForward),
    backward: gather<[stream: number, first: number, last: number, limit: number]>(queries.streamBackward)
  }
  const selectAll = {
    forward: gather<[first: number, last: number, limit: number]>(queries.allForward),
    backward: gather<[first: number, last: number, limit: number]>(queries.allBackward)
  }
  const selectYoungEnough = db.prepare<[number], number>(queries.youngEnough).pluck()

  const names = StreamNames.make(db)
  const temporal = Temporal.make(db)

  // ---------------------------------------------------------------------------
  // pages of events
  // ---------------------------------------------------------------------------

  const rangeOf = (options: Omit<ReadAll, "asOf">, first: number, last: number): Range =>
    options.direction === "forward"
      ? { from: Math.max(options.from, first), to: last, end: Math.max(options.from, last + 1) }
      : { from: Math.min(options.from, last), to: first, end: -1 }

  /** Row by row, and not all at once: a page of `count` events may be far larger than `bytesMax`. */
  const pageOf = (rows: Iterable<Found>, options: Omit<ReadAll, "asOf">, range: Range): EventPage => {
    const { isBefore, step } = orderOf(options.direction)
    const events: Array<NonNullable<Found["event"]>> = []
    let bytes = 0
    for (const { event, isLast, place } of rows) {
      if (isBefore(range.to, place)) break
      if (event !== null) {
        bytes += byteLength(event)
        const isFull = events.length >= options.count || (events.length > 0 && bytes > options.bytesMax)
        if (isFull) return { events, isEnd: false, next: place }
        events.push(event)
      }
      if (isLast) return { events, isEnd: false, next: place + step }
    }
    return { events, isEnd: true, next: range.end }
  }

  function* inStream(name: string, rows: Iterable<Gathered.EventRow>): Generator<Found> {
    for (const row of rows) yield { place: versionOf(row), event: eventOf(catalog, row, name), isLast: false }
  }

  function* visible(rows: Iterable<Gathered.EventRow>, nowUs: number, budget: Budget): Generator<Found> {
    for (const row of rows) {
      const [position, streamId, version, , epochUs] = row
      const stream = catalog.streamById(streamId)
      const isShown = isVisible(stream, { version, epochUs }, nowUs)
      if (!isShown) budget.left -= costOf(row)
      yield { place: position, event: isShown ? eventOf(catalog, row, stream.name) : null, isLast: budget.left <= 0 }
    }
  }

  const lastOf = ({ asOf }: ReadAll, lastPosition: number): number =>
    asOf === null ? lastPosition : Math.min(asOf, lastPosition)

  // ---------------------------------------------------------------------------
  // streams
  // ---------------------------------------------------------------------------

  /** A stream that can be read, or why it cannot. One of which only metadata are known is not there yet. */
  const present = (name: string): Stream | Absent => {
    const stream = catalog.stream(name)
    if (exists(stream)) return stream
    return stream === null || stream.state === "active" ? "not_found" : stream.state
  }

  const detailsOf = (stream: Stream): StreamDetails => ({
    streamId: stream.name,
    state: stream.state,
    firstVersion: stream.firstVersion,
    lastVersion: stream.version,
    count: stream.version - stream.firstVersion + 1,
    bytes: stream.bytes,
    createdUs: stream.createdUs,
    updatedUs: stream.updatedUs,
    metadata: stream.metadata
  })

  return {
    readStream: options => {
      const found = present(options.streamId)
      if (typeof found === "string") return found
      const range = rangeOf(options, temporal.firstVisible(found, options.nowUs), found.version)
      const page = { from: range.from, count: options.count }
      const rows = inPieces(page, versionOf, orderOf(options.direction), (from, limit) =>
        options.direction === "forward"
          ? selectStream.forward(found.id, from, range.to, limit)
          : selectStream.backward(found.id, range.to, from, limit)
      )
      return pageOf(inStream(found.name, rows), options, range)
    },

    readAll: (options, lastPosition) => {
      const range = rangeOf(options, 0, lastOf(options, lastPosition))
      const page = { from: range.from, count: options.count }
      const rows = inPieces(page, positionOf, orderOf(options.direction), (from, limit) =>
        options.direction === "forward"
          ? selectAll.forward(from, range.to, limit)
          : selectAll.backward(range.to, from, limit)
      )
      return pageOf(visible(rows, options.nowUs, { left: passedOverMax }), options, range)
    },

    readQuery: (options, lastPosition) => {
      const range = rangeOf(options, 0, lastOf(options, lastPosition))
      const wanted = { ...options, from: range.from, to: range.to, budget: { left: passedOverMax } }
      return pageOf(search(wanted), options, range)
    },

    getVersion: name => {
      const found = present(name)
      return typeof found === "string" ? -1 : found.version
    },

    positionAt: temporal.positionAt,

    versionAt: (name, epochUs) => {
      const found = present(name)
      return typeof found === "string" ? found : temporal.versionAt(found, epochUs)
    },

    streamDetails: name => {
      const found = catalog.stream(name)
      return found === null ? null : detailsOf(found)
    },

    // The last event of a stream is the last to be too old.
    hasYoungEvents: nowUs => selectYoungEnough.get(nowUs) !== undefined,

    listStreams: names.list
  }
}
