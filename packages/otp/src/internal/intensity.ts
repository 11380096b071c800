/**
 * The restart intensity: how many restarts within how long.
 */

/** At most so many restarts within so long; one more and the supervisor gives up. */
export interface Limits {
  readonly intensity: number
  readonly periodMillis: number
}

export class Intensity {
  /** The instants of the restarts that may still count, oldest first, from `head` on. */
  private instants: Array<number> = []
  private head = 0

  constructor(public limits: Limits) {}

  /** Counts a restart and says whether it is allowed. An earlier one that is exactly a period old still counts. */
  count(nowMillis: number): boolean {
    const { intensity, periodMillis } = this.limits
    while (this.head < this.instants.length && (this.instants[this.head] ?? nowMillis) < nowMillis - periodMillis) {
      this.head++
    }
    if (this.head > 64 && this.head * 2 > this.instants.length) {
      this.instants = this.instants.slice(this.head)
      this.head = 0
    }
    this.instants.push(nowMillis)
    return this.instants.length - this.head <= intensity
  }
}
