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
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { CallError, CallingSelf, CallTimeout, NoProcess } from "./CallError.js"
import type { ChildAlreadyStarted, ChildStartFailed, ChildStateError } from "./ChildError.js"
import * as ChildSpec from "./ChildSpec.js"
import * as ExitReason from "./ExitReason.js"
import * as GenServer from "./GenServer.js"
import * as administration from "./internal/administration.js"
import { planOf } from "./internal/child.js"
import type { Address } from "./internal/place.js"
import { startOn } from "./internal/start.js"
import { serverOf } from "./internal/supervision.js"
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
 * name of the spec is not looked at. A spec that is wrong changes nothing.
 *
 * @since 0.1.0
 * @category administration
 */
export const reconfigure = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  target: Target,
  spec: ChildSpec.Spec<Children>
): Effect.Effect<
  void,
  ChildStateError | ChildSpec.InvalidSpec | CallError,
  ProcessTable | ChildSpec.Context<Children>
> =>
  Effect.gen(function* () {
    yield* ChildSpec.checkSpec(spec)
    const context = yield* Effect.context<ChildSpec.Context<Children>>()
    const plans = spec.children.map(child => planOf(child, context))
    yield* ask(target, client => client.call("Reconfigure", { spec, plans }, patient))
  })

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
 * A child that is itself a supervisor; stopped without a time limit, so that its own children get theirs.
 *
 * @since 0.1.0
 * @category children
 */
export const supervisor = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  id: string,
  spec: ChildSpec.Spec<Children>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, ProcessTable | ChildSpec.Context<Children>, Supervisor> => ({
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
): ChildSpec.ChildSpec<GenServer.StartError, ProcessTable | R | Exclude<R2, Scope.Scope>> =>
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
 * Hosts a tree in an application: started when the layer is built, stopped in order when its scope closes.
 *
 * A layer has no way to fail after it was built. A tree that ends before its scope does is logged as fatal, and whoever must
 * go down with it runs under `whileAlive`. An application that is nothing but its tree should be run by `launch`, which fails when
 * the tree ends.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Children extends ReadonlyArray<ChildSpec.ChildSpec>>(
  spec: ChildSpec.Spec<Children>
): Layer.Layer<Root, StartError, ProcessTable | ChildSpec.Context<Children>> => Layer.scoped(Root, hosted(spec))

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
