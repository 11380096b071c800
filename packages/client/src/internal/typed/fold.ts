/**
 * From events to a state.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Decider } from "../../Decider.js"
import type { RecordedEvent } from "../../Event.js"
import * as EventType from "../../EventType.js"
import * as Prepare from "./prepare.js"

/** What becomes of an event that cannot be read: the end of it all, or a warning in the log. */
export type Unreadable = "fail" | "skip"

/** A state, and the last event that went into it (-1: none did) and how many did since there was nothing, or a snapshot. */
export interface Folded<State> {
  readonly state: State
  readonly version: number
  readonly position: number
  readonly count: number
}

export interface Rules<in out State, in out E> {
  readonly union: EventType.Union<E>
  readonly decider: Pick<Decider<State, never, E, unknown, unknown>, "initial" | "evolve">
  readonly unreadable: Unreadable
}

export const nothing = <State, E>({ decider }: Rules<State, E>): Folded<State> => ({
  state: decider.initial,
  version: -1,
  position: -1,
  count: 0
})

/** `startsAnew` says of an event that what came before it is gone: it is then the first one. */
export const fold = <State, E, Err, R>(
  rules: Rules<State, E>,
  start: Folded<State>,
  events: Stream.Stream<RecordedEvent, Err, R>,
  startsAnew: (folded: Folded<State>, next: RecordedEvent) => boolean
): Effect.Effect<Folded<State>, Err | EventType.UnreadableEvent, R> =>
  Effect.suspend(() => {
    let folded = start
    const take = (recorded: RecordedEvent): EventType.Reading<E> => {
      const { count, state } = startsAnew(folded, recorded) ? nothing(rules) : folded
      const reading = rules.union.decode(recorded)
      folded = {
        state: Prepare.isDecoded(reading) ? rules.decider.evolve(state, reading.event) : state,
        version: recorded.version,
        position: recorded.position,
        count: count + 1
      }
      return reading
    }
    return Stream.runForEachChunk(events, chunk =>
      Effect.suspend(() => {
        const passedOver: Array<EventType.Reading<E>> = []
        for (const recorded of chunk) {
          const reading = take(recorded)
          if (Prepare.isDecoded(reading)) continue
          if (rules.unreadable === "fail") return Effect.fail(EventType.unreadable(reading))
          passedOver.push(reading)
        }
        return Effect.forEach(passedOver, Prepare.warn, { discard: true })
      })
    ).pipe(Effect.map(() => folded))
  })

/** The typed events among these, by the same rules. */
export const typed = <State, E, Err, R>(
  rules: Rules<State, E>,
  events: Stream.Stream<RecordedEvent, Err, R>
): Effect.Effect<ReadonlyArray<EventType.Decoded<E>>, Err | EventType.UnreadableEvent, R> =>
  events.pipe(
    Stream.map(rules.union.decode),
    Stream.tap(reading =>
      Prepare.isDecoded(reading)
        ? Effect.void
        : rules.unreadable === "fail"
          ? Effect.fail(EventType.unreadable(reading))
          : Prepare.warn(reading)
    ),
    Stream.filter(Prepare.isDecoded),
    Stream.runCollect,
    Effect.map(chunk => [...chunk])
  )
