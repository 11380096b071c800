/**
 * Why a process ended.
 *
 * The family `Normal | Shutdown` is clean: nothing is logged and a transient child is not restarted.
 * Everything else is abnormal. A typed failure and a defect of the process's effect are both `Crash`,
 * with the whole `Cause` kept; an interruption that came from nowhere in particular (the scope the fiber
 * lives in was closed, say) counts as `Shutdown`, because it is how Effect asks a fiber to go.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

/**
 * The process came to its end by itself.
 *
 * @since 0.1.0
 * @category models
 */
export class Normal extends Schema.TaggedClass<Normal>("@reckon/otp/ExitReason/Normal")("Normal", {}) {}

/**
 * The process was asked to stop, or decided to, in an orderly way. `term` says more when there is more to say.
 *
 * @since 0.1.0
 * @category models
 */
export class Shutdown extends Schema.TaggedClass<Shutdown>("@reckon/otp/ExitReason/Shutdown")("Shutdown", {
  term: Schema.optional(Schema.Unknown)
}) {}

/**
 * The process was killed: it had no chance to clean up before the news of its death went out.
 *
 * @since 0.1.0
 * @category models
 */
export class Killed extends Schema.TaggedClass<Killed>("@reckon/otp/ExitReason/Killed")("Killed", {}) {}

/**
 * There was no such process, so there is no better reason to give.
 *
 * @since 0.1.0
 * @category models
 */
export class NoProc extends Schema.TaggedClass<NoProc>("@reckon/otp/ExitReason/NoProc")("NoProc", {}) {}

/**
 * The connection to the process's node was lost; the process itself may well be alive.
 *
 * @since 0.1.0
 * @category models
 */
export class NoConnection extends Schema.TaggedClass<NoConnection>("@reckon/otp/ExitReason/NoConnection")(
  "NoConnection",
  {}
) {}

/**
 * The process failed, with a typed error or a defect.
 *
 * @since 0.1.0
 * @category models
 */
export class Crash extends Schema.TaggedClass<Crash>("@reckon/otp/ExitReason/Crash")("Crash", {
  cause: Schema.Cause({ error: Schema.Defect, defect: Schema.Defect })
}) {}

/**
 * Why a process ended, as a schema: it travels between nodes as it is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExitReason = Schema.Union(Normal, Shutdown, Killed, NoProc, NoConnection, Crash)

/**
 * Why a process ended.
 *
 * @since 0.1.0
 * @category models
 */
export type ExitReason = typeof ExitReason.Type

/**
 * @since 0.1.0
 * @category constructors
 */
export const normal: ExitReason = new Normal()

const plainShutdown = new Shutdown({})

/**
 * An orderly stop, with an optional explanation.
 *
 * @since 0.1.0
 * @category constructors
 */
export const shutdown = (term?: unknown): ExitReason => (term === undefined ? plainShutdown : new Shutdown({ term }))

/**
 * Sent explicitly with `Process.exit` this is the untrappable kill; arriving along a link it is a reason like any other.
 *
 * @since 0.1.0
 * @category constructors
 */
export const killed: ExitReason = new Killed()

/**
 * @since 0.1.0
 * @category constructors
 */
export const noProc: ExitReason = new NoProc()

/**
 * @since 0.1.0
 * @category constructors
 */
export const noConnection: ExitReason = new NoConnection()

/**
 * @since 0.1.0
 * @category constructors
 */
export const crash = (cause: Cause.Cause<unknown>): ExitReason => new Crash({ cause }, true)

/**
 * A crash from a bare error or defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const crashWith = (defect: unknown): ExitReason => crash(Cause.die(defect))

/**
 * `Normal` and `Shutdown` are clean; every other reason is abnormal and worth a report.
 *
 * @since 0.1.0
 * @category guards
 */
export const isClean = (reason: ExitReason): boolean => reason._tag === "Normal" || reason._tag === "Shutdown"

/**
 * @since 0.1.0
 * @category guards
 */
export const isExitReason = Schema.is(ExitReason)

/**
 * The reason told by the exit of a process's fiber.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): ExitReason =>
  Exit.isSuccess(exit) ? normal : fromCause(exit.cause)

/**
 * The reason told by the cause a process's fiber failed with.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromCause = (cause: Cause.Cause<unknown>): ExitReason =>
  Cause.isInterruptedOnly(cause) ? plainShutdown : crash(cause)

/**
 * The cause with which a waiting fiber should fail when it must pass on this reason.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toCause = (reason: ExitReason): Cause.Cause<unknown> =>
  reason._tag === "Crash" ? reason.cause : Cause.fail(reason)

/**
 * One line for a person.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (reason: ExitReason): string => {
  switch (reason._tag) {
    case "Normal":
      return "normal"
    case "Shutdown":
      return reason.term === undefined ? "shutdown" : `shutdown (${String(reason.term)})`
    case "Killed":
      return "killed"
    case "NoProc":
      return "noproc"
    case "NoConnection":
      return "noconnection"
    case "Crash":
      return `crash: ${firstLine(Cause.pretty(reason.cause))}`
  }
}

const firstLine = (text: string): string => {
  const end = text.indexOf("\n")
  return end === -1 ? text : text.slice(0, end)
}
