/**
 * Messages that are sent later: `erlang:send_after` and `cancel_timer`.
 *
 * Time is that of the node's `Clock`, measured monotonically. A timer costs no fiber of its own: timers of the same duration share one.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Holding, Kernel, Process } from "./internal/kernel.js"
import { type Address, find } from "./internal/place.js"
import { Message } from "./internal/signal.js"
import { TimerEntry } from "./internal/timers.js"
import { ProcessTable } from "./Process.js"

class Later extends TimerEntry implements Holding {
  constructor(
    readonly kernel: Kernel,
    private readonly target: Address,
    private readonly body: unknown,
    /** The only process that can get the message; undefined if that is whoever has the name then. */
    private readonly process: Process | undefined
  ) {
    super()
    process?.hold(this)
  }

  expire(): void {
    this.process?.holdings?.delete(this)
    find(this.kernel, this.target)?.mailbox.offer(new Message(this.body))
  }

  override disarm(): void {
    this.process?.holdings?.delete(this)
    super.disarm()
  }

  release(): void {
    super.disarm()
  }
}

/**
 * A message that waits for its time. Opaque.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timer {
  readonly deadlineMillis: number
}

/**
 * Sends the message when the time has passed, to the process or to whoever has the name by then. Nobody there, or a full mailbox: it
 * is dropped. A timer for a process does not outlive it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sendAfter = (
  target: Address,
  body: unknown,
  delay: Duration.DurationInput
): Effect.Effect<Timer, never, ProcessTable> =>
  Effect.map(ProcessTable, kernel => {
    const byPid = typeof target !== "string" && "pid" in target
    const process = byPid ? kernel.lookup(target.pid) : undefined
    const later = new Later(kernel, target, body, process)
    if (!byPid || process !== undefined) kernel.timers.arm(later, Duration.toMillis(delay))
    return later
  })

/**
 * Takes the message back and tells how long it would still have waited; none if it was sent or taken back already.
 *
 * @since 0.1.0
 * @category destructors
 */
export const cancel = (timer: Timer): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.sync(() => {
    if (!(timer instanceof Later) || timer.timerQueue === undefined) return Option.none()
    timer.disarm()
    return Option.some(Duration.millis(Math.max(0, timer.deadlineMillis - timer.kernel.timers.nowMillis())))
  })
