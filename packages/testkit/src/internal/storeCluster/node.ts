/**
 * One node of a cluster in one fiber runtime: its own process table, supervision tree, gateway, Raft member and store. What it has written outlives its processes.
 */
import type { Requests, Subscribe } from "@reckon/client/EventStore"
import type * as Limits from "@reckon/client/Limits"
import * as Members from "@reckon/cluster/Members"
import type { Store } from "@reckon/db/Store"
import type { StoreSettingsOptions } from "@reckon/db/StoreConfig"
import * as StoreNames from "@reckon/db/StoreNames"
import * as Stores from "@reckon/db/Stores"
import * as Gateway from "@reckon/gater/Gateway"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as Observer from "@reckon/otp/Observer"
import * as Process from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import { RaftTransport } from "@reckon/raft/RaftTransport"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Connection, Endpoint } from "./failover.js"
import * as Wire from "./wire.js"

export interface Node extends Endpoint {
  /** Of a node that does not run it answers what it can without its processes. */
  readonly store: Store
  readonly isUp: () => boolean
  /** All its processes at once, as a power cut would. Nothing where it does not run. */
  readonly kill: Effect.Effect<void>
  /** Nothing where it runs. */
  readonly restart: Effect.Effect<void>
}

export interface Options {
  readonly store: string
  readonly self: Members.Member
  readonly peers: ReadonlyArray<Members.Member>
  readonly transport: Context.Tag.Service<RaftTransport>
  /** Where its files lie; in memory without. */
  readonly dataDir: string | undefined
  readonly settings: StoreSettingsOptions | undefined
  readonly limits: Limits.Limits
}

const layer = (options: Options) =>
  Stores.layer({
    dataDir: options.dataDir ?? "memory",
    memory: options.dataDir === undefined,
    stores: [{ mode: options.peers.length === 0 ? "single" : "cluster", ...options.settings, id: options.store }]
  }).pipe(
    Layer.provideMerge(Layer.mergeAll(WorkerRegistry.layer, Process.layer)),
    Layer.provide(Members.layer(options.self, options.peers)),
    Layer.provide(Layer.succeed(RaftTransport, options.transport))
  )

const withDescendants = (node: Observer.Node): ReadonlyArray<Process.Pid> => [
  node.pid,
  ...node.children.flatMap(withDescendants)
]

export const make = (options: Options): Effect.Effect<Node, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(layer(options))
    const gateway = yield* Effect.provide(Gateway.make(options.limits), context)
    const store = yield* Effect.flatMap(Stores.Stores, stores => stores.get(options.store)).pipe(
      Effect.provide(context)
    )
    const requests: Requests = Wire.requests(gateway)
    const subscribe: Subscribe = Wire.subscribe(gateway.Subscribe)

    const root = Context.get(context, Supervisor.Root)
    const tree = StoreNames.systemSup(options.store)
    const begin = Effect.map(Deferred.make<void>(), died => {
      const connection: Connection = { requests, subscribe, closed: Deferred.await(died) }
      return { died, connection }
    })
    let life: Effect.Effect.Success<typeof begin> | undefined = yield* begin

    const kill = Effect.gen(function* () {
      if (life === undefined) return
      yield* Deferred.succeed(life.died, undefined)
      life = undefined
      // The root hears first that the tree is not to be started again, and then that it is gone.
      const forgotten = yield* Effect.fork(Supervisor.terminateChild(root, tree))
      yield* Effect.yieldNow()
      const children = (yield* Observer.snapshot).flatMap(top => top.children)
      for (const pid of children.flatMap(withDescendants)) yield* Process.exit(pid, ExitReason.killed)
      yield* Fiber.join(forgotten)
    })

    const restart = Effect.gen(function* () {
      if (life !== undefined) return
      yield* Supervisor.restartChild(root, tree)
      life = yield* begin
    })

    const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
    const whole = <A, E>(change: Effect.Effect<A, E, Process.ProcessTable>) =>
      change.pipe(Effect.orDie, Effect.provide(context), Effect.uninterruptible, alone)

    return {
      name: options.self.name,
      store,
      isUp: () => life !== undefined,
      connection: () => life?.connection,
      kill: whole(kill),
      restart: whole(restart)
    }
  }).pipe(Effect.orDie)
