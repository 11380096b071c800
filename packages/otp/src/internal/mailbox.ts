/**
 * What waits for one process, with one reader, the process's own fiber: a FIFO, and a second one ahead of it once the process has
 * opted in to priority messages.
 *
 * The reader drains synchronously and parks only when nothing waits, with a single resume that the next
 * offer takes. Nothing is allocated per message and no other fiber is ever involved.
 */
import { Ring } from "./ring.js"

export class Mailbox<A> extends Ring<A> {
  /** Made for the first priority message: most processes never get one. */
  private priority: Ring<A> | undefined = undefined
  private waiter: (() => void) | undefined = undefined

  /** Messages refused because the mailbox was full, ever. */
  refused = 0

  constructor(
    /** How many user messages may wait, of either kind. Signals (exit, down, system) are let in beyond it. */
    public capacity: number
  ) {
    super()
  }

  override get length(): number {
    return this.priority === undefined ? this.size : this.priority.length + this.size
  }

  /** Takes a user message, or says `false` when the mailbox is full. */
  offer(message: A, priority = false): boolean {
    if (this.length >= this.capacity) {
      this.refused++
      return false
    }
    this.push(message, priority)
    return true
  }

  /** Takes a signal whatever the capacity: losing an exit, a down or a system signal would break supervision. */
  override push(message: A, priority = false): void {
    if (priority) {
      this.priority ??= new Ring<A>()
      this.priority.push(message)
    } else super.push(message)
    this.wake()
  }

  /** Wakes the reader if it is parked; it looks again, whether or not there is a message. */
  wake(): void {
    const waiter = this.waiter
    if (waiter === undefined) return
    this.waiter = undefined
    waiter()
  }

  override shift(): A | undefined {
    return this.priority === undefined ? super.shift() : (this.priority.shift() ?? super.shift())
  }

  /**
   * Registers the reader to be woken by the next message, or wakes it at once if there is one: between the reader's last look and
   * this, its fiber may have given way to a sender. Only for the process's own fiber, or for who has unparked it.
   */
  park(waiter: () => void): void {
    if (this.length > 0) waiter()
    else this.waiter = waiter
  }

  /** Whether it is this reader that waits: then there is nothing in the mailbox, and nothing has woken it. */
  isParkedBy(waiter: (() => void) | undefined): waiter is () => void {
    return waiter !== undefined && this.waiter === waiter
  }

  /** Withdraws the reader without a message. */
  unpark(): void {
    this.waiter = undefined
  }

  override contains(accepts: (message: A) => boolean): boolean {
    return this.priority?.contains(accepts) === true || super.contains(accepts)
  }

  /** Removes and returns the first message the predicate accepts, keeping the order of the others. */
  override extract(accepts: (message: A) => boolean): A | undefined {
    return this.priority?.extract(accepts) ?? super.extract(accepts)
  }

  /** Drops everything: the process is dead and nobody will read. */
  override clear(): void {
    super.clear()
    this.priority = undefined
    this.capacity = 0
    this.waiter = undefined
  }
}
