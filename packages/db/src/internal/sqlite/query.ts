import type { RecordedEvent } from "@reckon/client/Event"
import * as Query from "@reckon/client/Query"
import * as StreamPattern from "@reckon/client/StreamPattern"
import type { Direction } from "../../StoreEngine.js"
import * as Bisect from "./bisect.js"
import type { Catalog } from "./catalog.js"
import type { Connection } from "./database.js"
import * as Gathered from "./gathered.js"
import { assertInvariant } from "./invariant.js"
import { Lru } from "./lru.js"
import * as Postings from "./postings.js"
import { costOf, eventOf } from "./recordedEvent.js"
import * as StreamNames from "./streamNames.js"
import { termOfCriterion } from "./term.js"
import { isVisible } from "./visible.js"

/** Those of a JSON array of positions. */
const eventsAt = `SELECT ${Gathered.columns} FROM events WHERE position IN (SELECT value FROM json_each(?))`

/** The look-ups, by name, so that a test can ask SQLite how it would go about each. A limit that is a bare parameter, without the sign, would have one planned anew each time that it runs. */
export const queries = {
  kindForward: "SELECT position FROM events WHERE kind = +? AND position >= +? ORDER BY position LIMIT +?",
  kindBackward: "SELECT position FROM events WHERE kind = +? AND position <= +? ORDER BY position DESC LIMIT +?",
  tagForward: "SELECT position FROM tagged WHERE tag = +? AND position >= +? ORDER BY position LIMIT +?",
  tagBackward: "SELECT position FROM tagged WHERE tag = +? AND position <= +? ORDER BY position DESC LIMIT +?",
  termForward: "SELECT position FROM fields WHERE term = +? AND position >= +? ORDER BY position LIMIT +?",
  termBackward: "SELECT position FROM fields WHERE term = +? AND position <= +? ORDER BY position DESC LIMIT +?",
  placeInStream: "SELECT version, position FROM versions WHERE stream = +? AND version >= +? ORDER BY version LIMIT 1",
  // Positions rise with versions; the order has to be that of a column that is answered, or the parts of the index are sorted and not merged.
  streamForward: `SELECT position, version FROM versions WHERE stream = +? AND version BETWEEN +? AND +?
    ORDER BY version LIMIT +?`,
  streamBackward: `SELECT position, version FROM versions WHERE stream = +? AND version BETWEEN +? AND +?
    ORDER BY version DESC LIMIT +?`,
  streamAt: "SELECT stream FROM events WHERE position = +?",
  allForward: "SELECT position, stream FROM events WHERE position >= +? ORDER BY position LIMIT +?",
  allBackward: "SELECT position, stream FROM events WHERE position <= +? ORDER BY position DESC LIMIT +?",
  eventsForward: `${eventsAt} ORDER BY position LIMIT +?`,
  eventsBackward: `${eventsAt} ORDER BY position DESC LIMIT +?`
} as const

/** A row that a read came by, and its event if it is one to be returned. */
export interface Found {
  readonly place: number
  readonly event: RecordedEvent | null
  /** Whether the budget is spent, so that the read goes no further than here. */
  readonly isLast: boolean
}

/** Rows that are fetched at once, unless a page has more. */
const rowsMost = 512

/** How many rows to fetch after so many were not enough. */
export const moreRows = (fetched: number): number => Math.max(fetched, Math.min(fetched * 4, rowsMost))

/**
 * Which events to look for, and from which position on to which, both included. `nowUs` is the time by which an event is too old to be kept, in microseconds since 1970.
 */
export interface Search {
  readonly query: Query.Query
  readonly from: number
  readonly to: number
  /** How many events will be taken, for all one knows. */
  readonly count: number
  readonly direction: Direction
  readonly nowUs: number
  readonly budget: Postings.Budget
}

export interface Queries {
  /**
   * The rows that the indexes name for the query, by position. Every event that matches and is visible is among them; rows without one cost of the budget, and the
   * row with which it is spent says that it is the last.
   */
  readonly search: (options: Search) => Iterable<Found>
  /** The position of the first visible event behind `after` and up to `to` that matches; `null` where there is none, or the budget is spent before it is found. */
  readonly firstMatch: (options: {
    readonly query: Query.Query
    readonly after: number
    readonly to: number
    readonly nowUs: number
    readonly budget: Postings.Budget
  }) => number | null
}

/** Patterns with wildcards are looked up stream by stream where they name no more streams than this, shared among all patterns of a query. */
const streamsOfPatternsMax = 256

/** Where so few positions are left, each is looked at rather than the names that a pattern with wildcards may mean: those are up to several thousand, though nothing has happened since. */
const eventsForNamesMax = 128

/** Types are looked up kind by kind where they have no more kinds than this, shared among all items of a query: 64 items of 64 types, each with the content types that all of its events have. */
const kindsOfTypesMax = 4096

/** How many streams a scan remembers as matching its pattern or not. */
const rememberedStreamsMax = 4096

/** Whether there is one criterion, and no other beside it. */
const isSingle = ([item, ...others]: Query.Query["items"]): boolean =>
  item !== undefined &&
  others.length === 0 &&
  item.tags.length + item.metadata.length + Math.min(item.types.length, 1) + Number(item.stream !== null) === 1

export const make = (db: Connection, catalog: Catalog): Queries => {
  const gather = Gathered.make(db)
  const positionsOf = (forward: string, backward: string) => ({
    forward: db.prepare<[number, number, number], number>(forward).pluck(),
    backward: db.prepare<[number, number, number], number>(backward).pluck()
  })
  const ofKind = positionsOf(queries.kindForward, queries.kindBackward)
  const ofTag = positionsOf(queries.tagForward, queries.tagBackward)
  const ofTerm = positionsOf(queries.termForward, queries.termBackward)
  const ofStream = {
    forward: db.prepare<[number, number, number, number], number>(queries.streamForward).pluck(),
    backward: db.prepare<[number, number, number, number], number>(queries.streamBackward).pluck()
  }
  const ofAll = {
    forward: db.prepare<[number, number], [number, number]>(queries.allForward).raw(),
    backward: db.prepare<[number, number], [number, number]>(queries.allBackward).raw()
  }
  const selectStreamAt = db.prepare<[number], number>(queries.streamAt).pluck()
  const selectPlace = db.prepare<[number, number], [number, number]>(queries.placeInStream).raw()
  const selectEvents = {
    forward: gather<[positions: string, limit: number]>(queries.eventsForward),
    backward: gather<[positions: string, limit: number]>(queries.eventsBackward)
  }

  const names = StreamNames.make(db)

  // ---------------------------------------------------------------------------
  // from a query to positions
  // ---------------------------------------------------------------------------

  /**
   * The last version from `first` to `last` with a position below this one, `first - 1` where there is none. Positions rise with versions, so that a stream's own
   * index serves. Each look costs one of the budget.
   */
  const lastBelow = (
    stream: number,
    { first, last }: { readonly first: number; readonly last: number },
    position: number,
    near: "least" | "most",
    budget: Postings.Budget
  ): number =>
    Bisect.lastThat(
      first,
      last,
      version => {
        budget.left -= 1
        const row = selectPlace.get(stream, version)
        return row === undefined ? null : { place: row[0], position: row[1] }
      },
      row => row.position < position,
      near
    ) ?? first - 1

  /** The positions of what one item asks for, in one direction. */
  const planner = (
    { budget, direction }: Search,
    shared: { readonly items: number; readonly patterns: number },
    wanted?: number
  ): { readonly ofItem: (item: Query.Item) => Postings.Postings; readonly scan: () => Postings.Postings } => {
    const order = Postings.orderOf(direction)

    /** The rows of an index that lie under one number, of which so many may be wanted. */
    const listOf = (statements: ReturnType<typeof positionsOf>, id: number, wanted?: number) =>
      Postings.leaf(order, (position, limit) => statements[direction].all(id, position, limit), wanted)

    /**
     * The events that a stream keeps. What is asked for never goes back, so that only the rest of the stream has to be searched for it. Where it begins is found free of charge: of many streams, that alone could
     * spend the budget of each page.
     */
    const ofKept = ({ firstVersion, id, position: end, version }: StreamNames.Keeping): Postings.Postings => {
      let first = firstVersion
      let last = version
      let passed = 0
      let spent: Postings.Budget = { left: Number.POSITIVE_INFINITY }
      return Postings.leaf(order, (position, limit) => {
        if (direction === "forward" && end < position) return []
        if (direction === "forward")
          first = lastBelow(id, { first: first + passed, last }, position, "least", spent) + 1
        else last = lastBelow(id, { first, last: last - passed }, position + 1, "most", spent)
        const positions = ofStream[direction].all(id, first, last, limit)
        passed = positions.length
        spent = budget
        return positions
      })
    }

    /** All positions, or those of the streams that match, of which there are too many to look at each. */
    const scan = (pattern: string | null): Postings.Postings => {
      let streamAt = new Map<number, number>()
      const all = Postings.leaf(order, (position, limit) => {
        const rows = ofAll[direction].all(position, limit)
        streamAt = new Map(rows)
        return rows.map(([position]) => position)
      })
      if (pattern === null) return all
      const matches = StreamPattern.matcher(pattern)
      const known = new Lru<number, boolean>(rememberedStreamsMax)
      const passes = (position: number): boolean => {
        const id = streamAt.get(position)
        if (id === undefined) return false
        const remembered = known.get(id)
        if (remembered !== undefined) return remembered
        const isMatch = matches(catalog.streamById(id).name)
        known.set(id, isMatch)
        return isMatch
      }
      return Postings.filter(order, all, passes, budget)
    }

    /** The streams of a pattern that keep an event, `null` where there are too many to look at each. */
    const keptBy = (pattern: string): ReadonlyArray<StreamNames.Keeping> | null => {
      if (!StreamPattern.isLiteral(pattern)) {
        return names.keeping(pattern, {
          count: Math.floor(streamsOfPatternsMax / shared.patterns),
          lookedAt: Math.floor(StreamNames.namesLookedAtMax / shared.patterns)
        })
      }
      const stream = catalog.stream(pattern)
      return stream === null ? [] : [stream]
    }

    /** The events of these streams, or those of them that are in the list. */
    const ofStreams = (
      streams: ReadonlyArray<StreamNames.Keeping>,
      list: Postings.Postings | null
    ): Postings.Postings => {
      const all = Postings.union(order, streams.map(ofKept), budget)
      if (list === null) return all
      if (streams.length <= 1) return Postings.intersection([list, all], budget)
      const ids = new Set<number | undefined>(streams.map(({ id }) => id))
      return Postings.within(order, list, all, position => ids.has(selectStreamAt.get(position)), budget)
    }

    const ofTypes = (types: ReadonlyArray<string>): Postings.Postings | null => {
      const most = Math.floor(kindsOfTypesMax / shared.items)
      const kinds: Array<number> = []
      for (const type of new Set(types)) kinds.push(...catalog.kindsOfType(type, most + 1 - kinds.length))
      if (kinds.length > most) return null
      const share = wanted === undefined ? wanted : Math.ceil(wanted / kinds.length)
      return Postings.union(
        order,
        kinds.map(kind => listOf(ofKind, kind, share)),
        budget
      )
    }

    const ofItem = ({ metadata, stream, tags, types }: Query.Item): Postings.Postings => {
      const criteria: Array<Postings.Postings> = []
      for (const tag of new Set(tags)) {
        const id = catalog.tagId(tag)
        criteria.push(id === null ? Postings.none : listOf(ofTag, id, wanted))
      }
      for (const criterion of metadata) criteria.push(listOf(ofTerm, termOfCriterion(criterion), wanted))
      const kinds = types.length === 0 ? null : ofTypes(types)
      if (kinds !== null) criteria.push(kinds)
      const list = criteria.length === 0 ? null : Postings.intersection(criteria, budget)
      const streams = stream === null ? null : keptBy(stream)
      // Types of too many kinds, and a pattern of too many streams, are left to the test of each event, which has nothing else to go by where all are.
      return streams === null ? (list ?? scan(stream)) : ofStreams(streams, list)
    }

    return { ofItem, scan: () => scan(null) }
  }

  const postingsOf = (search: Search): Postings.Postings => {
    const { items } = search.query
    const patterns = items.filter(({ stream }) => stream !== null && !StreamPattern.isLiteral(stream)).length
    // Of a list that has to agree with no other one, as much is wanted as of the whole.
    const wanted = isSingle(items) ? search.count + 1 : undefined
    const { ofItem, scan } = planner(search, { items: items.length, patterns }, wanted)
    if (patterns > 0 && Math.abs(search.to - search.from) < eventsForNamesMax) return scan()
    return Postings.union(Postings.orderOf(search.direction), items.map(ofItem), search.budget)
  }

  // ---------------------------------------------------------------------------
  // from positions to events
  // ---------------------------------------------------------------------------

  function* search(options: Search): Generator<Found> {
    const { budget, count, direction, from, nowUs, query, to } = options
    const { isBefore, step } = Postings.orderOf(direction)
    if (isBefore(to, from)) return
    const postings = postingsOf(options)
    const matches = Query.matcher(query)
    let next = postings.seek(from)
    for (let limit = count + 1; next !== null; limit = moreRows(limit)) {
      const places: Array<number> = []
      while (next !== null && !isBefore(to, next) && places.length < limit) {
        places.push(next)
        next = budget.left > 0 ? postings.seek(next + step) : null
      }
      if (places.length === 0) return
      const rows = selectEvents[direction](JSON.stringify(places), places.length)
      let row = rows.next().value
      for (const [at, place] of places.entries()) {
        const isThere = row?.[0] === place
        // Indexes are not the last word: terms can collide, patterns may be left to be tested here, and what is hidden is still in them.
        const event = isThere && row !== undefined ? visibleEvent(row, nowUs) : null
        const found = event !== null && matches(event) ? event : null
        if (found === null) budget.left -= isThere && row !== undefined ? costOf(row) : 1
        yield { place, event: found, isLast: at === places.length - 1 && budget.left <= 0 }
        if (isThere) row = rows.next().value
      }
      assertInvariant(row === undefined, "rows come in the order of their places", { left: places.length })
    }
  }

  const visibleEvent = (row: Gathered.EventRow, nowUs: number): RecordedEvent | null => {
    const [, streamId, version, , epochUs] = row
    const stream = catalog.streamById(streamId)
    return isVisible(stream, { version, epochUs }, nowUs) ? eventOf(catalog, row, stream.name) : null
  }

  return {
    search,
    firstMatch: ({ after, ...options }) => {
      for (const { event, place } of search({ ...options, from: after + 1, count: 1, direction: "forward" })) {
        if (event !== null) return place
      }
      return null
    }
  }
}
