/** Who is measured, and how: always so many proposals in flight, a new one as soon as one is answered. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { quantile } from "../table.js"
import { measuredMillis, warmUpMillis } from "./sizes.js"

export const Measured = Schema.Struct({
  perSecond: Schema.Number,
  p50Millis: Schema.Number,
  p99Millis: Schema.Number
})

export interface Measured extends Schema.Schema.Type<typeof Measured> {}

export interface Subject<E = unknown> {
  readonly title: string
  readonly measure: (inFlight: number) => Effect.Effect<Measured, E>
}

/**
 * Counts what is answered while it measures, whenever it was asked: with many in flight the answer to one takes a good part of the time, and counting
 * only what was also asked meanwhile would belittle the slow.
 */
export const measure = <E, R>(
  inFlight: number,
  operation: Effect.Effect<unknown, E, R>
): Effect.Effect<Measured, E, R> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const start = now() + warmUpMillis
    const end = start + measuredMillis
    const latencies: Array<number> = []
    const caller = Effect.suspend(() => {
      let began = 0
      return Effect.whileLoop({
        while: () => {
          began = now()
          return began < end
        },
        body: () => operation,
        step: () => {
          const done = now()
          if (done >= start && done < end) latencies.push(done - began)
        }
      })
    })
    yield* Effect.forEach(Array.from({ length: inFlight }), () => caller, { concurrency: "unbounded", discard: true })
    return {
      perSecond: (latencies.length * 1000) / measuredMillis,
      p50Millis: quantile(latencies, 0.5),
      p99Millis: quantile(latencies, 0.99)
    }
  })
