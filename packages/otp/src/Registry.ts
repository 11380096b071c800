/**
 * A local registry: processes under keys, each with a value. With unique keys it names processes by more than a
 * string; with duplicate keys it is a pub/sub, or a list of properties. After Elixir's `Registry`, and OTP's `via`
 * names.
 *
 * Only a process itself registers and unregisters, and only its own entries; a fiber it forked speaks for it. The
 * entries of a process are gone in the step of its death, before its links and monitors are told: whoever hears of
 * the death finds the keys free. So, unlike in Elixir, a lookup never returns the dead. Lookups read the table at
 * once; no process is asked.
 *
 * A key is what `Equal` says it is: strings and numbers by value, `Data` and `Schema.Class` instances by content,
 * plain objects by identity. There is no limit on entries, because none outlives its process: there are at most as
 * many as the processes that live have registered, and the number of processes is the program's to bound.
 *
 * A registry is a plain value, without a process of its own, and goes into the context like any other:
 *
 * ```ts
 * class Accounts extends Context.Tag("Accounts")<Accounts, Registry.Unique<number, void>>() {
 *   static readonly layer = Layer.effect(this, Registry.make<number>({ keys: "unique", name: "accounts" }))
 * }
 *
 * const open = (id: number) =>
 *   Effect.flatMap(Accounts, accounts => GenServer.startLink(account, { name: Registry.via(accounts, id) }))
 * ```
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { currentProcess, type Process } from "./internal/kernel.js"
import * as tables from "./internal/registry.js"
import { type Name, Pid, ProcessTable } from "./Process.js"

/**
 * What is in a registry, and the two kinds of it.
 *
 * @since 0.1.0
 * @category models
 */
export type { Duplicate, Entry, Unique } from "./internal/registry.js"

type Unique<K, V> = tables.Unique<K, V>
type Duplicate<K, V> = tables.Duplicate<K, V>
type Entry<K, V> = tables.Entry<K, V>

/**
 * A registry of either kind.
 *
 * @since 0.1.0
 * @category models
 */
export type Registry<K, V> = Unique<K, V> | Duplicate<K, V>

/** The value may be left out where it can be undefined. */
type Given<V> = undefined extends V ? readonly [value?: V] : readonly [value: V]

/**
 * The key of a unique registry belongs to a living process already; it may be the caller itself.
 *
 * @since 0.1.0
 * @category errors
 */
export class KeyTaken extends Schema.TaggedError<KeyTaken>("@reckon/otp/KeyTaken")("KeyTaken", {
  registry: Schema.String,
  /** As text, for people. */
  key: Schema.String,
  holder: Schema.instanceOf(Pid)
}) {
  override get message(): string {
    return `the key "${this.key}" of ${this.registry} belongs to ${this.holder.label}`
  }
  /** Whether the same call can succeed later without anything being changed: only if the holder goes. */
  get retryable(): boolean {
    return false
  }
}

/**
 * What a registry is made of, besides the kind of its keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** For people and logs. Default "registry". */
  readonly name?: string | undefined
}

/**
 * An empty registry for the processes of this table. `V` is what is kept with each entry; nothing, by default.
 *
 * @since 0.1.0
 * @category constructors
 */
export function make<K, V = void>(
  options: Options & { readonly keys: "unique" }
): Effect.Effect<Unique<K, V>, never, ProcessTable>
export function make<K, V = void>(
  options: Options & { readonly keys: "duplicate" }
): Effect.Effect<Duplicate<K, V>, never, ProcessTable>
export function make<K, V = void>(
  options: Options & { readonly keys: "unique" | "duplicate" }
): Effect.Effect<Registry<K, V>, never, ProcessTable> {
  return Effect.map(ProcessTable, kernel => {
    const name = options.name ?? "registry"
    return options.keys === "unique" ? new tables.Unique<K, V>(kernel, name) : new tables.Duplicate<K, V>(kernel, name)
  })
}

// -----------------------------------------------------------------------------------------------------------------
// names
// -----------------------------------------------------------------------------------------------------------------

/**
 * A key as a name: to start a process under, with this value, and to find it by. The key is claimed before the new
 * process takes its first step; a start under a key that is taken fails with `AlreadyStarted` or `NameTaken`. OTP's
 * `{via, Registry, {Registry, Key, Value}}`.
 *
 * @since 0.1.0
 * @category names
 */
export function via<K, V>(registry: Unique<K, V>, key: K, ...value: Given<V>): Name
export function via<K, V>(registry: Unique<K, V>, key: K, value: V): Name {
  return new tables.KeyName(registry, key, value)
}

/**
 * Whoever has the key at the time of use, as a name: to find a process by where `via` would ask for a value. To start
 * one under it is a defect, because there is no value to register.
 *
 * @since 0.1.0
 * @category names
 */
export const holder = <K, V>(registry: Unique<K, V>, key: K): Name => new tables.HolderName(registry, key)

/**
 * Who has the key now.
 *
 * @since 0.1.0
 * @category names
 */
export const whereis = <K, V>(registry: Unique<K, V>, key: K): Effect.Effect<Option.Option<Pid>> =>
  Effect.sync(() => Option.map(Option.fromNullable(registry.holder(key)), process => process.pid))

// -----------------------------------------------------------------------------------------------------------------
// registration
// -----------------------------------------------------------------------------------------------------------------

/** The process the entries belong to: the caller's own. */
const owner = <A, E, R>(use: (process: Process) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime(fiber => {
    const process = fiber.getFiberRef(currentProcess)
    return process === undefined
      ? Effect.dieMessage("this must run inside a process: the entries of a registry belong to one")
      : use(process)
  })

/**
 * Registers the calling process under the key. In a unique registry a key that is taken, even by the caller itself,
 * is `KeyTaken`; in a duplicate one this is one more entry, even for a process that has the key already. It is a
 * defect for a process of another table, and for a killed one whose fiber runs on as a ghost.
 *
 * @since 0.1.0
 * @category registration
 */
export function register<K, V>(registry: Unique<K, V>, key: K, ...value: Given<V>): Effect.Effect<void, KeyTaken>
export function register<K, V>(registry: Duplicate<K, V>, key: K, ...value: Given<V>): Effect.Effect<void>
export function register<K, V>(registry: Registry<K, V>, key: K, value: V): Effect.Effect<void, KeyTaken> {
  return owner(process => {
    const refusal = registry.refusal(process)
    if (refusal !== undefined) return Effect.dieMessage(refusal)
    if (registry.keys === "duplicate") {
      registry.add(process, key, value)
      return Effect.void
    }
    const first = registry.claim(process, key, value)
    return first === undefined
      ? Effect.void
      : Effect.fail(new KeyTaken({ registry: registry.name, key: tables.formatKey(key), holder: first.pid }))
  })
}

/**
 * Removes what the calling process has under the key, and tells how many entries that was; others' are left alone.
 *
 * @since 0.1.0
 * @category registration
 */
export const unregister = <K, V>(registry: Registry<K, V>, key: K): Effect.Effect<number> =>
  unregisterMatch(registry, key, constTrue)

/**
 * Like `unregister`, of the entries whose value the predicate accepts.
 *
 * @since 0.1.0
 * @category registration
 */
export const unregisterMatch = <K, V>(
  registry: Registry<K, V>,
  key: K,
  predicate: Predicate.Predicate<V>
): Effect.Effect<number> => owner(process => Effect.sync(() => registry.remove(process, key, predicate)))

/**
 * Replaces the value under a key of the calling process; tells the new value and the one before, or nothing if the
 * key is not its own.
 *
 * @since 0.1.0
 * @category registration
 */
export const updateValue = <K, V>(
  registry: Unique<K, V>,
  key: K,
  f: (value: V) => V
): Effect.Effect<Option.Option<readonly [value: V, before: V]>> =>
  owner(process => Effect.sync(() => Option.fromNullable(registry.update(process, key, f))))

// -----------------------------------------------------------------------------------------------------------------
// lookup
// -----------------------------------------------------------------------------------------------------------------

/**
 * The entry of a key, if there is one; in a duplicate registry all of them, in the order of registration.
 *
 * @since 0.1.0
 * @category lookup
 */
export function lookup<K, V>(registry: Unique<K, V>, key: K): Effect.Effect<Option.Option<Entry<K, V>>>
export function lookup<K, V>(registry: Duplicate<K, V>, key: K): Effect.Effect<ReadonlyArray<Entry<K, V>>>
export function lookup<K, V>(
  registry: Registry<K, V>,
  key: K
): Effect.Effect<Option.Option<Entry<K, V>> | ReadonlyArray<Entry<K, V>>> {
  return Effect.sync(() => (registry.keys === "unique" ? Arr.head(registry.at(key)) : registry.at(key)))
}

/**
 * The entries of a key whose value the predicate accepts, in the order of registration.
 *
 * @since 0.1.0
 * @category lookup
 */
export const match = <K, V>(
  registry: Registry<K, V>,
  key: K,
  predicate: Predicate.Predicate<V>
): Effect.Effect<ReadonlyArray<Entry<K, V>>> =>
  Effect.sync(() => registry.at(key).filter(entry => predicate(entry.value)))

/**
 * The keys of a process, in the order of registration; a key comes as often as the process has it.
 *
 * @since 0.1.0
 * @category lookup
 */
export const keys = <K, V>(registry: Registry<K, V>, pid: Pid): Effect.Effect<ReadonlyArray<K>> =>
  Effect.sync(() => registry.keysOf(pid))

/**
 * What a process keeps under a key, in the order of registration.
 *
 * @since 0.1.0
 * @category lookup
 */
export const values = <K, V>(registry: Registry<K, V>, key: K, pid: Pid): Effect.Effect<ReadonlyArray<V>> =>
  Effect.sync(() => registry.valuesOf(pid, key))

/**
 * Everything in the registry, process by process, each in the order of registration.
 *
 * @since 0.1.0
 * @category lookup
 */
export const entries = <K, V>(registry: Registry<K, V>): Effect.Effect<ReadonlyArray<Entry<K, V>>> =>
  Effect.sync(() => registry.entries())

/**
 * How many entries there are.
 *
 * @since 0.1.0
 * @category lookup
 */
export const count = <K, V>(registry: Registry<K, V>): Effect.Effect<number> => Effect.sync(() => registry.count)

/**
 * Runs the function once, in the calling fiber, with all entries the key has now; not at all if it has none. To
 * publish is to send to each of their pids.
 *
 * @since 0.1.0
 * @category lookup
 */
export const dispatch = <K, V, E, R>(
  registry: Registry<K, V>,
  key: K,
  f: (entries: Arr.NonEmptyReadonlyArray<Entry<K, V>>) => Effect.Effect<unknown, E, R>
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const found = registry.at(key)
    return Arr.isNonEmptyReadonlyArray(found) ? Effect.asVoid(f(found)) : Effect.void
  })
