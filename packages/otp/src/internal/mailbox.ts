/**
 * The FIFO of one process: a ring of slots with one reader, the process's own fiber.
 *
 * The reader drains synchronously and parks only when the ring is empty, with a single resume that the next
 * offer takes. Nothing is allocated per message and no other fiber is ever involved.
 */
export class Mailbox<A> {
  private ring: Array<A | undefined>
  private mask: number
  private head = 0
  private size = 0
  private waiter: (() => void) | undefined = undefined

  /** Messages refused because the mailbox was full, ever. */
  refused = 0

  constructor(
    /** How many user messages may wait. Signals (exit, down, system) are let in beyond it. */
    public capacity: number,
    initialSlots = 4
  ) {
    this.ring = new Array<A | undefined>(initialSlots)
    this.mask = initialSlots - 1
  }

  get length(): number {
    return this.size
  }

  /** Takes a user message, or says `false` when the mailbox is full. */
  offer(message: A): boolean {
    if (this.size >= this.capacity) {
      this.refused++
      return false
    }
    this.push(message)
    return true
  }

  /** Takes a signal whatever the capacity: losing an exit, a down or a system signal would break supervision. */
  push(message: A): void {
    if (this.size > this.mask) this.grow()
    this.ring[(this.head + this.size) & this.mask] = message
    this.size++
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
    if (this.size === 0) return undefined
    const message = this.ring[this.head]
    this.ring[this.head] = undefined
    this.head = (this.head + 1) & this.mask
    this.size--
    return message
  }

  /**
   * Registers the reader to be woken by the next message, or wakes it at once if there is one: between the reader's last look and
   * this, its fiber may have given way to a sender. Only the process's own fiber may call it.
   */
  park(waiter: () => void): void {
    if (this.size > 0) waiter()
    else this.waiter = waiter
  }

  /** Withdraws the reader without a message. */
  unpark(): void {
    this.waiter = undefined
  }

  contains(accepts: (message: A) => boolean): boolean {
    for (let i = 0; i < this.size; i++) {
      const message = this.ring[(this.head + i) & this.mask]
      if (message !== undefined && accepts(message)) return true
    }
    return false
  }

  /** Removes and returns the first message the predicate accepts, keeping the order of the others. */
  extract(accepts: (message: A) => boolean): A | undefined {
    for (let i = 0; i < this.size; i++) {
      const message = this.ring[(this.head + i) & this.mask]
      if (message === undefined || !accepts(message)) continue
      for (let j = i; j < this.size - 1; j++) {
        this.ring[(this.head + j) & this.mask] = this.ring[(this.head + j + 1) & this.mask]
      }
      this.ring[(this.head + this.size - 1) & this.mask] = undefined
      this.size--
      return message
    }
    return undefined
  }

  /** Drops everything: the process is dead and nobody will read. */
  clear(): void {
    this.ring = []
    this.mask = -1
    this.head = 0
    this.size = 0
    this.capacity = 0
    this.waiter = undefined
  }

  private grow(): void {
    const slots = Math.max(16, (this.mask + 1) * 2)
    const ring = new Array<A | undefined>(slots)
    for (let i = 0; i < this.size; i++) ring[i] = this.ring[(this.head + i) & this.mask]
    this.ring = ring
    this.mask = slots - 1
    this.head = 0
  }
}
