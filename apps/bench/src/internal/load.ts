/** A closed loop: so many callers, each starting its next operation when the last one is answered. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { quantile } from "./table.js"

export interface Measured {
  readonly perSecond: number
  readonly p50Millis: number
  readonly p99Millis: number
}

const millis = Effect.map(Clock.currentTimeNanos, nanos => Number(nanos) / 1e6)

export const closedLoop = <E, R>(options: {
  readonly callers: number
  readonly warmUpMillis: number
  readonly measuredMillis: number
  readonly operation: (caller: number, round: number) => Effect.Effect<unknown, E, R>
}): Effect.Effect<Measured, E, R> =>
  Effect.gen(function* () {
    const start = (yield* millis) + options.warmUpMillis
    const end = start + options.measuredMillis
    const latencies: Array<number> = []
    const caller = (id: number) =>
      Effect.gen(function* () {
        for (let round = 0; ; round++) {
          const began = yield* millis
          if (began >= end) return
          yield* options.operation(id, round)
          const done = yield* millis
          if (began >= start && done <= end) latencies.push(done - began)
        }
      })
    yield* Effect.forEach(
      Array.from({ length: options.callers }, (_, id) => id),
      caller,
      { concurrency: "unbounded", discard: true }
    )
    return {
      perSecond: (latencies.length * 1000) / options.measuredMillis,
      p50Millis: quantile(latencies, 0.5),
      p99Millis: quantile(latencies, 0.99)
    }
  })
