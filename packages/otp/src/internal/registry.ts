/**
 * The tables behind `Registry`: who has which keys, kept from both sides, by key and by process.
 *
 * Everything here is synchronous, as in the kernel: no fiber is interrupted and no process dies between the look at a
 * key and the entry made for it. So an entry is there together with its process, which is alive and holds the table,
 * or it is not there at all; a kill can come only before or after.
 */
import * as Inspectable from "effect/Inspectable"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import type { Holding, Kernel, Process } from "./kernel.js"
import { Via } from "./place.js"
import type { Pid } from "./signal.js"

/**
 * One process under one key. A snapshot: it does not change when the registry does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry<out K, out V> {
  readonly key: K
  readonly pid: Pid
  readonly value: V
}

/** Where an entry is kept. It stays the same when the value is replaced, and with it the order. */
class Slot<K, V> {
  constructor(
    readonly process: Process,
    public entry: Entry<K, V>
  ) {}
}

/** What unique and duplicate registries have in common: the side of the processes. */
abstract class Table<in out K, in out V> extends Inspectable.Class implements Holding {
  abstract readonly keys: "unique" | "duplicate"
  /** What each process has, in the order of registration. */
  protected readonly owned = new Map<Process, Set<Slot<K, V>>>()
  private size = 0

  constructor(
    readonly kernel: Kernel,
    readonly name: string
  ) {
    super()
  }

  get count(): number {
    return this.size
  }

  /** The entries of a key, in the order of registration. */
  abstract at(key: K): Array<Entry<K, V>>
  /** The slots a process has under a key, in the order of registration. */
  protected abstract slotsOf(process: Process, key: K): Array<Slot<K, V>>
  protected abstract index(slot: Slot<K, V>): void
  protected abstract unindex(slot: Slot<K, V>): void

  /** Why the process can have no entries here; nobody would ever take them out. */
  refusal(process: Process): string | undefined {
    if (process.kernel !== this.kernel) return `${process.pid.label} is of another process table than ${this.name}`
    return process.alive ? undefined : `${process.pid.label} is dead and cannot register in ${this.name}`
  }

  add(process: Process, key: K, value: V): void {
    const slot = new Slot(process, { key, pid: process.pid, value })
    const slots = this.owned.get(process)
    if (slots === undefined) {
      this.owned.set(process, new Set([slot]))
      process.hold(this)
    } else {
      slots.add(slot)
    }
    this.index(slot)
    this.size++
  }

  /** Takes out what the process has under the key and the predicate accepts; tells how much that was. */
  remove(process: Process, key: K, accepts: (value: V) => boolean): number {
    const slots = this.slotsOf(process, key).filter(slot => accepts(slot.entry.value))
    const owned = this.owned.get(process)
    for (const slot of slots) {
      owned?.delete(slot)
      this.unindex(slot)
    }
    this.size -= slots.length
    if (owned?.size === 0) {
      this.owned.delete(process)
      process.holdings?.delete(this)
    }
    return slots.length
  }

  release(process: Process): void {
    const slots = this.owned.get(process)
    if (slots === undefined) return
    this.owned.delete(process)
    for (const slot of slots) this.unindex(slot)
    this.size -= slots.size
  }

  keysOf(pid: Pid): Array<K> {
    const process = this.kernel.lookup(pid)
    const slots = process === undefined ? undefined : this.owned.get(process)
    return Array.from(slots ?? [], slot => slot.entry.key)
  }

  valuesOf(pid: Pid, key: K): Array<V> {
    const process = this.kernel.lookup(pid)
    return process === undefined ? [] : this.slotsOf(process, key).map(slot => slot.entry.value)
  }

  entries(): Array<Entry<K, V>> {
    return Array.from(this.owned.values()).flatMap(slots => Array.from(slots, slot => slot.entry))
  }

  override toJSON(): unknown {
    return { _id: "Registry", name: this.name, keys: this.keys, count: this.count }
  }
}

/**
 * A registry in which a key belongs to at most one process. Opaque: use the functions of this module.
 *
 * @since 0.1.0
 * @category models
 */
export class Unique<in out K, in out V> extends Table<K, V> {
  readonly keys = "unique"
  private readonly byKey = MutableHashMap.empty<K, Slot<K, V>>()

  holder(key: K): Process | undefined {
    return this.slot(key)?.process
  }

  /** Takes the key for the process, or returns the holder it belongs to already. */
  claim(process: Process, key: K, value: V): Process | undefined {
    const holder = this.holder(key)
    if (holder === undefined) this.add(process, key, value)
    return holder
  }

  /** Replaces the value if the key is the process's own; the new value and the one before. */
  update(process: Process, key: K, f: (value: V) => V): readonly [V, V] | undefined {
    const slot = this.slot(key)
    if (slot?.process !== process) return undefined
    const before = slot.entry.value
    const value = f(before)
    slot.entry = { ...slot.entry, value }
    return [value, before]
  }

  at(key: K): Array<Entry<K, V>> {
    const slot = this.slot(key)
    return slot === undefined ? [] : [slot.entry]
  }

  protected slotsOf(process: Process, key: K): Array<Slot<K, V>> {
    const slot = this.slot(key)
    return slot?.process === process ? [slot] : []
  }

  protected index(slot: Slot<K, V>): void {
    MutableHashMap.set(this.byKey, slot.entry.key, slot)
  }

  protected unindex(slot: Slot<K, V>): void {
    MutableHashMap.remove(this.byKey, slot.entry.key)
  }

  private slot(key: K): Slot<K, V> | undefined {
    return Option.getOrUndefined(MutableHashMap.get(this.byKey, key))
  }
}

/**
 * A registry in which any number of processes have a key, each as often as it likes. Opaque: use the functions of
 * this module.
 *
 * @since 0.1.0
 * @category models
 */
export class Duplicate<in out K, in out V> extends Table<K, V> {
  readonly keys = "duplicate"
  private readonly byKey = MutableHashMap.empty<K, Set<Slot<K, V>>>()

  at(key: K): Array<Entry<K, V>> {
    return Array.from(this.slots(key) ?? [], slot => slot.entry)
  }

  protected slotsOf(process: Process, key: K): Array<Slot<K, V>> {
    // A key may have a million subscribers and a process a million keys, but seldom both: look through the fewer.
    const slots = this.slots(key)
    const owned = this.owned.get(process)
    if (slots === undefined || owned === undefined) return []
    const [fewer, more] = slots.size < owned.size ? [slots, owned] : [owned, slots]
    return Array.from(fewer).filter(slot => more.has(slot))
  }

  protected index(slot: Slot<K, V>): void {
    const slots = this.slots(slot.entry.key)
    if (slots === undefined) MutableHashMap.set(this.byKey, slot.entry.key, new Set([slot]))
    else slots.add(slot)
  }

  protected unindex(slot: Slot<K, V>): void {
    const slots = this.slots(slot.entry.key)
    slots?.delete(slot)
    if (slots?.size === 0) MutableHashMap.remove(this.byKey, slot.entry.key)
  }

  private slots(key: K): Set<Slot<K, V>> | undefined {
    return Option.getOrUndefined(MutableHashMap.get(this.byKey, key))
  }
}

/** For people and logs. */
export const formatKey = (key: unknown): string => Inspectable.toStringUnknown(key, 0)

/** Whoever has a key at the time of use. */
export class HolderName<K, V> extends Via {
  constructor(
    protected readonly registry: Unique<K, V>,
    protected readonly key: K
  ) {
    super()
  }

  get label(): string {
    return `${this.registry.name}/${formatKey(this.key)}`
  }

  lookup(): Process | undefined {
    return this.registry.holder(this.key)
  }

  claim(process: Process): Process | undefined {
    return refuse(process, `${this.label} says whom to find, not what to register: start with Registry.via and a value`)
  }
}

/** A key with the value its holder registers. */
export class KeyName<K, V> extends HolderName<K, V> {
  constructor(
    registry: Unique<K, V>,
    key: K,
    private readonly value: V
  ) {
    super(registry, key)
  }

  override claim(process: Process): Process | undefined {
    const refusal = this.registry.refusal(process)
    return refusal === undefined ? this.registry.claim(process, this.key, this.value) : refuse(process, refusal)
  }
}

/** A defect of the start. Nobody but us can take the newcomer out of its table again: the spawn ends with the throw. */
const refuse = (process: Process, why: string): never => {
  process.kernel.kill(process)
  throw new Error(why)
}
