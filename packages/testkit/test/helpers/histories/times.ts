/**
 * What was the last event at a time. Whoever asks afterwards gets a place between the events that are known to lie before that time, and those behind it.
 */
import type { RecordedEvent } from "@reckon/client/Event"
import type * as EventStore from "@reckon/client/EventStore"
import * as Effect from "effect/Effect"

export interface Asked {
  /** Null: in the whole store. */
  readonly streamId: string | null
  readonly epochUs: number
  /** The version, or position, that was answered. */
  readonly place: number
}

/** Asks about the times of two events, and the microseconds before them. */
export const ask = (
  store: EventStore.Service,
  visible: ReadonlyArray<RecordedEvent>
): Effect.Effect<ReadonlyArray<Asked>> =>
  Effect.forEach(
    [visible[visible.length >> 1], visible.at(-1)].flatMap(event => (event === undefined ? [] : [event])),
    ({ epochUs, streamId }) =>
      Effect.forEach([epochUs - 1, epochUs], epochUs =>
        Effect.all([
          Effect.map(store.positionAt(epochUs), (place): Asked => ({ streamId: null, epochUs, place })),
          Effect.map(store.versionAt(streamId, epochUs), (place): Asked => ({ streamId, epochUs, place }))
        ])
      )
  ).pipe(
    Effect.map(all => all.flat(2)),
    Effect.orDie
  )

/** `visible` rise in position. */
export const judge = (
  { epochUs, place, streamId }: Asked,
  visible: ReadonlyArray<RecordedEvent>
): ReadonlyArray<string> => {
  const events = visible.filter(event => streamId === null || event.streamId === streamId)
  const placeOf = (event: RecordedEvent): number => (streamId === null ? event.position : event.version)
  const before = events.findLast(event => event.epochUs <= epochUs)
  const behind = events.find(event => event.epochUs > epochUs)
  const least = before === undefined ? -1 : placeOf(before)
  const most = behind === undefined ? Number.POSITIVE_INFINITY : placeOf(behind) - 1
  return place >= least && place <= most
    ? []
    : [`at ${epochUs} the last of ${streamId ?? "all"} was ${place}, and not from ${least} to ${most}`]
}
