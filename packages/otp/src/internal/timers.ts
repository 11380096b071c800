/**
 * Deadlines for things that nearly always finish before they are due, such as call timeouts.
 *
 * All entries with the same duration form one queue, which is in deadline order for free, so arming and disarming are
 * two pointer writes each. One sleeping fiber per duration in use watches the head of its queue; a cancelled entry
 * costs it nothing. Should there be very many durations, queues that ran empty are let go before their time.
 *
 * Time is read from the node's `Clock`, so a test clock drives it: from its nanoseconds, because the milliseconds follow the
 * wall clock, and a machine whose clock is set back must not wait an hour for a timeout.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"

const nanosPerMilli = 1_000_000

/** So many durations may be in use before anybody looks for queues that have run empty. */
const queuesMin = 256

export abstract class TimerEntry {
  deadlineMillis = 0
  timerQueue: TimerQueue | undefined = undefined
  timerBefore: TimerEntry | undefined = undefined
  timerAfter: TimerEntry | undefined = undefined

  /** Runs once when the deadline passes, unless the entry was disarmed first. */
  abstract expire(): void

  disarm(): void {
    if (this.timerQueue !== undefined) this.timerQueue.remove(this)
  }
}

/** An entry that does no more than call back. */
export class Alarm extends TimerEntry {
  constructor(readonly expire: () => void) {
    super()
  }
}

class TimerQueue {
  head: TimerEntry | undefined = undefined
  private tail: TimerEntry | undefined = undefined
  watched = false

  constructor(readonly durationMillis: number) {}

  append(entry: TimerEntry): void {
    entry.timerQueue = this
    entry.timerBefore = this.tail
    if (this.tail === undefined) this.head = entry
    else this.tail.timerAfter = entry
    this.tail = entry
  }

  remove(entry: TimerEntry): void {
    const { timerAfter, timerBefore } = entry
    if (timerBefore === undefined) this.head = timerAfter
    else timerBefore.timerAfter = timerAfter
    if (timerAfter === undefined) this.tail = timerBefore
    else timerAfter.timerBefore = timerBefore
    entry.timerQueue = undefined
    entry.timerBefore = undefined
    entry.timerAfter = undefined
  }
}

export class Timers {
  private readonly queues = new Map<number, TimerQueue>()
  private readonly watchers = new Map<TimerQueue, Fiber.RuntimeFiber<void>>()
  private queuesMax = queuesMin
  private closed = false

  constructor(
    private readonly clock: Clock.Clock,
    private readonly runtime: Runtime.Runtime<never>
  ) {}

  nowMillis(): number {
    return Number(this.clock.unsafeCurrentTimeNanos()) / nanosPerMilli
  }

  /** Arms the entry; a duration that is not finite never expires and is not kept. */
  arm(entry: TimerEntry, durationMillis: number): void {
    if (this.closed || durationMillis === Number.POSITIVE_INFINITY) return
    let queue = this.queues.get(durationMillis)
    if (queue === undefined) {
      if (this.queues.size >= this.queuesMax) this.prune()
      queue = new TimerQueue(durationMillis)
      this.queues.set(durationMillis, queue)
    }
    entry.deadlineMillis = this.nowMillis() + durationMillis
    queue.append(entry)
    if (!queue.watched) this.watch(queue)
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      const fibers = Array.from(this.watchers.values())
      return Effect.forEach(fibers, fiber => fiber.interruptAsFork(fiber.id()), { discard: true })
    })
  }

  private watch(queue: TimerQueue): void {
    queue.watched = true
    // The table may have been made in a region that cannot be interrupted; whoever closes it must not wait for the longest timer.
    const fiber = Runtime.runFork(this.runtime)(Effect.interruptible(this.watching(queue)))
    this.watchers.set(queue, fiber)
    fiber.addObserver(() => this.watchers.delete(queue))
  }

  /** Whoever computes its limits has a new one for each call; a fiber for each, until it would have been due, is too many. */
  private prune(): void {
    for (const queue of this.queues.values()) {
      if (queue.head !== undefined) continue
      this.queues.delete(queue.durationMillis)
      this.watchers.get(queue)?.unsafeInterruptAsFork(FiberId.none)
    }
    this.queuesMax = Math.max(queuesMin, 2 * this.queues.size)
  }

  /** Sleeps until the head is due, expires what is, and ends when a wake-up finds the queue empty. */
  private watching(queue: TimerQueue): Effect.Effect<void> {
    return Effect.suspend(() => {
      const now = this.nowMillis()
      for (let entry = queue.head; entry !== undefined && entry.deadlineMillis <= now; entry = queue.head) {
        queue.remove(entry)
        entry.expire()
      }
      const head = queue.head
      if (head === undefined) {
        queue.watched = false
        // Rarely used durations must not pile up; the next entry makes the queue anew.
        this.queues.delete(queue.durationMillis)
        return Effect.void
      }
      // Up to a whole one, which is what clocks count: of a wait of less they may make none, and this would turn without end.
      const waitMillis = Math.ceil(head.deadlineMillis - now)
      return Effect.zipRight(this.clock.sleep(Duration.millis(waitMillis)), this.watching(queue))
    })
  }
}
