/**
 * A map that keeps the `max` entries that were used last, and never more than twice as many. It has two generations: when the newer one is full it becomes the older one, and
 * what was not used since the last time is forgotten. So what is in use all the time is found where it is, where a list in the order of use would have to move it.
 */
export class Lru<K, V> {
  #newer = new Map<K, V>()
  #older = new Map<K, V>()

  constructor(readonly max: number) {}

  get(key: K): V | undefined {
    const value = this.#newer.get(key)
    if (value !== undefined) return value
    const older = this.#older.get(key)
    if (older !== undefined) this.set(key, older)
    return older
  }

  set(key: K, value: V): void {
    this.#newer.set(key, value)
    if (this.#newer.size < this.max) return
    this.#older = this.#newer
    this.#newer = new Map()
  }

  delete(key: K): void {
    this.#newer.delete(key)
    this.#older.delete(key)
  }

  clear(): void {
    this.#newer.clear()
    this.#older.clear()
  }
}
