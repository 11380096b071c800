/** A closed loop: so many callers, each starting its next operation when the last one is answered. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { quantile } from "../table.js"

/** Operations a second, and how long one took. */
export const Measured = Schema.Struct({
  perSecond: Schema.Number,
  p50Millis: Schema.Number,
  p99Millis: Schema.Number
})

export interface Measured extends Schema.Schema.Type<typeof Measured> {}

/** Callers begin nothing new once the time is up; what they have begun is still answered, and counts. */
const run = <E, R>(
  callers: number,
  millis: number,
  operation: (caller: number, round: number) => Effect.Effect<unknown, E, R>
) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const start = now()
    const end = start + millis
    const latencies: Array<number> = []
    const caller = (id: number) =>
      Effect.suspend(() => {
        let round = 0
        let began = start
        return Effect.whileLoop({
          while: () => {
            began = now()
            return began < end
          },
          body: () => operation(id, round++),
          step: () => {
            latencies.push(now() - began)
          }
        })
      })
    yield* Effect.forEach(
      Array.from({ length: callers }, (_, id) => id),
      caller,
      { concurrency: "unbounded", discard: true }
    )
    return { latencies, millis: now() - start }
  })

/**
 * Warms up, waits until all is answered, and measures from the first question to the last answer. Where many appends are committed at once there may be few commits
 * in the time: a window laid over them would count one too many or too few.
 */
export const closedLoop = <E, R>(options: {
  readonly callers: number
  readonly measuredMillis: number
  readonly operation: (caller: number, round: number) => Effect.Effect<unknown, E, R>
}): Effect.Effect<Measured, E, R> =>
  Effect.gen(function* () {
    const { callers, measuredMillis, operation } = options
    yield* run(callers, measuredMillis / 4, operation)
    const { latencies, millis } = yield* run(callers, measuredMillis, operation)
    return {
      perSecond: (latencies.length * 1000) / millis,
      p50Millis: quantile(latencies, 0.5),
      p99Millis: quantile(latencies, 0.99)
    }
  })
