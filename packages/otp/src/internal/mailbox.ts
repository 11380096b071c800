/**
 * What waits for one process, with one reader, the process's own fiber: a FIFO, and a second one ahead of it once the process has
 * opted in to priority messages.
 *
 * The reader drains synchronously and parks only when nothing waits, with a single resume that the next
 * offer takes. Nothing is allocated per message and no other fiber is ever involved.
 */
import { Ring } from "./ring.js"

export class Mailbox<A> {
  private readonly ordinary = new Ring<A>()
  /** Made for the first priority message: most processes never get one. */
  private priority: Ring<A> | undefined = undefined
  private waiter: (() => void) | undefined = undefined

  /** Messages refused because the mailbox was full, ever. */
  refused = 0

  constructor(
    /** How many user messages may wait, of either kind. Signals (exit, down, system) are let in beyond it. */
    public capacity: number
  ) {}

  get length(): number {
    return this.priority === undefined ? this.ordinary.length : this.priority.length + this.ordinary.length
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
  push(message: A, priority = false): void {
    if (priority) {
      this.priority ??= new Ring<A>()
      this.priority.push(message)
    } else this.ordinary.push(message)
    this.wake()
  }

  /** Wakes the reader if it is parked; it looks again, whether or not there is a message. */
  wake(): void {
    const waiter = this.waiter
    if (waiter === undefined) return
    this.waiter = undefined
    waiter()
  }

  shift(): A | undefined {
    return this.priority === undefined ? this.ordinary.shift() : (this.priority.shift() ?? this.ordinary.shift())
  }

  /**
   * Registers the reader to be woken by the next message, or wakes it at once if there is one: between the reader's last look and
   * this, its fiber may have given way to a sender. Only the process's own fiber may call it.
   */
  park(waiter: () => void): void {
    if (this.length > 0) waiter()
    else this.waiter = waiter
  }

  /** Withdraws the reader without a message. */
  unpark(): void {
    this.waiter = undefined
  }

  contains(accepts: (message: A) => boolean): boolean {
    return this.priority?.contains(accepts) === true || this.ordinary.contains(accepts)
  }

  /** Removes and returns the first message the predicate accepts, keeping the order of the others. */
  extract(accepts: (message: A) => boolean): A | undefined {
    return this.priority?.extract(accepts) ?? this.ordinary.extract(accepts)
  }

  /** Drops everything: the process is dead and nobody will read. */
  clear(): void {
    this.ordinary.clear()
    this.priority = undefined
    this.capacity = 0
    this.waiter = undefined
  }
}
