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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { CallError, CallingSelf, CallTimeout, NoProcess } from "./CallError.js"
import { ChildStartFailed, type ChildStateError } from "./ChildError.js"
import * as ChildSpec from "./ChildSpec.js"
import * as ExitReason from "./ExitReason.js"
import * as GenServer from "./GenServer.js"
import * as administration from "./internal/administration.js"
import { defaults, type Template } from "./internal/child.js"
import { serverOf } from "./internal/dynamic.js"
import type { Address } from "./internal/place.js"
import { startOn } from "./internal/start.js"
import { type Name, type Pid, ProcessTable } from "./Process.js"

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
 * Starts a dynamic supervisor, without children, as a child of nobody. The template's environment is captured now.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <Args, A extends { readonly pid: Pid }, E, R>(
  definition: DynamicSupervisor<Args, A, E, R>,
  options: StartOptions = {}
): Effect.Effect<Ref<Args, A, E>, StartError, ProcessTable | R> => startWith(definition, options, false)

/**
 * Starts a dynamic supervisor linked to the calling process, which becomes its parent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <Args, A extends { readonly pid: Pid }, E, R>(
  definition: DynamicSupervisor<Args, A, E, R>,
  options: StartOptions = {}
): Effect.Effect<Ref<Args, A, E>, StartError, ProcessTable | R> => startWith(definition, options, true)

const startWith = <Args, A extends { readonly pid: Pid }, E, R>(
  definition: DynamicSupervisor<Args, A, E, R>,
  options: StartOptions,
  link: boolean
): Effect.Effect<Ref<Args, A, E>, StartError, ProcessTable | R> =>
  Effect.gen(function* () {
    const template = yield* templateOf(definition)
    const kernel = yield* ProcessTable
    const { pid } = yield* startOn(kernel, serverOf(template), options, link, "supervisor")
    return { pid, ...clientOf<Args, A, E>({ pid }) }
  })

/**
 * A dynamic supervisor as a child of another supervisor.
 *
 * @since 0.1.0
 * @category constructors
 */
export const supervisor = <Args, A extends { readonly pid: Pid }, E, R>(
  id: string,
  definition: DynamicSupervisor<Args, A, E, R>,
  options: StartOptions & ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, ProcessTable | R, Ref<Args, A, E>> => {
  const { name, ...child } = options
  return { ...child, id, start: startLink(definition, { name }), type: "supervisor" }
}

/** Checked as a supervisor with one child, so that mistakes have the same names. */
const templateOf = <Args, A extends { readonly pid: Pid }, E, R>(
  definition: DynamicSupervisor<Args, A, E, R>
): Effect.Effect<Template, ChildSpec.InvalidSpec, R> =>
  Effect.gen(function* () {
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
    const context = yield* Effect.context<R>()
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
export const named = <Args, A extends { readonly pid: Pid }, E, R>(
  _: DynamicSupervisor<Args, A, E, R>,
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
 * any more, and stays temporary.
 *
 * @since 0.1.0
 * @category administration
 */
export const reconfigure = <Args, A extends { readonly pid: Pid }, E, R>(
  target: Target,
  definition: DynamicSupervisor<Args, A, E, R>
): Effect.Effect<void, ChildStateError | ChildSpec.InvalidSpec | CallError, ProcessTable | R> =>
  Effect.flatMap(templateOf(definition), template =>
    administration.ask(target, client => client.call("ReconfigureDynamic", { template }, administration.patient))
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
