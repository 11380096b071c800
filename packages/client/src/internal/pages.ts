/**
 * Lists that are longer than a page, as streams that ask for a page when they are pulled.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RecordedEvent } from "../Event.js"
import { type EventPage, pageEventsMax } from "../StoreRpcs.js"

export interface PageRequest {
  readonly from: number
  readonly count: number
  readonly direction: "forward" | "backward"
}

/** Which events: those at the places (versions or positions) from `from` to `to`, both included, and no more than `count`. */
export interface Span {
  readonly direction?: "forward" | "backward" | undefined
  /** Default: the first, or backward the last. */
  readonly from?: number | undefined
  /** Default: the last, or backward the first. */
  readonly to?: number | undefined
  readonly count?: number | undefined
  /** Events from before this time (microseconds since 1970) are left out. */
  readonly sinceUs?: number | undefined
}

/** Where a read starts that does not say where. */
export const start = (direction: "forward" | "backward"): number =>
  direction === "forward" ? 0 : Number.MAX_SAFE_INTEGER

const stuck = (page: EventPage, from: number) =>
  Effect.dieMessage(`a page of ${page.events.length} events from ${from} on says that ${page.next} comes next`)

/** Where a span goes on. */
interface Cursor<S> {
  readonly span: S
  readonly from: number
  readonly left: number
}

const beginning = <S extends Span>(span: S): Cursor<S> => ({
  span,
  from: span.from ?? start(span.direction ?? "forward"),
  left: span.count ?? Number.POSITIVE_INFINITY
})

const nothing: readonly [Chunk.Chunk<never>, Option.Option<never>] = [Chunk.empty(), Option.none()]

/**
 * The events of a span, following the cursor of each page: one may be empty and yet not the last. The cursor is a place, not a number of events, so that what is
 * appended meanwhile neither shifts a page nor hides from it.
 *
 * Which span is found out with the first page, and `null` is one without events: a stream that is unwrapped costs more than to read a short one.
 */
export const events = <S extends Span, E>(
  span: Effect.Effect<S | null, E>,
  placeOf: (event: RecordedEvent) => number,
  read: (page: PageRequest, span: S) => Effect.Effect<EventPage, E>
): Stream.Stream<RecordedEvent, E> => {
  const pageAt = ({ from, left, span }: Cursor<S>) => {
    const direction = span.direction ?? "forward"
    const to = span.to ?? (direction === "forward" ? Number.MAX_SAFE_INTEGER : 0)
    const sinceUs = span.sinceUs ?? 0
    /** How much further one place lies than another. */
    const ahead = (place: number, other: number): number => (direction === "forward" ? place - other : other - place)
    // A span holds at most one event a place.
    const count = Math.min(left, pageEventsMax, Math.abs(to - from) + 1)

    return Effect.flatMap(read({ from, count, direction }, span), page => {
      if (!page.isEnd && left > 0 && ahead(page.next, from) <= 0) return stuck(page, from)
      const inside = page.events.filter(event => ahead(placeOf(event), to) <= 0 && event.epochUs >= sinceUs)
      const rest = left - inside.length
      const isLast = page.isEnd || rest <= 0 || ahead(page.next, to) > 0
      const next = isLast ? Option.none<Cursor<S>>() : Option.some({ span, from: page.next, left: rest })
      return Effect.succeed([Chunk.unsafeFromArray(inside), next] as const)
    })
  }

  return Stream.paginateChunkEffect<Cursor<S> | null, RecordedEvent, E, never>(null, cursor =>
    cursor === null
      ? Effect.flatMap(span, found => (found === null ? Effect.succeed(nothing) : pageAt(beginning(found))))
      : pageAt(cursor)
  )
}

/** All items, page after page; `next` says where the one behind this page starts, null that there is none. */
export const all = <Cursor, Page, A, E>(
  first: Cursor,
  read: (from: Cursor) => Effect.Effect<Page, E>,
  itemsOf: (page: Page) => ReadonlyArray<A>,
  next: (page: Page) => Cursor | null
): Stream.Stream<A, E> =>
  Stream.paginateChunkEffect(first, from =>
    Effect.map(read(from), page => [Chunk.unsafeFromArray(itemsOf(page)), Option.fromNullable(next(page))])
  )
