/**
 * Supervisors: processes that start other processes in order, start them again when they end, give up when that
 * happens too often, and stop them in reverse order.
 *
 * A restart that fails is not tried again in a loop: the supervisor posts the retry to its own mailbox, so that between tries it
 * answers, and can be stopped. Every try counts against `intensity`. A group restart counts once.
 *
 * @since 0.1.0
 */
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type CallError, type CallTimeout, NoProcess } from "./CallError.js"
import type { ChildAlreadyStarted, ChildStartFailed, ChildStateError } from "./ChildError.js"
import * as ChildSpec from "./ChildSpec.js"
import * as ExitReason from "./ExitReason.js"
import * as GenServer from "./GenServer.js"
import { clientOf } from "./internal/client.js"
import { startOn } from "./internal/start.js"
import { type Protocol, type Retry, serverOf } from "./internal/supervision.js"
import { planOf } from "./internal/tree.js"
import { type Pid, ProcessTable, spawn } from "./Process.js"

/**
 * How an operation on a child fails, see `ChildError`.
 *
 * @since 0.1.0
 * @category errors
 */
export { ChildAlreadyStarted, ChildStartFailed, ChildStateError } from "./ChildError.js"
/**
 * What the listing calls tell, see `ChildSpec`.
 *
 * @since 0.1.0
 * @category models
 */
export type { ChildInfo, Counts } from "./ChildSpec.js"
/**
 * Why a supervisor did not start.
 *
 * @since 0.1.0
 * @category errors
 */
export { FailedToStartChild } from "./internal/tree.js"

// -----------------------------------------------------------------------------------------------------------------
// start
// -----------------------------------------------------------------------------------------------------------------

/**
 * A running supervisor.
 *
 * @since 0.1.0
 * @category models
 */
export interface Supervisor {
  readonly pid: Pid
}

/**
 * Any way in which the start of a supervisor can fail. If a child did not start, `StartFailed` has the reason
 * `Shutdown` with the child's id and reason as its term.
 *
 * @since 0.1.0
 * @category errors
 */
export type StartError = ChildSpec.InvalidSpec | GenServer.StartError

/**
 * Starts a supervisor and its children, in order, as a child of nobody. The children's environment is captured now, for all
 * restarts to come.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  spec: ChildSpec.Spec<Children>
): Effect.Effect<Supervisor, StartError, ProcessTable | ChildSpec.Context<Children>> => startWith(spec, false)

/**
 * Starts a supervisor linked to the calling process, which becomes its parent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  spec: ChildSpec.Spec<Children>
): Effect.Effect<Supervisor, StartError, ProcessTable | ChildSpec.Context<Children>> => startWith(spec, true)

const startWith = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  spec: ChildSpec.Spec<Children>,
  link: boolean
): Effect.Effect<Supervisor, StartError, ProcessTable | ChildSpec.Context<Children>> =>
  Effect.gen(function* () {
    yield* ChildSpec.checkSpec(spec)
    const kernel = yield* ProcessTable
    const context = yield* Effect.context<ChildSpec.Context<Children>>()
    const plans = spec.children.map(child => planOf(child, context))
    return yield* startOn(kernel, serverOf(spec, plans), { name: spec.name }, link, "supervisor")
  })

// -----------------------------------------------------------------------------------------------------------------
// administration
// -----------------------------------------------------------------------------------------------------------------

/**
 * A supervisor, or the name of one.
 *
 * @since 0.1.0
 * @category models
 */
export type Target = Supervisor | string

const ask = <A, E>(
  target: Target,
  use: (client: GenServer.BoundClient<RpcGroup.Rpcs<typeof Protocol>, Retry>) => Effect.Effect<A, E>
): Effect.Effect<A, E | NoProcess, ProcessTable> =>
  Effect.flatMap(ProcessTable, (kernel): Effect.Effect<A, E | NoProcess> => {
    const process = typeof target === "string" ? kernel.names.get(target) : kernel.lookup(target.pid)
    const label = typeof target === "string" ? target : target.pid.label
    // Only a supervisor understands these requests; another server would crash on them.
    if (process === undefined || process.kind !== "supervisor") {
      return Effect.fail(new NoProcess({ server: label, request: "supervisor" }))
    }
    return use(clientOf(() => process, label))
  })

const patient = { timeout: Duration.infinity }

/**
 * Starts a new child at the end of the order; undefined if it decided that it is not needed. Waits without limit.
 *
 * @since 0.1.0
 * @category administration
 */
export const startChild = <E, R>(
  target: Target,
  spec: ChildSpec.ChildSpec<E, R>
): Effect.Effect<
  Pid | undefined,
  ChildAlreadyStarted | ChildStateError | ChildStartFailed | ChildSpec.InvalidSpec | CallError,
  ProcessTable | R
> =>
  Effect.flatMap(Effect.context<R>(), context =>
    ask(target, client => client.call("StartChild", { spec, plan: planOf(spec, context) }, patient))
  )

/**
 * Stops a child within its shutdown setting and keeps its place, unless it is temporary. Also cancels a restart. Succeeds if
 * it is stopped already.
 *
 * @since 0.1.0
 * @category administration
 */
export const terminateChild = (
  target: Target,
  id: string
): Effect.Effect<void, ChildStateError | CallError, ProcessTable> =>
  ask(target, client => client.call("TerminateChild", { id }, patient))

/**
 * Starts a stopped child again, in its old place.
 *
 * @since 0.1.0
 * @category administration
 */
export const restartChild = (
  target: Target,
  id: string
): Effect.Effect<Pid | undefined, ChildStateError | ChildStartFailed | CallError, ProcessTable> =>
  ask(target, client => client.call("RestartChild", { id }, patient))

/**
 * Forgets a stopped child.
 *
 * @since 0.1.0
 * @category administration
 */
export const deleteChild = (
  target: Target,
  id: string
): Effect.Effect<void, ChildStateError | CallError, ProcessTable> =>
  ask(target, client => client.call("DeleteChild", { id }, patient))

/**
 * The children, newest first.
 *
 * @since 0.1.0
 * @category administration
 */
export const whichChildren = (
  target: Target
): Effect.Effect<ReadonlyArray<ChildSpec.ChildInfo>, CallError, ProcessTable> =>
  ask(target, client => client.call("WhichChildren", undefined, patient))

/**
 * How many children there are, of which kinds.
 *
 * @since 0.1.0
 * @category administration
 */
export const countChildren = (target: Target): Effect.Effect<ChildSpec.Counts, CallError, ProcessTable> =>
  ask(target, client => client.call("CountChildren", undefined, patient))

/**
 * Stops a supervisor and its children, in reverse order of their start, and waits for it.
 *
 * @since 0.1.0
 * @category destructors
 */
export const stop = (
  supervisor: Supervisor
): Effect.Effect<void, NoProcess | CallTimeout | GenServer.StopFailed, ProcessTable> =>
  GenServer.stopServer(supervisor, ExitReason.shutdown())

// -----------------------------------------------------------------------------------------------------------------
// children
// -----------------------------------------------------------------------------------------------------------------

/**
 * A child from an effect that starts a process and returns when it is in service.
 *
 * @since 0.1.0
 * @category children
 */
export const worker = <E, R>(
  id: string,
  start: Effect.Effect<{ readonly pid: Pid }, E, R>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<E, R> => ({ ...options, id, start, type: "worker" })

/**
 * A child that is itself a supervisor; stopped without a time limit, so that its own children get theirs.
 *
 * @since 0.1.0
 * @category children
 */
export const supervisor = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  id: string,
  spec: ChildSpec.Spec<Children>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, ProcessTable | ChildSpec.Context<Children>> => ({
  ...options,
  id,
  start: startLink(spec),
  type: "supervisor"
})

/**
 * A child from any scoped effect: started when the effect is through, in a scope of its own; stopped by closing that
 * scope, within the child's shutdown limit. It lives until it is stopped.
 *
 * @since 0.1.0
 * @category children
 */
export const scoped = <A, E, R>(
  id: string,
  effect: Effect.Effect<A, E, R>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<GenServer.StartError, ProcessTable | Exclude<R, Scope.Scope>> => ({
  ...options,
  id,
  start: GenServer.startLink(GenServer.make(RpcGroup.make(), { init: () => Effect.as(effect, id), handlers: {} })),
  type: "worker"
})

/**
 * A child whose body is an effect that runs long: its end is the child's end. Started as soon as its process exists.
 *
 * @since 0.1.0
 * @category children
 */
export const task = <A, E, R>(
  id: string,
  effect: Effect.Effect<A, E, R>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<never, ProcessTable | Exclude<R, Scope.Scope>> => ({
  ...options,
  id,
  start: Effect.map(spawn(effect, { link: true, label: id }), pid => ({ pid })),
  type: "worker"
})

// -----------------------------------------------------------------------------------------------------------------
// hosting
// -----------------------------------------------------------------------------------------------------------------

/**
 * The tree hosted by `layer`.
 *
 * @since 0.1.0
 * @category context
 */
export class Root extends Context.Tag("@reckon/otp/Supervisor/Root")<
  Root,
  Supervisor & {
    /** Waits for the tree's end and tells its reason. */
    readonly awaitExit: Effect.Effect<ExitReason.ExitReason>
  }
>() {}

/**
 * The tree gave up, or was stopped by somebody else than its host.
 *
 * @since 0.1.0
 * @category errors
 */
export class TreeExited extends Schema.TaggedError<TreeExited>("@reckon/otp/TreeExited")("TreeExited", {
  reason: ExitReason.ExitReason
}) {
  override get message(): string {
    return `the supervision tree ended: ${ExitReason.format(this.reason)}`
  }
  /** The tree has already tried as often as it was told to. */
  get retryable(): boolean {
    return false
  }
}

/**
 * Hosts a tree in an application: started when the layer is built, stopped in order when its scope closes.
 *
 * A layer has no way to fail after it was built. A tree that ends before its scope does is logged as fatal, and whoever needs
 * to go down with it races its work against `Root.awaitExit`. An application that is nothing but its tree should be
 * run by `launch`, which fails when the tree ends.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  spec: ChildSpec.Spec<Children>
): Layer.Layer<Root, StartError, ProcessTable | ChildSpec.Context<Children>> => Layer.scoped(Root, hosted(spec))

/**
 * Runs a tree for as long as it lives. Interruption stops it in order; if it ends otherwise, this fails.
 *
 * @since 0.1.0
 * @category constructors
 */
export const launch = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  spec: ChildSpec.Spec<Children>
): Effect.Effect<never, StartError | TreeExited, ProcessTable | ChildSpec.Context<Children>> =>
  Effect.flatMap(hosted(spec), root =>
    Effect.flatMap(root.awaitExit, reason => Effect.fail(new TreeExited({ reason })))
  ).pipe(Effect.scoped)

const hosted = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(spec: ChildSpec.Spec<Children>) =>
  Effect.gen(function* () {
    const kernel = yield* ProcessTable
    let closing = false
    const started = yield* Effect.acquireRelease(start(spec), supervisor =>
      Effect.suspend(() => {
        closing = true
        // Dead already means there is nothing left to stop.
        return Effect.ignore(stop(supervisor))
      })
    )
    const process = kernel.lookup(started.pid)
    const awaitExit = process === undefined ? Effect.succeed(ExitReason.noProc) : kernel.awaitDeath(process)
    yield* Effect.forkScoped(
      Effect.flatMap(awaitExit, reason =>
        closing
          ? Effect.void
          : Effect.annotateLogs(Effect.logFatal("the supervision tree ended"), { reason: ExitReason.format(reason) })
      )
    )
    return { pid: started.pid, awaitExit }
  })
