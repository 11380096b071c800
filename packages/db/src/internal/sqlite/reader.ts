import { byteLength } from "@reckon/client/Event"
import type { EventPage } from "@reckon/client/StoreRpcs"
import type { StreamDetails } from "@reckon/client/StreamMetadata"
import * as Effect from "effect/Effect"
import type { Absent, ReadAhead, ReadAll, ReadQuery, Service } from "../../StoreEngine.js"
import { Ahead, type Question } from "./ahead.js"
import type { Catalog, Stream } from "./catalog.js"
import type { Connection } from "./database.js"
import * as Gathered from "./gathered.js"
import { assertInvariant } from "./invariant.js"
import { type Budget, type Order, orderOf } from "./postings.js"
import { type Found, moreRows, type Queries } from "./query.js"
import type { ReadThread } from "./readThread.js"
import { costOf, eventOf } from "./recordedEvent.js"
import * as StreamNames from "./streamNames.js"
import { exists } from "./streamState.js"
import * as Temporal from "./temporal.js"
import { isVisible } from "./visible.js"
import type { Writer } from "./writer.js"

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

/** Those that a thread can be asked for. */
export const readAhead = [queries.streamForward, queries.streamBackward, queries.allForward, queries.allBackward]
const ofStreams = { forward: 0, backward: 1 } as const
const ofAll = { forward: 2, backward: 3 } as const

/** To ask for fewer rows takes this thread as long as to read them. */
const aheadLeast = 16

/** What one page may look at without returning it: some milliseconds of work, for which the appends behind it wait. */
export const passedOverMax = 4096

export interface Reader
  extends Pick<Service, "getVersion" | "listStreams" | "readStream" | "streamDetails" | "versionAt"> {
  /** Whether one of the streams that hide their events by age shows one at this time. */
  readonly hasYoungEvents: (nowUs: number) => boolean
  readonly readAhead: (
    options: ReadAhead,
    lastPosition: number,
    committed: Writer["committed"]
  ) => Effect.Effect<Ahead | undefined> | undefined
  readonly readAll: (options: ReadAll, lastPosition: number, ahead?: Ahead) => EventPage
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
 * Row after row from a place on, first those that were read ahead, the others fetched in pieces. The first piece is as large as what the page lacks then, because mostly all rows are shown; `fetch` answers at
 * most so many from a place on.
 */
function* inPieces(
  { count, from, to }: { readonly count: number } & Pick<Range, "from" | "to">,
  placeOf: (row: Gathered.EventRow) => number,
  { isBefore, step }: Order,
  ahead: Ahead | undefined,
  fetch: (from: number, limit: number) => Iterable<Gathered.EventRow>
): Generator<Gathered.EventRow> {
  let next = from
  if (ahead !== undefined) {
    for (const row of ahead.rowsFrom(from, placeOf, step)) {
      next += step
      yield row
    }
  }
  const lacking = count + 1 - Math.abs(next - from)
  for (let limit = lacking > 0 ? lacking : moreRows(count + 1); !isBefore(to, next); limit = moreRows(limit)) {
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

export const make = (db: Connection, catalog: Catalog, search: Queries["search"], thread?: ReadThread): Reader => {
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

  const lastOf = ({ asOf }: Pick<ReadAll, "asOf">, lastPosition: number): number =>
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

  // ---------------------------------------------------------------------------
  // ahead
  // ---------------------------------------------------------------------------

  /** The places of rows that are committed, `from` first, in the order of a read. None where too little would be found there. */
  const aheadIn = (
    { count, direction, from }: ReadAhead,
    [first, last]: readonly [first: number, last: number],
    committedLast: number
  ): readonly [least: number, most: number] | undefined => {
    const range: readonly [number, number] =
      direction === "forward" ? [Math.max(from, first), Math.min(last, committedLast)] : [first, Math.min(from, last)]
    const [least, most] = range
    // What is newer is not left out: a page goes on from row to row.
    return most > committedLast || Math.min(count, most - least + 1) < aheadLeast ? undefined : range
  }

  const ask = (
    reads: number,
    question: Question,
    parameters: ReadonlyArray<number>
  ): Effect.Effect<Ahead | undefined> | undefined =>
    thread?.isFree(reads) === true
      ? Effect.map(thread.read(question.statement, parameters), page =>
          page === undefined ? undefined : new Ahead(thread, question, page)
        )
      : undefined

  const answering = (ahead: Ahead | undefined, question: Question): Ahead | undefined =>
    ahead?.answers(thread, question) === true ? ahead : undefined

  return {
    readAhead: (options, lastPosition, committed) => {
      const { count, direction, reads, streamId } = options
      if (thread === undefined || reads < 2) return undefined
      if (streamId === null) {
        const places = aheadIn(options, [0, lastOf(options, lastPosition)], committed.upTo())
        return places && ask(reads, { statement: ofAll[direction], stream: null }, [...places, count + 1])
      }
      const found = present(streamId)
      if (typeof found === "string") return undefined
      const places = aheadIn(options, [found.firstVersion, found.version], committed.before(found.id) - 1)
      const question = { statement: ofStreams[direction], stream: found.id }
      return places && ask(reads, question, [found.id, ...places, count + 1])
    },

    readStream: (options, ahead) => {
      const found = present(options.streamId)
      if (typeof found === "string") return found
      const range = rangeOf(options, temporal.firstVisible(found, options.nowUs), found.version)
      const page = { ...range, count: options.count }
      const known = answering(ahead, { statement: ofStreams[options.direction], stream: found.id })
      const rows = inPieces(page, versionOf, orderOf(options.direction), known, (from, limit) =>
        options.direction === "forward"
          ? selectStream.forward(found.id, from, range.to, limit)
          : selectStream.backward(found.id, range.to, from, limit)
      )
      return pageOf(inStream(found.name, rows), options, range)
    },

    readAll: (options, lastPosition, ahead) => {
      const range = rangeOf(options, 0, lastOf(options, lastPosition))
      const page = { ...range, count: options.count }
      const known = answering(ahead, { statement: ofAll[options.direction], stream: null })
      const rows = inPieces(page, positionOf, orderOf(options.direction), known, (from, limit) =>
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
