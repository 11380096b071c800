/**
 * Dynamic supervisors: OTP's `simple_one_for_one`. All children are made from one template, each with arguments of its own; they
 * come and go at run time, are known by their processes, and are stopped all at once within one shutdown time.
 *
 * ```ts
 * const jobs = DynamicSupervisor.make({
 *   restart: "temporary",
 *   start: (job: Job) => GenServer.startLink(worker(job))
 * })
 *
 * const tree = Supervisor.layer({ children: [DynamicSupervisor.supervisor("jobs", jobs, { name: "jobs" })] })
 *
 * const worker = yield* DynamicSupervisor.named(jobs, "jobs").startChild({ id: 1 })
 * ```
 *
 * The listing calls of `Supervisor` work on a dynamic supervisor too; those that name a child by an id answer
 * `simple_one_for_one`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NoInfer } from "effect/Types"
import type { CallError, CallingSelf, CallTimeout, NoProcess } from "./CallError.js"
import { ChildStartFailed, type ChildStateError, type ReconfigureError } from "./ChildError.js"
import * as ChildSpec from "./ChildSpec.js"
import * as ExitReason from "./ExitReason.js"
import * as GenServer from "./GenServer.js"
import * as administration from "./internal/administration.js"
import { defaults, type Template } from "./internal/child.js"
import { serverOf } from "./internal/dynamic.js"
import type { Address } from "./internal/place.js"
import { initOf, startSupervisor } from "./internal/supervision.js"
import type { Name, Pid, ProcessTable } from "./Process.js"

// -----------------------------------------------------------------------------------------------------------------
// definition
// -----------------------------------------------------------------------------------------------------------------

/**
 * What a dynamic supervisor makes its children from.
 *
 * @since 0.1.0
 * @category models
 */
export interface DynamicSupervisor<in Args, out A extends { readonly pid: Pid }, out E, out R> {
  /** Runs in the supervisor's process and returns when the child is in service. Run again, with the same arguments, for a restart. */
  readonly start: (args: Args) => Effect.Effect<A, E, R>
  /** Default permanent. */
  readonly restart?: ChildSpec.Restart | undefined
  /** For each child by itself, and for all together when the supervisor stops. Default 5 seconds for workers, infinity for supervisors. */
  readonly shutdown?: ChildSpec.Shutdown | undefined
  /** Default worker. */
  readonly type?: "worker" | "supervisor" | undefined
  /** How many restarts, of all children together, are allowed within `period`; one more and the supervisor gives up. Default 1. */
  readonly intensity?: number | undefined
  /** Default 5 seconds. */
  readonly period?: Duration.DurationInput | undefined
  /** How many children there may be; one more is refused with `max_children`. Default 65,536. */
  readonly maxChildren?: number | undefined
}

/**
 * Defines a dynamic supervisor that can be started, any number of times.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Args, A extends { readonly pid: Pid }, E, R>(
  definition: DynamicSupervisor<Args, A, E, R>
): DynamicSupervisor<Args, A, E, R> => definition

/**
 * What a dynamic supervisor is started from: its definition, or OTP's `init` callback, an effect that computes it or decides with
 * `GenServer.ignore` that the supervisor is not needed. See `ChildSpec.Init`.
 *
 * @since 0.1.0
 * @category models
 */
export type Init<Args, A extends { readonly pid: Pid }, E, R, RInit = never> =
  | DynamicSupervisor<Args, A, E, R>
  | Effect.Effect<DynamicSupervisor<Args, A, E, R> | GenServer.Ignore, unknown, RInit>

/**
 * What one can ask of a dynamic supervisor that needs to know its type.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client<in Args, out A, out E> {
  /**
   * Starts a child and tells what its start returned; undefined if it decided that it is not needed. The start's own errors
   * come as they are; a start that died of a defect is `ChildStartFailed`. Waits without limit.
   */
  readonly startChild: (
    args: Args
  ) => Effect.Effect<A | undefined, E | ChildStartFailed | ChildStateError | CallError, ProcessTable>
}

/**
 * A running dynamic supervisor.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ref<in Args, out A, out E> extends Client<Args, A, E> {
  readonly pid: Pid
}

// -----------------------------------------------------------------------------------------------------------------
// start
// -----------------------------------------------------------------------------------------------------------------

/**
 * How a dynamic supervisor is started.
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
export type StartError = ChildSpec.InvalidSpec | GenServer.StartError

/**
 * What a start needs from its environment: what the template's start needs, and `init`.
 *
 * @since 0.1.0
 * @category models
 */
export type StartContext<R, RInit> = ProcessTable | R | Exclude<NoInfer<RInit>, Scope.Scope>

/**
 * Starts a dynamic supervisor, without children, as a child of nobody. The environment of the template and of `init` is captured
 * now.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <Args, A extends { readonly pid: Pid }, E, R, RInit = never>(
  init: Init<Args, A, E, R, RInit>,
  options: StartOptions = {}
): Effect.Effect<Ref<Args, A, E>, StartError, StartContext<R, RInit>> => startWith(init, options, false)

/**
 * Starts a dynamic supervisor linked to the calling process, which becomes its parent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <Args, A extends { readonly pid: Pid }, E, R, RInit = never>(
  init: Init<Args, A, E, R, RInit>,
  options: StartOptions = {}
): Effect.Effect<Ref<Args, A, E>, StartError, StartContext<R, RInit>> => startWith(init, options, true)

const startWith = <Args, A extends { readonly pid: Pid }, E, R, RInit>(
  init: Init<Args, A, E, R, RInit>,
  options: StartOptions,
  link: boolean
): Effect.Effect<Ref<Args, A, E>, StartError, StartContext<R, RInit>> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<R>()
    const checked = initOf<DynamicSupervisor<Args, A, E, R>, Template, RInit>(init, "start", definition =>
      templateOf(definition, context)
    )
    const { pid } = yield* startSupervisor<RInit>(serverOf(checked), options, link)
    return { pid, ...clientOf<Args, A, E>({ pid }) }
  })

/**
 * A dynamic supervisor as a child of another supervisor. Each of its starts runs its `init` anew.
 *
 * @since 0.1.0
 * @category constructors
 */
export const supervisor = <Args, A extends { readonly pid: Pid }, E, R, RInit = never>(
  id: string,
  init: Init<Args, A, E, R, RInit>,
  options: StartOptions & ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, StartContext<R, RInit>, Ref<Args, A, E>> => {
  const { name, ...child } = options
  return { ...child, id, start: startLink(init, { name }), type: "supervisor" }
}

/** Checked as a supervisor with one child, so that mistakes have the same names. */
const templateOf = <Args, A extends { readonly pid: Pid }, E, R>(
  definition: DynamicSupervisor<Args, A, E, R>,
  context: Context.Context<R>
): Effect.Effect<Template, ChildSpec.InvalidSpec> =>
  Effect.gen(function* () {
    if (typeof definition !== "object" || definition === null) {
      return yield* new ChildSpec.InvalidSpec({ problem: "invalid_type", detail: String(definition) })
    }
    if (typeof definition.start !== "function") {
      return yield* new ChildSpec.InvalidSpec({ problem: "missing_start", detail: String(definition.start) })
    }
    const { intensity = 1, maxChildren = 65_536, period = "5 seconds", restart, shutdown, type } = definition
    const settings = { restart, shutdown, type }
    if (!Number.isInteger(maxChildren) || maxChildren < 0) {
      return yield* new ChildSpec.InvalidSpec({ problem: "invalid_max_children", detail: String(maxChildren) })
    }
    yield* ChildSpec.checkSpec({
      intensity,
      period,
      children: [{ ...settings, id: "template", start: Effect.never }]
    })
    return {
      // Arguments reach the supervisor only through a client made from the same definition.
      start: (args: unknown) => Effect.provide(definition.start(args as Args), context),
      plan: { id: "template", start: undefined, ...defaults(settings) },
      intensity,
      periodMillis: Duration.toMillis(period),
      maxChildren
    }
  })

// -----------------------------------------------------------------------------------------------------------------
// talking to a dynamic supervisor
// -----------------------------------------------------------------------------------------------------------------

/**
 * A dynamic supervisor, or what it is called by.
 *
 * @since 0.1.0
 * @category models
 */
export type Target = Address

/**
 * Addresses whatever dynamic supervisor of this definition has the name at the time of each call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const named = <Args, A extends { readonly pid: Pid }, E, R, RInit = never>(
  _: Init<Args, A, E, R, RInit>,
  name: Name
): Client<Args, A, E> => clientOf<Args, A, E>(name)

const clientOf = <Args, A, E>(target: Target): Client<Args, A, E> => ({
  startChild: args =>
    administration
      .ask(target, client => client.call("StartDynamic", { args }, administration.patient))
      .pipe(
        // What the template returned or failed with; the mailbox forgets the types.
        Effect.map(value => value as A | undefined),
        Effect.catchTag("RawFailure", ({ cause }) => {
          const failure = Cause.failureOption(cause)
          return Effect.fail(
            failure._tag === "Some"
              ? (failure.value as E)
              : new ChildStartFailed({ id: "template", reason: ExitReason.crash(cause) })
          )
        })
      )
})

/**
 * Stops a child within its shutdown setting and forgets it; also one that is being restarted, by the process it had. Succeeds if the
 * process is dead; a living process that is no child is `not_found`, and is not touched.
 *
 * @since 0.1.0
 * @category administration
 */
export const terminateChild = (
  target: Target,
  pid: Pid
): Effect.Effect<void, ChildStateError | CallError, ProcessTable> => administration.terminateChild(target, pid)

/**
 * The children, in no order that is promised.
 *
 * @since 0.1.0
 * @category administration
 */
export const whichChildren = administration.whichChildren

/**
 * How many children there are. There is one spec, the template.
 *
 * @since 0.1.0
 * @category administration
 */
export const countChildren = administration.countChildren

/**
 * Gives a running dynamic supervisor another template: it counts for all starts, restarts and stops from now on, also of children
 * that live already. Their arguments stay, so the new start must understand them; a child that was started as temporary has none
 * any more, and stays temporary. Without a definition it runs the supervisor's `init` again, as `Supervisor.reconfigure` does.
 *
 * @since 0.1.0
 * @category administration
 */
export const reconfigure = <Args, A extends { readonly pid: Pid }, E, R = never>(
  target: Target,
  definition?: DynamicSupervisor<Args, A, E, R>
): Effect.Effect<void, ReconfigureError, ProcessTable | R> =>
  Effect.flatMap(Effect.context<R>(), context =>
    administration.ask(
      target,
      (client): Effect.Effect<void, ReconfigureError> =>
        definition === undefined
          ? client.call("RunInitAgain", undefined, administration.patient)
          : client.call("ReconfigureDynamic", { checked: templateOf(definition, context) }, administration.patient)
    )
  )

/**
 * Stops a dynamic supervisor and all its children, and waits for it.
 *
 * @since 0.1.0
 * @category destructors
 */
export const stop = (
  supervisor: Target
): Effect.Effect<void, NoProcess | CallTimeout | CallingSelf | GenServer.StopFailed, ProcessTable> =>
  GenServer.stopServer(supervisor, ExitReason.shutdown())
