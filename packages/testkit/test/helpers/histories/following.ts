/**
 * Followers of a history: who was shown which events, in the order in which they came.
 *
 * A follower is to see every event behind its start, once and in order, whatever happens to the nodes meanwhile. What was hidden before it got there it may have missed, and that depends on who was
 * faster; but what is still there at the end was never hidden, and must have been seen.
 */
import type { RecordedEvent } from "@reckon/client/Event"
import type { StoreError } from "@reckon/client/StoreError"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface Followed {
  /** Null: of all streams. */
  readonly streamId: string | null
  /** The version, or position, of the first event that concerns it; null: whatever comes next when it begins. */
  readonly start: number | null
  /** The last position of which anybody knew before it began. */
  readonly known: number
  readonly seen: ReadonlyArray<RecordedEvent>
  /** Why it came to an end, as it does by itself only where its stream has come to one. */
  readonly ended: StoreError | undefined
}

/** Notes down what a follower sees, for as long as it runs. */
export const begin = (
  of: Pick<Followed, "streamId" | "start" | "known">,
  events: Stream.Stream<RecordedEvent, StoreError>
): { readonly followed: Followed; readonly run: Effect.Effect<void> } => {
  const seen: Array<RecordedEvent> = []
  const followed: { -readonly [Field in keyof Followed]: Followed[Field] } = { ...of, seen, ended: undefined }
  const run = Stream.runForEach(events, event => Effect.sync(() => seen.push(event))).pipe(
    Effect.catchAll(error =>
      Effect.sync(() => {
        followed.ended = error
      })
    )
  )
  return { followed, run }
}

const placeIn = ({ streamId }: Followed): ((event: RecordedEvent) => number) =>
  streamId === null ? event => event.position : event => event.version

/** Those of the events that are there which it should have seen and did not. */
export const missing = (followed: Followed, visible: ReadonlyArray<RecordedEvent>): ReadonlyArray<RecordedEvent> => {
  const { ended, seen, start, streamId } = followed
  const placeOf = placeIn(followed)
  const [first] = seen
  // Nobody knows where one began that started at what comes next, until something came.
  const from = start ?? (first === undefined || ended !== undefined ? Number.POSITIVE_INFINITY : placeOf(first))
  const places = new Set(seen.map(placeOf))
  return visible.filter(
    event => (streamId === null || event.streamId === streamId) && placeOf(event) >= from && !places.has(placeOf(event))
  )
}

const textOf = ({ eventId, position, streamId, version }: RecordedEvent): string =>
  `${eventId} at ${streamId}/${version}#${position}`

/** A follower's stream was deleted for good, and it was not told yet. */
export const isToBeTold = ({ ended, streamId }: Followed, tombstoned: ReadonlySet<string>): boolean =>
  streamId !== null && tombstoned.has(streamId) && ended === undefined

export const judge = (
  followed: Followed,
  {
    lasting,
    tombstoned,
    visible
  }: {
    readonly visible: ReadonlyArray<RecordedEvent>
    /** Whether nobody asked to keep less of a stream. */
    readonly lasting: (streamId: string) => boolean
    readonly tombstoned: ReadonlySet<string>
  }
): ReadonlyArray<string> => {
  const { ended, known, seen, start, streamId } = followed
  const placeOf = placeIn(followed)
  const who = `who follows ${streamId ?? "all"} from ${start ?? "what comes next"}`
  const problems = missing(followed, visible).map(event => `${who} never saw ${textOf(event)}`)
  const there = new Set(visible.map(({ position }) => position))
  for (const [at, event] of seen.entries()) {
    const before = seen[at - 1]
    if (before !== undefined && placeOf(before) >= placeOf(event)) {
      problems.push(`${who} saw ${textOf(event)} after ${textOf(before)}`)
    }
    if (start === null ? event.position <= known : placeOf(event) < start) problems.push(`${who} saw ${textOf(event)}`)
    if (streamId !== null && event.streamId !== streamId) problems.push(`${who} saw ${textOf(event)}`)
    if (!there.has(event.position) && lasting(event.streamId)) problems.push(`only ${who} saw ${textOf(event)}`)
  }
  // One that is to start at what comes next has to ask a majority where that is.
  const neverBegan = start === null && seen.length === 0 && ended?.retryable === true
  const isRight = ended?._tag === "StreamTombstoned" && streamId !== null && tombstoned.has(streamId)
  if (isToBeTold(followed, tombstoned)) problems.push(`${who} was never told that it was deleted for good`)
  if (ended !== undefined && !isRight && !neverBegan) problems.push(`${who} was told: ${ended.message}`)
  return problems
}
