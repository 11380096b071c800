/**
 * Supervisors: processes that start other processes in order, start them again when they end, give up when that
 * happens too often, and stop them in reverse order.
 *
 * A supervisor is described by a spec, or by an effect that computes it: OTP's `init` callback.
 *
 * ```ts
 * const workers = Effect.gen(function* () {
 *   const { names } = yield* Settings
 *   return names.length === 0 ? GenServer.ignore : { children: names.map(name => Supervisor.worker(name, startWorker)) }
 * })
 * const sup = yield* Supervisor.start(workers, { name: "workers" })
 * ```
 *
 * A restart that fails is not tried again in a loop: the supervisor posts the retry to its own mailbox, so that between tries it
 * answers, and can be stopped. Every try counts against `intensity`. A group restart counts once.
 *
 * @since 0.1.0
 */
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { NoInfer } from "effect/Types"
import type { CallError, CallingSelf, CallTimeout, NoProcess } from "./CallError.js"
import type { ChildAlreadyStarted, ChildStartFailed, ChildStateError, ReconfigureError } from "./ChildError.js"
import * as ChildSpec from "./ChildSpec.js"
import * as ExitReason from "./ExitReason.js"
import * as GenServer from "./GenServer.js"
import * as administration from "./internal/administration.js"
import { planOf } from "./internal/child.js"
import type { Address } from "./internal/place.js"
import { designOf, initOf, serverOf, startSupervisor } from "./internal/supervision.js"
import type { Design } from "./internal/tree.js"
import { type Name, type Pid, ProcessTable, spawn } from "./Process.js"

/**
 * How an operation on a child or a supervisor fails, see `ChildError`.
 *
 * @since 0.1.0
 * @category errors
 */
export {
  ChildAlreadyStarted,
  ChildStartFailed,
  ChildStateError,
  InitFailed,
  type ReconfigureError
} from "./ChildError.js"
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
 * How a supervisor is started.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions {
  /** Registered before `init` runs. Overrides the spec's. */
  readonly name?: Name | undefined
}

/**
 * Any way in which the start of a supervisor can fail. `StartFailed` has the cause `init` failed with; if it was a child that did
 * not start, the reason `Shutdown` with the child's id and reason as its term.
 *
 * @since 0.1.0
 * @category errors
 */
export type StartError = ChildSpec.InvalidSpec | GenServer.StartError

/**
 * What a start needs from its environment: what the children's starts need, and `init`.
 *
 * @since 0.1.0
 * @category models
 */
export type StartContext<Children extends ReadonlyArray<ChildSpec.ChildSpec>, R> =
  | ProcessTable
  | ChildSpec.Context<Children>
  | Exclude<NoInfer<R>, Scope.Scope>

/**
 * Starts a supervisor and its children, in order, as a child of nobody. The environment of the children and of `init` is
 * captured now, for all restarts to come.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <const Children extends ReadonlyArray<ChildSpec.ChildSpec> = readonly [], R = never>(
  init: ChildSpec.Init<Children, R>,
  options: StartOptions = {}
): Effect.Effect<Supervisor, StartError, StartContext<Children, R>> => startWith(init, options, false)

/**
 * Starts a supervisor linked to the calling process, which becomes its parent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <const Children extends ReadonlyArray<ChildSpec.ChildSpec> = readonly [], R = never>(
  init: ChildSpec.Init<Children, R>,
  options: StartOptions = {}
): Effect.Effect<Supervisor, StartError, StartContext<Children, R>> => startWith(init, options, true)

const startWith = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>, R>(
  init: ChildSpec.Init<Children, R>,
  options: StartOptions,
  link: boolean
): Effect.Effect<Supervisor, StartError, StartContext<Children, R>> =>
  Effect.flatMap(Effect.context<ChildSpec.Context<Children>>(), context => {
    // What nobody type-checked may be anything.
    const name = options.name ?? (Effect.isEffect(init) ? undefined : init?.name)
    const checked = initOf<ChildSpec.Spec, Design, R>(init, "children", spec => designOf(spec, context))
    return startSupervisor<R>(serverOf(checked), { name }, link)
  })

// -----------------------------------------------------------------------------------------------------------------
// administration
// -----------------------------------------------------------------------------------------------------------------

/**
 * A supervisor, or what it is called by.
 *
 * @since 0.1.0
 * @category models
 */
export type Target = Address

const { ask, patient } = administration

/**
 * Starts a new child at the end of the order and tells what its start returned; undefined if it decided that it is not needed.
 * Waits without limit. A start that finds the child's own name taken by a stranger fails with `AlreadyStarted`.
 *
 * @since 0.1.0
 * @category administration
 */
export const startChild = <E, R, A extends { readonly pid: Pid }>(
  target: Target,
  spec: ChildSpec.ChildSpec<E, R, A>
): Effect.Effect<
  A | undefined,
  | ChildAlreadyStarted
  | ChildStateError
  | ChildStartFailed
  | GenServer.AlreadyStarted
  | ChildSpec.InvalidSpec
  | CallError,
  ProcessTable | R
> =>
  Effect.flatMap(Effect.context<R>(), context => {
    // The mailbox forgets the type of what the start returns; this keeps it. Read late: what is no spec is found by the check.
    let value: A | undefined
    const start = Effect.tap(
      Effect.suspend(() => spec.start),
      started => {
        value = started
      }
    )
    const plan = planOf({ ...spec, start }, context)
    const asked = ask(target, client => client.call("StartChild", { spec, plan }, patient))
    return Effect.map(asked, started => (started === undefined ? undefined : value))
  })

/**
 * Stops a child within its shutdown setting and keeps its place, unless it is temporary. Also cancels a restart. Succeeds if
 * it is stopped already. Children of a dynamic supervisor are named by their process, all others by their id.
 *
 * @since 0.1.0
 * @category administration
 */
export const terminateChild: (
  target: Target,
  child: string | Pid
) => Effect.Effect<void, ChildStateError | CallError, ProcessTable> = administration.terminateChild

/**
 * Starts a stopped child again, in its old place, and tells what its start returned.
 *
 * @since 0.1.0
 * @category administration
 */
export const restartChild = (
  target: Target,
  id: string
): Effect.Effect<
  { readonly pid: Pid } | undefined,
  ChildStateError | ChildStartFailed | GenServer.AlreadyStarted | CallError,
  ProcessTable
> => ask(target, client => client.call("RestartChild", { id }, patient))

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
 * The children, newest first; those of a dynamic supervisor in no order that is promised.
 *
 * @since 0.1.0
 * @category administration
 */
export const whichChildren: (
  target: Target
) => Effect.Effect<ReadonlyArray<ChildSpec.ChildInfo>, CallError, ProcessTable> = administration.whichChildren

/**
 * One child.
 *
 * @since 0.1.0
 * @category administration
 */
export const whichChild: (
  target: Target,
  child: string | Pid
) => Effect.Effect<ChildSpec.ChildInfo, ChildStateError | CallError, ProcessTable> = administration.whichChild

/**
 * What a child was described by, with the defaults filled in.
 *
 * @since 0.1.0
 * @category administration
 */
export const getChildSpec: (
  target: Target,
  child: string | Pid
) => Effect.Effect<ChildSpec.Normalised, ChildStateError | CallError, ProcessTable> = administration.getChildSpec

/**
 * How many children there are, of which kinds.
 *
 * @since 0.1.0
 * @category administration
 */
export const countChildren: (target: Target) => Effect.Effect<ChildSpec.Counts, CallError, ProcessTable> =
  administration.countChildren

/**
 * Gives a running supervisor another spec, as a code change does in OTP: settings count from now on, plans from the next start or
 * stop of their child. Children that are new are kept, but not started; those the spec no longer names stay, last in the order. The
 * name of the spec is not looked at.
 *
 * Without a spec it runs the supervisor's `init` again, in its process and with the environment it was started with; a supervisor
 * that was started from a value gets that value back. A spec that is wrong, and an `init` that fails or ignores, change nothing; to
 * ignore is no failure.
 *
 * @since 0.1.0
 * @category administration
 */
export const reconfigure = <const Children extends ReadonlyArray<ChildSpec.ChildSpec> = readonly []>(
  target: Target,
  spec?: ChildSpec.Spec<Children>
): Effect.Effect<void, ReconfigureError, ProcessTable | ChildSpec.Context<Children>> =>
  Effect.flatMap(Effect.context<ChildSpec.Context<Children>>(), context =>
    ask(
      target,
      (client): Effect.Effect<void, ReconfigureError> =>
        spec === undefined
          ? client.call("RunInitAgain", undefined, patient)
          : client.call("Reconfigure", { checked: designOf(spec, context) }, patient)
    )
  )

/**
 * Stops a supervisor and its children, in reverse order of their start, and waits for it.
 *
 * @since 0.1.0
 * @category destructors
 */
export const stop = (
  supervisor: Target
): Effect.Effect<void, NoProcess | CallTimeout | CallingSelf | GenServer.StopFailed, ProcessTable> =>
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
export const worker = <E, R, A extends { readonly pid: Pid }>(
  id: string,
  start: Effect.Effect<A, E, R>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<E, R, A> => ({ ...options, id, start, type: "worker" })

/**
 * A child that is itself a supervisor; stopped without a time limit, so that its own children get theirs. Each of its starts runs
 * its `init` anew.
 *
 * @since 0.1.0
 * @category children
 */
export const supervisor = <const Children extends ReadonlyArray<ChildSpec.ChildSpec> = readonly [], R = never>(
  id: string,
  init: ChildSpec.Init<Children, R>,
  options: StartOptions & ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, StartContext<Children, R>, Supervisor> => {
  const { name, ...child } = options
  return { ...child, id, start: startLink(init, { name }), type: "supervisor" }
}

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
 * A child from any Layer: started when the layer is built, anew for each start, in a scope of its own; stopped by closing that
 * scope, within the child's shutdown limit. `onReady` is given what the layer provides, in the same scope, before the child counts as
 * started. See `ServiceHandle` for reaching its services from outside.
 *
 * @since 0.1.0
 * @category children
 */
export const layered = <A, E, R, E2 = never, R2 = never>(
  id: string,
  layer: Layer.Layer<A, E, R>,
  options: ChildSpec.Options = {},
  onReady: (context: Context.Context<A>) => Effect.Effect<unknown, E2, R2> = () => Effect.void
): ChildSpec.ChildSpec<GenServer.StartError, ProcessTable | R | Exclude<NoInfer<R2>, Scope.Scope>> =>
  scoped(id, Effect.flatMap(Layer.build(layer), onReady), options)

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
 * Hosts a tree in an application: started when the layer is built, stopped in order when its scope closes. An interruption before all children are up ends those that are, in no order that is promised.
 *
 * A layer has no way to fail after it was built. A tree that ends before its scope does is logged as fatal, and whoever must
 * go down with it runs under `whileAlive`. An application that is nothing but its tree should be run by `launch`, which fails when
 * the tree ends. `Root` promises a tree, so an `init` that ignores fails the layer with `StartIgnored`; a host that can do without
 * its tree catches that.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Children extends ReadonlyArray<ChildSpec.ChildSpec> = readonly [], R = never>(
  init: ChildSpec.Init<Children, R>,
  options: StartOptions = {}
): Layer.Layer<Root, StartError, StartContext<Children, R>> => Layer.scoped(Root, hosted(start(init, options)))

/**
 * Runs an effect for as long as the hosted tree lives. If the tree ends first, the effect is interrupted and this fails: the host's
 * `Effect.provide(Supervisor.layer(spec))` then closes, and says why.
 *
 * @since 0.1.0
 * @category hosting
 */
export const whileAlive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | TreeExited, R | Root> =>
  Effect.flatMap(Root, root =>
    Effect.raceFirst(
      effect,
      Effect.flatMap(root.awaitExit, reason => Effect.fail(new TreeExited({ reason })))
    )
  )

/**
 * Runs a tree for as long as it lives. Interruption stops it in order; if it ends otherwise, or its `init` ignores, this fails.
 *
 * @since 0.1.0
 * @category constructors
 */
export const launch = <const Children extends ReadonlyArray<ChildSpec.ChildSpec> = readonly [], R = never>(
  init: ChildSpec.Init<Children, R>,
  options: StartOptions = {}
): Effect.Effect<never, StartError | TreeExited, StartContext<Children, R>> =>
  Effect.flatMap(hosted(start(init, options)), root =>
    Effect.flatMap(root.awaitExit, reason => Effect.fail(new TreeExited({ reason })))
  ).pipe(Effect.scoped)

const hosted = <R>(start: Effect.Effect<Supervisor, StartError, R>) =>
  Effect.gen(function* () {
    const kernel = yield* ProcessTable
    let closing = false
    const stopped = (supervisor: Supervisor) =>
      Effect.suspend(() => {
        closing = true
        // Dead already means there is nothing left to stop.
        return Effect.ignore(stop(supervisor))
      })
    // A child may take for ever to start, so this is no acquisition, which nobody could interrupt. A start that is interrupted kills its supervisor, and all that is linked to that ends.
    const started = yield* Effect.uninterruptibleMask(restore =>
      Effect.tap(restore(start), supervisor => Effect.addFinalizer(() => stopped(supervisor)))
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
