/**
 * What a supervisor is told about itself and its children, and the rules both must keep.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Ignore } from "./internal/outcome.js"
import type { Pid } from "./internal/signal.js"

/**
 * Which ends of a child are followed by a restart: all of them, only abnormal ones, or none.
 *
 * @since 0.1.0
 * @category models
 */
export type Restart = "permanent" | "transient" | "temporary"

/**
 * How a child is stopped: killed at once, or asked to shut down and killed when the time is up.
 *
 * @since 0.1.0
 * @category models
 */
export type Shutdown = "brutal_kill" | "infinity" | Duration.DurationInput

/**
 * Who else is restarted with a child: nobody, everybody, or those started after it.
 *
 * @since 0.1.0
 * @category models
 */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one"

/**
 * Whether the supervisor stops by itself when significant children have ended by themselves.
 *
 * @since 0.1.0
 * @category models
 */
export type AutoShutdown = "never" | "any_significant" | "all_significant"

/**
 * One child. Its `start` runs in the supervisor's process and returns when the child is in service; the process it
 * returns is linked to the supervisor, whether or not the start did it. What else it returns is for whoever starts a child by
 * hand: OTP's extra info.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChildSpec<
  out E = unknown,
  out R = unknown,
  out A extends { readonly pid: Pid } = { readonly pid: Pid }
> {
  /** Unique in its supervisor. */
  readonly id: string
  readonly start: Effect.Effect<A, E, R>
  /** Default permanent. */
  readonly restart?: Restart | undefined
  /** Default 5 seconds for a worker, infinity for a supervisor. */
  readonly shutdown?: Shutdown | undefined
  /** Default worker. */
  readonly type?: "worker" | "supervisor" | undefined
  /** Counts for `autoShutdown`. Default false. */
  readonly significant?: boolean | undefined
}

/**
 * What may be left out of a child made by one of the helpers.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = Pick<ChildSpec, "restart" | "shutdown" | "significant">

/**
 * A child spec with everything that was left out filled in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Normalised {
  /** `template` for a child of a dynamic supervisor. */
  readonly id: string
  /** With its environment provided. Undefined for a running temporary child and for a child of a dynamic supervisor. */
  readonly start: Effect.Effect<{ readonly pid: Pid }, unknown> | undefined
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly type: "worker" | "supervisor"
  readonly significant: boolean
}

/**
 * A supervisor: its strategy and its children, in the order of their start.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spec<Children extends ReadonlyArray<ChildSpec> = ReadonlyArray<ChildSpec>> {
  readonly name?: string | undefined
  /** Default one_for_one. */
  readonly strategy?: Strategy | undefined
  /** How many restarts are allowed within `period`; one more and the supervisor gives up. Default 1. */
  readonly intensity?: number | undefined
  /** Default 5 seconds. */
  readonly period?: Duration.DurationInput | undefined
  /** Default never. */
  readonly autoShutdown?: AutoShutdown | undefined
  readonly children: Children
}

/**
 * A spec that was computed: when it is there, the process has its name already.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unnamed<Children extends ReadonlyArray<ChildSpec> = ReadonlyArray<ChildSpec>> extends Spec<Children> {
  readonly name?: undefined
}

/**
 * What a supervisor is started from: a spec, or OTP's `init` callback, an effect that computes the spec or decides with
 * `GenServer.ignore` that the supervisor is not needed. It runs in the supervisor's process, anew at each of its starts and when
 * it is reconfigured. A `Scope` it asks for is the process's own: what it acquires outlives the children, and is kept until the
 * supervisor ends.
 *
 * @since 0.1.0
 * @category models
 */
export type Init<Children extends ReadonlyArray<ChildSpec> = ReadonlyArray<ChildSpec>, R = never> =
  | Spec<Children>
  | Effect.Effect<Unnamed<Children> | Ignore, unknown, R>

/**
 * One line of `whichChildren`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChildInfo {
  /** Undefined for a child of a dynamic supervisor. */
  readonly id: string | undefined
  /** Undefined when the child is stopped. */
  readonly pid: Pid | "restarting" | undefined
  readonly type: "worker" | "supervisor"
  readonly restart: Restart
  /** How often its supervisor has started it again. */
  readonly restarts: number
}

/**
 * What `countChildren` tells.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counts {
  readonly specs: number
  /** Children with a living process. */
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

/**
 * What the children's starts need from their environment.
 *
 * @since 0.1.0
 * @category models
 */
export type Context<Children extends ReadonlyArray<ChildSpec>> = Children[number] extends infer Child
  ? Child extends ChildSpec<infer _E, infer R>
    ? R
    : never
  : never

/**
 * What can be wrong with a supervisor or a child, named as Erlang names it. `bad_return`: what `init` returned is no spec at all.
 *
 * @since 0.1.0
 * @category errors
 */
export const Problem = Schema.Literal(
  "bad_return",
  "invalid_type",
  "invalid_strategy",
  "invalid_intensity",
  "invalid_period",
  "invalid_auto_shutdown",
  "invalid_max_children",
  "invalid_child_spec",
  "missing_id",
  "missing_start",
  "invalid_restart_type",
  "invalid_shutdown",
  "invalid_child_type",
  "invalid_significant",
  "bad_combination",
  "duplicate_child_name"
)

/**
 * A supervisor or child was described wrongly. Found before any child is started.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidSpec extends Schema.TaggedError<InvalidSpec>("@reckon/otp/InvalidSpec")("InvalidSpec", {
  problem: Problem,
  /** The id of the child, if it is one that is wrong and it has one. */
  id: Schema.optional(Schema.String),
  /** What was found. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.id === undefined ? "the supervisor" : `child "${this.id}"`}: ${this.problem} (${this.detail})`
  }
  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

/**
 * Checks a supervisor's own settings and those of its children.
 *
 * @since 0.1.0
 * @category validation
 */
export const checkSpec = (spec: Spec): Effect.Effect<void, InvalidSpec> =>
  Effect.suspend(() => {
    const problem = flagProblem(spec)
    return problem === undefined ? check(spec.children, spec.autoShutdown) : Effect.fail(problem)
  })

/**
 * Checks a list of children against the given `autoShutdown`.
 *
 * @since 0.1.0
 * @category validation
 */
export const check = (
  children: ReadonlyArray<ChildSpec>,
  autoShutdown: AutoShutdown = "never"
): Effect.Effect<void, InvalidSpec> =>
  Effect.suspend(() => {
    if (!Array.isArray(children)) {
      return Effect.fail(new InvalidSpec({ problem: "invalid_type", detail: String(children) }))
    }
    const seen = new Set<string>()
    for (const child of children) {
      const problem = childProblem(child, autoShutdown)
      if (problem !== undefined) return Effect.fail(problem)
      if (seen.has(child.id)) {
        return Effect.fail(new InvalidSpec({ problem: "duplicate_child_name", id: child.id, detail: child.id }))
      }
      seen.add(child.id)
    }
    return Effect.void
  })

const strategies: ReadonlyArray<unknown> = ["one_for_one", "one_for_all", "rest_for_one"]
const autoShutdowns: ReadonlyArray<unknown> = ["never", "any_significant", "all_significant"]
const restarts: ReadonlyArray<unknown> = ["permanent", "transient", "temporary"]
const types: ReadonlyArray<unknown> = ["worker", "supervisor"]

const flagProblem = (spec: Spec): InvalidSpec | undefined => {
  const bad = (problem: typeof Problem.Type, found: unknown): InvalidSpec =>
    new InvalidSpec({ problem, detail: String(found) })
  if (typeof spec !== "object" || spec === null) return bad("invalid_type", spec)
  const { autoShutdown = "never", intensity = 1, period = "5 seconds", strategy = "one_for_one" } = spec
  if (!strategies.includes(strategy)) return bad("invalid_strategy", strategy)
  if (!Number.isInteger(intensity) || intensity < 0) return bad("invalid_intensity", intensity)
  const millis = millisOf(period)
  if (millis === undefined || millis <= 0 || millis === Number.POSITIVE_INFINITY) return bad("invalid_period", period)
  if (!autoShutdowns.includes(autoShutdown)) return bad("invalid_auto_shutdown", autoShutdown)
  return undefined
}

const childProblem = (child: ChildSpec, autoShutdown: AutoShutdown): InvalidSpec | undefined => {
  const bad = (problem: typeof Problem.Type, found: unknown): InvalidSpec =>
    new InvalidSpec({ problem, id: child.id, detail: String(found) })
  if (typeof child !== "object" || child === null) {
    return new InvalidSpec({ problem: "invalid_child_spec", detail: String(child) })
  }
  const { restart = "permanent", shutdown = "infinity", significant = false, type = "worker" } = child
  if (typeof child.id !== "string" || child.id === "") {
    return new InvalidSpec({ problem: "missing_id", detail: String(child.id) })
  }
  if (!Effect.isEffect(child.start)) return bad("missing_start", child.start)
  if (!restarts.includes(restart)) return bad("invalid_restart_type", restart)
  if (shutdown !== "brutal_kill" && shutdown !== "infinity" && millisOf(shutdown) === undefined) {
    return bad("invalid_shutdown", shutdown)
  }
  if (!types.includes(type)) return bad("invalid_child_type", type)
  if (typeof significant !== "boolean") return bad("invalid_significant", significant)
  if (significant && autoShutdown === "never") return bad("bad_combination", "significant under autoShutdown never")
  if (significant && restart === "permanent") return bad("bad_combination", "significant and permanent")
  return undefined
}

const millisOf = (input: Duration.DurationInput): number | undefined => {
  const duration = Duration.decodeUnknown(input)
  if (duration._tag === "None" || (typeof input === "number" && !(input >= 0))) return undefined
  return Duration.toMillis(duration.value)
}
