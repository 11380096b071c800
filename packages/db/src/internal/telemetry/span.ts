/** Operations between their events. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import type * as Tracer from "effect/Tracer"
import type { Event, Span } from "./event.js"
import { reasonOf } from "./text.js"

type Values = Readonly<Record<string, unknown>>

/** What spans need of the service. */
export interface Emitter {
  readonly clock: Clock.Clock
  readonly isTracing: () => boolean
  readonly isObserved: (event: Event) => boolean
  readonly execute: (event: Event, measurements: Readonly<Record<string, number>>, metadata: Values) => void
  /** The fields, or none where they cannot be computed: an operation must not fail because of those who watch it. */
  readonly computed: (lazy: unknown) => Values
}

/** Those of the values that have a field. */
const pick = (values: Values, fields: Values): Values => Record.filter(values, (_, name) => name in fields)

export const make = ({ clock, computed, execute, isObserved, isTracing }: Emitter) => {
  const isWatched = ({ error, start, stop }: Span): boolean =>
    isObserved(start) || isObserved(stop) || isObserved(error)

  /** Begins one operation, and says how to end it. */
  const begin = ({ error, start, stop }: Span, metadata: unknown) => {
    const given = computed(metadata)
    const began = clock.unsafeCurrentTimeNanos()
    const duration = (): number => Number(clock.unsafeCurrentTimeNanos() - began)
    execute(start, {}, given)
    return {
      given,
      fail: (cause: Cause.Cause<unknown>): void =>
        execute(error, { duration: duration() }, { ...pick(given, error.metadata), ...reasonOf(cause) }),
      succeed: (outcome: () => unknown): Values => {
        const gained = computed(outcome)
        const measured = Record.filter(pick(gained, stop.measurements), Predicate.isNumber)
        execute(
          stop,
          { ...measured, duration: duration() },
          { ...pick(given, stop.metadata), ...pick(gained, stop.metadata) }
        )
        return gained
      }
    }
  }

  /** `endOf`: how the span ends, where the operation's own exit does not tell. */
  const traced = <A, E, R>(
    name: string,
    attributes: Values,
    operation: Effect.Effect<A, E, R>,
    endOf: (exit: Exit.Exit<A, E>) => Exit.Exit<unknown, unknown> = identity
  ): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.acquireUseRelease(
      Effect.makeSpan(name, { attributes, captureStackTrace: false }),
      span => Effect.withParentSpan(operation, span),
      (span, exit) => Effect.map(Clock.currentTimeNanos, nanos => span.end(nanos, endOf(exit)))
    )

  const endOfOne = <A, Refusal, E>(
    exit: Exit.Exit<ReadonlyArray<Either.Either<A, Refusal>>, E>
  ): Exit.Exit<unknown, E | Refusal> => {
    const answer = Exit.isSuccess(exit) ? exit.value[0] : undefined
    return answer?._tag === "Left" ? Exit.fail(answer.left) : exit
  }

  const span = <A, E, R>(
    span: Span,
    metadata: unknown,
    operation: Effect.Effect<A, E, R>,
    outcome: (result: A) => unknown
  ): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const tracing = isTracing()
      if (!tracing && !isWatched(span)) return operation
      const { fail, given, succeed } = begin(span, metadata)
      const told = Effect.onExit(operation, exit =>
        Effect.suspend(() => {
          if (Exit.isFailure(exit)) return Effect.sync(() => fail(exit.cause))
          const gained = succeed(() => outcome(exit.value))
          return tracing ? Effect.annotateCurrentSpan(gained) : Effect.void
        })
      )
      return tracing ? traced(span.name, given, told) : told
    })

  const spanEach = <Item, A, Refusal, E, R>(
    span: Span,
    items: ReadonlyArray<Item>,
    metadata: (item: Item) => unknown,
    operation: Effect.Effect<ReadonlyArray<Either.Either<A, Refusal>>, E, R>,
    outcome: (result: A, item: Item) => unknown
  ): Effect.Effect<ReadonlyArray<Either.Either<A, Refusal>>, E, R> =>
    Effect.suspend(() => {
      const tracing = isTracing()
      if (!tracing && !isWatched(span)) return operation
      const begun = items.map(item => ({ item, ...begin(span, () => metadata(item)) }))
      const told = Effect.onExit(operation, exit =>
        Effect.suspend(() => {
          let gained: Values = {}
          for (const [place, { fail, item, succeed }] of begun.entries()) {
            const result = Exit.isSuccess(exit) ? exit.value[place] : undefined
            if (Exit.isFailure(exit)) fail(exit.cause)
            else if (result?._tag === "Right") gained = succeed(() => outcome(result.right, item))
            else if (result?._tag === "Left") fail(Cause.fail(result.left))
          }
          return tracing && begun.length === 1 ? Effect.annotateCurrentSpan(gained) : Effect.void
        })
      )
      if (!tracing) return told
      const [first] = begun
      // One operation is the span's own, and so is its refusal.
      return begun.length === 1 && first !== undefined
        ? traced(span.name, first.given, told, endOfOne)
        : traced(span.name, { operation_count: items.length }, told)
    })

  return { span, spanEach }
}
