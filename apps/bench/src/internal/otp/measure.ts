/** How a figure is measured: so much work, timed again and again until it has taken long enough to be believed. */
import * as v8 from "node:v8"
import * as vm from "node:vm"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const warmUpMillis = 300
const measuredMillis = 700

/** Work done and the time it took. What was done before and after it, to set it up and to clear it away, is not in it. */
export interface Sample {
  readonly units: number
  readonly nanos: number
}

export const timed = <A, E, R>(units: number, work: Effect.Effect<A, E, R>): Effect.Effect<Sample, E, R> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeNanos
    yield* work
    return { units, nanos: Number((yield* Clock.currentTimeNanos) - began) }
  })

/** Again and again for so long, the setting up included. */
const repeated = <E, R>(sample: Effect.Effect<Sample, E, R>, millis: number): Effect.Effect<Sample, E, R> =>
  Effect.gen(function* () {
    const end = (yield* Clock.currentTimeMillis) + millis
    let [units, nanos] = [0, 0]
    do {
      const next = yield* sample
      units += next.units
      nanos += next.nanos
    } while ((yield* Clock.currentTimeMillis) < end)
    return { units, nanos }
  })

/**
 * Warms up, collects the garbage of whatever ran before, and measures. A sample that takes seconds has a small one beside it to
 * warm up with.
 */
const measured = <E, R>(sample: Effect.Effect<Sample, E, R>, warmUp = sample): Effect.Effect<Sample, E, R> =>
  repeated(warmUp, warmUpMillis).pipe(
    Effect.zipRight(collectGarbage),
    Effect.zipRight(repeated(sample, measuredMillis))
  )

export const perSecond = <E, R>(
  sample: Effect.Effect<Sample, E, R>,
  warmUp?: Effect.Effect<Sample, E, R>
): Effect.Effect<number, E, R> => Effect.map(measured(sample, warmUp), ({ nanos, units }) => (units * 1e9) / nanos)

/** Milliseconds for one unit. */
export const millisEach = <E, R>(sample: Effect.Effect<Sample, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(measured(sample), ({ nanos, units }) => nanos / 1e6 / units)

/** Bytes of heap for each of so many things, while the scope they live in is open. */
export const bytesEach = <A, E, R>(
  count: number,
  make: Effect.Effect<A, E, R>
): Effect.Effect<number, E, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const before = yield* heapBytes
    const made: Array<A> = []
    for (let i = 0; i < count; i++) made.push(yield* make)
    const after = yield* heapBytes
    return (after - before) / made.length
  }).pipe(Effect.scoped)

// V8 hides its collector; a context made after the flag was set has it.
const gc = Effect.sync((): (() => void) => {
  v8.setFlagsFromString("--expose-gc")
  return vm.runInNewContext("gc")
})

const collectGarbage = Effect.map(gc, collect => collect())

/** Twice, because what a first collection finalizes only the second one frees. */
const heapBytes = Effect.zipRight(
  Effect.zipRight(collectGarbage, collectGarbage),
  Effect.sync(() => process.memoryUsage().heapUsed)
)
