/**
 * Time limits for what may be given up. One fiber sleeps for all that are under way, until the next time is up: a race with a fiber that sleeps, for each of them, costs more than
 * the rest of a small request.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"

export interface Deadlines {
  /**
   * The outcome of the effect, or where there is none in time, that of `late`. The effect runs in a fiber of its own, and nobody waits for its end once it is given up: to interrupt it can
   * take long.
   */
  readonly within: <A, E, B, E2>(
    effect: Effect.Effect<A, E>,
    millis: number,
    late: Effect.Effect<B, E2>
  ) => Effect.Effect<A | B, E | E2>
}

interface Entry {
  readonly dueMillis: number
  readonly expire: () => void
}

interface Sleeper {
  readonly dueMillis: number
  readonly fiber: Fiber.RuntimeFiber<void>
}

/**
 * The effect, which hands its outcome over and ends with nothing. A fiber keeps what it ends with, and ended fibers are seen to outlive the collections of the young generation: each answer
 * would be copied twice and then lie there until a full collection.
 */
const handedOver = <A, E>(effect: Effect.Effect<A, E>, take: (exit: Exit.Exit<A, E>) => void): Effect.Effect<void> =>
  Effect.uninterruptible(Effect.map(Effect.exit(Effect.interruptible(effect)), take))

export const make: Effect.Effect<Deadlines, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const runtime = yield* Effect.runtime<never>()
  const entries = new Set<Entry>()
  let sleeper: Sleeper | undefined

  // The steady clock: one that can be set would give up some too soon.
  const nowMillis = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6

  const giveUp = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => fiber.unsafeInterruptAsFork(FiberId.none)

  const sleepUntil = (dueMillis: number) => {
    if (sleeper !== undefined) giveUp(sleeper.fiber)
    const sleep = Effect.zipRight(Effect.sleep(Math.max(0, Math.ceil(dueMillis - nowMillis()))), Effect.sync(wake))
    sleeper = { dueMillis, fiber: Runtime.runFork(runtime)(sleep) }
  }

  const wake = () => {
    sleeper = undefined
    const now = nowMillis()
    let next = Number.POSITIVE_INFINITY
    for (const entry of entries) {
      if (entry.dueMillis > now) next = Math.min(next, entry.dueMillis)
      else {
        entries.delete(entry)
        entry.expire()
      }
    }
    if (next < Number.POSITIVE_INFINITY) sleepUntil(next)
  }

  yield* Effect.addFinalizer(() => Effect.sync(() => sleeper && giveUp(sleeper.fiber)))

  return {
    within: <A, E, B, E2>(effect: Effect.Effect<A, E>, millis: number, late: Effect.Effect<B, E2>) =>
      Effect.withFiberRuntime<A | B, E | E2>(parent => {
        const runtime = Runtime.make({
          context: parent.currentContext,
          fiberRefs: parent.getFiberRefs(),
          runtimeFlags: Runtime.defaultRuntime.runtimeFlags
        })
        return Effect.async<A | B, E | E2>(resume => {
          const dueMillis = nowMillis() + millis
          const entry: Entry = {
            dueMillis,
            expire: () => {
              giveUp(running)
              resume(late)
            }
          }
          const settled = (exit: Exit.Exit<A, E>) => {
            entries.delete(entry)
            resume(exit)
          }
          entries.add(entry)
          if (sleeper === undefined || dueMillis < sleeper.dueMillis) sleepUntil(dueMillis)
          const running = Runtime.runFork(runtime)(handedOver(effect, settled))
          return Effect.sync(() => {
            entries.delete(entry)
            giveUp(running)
          })
        })
      })
  }
})
