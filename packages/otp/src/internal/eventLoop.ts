/**
 * Turns of the JavaScript event loop.
 *
 * Fibers that wake one another go on from microtask to microtask, and Effect gives way to timers and sockets only where a single fiber has been woken two thousand
 * times in a row: two processes that send each other messages would keep the loop from turning for ever. A process that is woken when a turn has lasted too long is
 * therefore woken in the next one.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** How long processes may keep a turn. */
const turnNanos = 2_000_000n

/** The clock is looked at more and more seldom while a turn is short, so that it costs little where much is going on, and at once where each message takes long. */
const strideMost = 16

export class EventLoop {
  private isTurning = false
  private begunNanos = 0n
  private stride = 1
  private left = 1

  constructor(private readonly clock: Pick<Clock.Clock, "unsafeCurrentTimeNanos">) {}

  /** Whether it is time to let the loop turn. To be asked with each message, or each few hundred. */
  isOverdue(): boolean {
    if (!this.isTurning) {
      this.isTurning = true
      this.stride = 1
      this.left = 1
      this.begunNanos = this.clock.unsafeCurrentTimeNanos()
      setImmediate(this.turned)
      return false
    }
    if (--this.left > 0) return false
    if (this.stride < strideMost) this.stride *= 2
    this.left = this.stride
    if (this.clock.unsafeCurrentTimeNanos() - this.begunNanos < turnNanos) return false
    // Whoever asks next is told the same, until it has turned.
    this.left = 1
    this.stride = 1
    return true
  }

  /** Runs it in the next turn, behind whatever the loop has ready by then. */
  defer(run: () => void): void {
    setImmediate(run)
  }

  /** Goes on in the next turn. */
  readonly nextTurn: Effect.Effect<void> = Effect.async(resume => this.defer(() => resume(Effect.void)))

  private readonly turned = (): void => {
    this.isTurning = false
  }
}
