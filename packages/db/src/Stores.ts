/**
 * The stores of a node, running under their supervision tree. They are started and stopped while it runs, and have nothing in common: each has its own folder, its own
 * Raft group and its own processes.
 *
 * A store whose processes fail is started again by its supervisors. One that cannot be kept running, ten times within a minute at the top, takes the tree down: that is seen
 * by whoever runs the node (`Supervisor.whileAlive`), which a store that is quietly missing is not.
 *
 * @since 0.1.0
 */
import { StoreNotFound } from "@reckon/client/StoreError"
import type { NodeStatus } from "@reckon/client/StoreRpcs"
import { Members } from "@reckon/cluster/Members"
import { WorkerRegistry } from "@reckon/gater/WorkerRegistry"
import * as ExitReason from "@reckon/otp/ExitReason"
import { ProcessTable } from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import { RaftLogError } from "@reckon/raft/RaftError"
import { RaftTransport } from "@reckon/raft/RaftTransport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Store from "./Store.js"
import * as StoreConfig from "./StoreConfig.js"
import { StoreFileRefused } from "./StoreEngine.js"
import * as StoreNames from "./StoreNames.js"
import { reckonDbSup } from "./supervision/ReckonDbSup.js"
import { systemSup } from "./supervision/SystemSup.js"
import * as Telemetry from "./Telemetry.js"

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * The node has a store of this name running.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreAlreadyStarted extends Schema.TaggedError<StoreAlreadyStarted>("@reckon/db/StoreAlreadyStarted")(
  "StoreAlreadyStarted",
  { store: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `store "${this.store}" is running already`
  }
}

/**
 * The store's processes could not be started, for a reason that lies neither in its files nor in its settings.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreStartFailed extends Schema.TaggedError<StoreStartFailed>("@reckon/db/StoreStartFailed")(
  "StoreStartFailed",
  { store: Schema.String, detail: Schema.String }
) {
  readonly retryable = true
  override get message() {
    return `store "${this.store}" could not be started: ${this.detail}`
  }
}

/**
 * Why a store did not start. `StoreFileRefused` with the reason `in_use`: another process has its folder, or another store of this one.
 *
 * @since 0.1.0
 * @category errors
 */
export type StartError =
  | StoreAlreadyStarted
  | StoreConfig.InvalidConfig
  | StoreFileRefused
  | RaftLogError
  | StoreStartFailed

/** What is at the bottom of a start that failed, below the supervisors that passed it on. */
const bottomOf = (reason: ExitReason.ExitReason): unknown => {
  if (reason._tag === "Crash") return Cause.squash(reason.cause)
  const passedOn = reason._tag === "Shutdown" && reason.term instanceof Supervisor.FailedToStartChild
  return passedOn ? bottomOf(reason.term.reason) : ExitReason.format(reason)
}

const startError = (store: string, reason: ExitReason.ExitReason): StartError => {
  const bottom = bottomOf(reason)
  if (bottom instanceof StoreFileRefused || bottom instanceof RaftLogError) return bottom
  return new StoreStartFailed({ store, detail: bottom instanceof Error ? bottom.message : String(bottom) })
}

// -----------------------------------------------------------------------------
// the service
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Starts a store, which is in service when this returns, but for the election of a leader where it has several members. What is not said of it is as
   * for all stores of the node.
   */
  readonly start: (options: StoreConfig.StoreOptions) => Effect.Effect<Store.Store, StartError>
  /**
   * Stops a store, in order, and forgets it; its files stay, and can be started again. What was under way is answered, or ends with an error that says whether it may have taken
   * effect. Whoever has the store in hand is told `StoreNotFound` from then on, and so are its subscriptions: when it is started again, the one to ask is what `start` gives.
   */
  readonly stop: (id: string) => Effect.Effect<void, StoreNotFound>
  /**
   * Has other nodes lead the stores that this one leads, as far as there are any that can: for a node that is about to stop, of which the others would only notice when it has been silent for an
   * election time-out. Takes a second at most, and fails never.
   */
  readonly handOver: Effect.Effect<void>
  /** A store that runs here. */
  readonly get: (id: string) => Effect.Effect<Store.Store, StoreNotFound>
  /** The names of the stores that run here, in order. */
  readonly which: Effect.Effect<ReadonlyArray<string>>
  /** How this node sees itself in each of its stores. */
  readonly statuses: Effect.Effect<ReadonlyArray<NodeStatus>>
}

/**
 * @since 0.1.0
 * @category services
 */
export class Stores extends Context.Tag("@reckon/db/Stores")<Stores, Service>() {}

/**
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** A store that has no folder of its own lies in `stores/<id>` under it. */
  readonly dataDir: string
  /** Those that run from the beginning, by name or with what is set for them alone. */
  readonly stores: ReadonlyArray<string | StoreConfig.StoreOptions>
  /** What is set for all of them. Unless it says otherwise every member of the cluster keeps every store. */
  readonly defaults?: StoreConfig.StoreSettingsOptions | undefined
  /** To whom the stores tell what they do, see `Telemetry.layerHandlers`. Default: the logger. */
  readonly telemetryHandlers?: StoreConfig.ReckonConfig["telemetryHandlers"] | undefined
  /** The stores have members elsewhere already: this node founds none of those that the cluster keeps, and takes part once it was added. Default: false. */
  readonly joins?: boolean | undefined
  /** The stores keep nothing on disk, and are gone when they are stopped. Default: false. */
  readonly memory?: boolean | undefined
}

interface Running {
  readonly store: Store.Store
  /** What the store has besides its processes. */
  readonly scope: Scope.CloseableScope
}

/** `outside` is closed when the tree has ended. */
const make = Effect.fnUntraced(function* (options: Options, sup: Supervisor.Supervisor, outside: Scope.Scope) {
  const context = yield* Effect.context<Members | ProcessTable | RaftTransport | Telemetry.Telemetry | WorkerRegistry>()
  const registry = yield* WorkerRegistry
  const running = new Map<string, Running>()
  const oneAtATime = (yield* Effect.makeSemaphore(1)).withPermits(1)

  const node = yield* StoreConfig.makeReckon({
    dataDir: options.dataDir,
    defaults: { mode: "cluster", ...options.defaults },
    stores: []
  })

  const find = (id: string): Effect.Effect<Running, StoreNotFound> =>
    Effect.suspend(() => {
      const found = running.get(id)
      return found === undefined ? Effect.fail(new StoreNotFound({ store: id })) : Effect.succeed(found)
    })

  // ── starting ──

  const startTree = (store: Store.Store) => {
    const failed = (detail: string) => Effect.fail(new StoreStartFailed({ store: store.id, detail }))
    const ended = () => failed("the node's supervision tree has ended")
    return Supervisor.startChild(sup, systemSup(store)).pipe(
      Effect.catchTags({
        ChildStartFailed: ({ reason }) => Effect.fail(startError(store.id, reason)),
        NoProcess: ended,
        ServerExited: ended,
        MailboxFull: error => failed(error.message),
        AlreadyStarted: error => failed(error.message)
      }),
      // What is left would be a mistake in here: children have names of their own, and are waited for without a limit.
      Effect.catchTags({
        CallTimeout: Effect.die,
        CallingSelf: Effect.die,
        ChildAlreadyStarted: Effect.die,
        ChildStateError: Effect.die,
        InvalidSpec: Effect.die
      })
    )
  }

  const open = (config: StoreConfig.StoreConfig): Effect.Effect<Running, StartError> =>
    Effect.flatMap(Scope.fork(outside, ExecutionStrategy.sequential), scope =>
      Effect.gen(function* () {
        const store = yield* Store.make(config, options)
        yield* store.storage.prepare
        // Not in the tree: a store that is being started again is still this node's, and its clients are to wait for it.
        yield* registry.announce(store.id)
        yield* startTree(store)
        return { store, scope }
      }).pipe(
        Scope.extend(scope),
        Effect.provide(context),
        Effect.onError(cause => Scope.close(scope, Exit.failCause(cause)))
      )
    )

  // Not to be interrupted half way: a supervisor that was asked for a child starts it, whether or not anybody waits.
  const start: Service["start"] = given =>
    Effect.gen(function* () {
      const config = yield* StoreConfig.make(given, node)
      if (running.has(config.id)) return yield* new StoreAlreadyStarted({ store: config.id })
      const opened = yield* open(config)
      running.set(config.id, opened)
      return opened.store
    }).pipe(Effect.uninterruptible, oneAtATime)

  // ── stopping ──

  const stopTree = (id: string) =>
    Effect.zipRight(Supervisor.terminateChild(sup, id), Supervisor.deleteChild(sup, id)).pipe(
      // With the tree, which has given up, the store has ended as well.
      Effect.catchTags({ NoProcess: () => Effect.void, ServerExited: () => Effect.void }),
      Effect.orDie,
      Effect.provide(context)
    )

  const stop: Service["stop"] = id =>
    Effect.flatMap(find(id), ({ scope, store }) => {
      running.delete(id)
      return store.handOver.pipe(
        Effect.zipRight(stopTree(StoreNames.systemSup(id))),
        Effect.zipRight(Scope.close(scope, Exit.void))
      )
    }).pipe(Effect.uninterruptible, oneAtATime)

  const stores = Stores.of({
    start,
    stop,
    handOver: Effect.suspend(() =>
      Effect.forEach([...running.values()], ({ store }) => store.handOver, { concurrency: "unbounded", discard: true })
    ),
    get: id => Effect.map(find(id), ({ store }) => store),
    which: Effect.sync(() => [...running.keys()].sort()),
    statuses: Effect.suspend(() => Effect.forEach([...running.values()], ({ store }) => store.backend.status))
  })

  const first = new Map(
    options.stores.map(store => (typeof store === "string" ? [store, { id: store }] : [store.id, store]))
  )
  yield* Effect.forEach(first.values(), stores.start, { discard: true })
  return stores
})

/**
 * Starts the stores and stops them, in order, when the layer's scope closes. The tree's `Root` tells when it has given up. What the stores do is told to the `Telemetry` that the layer is
 * provided with, or else to one of its own; either way it is what the layer provides.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<
  Stores | Supervisor.Root | Telemetry.Telemetry,
  StartError,
  Members | ProcessTable | RaftTransport | WorkerRegistry
> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      // Before the tree, and so closed after it.
      const outside = yield* Effect.scope
      const stores = yield* Scope.fork(outside, ExecutionStrategy.sequential)
      // A tree without children starts, unless the process table has one already: two nodes on one table are a mistake in the program.
      const tree = yield* Effect.orDie(Layer.build(Supervisor.layer(reckonDbSup)))
      return Context.add(tree, Stores, yield* make(options, Context.get(tree, Supervisor.Root), stores))
    })
  ).pipe(
    Layer.provide(Telemetry.layerHandlers(options.telemetryHandlers ?? StoreConfig.defaults.telemetryHandlers)),
    Layer.provideMerge(Layer.scoped(Telemetry.Telemetry, Telemetry.ambient))
  )
