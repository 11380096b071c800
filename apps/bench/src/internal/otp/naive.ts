/**
 * What one writes on Effect alone: a fiber that takes requests from a queue and completes a deferred for each. It has no
 * time limits, no links and no supervisor; its callers hang if it dies.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { bytesEach, perSecond, timed } from "./measure.js"
import { callsEach, castBurst, few, idle, spawned } from "./sizes.js"

interface Request {
  readonly by: number
  readonly replied: Deferred.Deferred<number> | undefined
}

/** A counter; it ends with the scope it is started in. Its queue has all its slots from the start. */
const counter = (capacity: number) =>
  Effect.gen(function* () {
    const requests = yield* Queue.bounded<Request>(capacity)
    let count = 0
    const serve = Effect.flatMap(Queue.take(requests), ({ by, replied }) => {
      count += by
      return replied === undefined ? Effect.void : Deferred.succeed(replied, count)
    })
    yield* Effect.forkScoped(Effect.forever(serve))
    return requests
  })

const call = (requests: Queue.Enqueue<Request>, by: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    const replied = yield* Deferred.make<number>()
    yield* Queue.offer(requests, { by, replied })
    return yield* Deferred.await(replied)
  })

export const calls = (callers: number) =>
  Effect.gen(function* () {
    const requests = yield* counter(callers)
    const caller = Effect.gen(function* () {
      for (let i = 0; i < callsEach; i++) yield* call(requests, 1)
    })
    const all = Effect.forEach(Array(callers), () => caller, { concurrency: "unbounded", discard: true })
    return yield* perSecond(timed(callers * callsEach, all))
  }).pipe(Effect.scoped)

export const casts = Effect.gen(function* () {
  const requests = yield* counter(castBurst)
  const burst = Effect.gen(function* () {
    for (let i = 0; i < castBurst; i++) yield* Queue.offer(requests, { by: 1, replied: undefined })
    yield* call(requests, 0)
  })
  return yield* perSecond(timed(castBurst, burst))
}).pipe(Effect.scoped)

const forking = (count: number) =>
  timed(
    count,
    Effect.gen(function* () {
      const fibers: Array<Fiber.Fiber<void>> = []
      for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkDaemon(Effect.void))
      for (const fiber of fibers) yield* Fiber.await(fiber)
    })
  )

/** Bare fibers. */
export const spawns = perSecond(forking(spawned), forking(few))

export const idleBytes = bytesEach(idle, counter(16))
