/**
 * Time that passes as soon as nobody has anything to do at the moment: from one thing that is due to the next, at no cost. `TestClock` asks the event loop three times before each step, and the
 * steps are many where a cluster lives for minutes, a thousand times over.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly due: number
  readonly order: number
  readonly wake: () => void
}

const isBefore = (one: Sleeper, other: Sleeper): boolean =>
  one.due < other.due || (one.due === other.due && one.order < other.order)

/** A binary heap. */
class Sleepers {
  private readonly heap: Array<Sleeper> = []

  push(sleeper: Sleeper): void {
    let at = this.heap.push(sleeper) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.heap[parent]
      if (above === undefined || isBefore(above, sleeper)) break
      this.heap[at] = above
      at = parent
    }
    this.heap[at] = sleeper
  }

  pop(): Sleeper | undefined {
    const [first] = this.heap
    const last = this.heap.pop()
    if (first === undefined || last === undefined || this.heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = this.heap[2 * at + 1]
      const right = this.heap[2 * at + 2]
      const next = left !== undefined && right !== undefined && isBefore(right, left) ? right : left
      if (next === undefined || isBefore(last, next)) break
      this.heap[at] = next
      at = next === left ? 2 * at + 1 : 2 * at + 2
    }
    this.heap[at] = last
    return first
  }
}

/** Behind all fibers that can run. */
const everythingElse = () => new Promise<void>(resolve => setImmediate(resolve))

/** The world was still busy when its time was up. */
export class OutOfTime extends Error {}

/** Lets time stand still until an effect is done that waits for the real world: for code to be compiled, say. */
export type Still = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Lets so much time pass at once, as it does for a machine that is suspended: all that was due meanwhile is late. */
export type Leap = (duration: Duration.DurationInput) => Effect.Effect<void>

/** Somebody waits for a file, for which time stands still: how long a disk takes is not in the seed. */
const waitsForFile = (): boolean => process.getActiveResourcesInfo().some(name => name.startsWith("FSReq"))

/**
 * Runs an effect in a world with a time and a chance of its own, both of which depend on nothing but the seed, as long as time stands still for what takes real time. It fails
 * with {@link OutOfTime} after `limit` of that time, leaps not counted.
 */
export const run = async <A, E>(
  effect: (still: Still, leap: Leap) => Effect.Effect<A, E>,
  options: { readonly seed: number; readonly limit: Duration.DurationInput }
): Promise<A> => {
  const sleepers = new Sleepers()
  let limitMillis = Duration.toMillis(options.limit)
  let nowMillis = 0
  let order = 0
  let holders = 0

  const still: Still = effect =>
    Effect.acquireUseRelease(
      Effect.sync(() => holders++),
      () => effect,
      () => Effect.sync(() => holders--)
    )

  const leap: Leap = duration =>
    Effect.sync(() => {
      nowMillis += Duration.toMillis(duration)
      limitMillis += Duration.toMillis(duration)
    })

  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => nowMillis,
    unsafeCurrentTimeNanos: () => BigInt(nowMillis) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => nowMillis),
    currentTimeNanos: Effect.sync(() => BigInt(nowMillis) * 1_000_000n),
    sleep: duration =>
      Effect.async<void>(resume => {
        // Whole milliseconds, so that what is due is never a rounding error away.
        const millis = Math.ceil(Duration.toMillis(duration))
        if (!Number.isFinite(millis)) return
        let slept = false
        sleepers.push({
          due: nowMillis + millis,
          order: order++,
          wake: () => {
            if (!slept) resume(Effect.void)
          }
        })
        return Effect.sync(() => {
          slept = true
        })
      })
  }

  const fiber = Effect.runFork(
    effect(still, leap).pipe(Effect.withClock(clock), Effect.withRandom(Random.make(options.seed))),
    // Which never falls back on a timer: that would let time overtake what can be done without it.
    { scheduler: new Scheduler.MixedScheduler(Number.MAX_SAFE_INTEGER) }
  )
  let exit: Exit.Exit<A, E> | undefined
  fiber.addObserver(found => {
    exit = found
  })
  for (;;) {
    await everythingElse()
    if (exit !== undefined) break
    if (holders > 0 || waitsForFile()) continue
    const next = sleepers.pop()
    if (next === undefined) continue
    if (next.due > limitMillis) {
      await Effect.runPromise(Fiber.interruptFork(fiber))
      throw new OutOfTime(`it was not done after ${Duration.format(options.limit)}`)
    }
    nowMillis = Math.max(nowMillis, next.due)
    next.wake()
  }
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}
