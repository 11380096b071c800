/** Handlers: what is attached to events, at work behind a queue of its own. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as MutableQueue from "effect/MutableQueue"
import * as Predicate from "effect/Predicate"
import * as Runtime from "effect/Runtime"
import type { AnyEmitted } from "./event.js"
import { printedCause } from "./text.js"

/** Events that may wait for one handler; one more is dropped. */
const waitingMax = 1_024
/** How long a handler may take over one event before it is interrupted. */
const handlingMillisMax = 5_000
/** Events that it handles without a pause, at most. */
const turnMax = 64
/** How long a handler that is being closed may take over what waits for it. */
const closingMax = "1 second"
/** Between two reports on one handler. */
const reportsEveryMillis = 10_000
const reportCharactersMax = 1_000

/** What a handler returns: nothing, or something that is still to be done. */
// biome-ignore lint/suspicious/noConfusingVoidType: functions that are declared to return nothing are handlers
export type Handled<R> = Effect.Effect<unknown, unknown, R> | PromiseLike<unknown> | void

const droppedCounter = Metric.counter("reckon_db_telemetry_dropped", {
  description: "events that a telemetry handler did not get because its queue was full",
  incremental: true
})

const failuresCounter = Metric.counter("reckon_db_telemetry_handler_failures", {
  description: "events over which a telemetry handler failed",
  incremental: true
})

// -----------------------------------------------------------------------------
// trouble
// -----------------------------------------------------------------------------

/** Where trouble with handlers is told. */
export interface Desk {
  readonly clock: Clock.Clock
  readonly log: (line: Effect.Effect<void>) => void
}

/** Tells of one kind of trouble, but not more often than every ten seconds; what it kept to itself is counted in the next report. */
const reporter = (desk: Desk, subject: string) => {
  let quietUntil = Number.NEGATIVE_INFINITY
  let untold = 0
  return (detail: () => string): void => {
    const now = desk.clock.unsafeCurrentTimeMillis()
    if (now < quietUntil) {
      untold++
      return
    }
    const before = untold === 0 ? "" : ` (and ${untold} times before, since the last report)`
    quietUntil = now + reportsEveryMillis
    untold = 0
    desk.log(Effect.logWarning(`${subject}${before}: ${detail()}`))
  }
}

/** Counts the failures of one handler, or of what else runs foreign code, and tells of them. */
export const failures = (desk: Desk, id: string) => {
  const counter = Metric.tagged(failuresCounter, "handler", id)
  const report = reporter(desk, `telemetry: ${id} failed`)
  let count = 0
  return {
    count: () => count,
    add: (cause: Cause.Cause<unknown>): void => {
      count++
      counter.unsafeUpdate(1, [])
      report(() => printedCause(cause, reportCharactersMax))
    }
  }
}

const drops = (desk: Desk, id: string) => {
  const counter = Metric.tagged(droppedCounter, "handler", id)
  const report = reporter(desk, `telemetry: ${id} is too slow`)
  let count = 0
  return {
    count: () => count,
    add: (): void => {
      count++
      counter.unsafeUpdate(1, [])
      report(() => `${waitingMax} events wait for it, and it has missed ${count}`)
    }
  }
}

// -----------------------------------------------------------------------------
// the handler
// -----------------------------------------------------------------------------

export interface Handler {
  /** Lets it have the event in its turn, if there is room. */
  readonly offer: (emitted: AnyEmitted) => void
  /** Events that wait for it, with the one that it has in hand. */
  readonly waiting: () => number
  readonly dropped: () => number
  readonly failures: () => number
  /** Gives it nothing more, and stops it. It is not waited for: it may be what stops itself, or may not let itself be stopped. */
  readonly stop: Effect.Effect<void>
  /** As `stop`, after it had a little time for what waits. */
  readonly close: Effect.Effect<void>
}

/**
 * Starts a handler: one fiber that takes event after event. Whatever the function does with an event is over when it returns or fails, or when its time
 * is up. Should something end the fiber all the same, another one takes its place; what it had in hand is lost.
 */
export const make = <R>(options: {
  readonly id: string
  readonly handle: (emitted: AnyEmitted) => Handled<R>
  readonly runtime: Runtime.Runtime<R>
  readonly desk: Desk
}): Handler => {
  const { desk, handle, id, runtime } = options
  const dropped = drops(desk, id)
  const failed = failures(desk, id)
  const queue = MutableQueue.bounded<AnyEmitted>(waitingMax)
  const now = (): number => desk.clock.unsafeCurrentTimeMillis()

  let stopped = false
  /** An event is in hand, since then. */
  let busy = false
  let sinceMillis = 0
  let wake: (() => void) | undefined
  let onIdle: (() => void) | undefined

  const done = (): void => {
    busy = false
    if (MutableQueue.isEmpty(queue)) onIdle?.()
  }

  /** Begins with an event; what it returns is still to be done. */
  const begin = (emitted: AnyEmitted): Effect.Effect<void, never, R> | undefined => {
    busy = true
    sinceMillis = now()
    try {
      const result = handle(emitted)
      const rest = Effect.isEffect(result)
        ? result
        : Predicate.isPromiseLike(result)
          ? Effect.promise(() => result)
          : undefined
      if (rest !== undefined) {
        const onFailure = (cause: Cause.Cause<unknown>): void => {
          failed.add(cause)
          done()
        }
        return Effect.matchCause(rest, { onFailure, onSuccess: done })
      }
    } catch (defect) {
      failed.add(Cause.die(defect))
    }
    done()
    return undefined
  }

  /** Returns when an event has been in hand for too long. */
  const timeUp: Effect.Effect<void> = Effect.suspend(() => {
    const leftMillis = (busy ? sinceMillis : now()) + handlingMillisMax - now()
    if (leftMillis > 0) return Effect.zipRight(Effect.sleep(leftMillis), timeUp)
    failed.add(Cause.fail(`it took more than ${handlingMillisMax} ms over an event`))
    done()
    return Effect.void
  })

  /**
   * Handles what waits. From the first event that takes more than a function's call, all is done under the eyes of a clock: one for all of them, as
   * a clock for each would cost more than most handlers.
   */
  const drain = (watched: boolean): Effect.Effect<void, never, R> =>
    Effect.suspend(() => {
      for (let n = 0; n < turnMax; n++) {
        const emitted = stopped ? undefined : MutableQueue.poll(queue, undefined)
        if (emitted === undefined) return Effect.void
        const rest = begin(emitted)
        if (rest === undefined) continue
        const all = Effect.zipRight(rest, drain(true))
        return watched ? all : Effect.raceFirst(all, timeUp)
      }
      return Effect.zipRight(Effect.yieldNow(), drain(watched))
    })

  const waitForEvent = Effect.async<void>(resume => {
    if (!MutableQueue.isEmpty(queue)) return resume(Effect.void)
    wake = () => {
      wake = undefined
      resume(Effect.void)
    }
  })

  const run = (): Fiber.RuntimeFiber<never> => {
    const fiber = Runtime.runFork(
      runtime,
      waitForEvent.pipe(Effect.zipRight(drain(false)), Effect.forever, Effect.interruptible)
    )
    fiber.addObserver(exit => {
      if (stopped) return
      if (exit._tag === "Failure") failed.add(exit.cause)
      done()
      current = run()
    })
    return fiber
  }
  let current = run()

  const stop = Effect.suspend(() => {
    stopped = true
    return Fiber.interruptFork(current)
  })

  const idle = Effect.async<void>(resume => {
    if (!busy && MutableQueue.isEmpty(queue)) resume(Effect.void)
    else onIdle = () => resume(Effect.void)
  })

  return {
    offer: emitted => {
      if (stopped) return
      if (MutableQueue.offer(queue, emitted)) wake?.()
      else dropped.add()
    },
    waiting: () => MutableQueue.length(queue) + (busy ? 1 : 0),
    dropped: dropped.count,
    failures: failed.count,
    stop,
    close: idle.pipe(Effect.interruptible, Effect.timeoutOption(closingMax), Effect.zipRight(stop))
  }
}
