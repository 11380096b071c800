/**
 * The inside of a pool: its routing table, which is a holding of its supervisor and goes with it, and the way there.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { NoProcess } from "../CallError.js"
import type * as ChildSpec from "../ChildSpec.js"
import type { CallOptions } from "../Client.js"
import { type StartError, StartIgnored, type StartOptions } from "../StartError.js"
import { type ChildPlan, defaults, limitOf, type Retry, type Value } from "./child.js"
import type { Hash } from "./hash.js"
import type { Holding, Kernel, Process } from "./kernel.js"
import { labelOf } from "./place.js"
import { type Limits, Partition } from "./poolPartition.js"
import type { Pid } from "./signal.js"
import { type Startable, startOn } from "./start.js"
import * as supervision from "./supervision.js"
import { settingsOf } from "./tree.js"

/** A pool's definition with its defaults filled in and its environment provided. */
export interface Settings {
  readonly size: number
  readonly worker: (partition: number) => Effect.Effect<Value, unknown>
  readonly shutdown: ChildSpec.Shutdown
  readonly intensity: number
  readonly period: Duration.DurationInput
  readonly idleStop: Duration.DurationInput
  readonly waitingCapacity: number
}

export const partitionOf = (hash: Hash, key: string, size: number): number => hash(key) % size

export class Router implements Holding {
  readonly partitions: ReadonlyArray<Partition>
  private turn = 0

  constructor(
    supervisor: Process,
    label: string,
    private readonly hash: Hash,
    settings: Settings
  ) {
    const limits = limitsOf(settings)
    this.partitions = Array.from({ length: settings.size }, (_, i) => new Partition(supervisor, label, i, limits))
  }

  /** Where a request goes: to the partition of its key, or to the next in turn. */
  route(key: string | undefined): Partition {
    const size = this.partitions.length
    const index = key === undefined ? this.turn : partitionOf(this.hash, key, size)
    if (key === undefined) this.turn = (this.turn + 1) % size
    const partition = this.partitions[index]
    if (partition === undefined) throw new Error(`a pool of ${size} has no partition ${index}`)
    return partition
  }

  /** Part of the supervisor's death, before anybody is told of it. */
  release(): void {
    for (const partition of this.partitions) partition.close()
  }
}

const limitsOf = ({ idleStop, shutdown, waitingCapacity }: Settings): Limits => {
  const limit = shutdown === "brutal_kill" ? Duration.zero : (limitOf(shutdown) ?? Duration.infinity)
  return { idleMillis: Duration.toMillis(idleStop), stopMillis: Duration.toMillis(limit), waitingCapacity }
}

/** The pool that this process is, if it is one and lives. */
export const routerOf = (process: Process | undefined): Router | undefined => {
  for (const holding of process?.holdings ?? []) if (holding instanceof Router) return holding
  return undefined
}

// -----------------------------------------------------------------------------------------------------------------
// supervisor
// -----------------------------------------------------------------------------------------------------------------

/** Starts a one_for_one supervisor that has its routing table from the step on in which it has its name. */
export const start = (
  kernel: Kernel,
  hash: Hash,
  settings: Settings,
  options: StartOptions,
  link: boolean
): Effect.Effect<{ readonly pid: Pid }, StartError> => {
  const server = (plans: ReadonlyArray<ChildPlan>) =>
    supervision.serverOf(Effect.succeed({ settings: settingsOf(settings), plans }))
  const routing: Startable<Retry> = {
    ...server([]),
    definition: self => {
      const partitions = routerOf(kernel.lookup(self.pid))?.partitions ?? []
      return server(partitions.map((partition, index) => planOf(settings, partition, index))).definition(self)
    }
  }
  return startOn(kernel, routing, options, link, "supervisor", supervisor => {
    const label = options.name === undefined ? supervisor.pid.label : labelOf(options.name)
    supervisor.hold(new Router(supervisor, label, hash, settings))
  })
}

/**
 * A worker as a child. It is transient, because a worker that is stopped for being idle is not to be started again before
 * somebody needs it. The first run of its start is the supervisor's own, at the very beginning, when nobody does: it is ignored, and
 * so the child is known, and stopped.
 */
const planOf = (settings: Settings, partition: Partition, index: number): ChildPlan => {
  let known = false
  const start = Effect.suspend(() => {
    if (known) return Effect.tap(settings.worker(index), ({ pid }) => Effect.sync(() => partition.arrived(pid)))
    known = true
    return Effect.fail(new StartIgnored())
  })
  return { id: partition.id, start, ...defaults({ restart: "transient", shutdown: settings.shutdown }) }
}

// -----------------------------------------------------------------------------------------------------------------
// requests
// -----------------------------------------------------------------------------------------------------------------

/** Finds the pool, at the time of use. */
export type Resolve = () => Router | undefined

const defaultTimeoutMillis = 5_000

export const call = (
  resolve: Resolve,
  label: string,
  key: string | undefined,
  tag: string,
  payload: unknown,
  options: CallOptions | undefined
): Effect.Effect<unknown, unknown> =>
  Effect.withFiberRuntime<unknown, unknown>(caller => {
    const router = resolve()
    if (router === undefined) return Effect.fail(new NoProcess({ server: label, request: tag }))
    const limit = options?.timeout === undefined ? defaultTimeoutMillis : Duration.toMillis(options.timeout)
    return router.route(key).call(tag, payload, limit, caller)
  })

export const cast = (resolve: Resolve, key: string | undefined, tag: string, payload: unknown): Effect.Effect<void> =>
  Effect.sync(() => resolve()?.route(key).cast(tag, payload))

/**
 * What a pool does and has done.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Partitions that have a worker. One that is stopping, or has crashed and is not back yet, does not count. */
  readonly running: number
  /** Callers that wait for their answer. */
  readonly inFlight: number
  /** Calls and casts that wait for a worker to start. */
  readonly waiting: number
  /** Workers started, ever: the first of each partition, restarts, and starts after an idle stop. */
  readonly starts: number
  /** Workers told to stop because they were idle, ever. */
  readonly idleStops: number
  /** Calls and casts refused because too many waited for a worker, ever. A full mailbox is the worker's to tell. */
  readonly refused: number
}

export const stats = (resolve: Resolve, label: string): Effect.Effect<Stats, NoProcess> =>
  Effect.suspend(() => {
    const router = resolve()
    if (router === undefined) return Effect.fail(new NoProcess({ server: label, request: "stats" }))
    const sum = (count: (partition: Partition) => number): number =>
      router.partitions.reduce((total, partition) => total + count(partition), 0)
    return Effect.succeed({
      running: sum(partition => (partition.running ? 1 : 0)),
      inFlight: sum(partition => partition.inFlight),
      waiting: sum(partition => partition.waiting),
      starts: sum(partition => partition.starts),
      idleStops: sum(partition => partition.idleStops),
      refused: sum(partition => partition.refused)
    })
  })
