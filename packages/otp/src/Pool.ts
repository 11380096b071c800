/**
 * Pools: partitions, each served by one supervised worker, and a table that routes requests to them. After Elixir's
 * `PartitionSupervisor`, with workers that come when they are needed and go when they are not.
 *
 * ```ts
 * const writers = Pool.make({
 *   size: 16,
 *   routing: "hash",
 *   idleStop: "1 minute",
 *   worker: partition => GenServer.startLink(writer(partition))
 * })
 *
 * const tree = Supervisor.layer({ children: [Pool.supervisor("writers", writers, { name: "writers" })] })
 *
 * yield* Pool.named(writers, "writers").call("orders/42", "Append", { events })
 * ```
 *
 * Requests of one key meet in one mailbox, so they are served in the order in which they were made. So are requests of other keys
 * that happen to share the partition, and a slow one holds them up. Requests that go round robin have no order.
 *
 * A worker is started by the first request to its partition, in the pool's process and so one start at a time, as with any
 * supervisor. Requests that come while it starts, restarts after a crash, or ends after an idle stop wait for it, within their own
 * time limit and in order: at most `waitingCapacity` of them for each partition, then calls fail with `MailboxFull` and casts are
 * dropped. What was in the mailbox of a worker that crashed is lost with it, as with any server: those calls fail with
 * `ServerExited`.
 *
 * The pool is a `one_for_one` supervisor with a transient child for each partition, "0" to "size - 1": the listing calls of
 * `Supervisor` and the observer show it. A worker that crashes is restarted, at most `intensity` times within `period` for all together;
 * one more takes the pool down, and its own supervisor decides. A worker that ends cleanly stays away until the next request. An idle
 * stop never cuts a request short, and is no restart; only a crash in the worker's `terminate` counts as any crash.
 *
 * @since 0.1.0
 */
import type * as Rpc from "@effect/rpc/Rpc"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { CallError, CallingSelf, CallTimeout, NoProcess } from "./CallError.js"
import type { ChildStartFailed } from "./ChildError.js"
import * as ChildSpec from "./ChildSpec.js"
import type { Args, CallOptions } from "./Client.js"
import type * as GenServer from "./GenServer.js"
import * as hashing from "./internal/hash.js"
import { labelOf, lookup } from "./internal/place.js"
import * as pool from "./internal/pool.js"
import { defaultCapacity } from "./internal/spawn.js"
import { type Name, type Pid, ProcessTable } from "./Process.js"
import * as Supervisor from "./Supervisor.js"

/**
 * What a pool does and has done.
 *
 * @since 0.1.0
 * @category models
 */
export type { Stats } from "./internal/pool.js"

// -----------------------------------------------------------------------------------------------------------------
// definition
// -----------------------------------------------------------------------------------------------------------------

/**
 * How a request finds its partition: by the hash of its key, or by turns.
 *
 * @since 0.1.0
 * @category models
 */
export type Routing = "hash" | "round_robin"

/**
 * What a pool is made of.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pool<Rpcs extends Rpc.Any, out Way extends Routing, out R> {
  /** How many partitions, from 1 to 65,536. Another size sends keys elsewhere. */
  readonly size: number
  readonly routing: Way
  /**
   * Starts the worker of a partition, counted from 0: a linked `GenServer`. Runs in the pool's process and returns when the worker is
   * in service. Run again for every restart and after every idle stop.
   */
  readonly worker: (partition: number) => Effect.Effect<GenServer.Ref<Rpcs>, unknown, R>
  /**
   * How long a worker stays without a request. Then it is asked to stop, in its turn; a caller that still waits for its answer
   * keeps it. Default infinity.
   */
  readonly idleStop?: Duration.DurationInput | undefined
  /**
   * How long each worker may take to stop before it is killed. One that was stopped for being idle has it twice: first to end by
   * itself, then when its supervisor ends it. Default 5 seconds.
   */
  readonly shutdown?: ChildSpec.Shutdown | undefined
  /** How many restarts, of all workers together, are allowed within `period`; one more and the pool gives up. Default 1. */
  readonly intensity?: number | undefined
  /** Default 5 seconds. */
  readonly period?: Duration.DurationInput | undefined
  /** How many requests may wait for the worker of one partition to start. Default 65,536. */
  readonly waitingCapacity?: number | undefined
}

/**
 * Defines a pool that can be started, any number of times.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Rpcs extends Rpc.Any, const Way extends Routing, R>(
  definition: Pool<Rpcs, Way, R>
): Pool<Rpcs, Way, R> => definition

/**
 * A pool was described wrongly. Found before anything is started.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPool extends Schema.TaggedError<InvalidPool>("@reckon/otp/InvalidPool")("InvalidPool", {
  problem: Schema.Literal("invalid_size", "invalid_routing", "invalid_idle_stop", "invalid_waiting_capacity"),
  /** What was found. */
  detail: Schema.String
}) {
  override get message(): string {
    return `the pool: ${this.problem} (${this.detail})`
  }
  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

// -----------------------------------------------------------------------------------------------------------------
// clients
// -----------------------------------------------------------------------------------------------------------------

/** What a call answers: the protocol's errors as they are, and what can go wrong on the way. */
type Answer<Current extends Rpc.Any, R> = Effect.Effect<
  Rpc.Success<Current>,
  Rpc.Error<Current> | CallError | ChildStartFailed,
  R
>

interface Common<out R> {
  /** For people and logs. */
  readonly label: string
  /** How many partitions. */
  readonly size: number
  /** What the pool does and has done, looked at from outside; it does not notice. */
  readonly stats: Effect.Effect<pool.Stats, NoProcess, R>
}

/**
 * What one can ask of a pool that routes by key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Keyed<Rpcs extends Rpc.Any, out R = never> extends Common<R> {
  /**
   * Sends a request to the worker of the key's partition and waits for the reply. Starts the worker if there is none; if that fails,
   * so do all requests that waited for it, with `ChildStartFailed`: they were not carried out, and the next one tries again. A
   * worker that has no use for itself (`StartIgnored`), or is dead as soon as it was started, is `NoProcess`.
   */
  readonly call: <const Tag extends Rpcs["_tag"]>(
    key: string,
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, CallOptions>
  ) => Answer<Rpc.ExtractTag<Rpcs, Tag>, R>
  /** Sends a request and forgets it: succeeds at once, even if there is no pool. Starts the worker if there is none. */
  readonly cast: <const Tag extends Rpcs["_tag"]>(
    key: string,
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, never>
  ) => Effect.Effect<void, never, R>
  /**
   * Where the requests of a key go: XXH32, with seed 0, of its UTF-8, modulo the size. The same on each node, in each run and
   * whether or not the pool runs. An effect because the hash is compiled when it is first needed.
   */
  readonly partitionOf: (key: string) => Effect.Effect<number>
}

/**
 * What one can ask of a pool whose partitions take turns.
 *
 * @since 0.1.0
 * @category models
 */
export interface RoundRobin<Rpcs extends Rpc.Any, out R = never> extends Common<R> {
  /** Sends a request to the worker whose turn it is. Otherwise as `Keyed`. */
  readonly call: <const Tag extends Rpcs["_tag"]>(
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, CallOptions>
  ) => Answer<Rpc.ExtractTag<Rpcs, Tag>, R>
  /** Sends a request and forgets it: succeeds at once, even if there is no pool. Starts the worker if there is none. */
  readonly cast: <const Tag extends Rpcs["_tag"]>(
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, never>
  ) => Effect.Effect<void, never, R>
}

/**
 * What one can ask of a pool, as it routes.
 *
 * @since 0.1.0
 * @category models
 */
export type Client<Rpcs extends Rpc.Any, Way extends Routing, R = never> = Way extends "hash"
  ? Keyed<Rpcs, R>
  : RoundRobin<Rpcs, R>

/**
 * A running pool. After its death every call fails with `NoProcess`; use `named` for what should survive restarts.
 *
 * @since 0.1.0
 * @category models
 */
export type Ref<Rpcs extends Rpc.Any, Way extends Routing> = Client<Rpcs, Way> & { readonly pid: Pid }

/**
 * A pool known by name. The name is resolved at every use, so it finds the pool that has it now.
 *
 * @since 0.1.0
 * @category models
 */
export type NamedRef<Rpcs extends Rpc.Any, Way extends Routing> = Client<Rpcs, Way, ProcessTable> & {
  readonly name: Name
  /** The same without an environment: bound to the process table of the caller. */
  readonly bind: Effect.Effect<Client<Rpcs, Way>, never, ProcessTable>
}

/**
 * Addresses whatever pool of this definition has the name at the time of each call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const named = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  definition: Pool<Rpcs, Way, R>,
  name: Name
): NamedRef<Rpcs, Way> => {
  const label = labelOf(name)
  return {
    ...clientOf<Rpcs, Way, ProcessTable>(definition, label, use =>
      Effect.flatMap(ProcessTable, kernel => use(() => pool.routerOf(lookup(kernel, name))))
    ),
    name,
    bind: Effect.map(ProcessTable, kernel =>
      clientOf<Rpcs, Way, never>(definition, label, use => use(() => pool.routerOf(lookup(kernel, name))))
    )
  }
}

/** `via` finds the way to the pool and uses it. */
const clientOf = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  { routing, size }: Pool<Rpcs, Way, unknown>,
  label: string,
  via: <A, E>(use: (resolve: pool.Resolve) => Effect.Effect<A, E>) => Effect.Effect<A, E, R>
): Client<Rpcs, Way, R> => {
  const call = (key: string | undefined, tag: string, payload: unknown, options?: CallOptions) =>
    via(resolve => pool.call(resolve, label, key, tag, payload, options))
  const cast = (key: string | undefined, tag: string, payload: unknown) =>
    via(resolve => pool.cast(resolve, key, tag, payload))
  const common = { label, size, stats: via(resolve => pool.stats(resolve, label)) }
  const client =
    routing === "hash"
      ? {
          ...common,
          call,
          cast,
          partitionOf: (key: string) => Effect.map(hashing.load, hash => pool.partitionOf(hash, key, size))
        }
      : {
          ...common,
          call: (tag: string, payload: unknown, options?: CallOptions) => call(undefined, tag, payload, options),
          cast: (tag: string, payload: unknown) => cast(undefined, tag, payload)
        }
  // A reply is what the handler of this tag answered, and the handler's type is the protocol's; the mailbox forgets it.
  return client as unknown as Client<Rpcs, Way, R>
}

// -----------------------------------------------------------------------------------------------------------------
// start
// -----------------------------------------------------------------------------------------------------------------

/**
 * How a pool is started.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions {
  readonly name?: Name | undefined
}

/**
 * Any way in which the start can fail.
 *
 * @since 0.1.0
 * @category errors
 */
export type StartError = InvalidPool | ChildSpec.InvalidSpec | GenServer.StartError

/**
 * Starts a pool, without workers, as a child of nobody. The workers' environment is captured now.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  definition: Pool<Rpcs, Way, R>,
  options: StartOptions = {}
): Effect.Effect<Ref<Rpcs, Way>, StartError, ProcessTable | R> => startWith(definition, options, false)

/**
 * Starts a pool linked to the calling process, which becomes its parent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  definition: Pool<Rpcs, Way, R>,
  options: StartOptions = {}
): Effect.Effect<Ref<Rpcs, Way>, StartError, ProcessTable | R> => startWith(definition, options, true)

const startWith = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  definition: Pool<Rpcs, Way, R>,
  options: StartOptions,
  link: boolean
): Effect.Effect<Ref<Rpcs, Way>, StartError, ProcessTable | R> =>
  Effect.gen(function* () {
    const settings = yield* settingsOf(definition)
    const hash = yield* hashing.load
    const kernel = yield* ProcessTable
    const { pid } = yield* pool.start(kernel, hash, settings, options, link)
    const label = options.name === undefined ? pid.label : labelOf(options.name)
    const resolve = () => pool.routerOf(kernel.lookup(pid))
    return { ...clientOf<Rpcs, Way, never>(definition, label, use => use(resolve)), pid }
  })

/**
 * A pool as a child of a supervisor.
 *
 * @since 0.1.0
 * @category constructors
 */
export const supervisor = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  id: string,
  definition: Pool<Rpcs, Way, R>,
  options: StartOptions & ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, ProcessTable | R, Ref<Rpcs, Way>> => {
  const { name, ...child } = options
  return { ...child, id, start: startLink(definition, { name }), type: "supervisor" }
}

/** Checked as a supervisor with one child, so that mistakes have the same names; what only a pool has is checked here. */
const settingsOf = <Rpcs extends Rpc.Any, Way extends Routing, R>(
  definition: Pool<Rpcs, Way, R>
): Effect.Effect<pool.Settings, InvalidPool | ChildSpec.InvalidSpec, R> =>
  Effect.gen(function* () {
    const { idleStop = Duration.infinity, intensity = 1, period = "5 seconds", routing, size } = definition
    const { shutdown = "5 seconds", waitingCapacity = defaultCapacity } = definition
    const bad = (problem: InvalidPool["problem"], found: unknown) => new InvalidPool({ problem, detail: String(found) })
    if (!Number.isInteger(size) || size < 1 || size > maxSize) return yield* bad("invalid_size", size)
    if (routing !== "hash" && routing !== "round_robin") return yield* bad("invalid_routing", routing)
    // A duration that is negative, or is none, decodes to nothing or to zero.
    const idle = Duration.decodeUnknown(idleStop)
    if (idle._tag === "None" || Duration.toMillis(idle.value) <= 0) return yield* bad("invalid_idle_stop", idleStop)
    if (!Number.isInteger(waitingCapacity) || waitingCapacity < 1) {
      return yield* bad("invalid_waiting_capacity", waitingCapacity)
    }
    yield* ChildSpec.checkSpec({ intensity, period, children: [{ id: "worker", start: Effect.never, shutdown }] })
    const context = yield* Effect.context<R>()
    const worker = (partition: number) => Effect.provide(definition.worker(partition), context)
    return { size, worker, shutdown, intensity, period, idleStop: idle.value, waitingCapacity }
  })

/** More partitions than this are more workers than are useful, and a listing nobody can read. */
const maxSize = 65_536

// -----------------------------------------------------------------------------------------------------------------
// stop
// -----------------------------------------------------------------------------------------------------------------

/**
 * Stops a pool and its workers, in reverse order and each within its shutdown time, and waits for it. Whoever waits for a worker
 * gets `NoProcess` then; whoever waits for an answer of one that is stopped, `ServerExited`.
 *
 * @since 0.1.0
 * @category destructors
 */
export const stop: (
  target: Supervisor.Target
) => Effect.Effect<void, NoProcess | CallTimeout | CallingSelf | GenServer.StopFailed, ProcessTable> = Supervisor.stop
