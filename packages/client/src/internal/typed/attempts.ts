/**
 * Appends until the store has said its last word, and decisions until one is not overtaken.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import type { AppendFailure } from "../../EventStore.js"
import type { AppendConditionFailed, EventIdConflict, OutcomeUnknown, WrongExpectedVersion } from "../../StoreError.js"

/** Somebody else was faster: read again, decide again. */
type Conflict = WrongExpectedVersion | AppendConditionFailed

export type Overtaken = Conflict | EventIdConflict

export type Retry = Schedule.Schedule<unknown, AppendFailure>

/** Ten times, after 5 to 200 ms, each between half and one and a half of that, so that rivals do not come back in step. */
export const retryDefault: Retry = Schedule.exponential("5 millis").pipe(
  Schedule.union(Schedule.spaced("200 millis")),
  Schedule.jitteredWith({ min: 0.5, max: 1.5 }),
  Schedule.intersect(Schedule.recurs(10))
)

const isConflict = (error: { readonly _tag: string }): error is Conflict =>
  error._tag === "WrongExpectedVersion" || error._tag === "AppendConditionFailed"

/** What a store says of an append itself. Everything else is about one request, and says nothing of an earlier one whose answer got lost. */
const isLastWord = (error: AppendFailure): boolean =>
  isConflict(error) || error._tag === "EventIdConflict" || error._tag === "StreamTombstoned"

/** Repeats the append, with the same event ids, for as long as its outcome is unknown. */
const settled = <A>(append: Effect.Effect<A, AppendFailure>, retry: Retry): Effect.Effect<A, AppendFailure> =>
  Effect.suspend(() => {
    let unknown: OutcomeUnknown | undefined
    return Effect.mapError(append, error => {
      if (error._tag === "OutcomeUnknown") unknown = error
      return unknown === undefined || isLastWord(error) ? error : unknown
    }).pipe(Effect.retry({ schedule: retry, while: error => error._tag === "OutcomeUnknown" }))
  })

/** The outcome of an append: done, or something that another attempt may mend. */
export const append = <A>(
  append: Effect.Effect<A, AppendFailure>,
  retry: Retry
): Effect.Effect<Either.Either<A, Overtaken>, Exclude<AppendFailure, Overtaken>> =>
  settled(append, retry).pipe(
    Effect.map(Either.right),
    Effect.catchTags({
      WrongExpectedVersion: conflict => Effect.succeed(Either.left(conflict)),
      AppendConditionFailed: conflict => Effect.succeed(Either.left(conflict)),
      EventIdConflict: conflict => Effect.succeed(Either.left(conflict))
    })
  )

/**
 * Attempt after attempt while they are overtaken; the failure is what the last one met. Each is told what the one before it met.
 *
 * An event id that is taken is worth one more look if the ids follow from the command's: another execution of the command may just have written these events, and the next
 * attempt will find them. If it does not, they are hidden.
 */
export const untilNotOvertaken = <A, E, R>(
  attempt: (before: Overtaken | undefined) => Effect.Effect<Either.Either<A, Overtaken>, E, R>,
  { commandId, retry }: { readonly commandId: string | undefined; readonly retry: Retry }
): Effect.Effect<A, E | Overtaken, R> =>
  Effect.gen(function* () {
    const schedule = yield* Schedule.driver(retry)
    let before: Overtaken | undefined
    while (true) {
      const outcome = yield* attempt(before)
      if (Either.isRight(outcome)) return outcome.right
      const met = outcome.left
      const isTaken = met._tag === "EventIdConflict"
      if (isTaken && (commandId === undefined || before?._tag === "EventIdConflict")) return yield* met
      before = met
      yield* Effect.mapError(schedule.next(met), () => met)
    }
  })
