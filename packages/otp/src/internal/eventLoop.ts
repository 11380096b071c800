/**
 * Turns of the JavaScript event loop, and the scheduler of the fibers that live in processes.
 *
 * Fibers that wake one another go on from microtask to microtask, and Effect gives way to timers and sockets only where a single fiber has been woken two thousand
 * times in a row: two processes that send each other messages would keep the loop from turning for ever. A fiber that is woken when a turn has lasted too long is
 * therefore woken in the next one.
 *
 * Effect's own scheduler keeps a queue for each fiber, in a weak map. What hangs on it outlives the fiber until the next full collection, and where fibers come and
 * go by the thousand, V8 takes the arrays of such queues for long-lived and makes them old from then on: each wake-up of any fiber costs twice as much. Here a
 * wake-up is a microtask, in the same order, and nothing is kept.
 */
import type * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/** How long fibers may keep a turn. */
const turnNanos = 2_000_000n

/** How many wake-ups there may be in a turn, whatever the clock says: a clock that stands still must not keep the loop from turning. */
const turnTasks = 65_536

/** The clock is looked at more and more seldom while a turn is short, so that it costs little where much is going on, and at once where each wake-up takes long. */
const strideMost = 16

const resolved = Promise.resolve()

export class EventLoop implements Scheduler.Scheduler {
  private isTurning = false
  private begunNanos = 0n
  private tasks = 0
  private stride = 1
  private left = 1

  constructor(private readonly clock: Pick<Clock.Clock, "unsafeCurrentTimeNanos">) {}

  /** Runs it behind what waits already: in this turn, or in the next one if that is due. */
  scheduleTask(task: Scheduler.Task): void {
    if (this.isOverdue()) setImmediate(task)
    else void resolved.then(task)
  }

  /** A fiber gives way after as many steps as anywhere else. */
  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    return Scheduler.defaultScheduler.shouldYield(fiber)
  }

  /** Whether it is time to let the loop turn. To be asked with each wake-up. */
  isOverdue(): boolean {
    if (!this.isTurning) {
      this.isTurning = true
      this.tasks = 0
      this.stride = 1
      this.left = 1
      this.begunNanos = this.clock.unsafeCurrentTimeNanos()
      setImmediate(this.turned)
      return false
    }
    this.tasks++
    if (--this.left > 0) return false
    if (this.stride < strideMost) this.stride *= 2
    this.left = this.stride
    if (this.tasks < turnTasks && this.clock.unsafeCurrentTimeNanos() - this.begunNanos < turnNanos) return false
    // Whoever asks next is told the same, until it has turned.
    this.left = 1
    this.stride = 1
    return true
  }

  private readonly turned = (): void => {
    this.isTurning = false
  }
}
