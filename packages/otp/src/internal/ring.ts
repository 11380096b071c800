/**
 * First in, first out: a ring of slots that grows when it must.
 */

/** Most processes never have more waiting. */
const initialSlots = 4

export class Ring<A> {
  private slots = new Array<A | undefined>(initialSlots)
  private mask = initialSlots - 1
  private head = 0
  protected size = 0

  get length(): number {
    return this.size
  }

  push(element: A): void {
    if (this.size > this.mask) this.grow()
    this.slots[(this.head + this.size) & this.mask] = element
    this.size++
  }

  shift(): A | undefined {
    if (this.size === 0) return undefined
    const element = this.slots[this.head]
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & this.mask
    this.size--
    return element
  }

  contains(accepts: (element: A) => boolean): boolean {
    for (let i = 0; i < this.size; i++) {
      const element = this.slots[(this.head + i) & this.mask]
      if (element !== undefined && accepts(element)) return true
    }
    return false
  }

  /** Removes and returns the first element the predicate accepts, keeping the order of the others. */
  extract(accepts: (element: A) => boolean): A | undefined {
    for (let i = 0; i < this.size; i++) {
      const element = this.slots[(this.head + i) & this.mask]
      if (element === undefined || !accepts(element)) continue
      for (let j = i; j < this.size - 1; j++) {
        this.slots[(this.head + j) & this.mask] = this.slots[(this.head + j + 1) & this.mask]
      }
      this.slots[(this.head + this.size - 1) & this.mask] = undefined
      this.size--
      return element
    }
    return undefined
  }

  clear(): void {
    this.slots = []
    this.mask = -1
    this.head = 0
    this.size = 0
  }

  private grow(): void {
    const slots = Math.max(16, (this.mask + 1) * 2)
    const grown = new Array<A | undefined>(slots)
    for (let i = 0; i < this.size; i++) grown[i] = this.slots[(this.head + i) & this.mask]
    this.slots = grown
    this.mask = slots - 1
    this.head = 0
  }
}
