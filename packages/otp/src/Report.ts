/**
 * What supervisors report: each start of a child, and each time something went wrong with one. A report is a log event with
 * structured annotations, counts in the metrics of this module, and goes to the observers of the node.
 *
 * The fields are those of OTP's supervisor and progress reports (`supervisor.erl`, SASL), with one more: `restarts`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Metric from "effect/Metric"
import type { Restart, Shutdown } from "./ChildSpec.js"
import type * as ExitReason from "./ExitReason.js"
import type { Pid } from "./internal/signal.js"

/**
 * What went wrong: a start or restart failed, a child ended by itself, a child did not end as it was told to, or the
 * supervisor gave up.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorContext = "start_error" | "child_terminated" | "shutdown_error" | "shutdown"

/**
 * The child a report is about.
 *
 * @since 0.1.0
 * @category models
 */
export interface Offender {
  /** Undefined for a child of a dynamic supervisor. */
  readonly id: string | undefined
  readonly pid: Pid | undefined
  /** How many children this report is about: more than one only when a dynamic supervisor stops. */
  readonly nbChildren: number
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly significant: boolean
  readonly type: "worker" | "supervisor"
  /** How often the supervisor has restarted this child. */
  readonly restarts: number
}

/**
 * Something went wrong. Logged as an error, or as a warning if the reason is clean; at level debug where it kept the supervisor itself from starting, for then whoever starts that
 * is told.
 *
 * @since 0.1.0
 * @category models
 */
export class ErrorReport extends Data.TaggedClass("ErrorReport")<{
  readonly supervisor: Pid
  /** The supervisor's name and number, for people. */
  readonly supervisorLabel: string
  readonly errorContext: ErrorContext
  readonly reason: ExitReason.ExitReason
  readonly offender: Offender
}> {}

/**
 * A child was started: by the supervisor itself (logged at level info), or because somebody asked for it (level debug).
 *
 * @since 0.1.0
 * @category models
 */
export class ProgressReport extends Data.TaggedClass("ProgressReport")<{
  readonly supervisor: Pid
  readonly supervisorLabel: string
  readonly level: "info" | "debug"
  readonly started: Offender
}> {}

/**
 * Error reports since the program began, tagged `context` with their error context.
 *
 * @since 0.1.0
 * @category metrics
 */
export const errorReports: Metric.Metric.Counter<number> = Metric.counter("reckon_otp_supervisor_error_reports", {
  description: "reports of supervisors about children that failed, by error context",
  incremental: true
})

/**
 * Children that supervisors have restarted since the program began.
 *
 * @since 0.1.0
 * @category metrics
 */
export const restarts: Metric.Metric.Counter<number> = Metric.counter("reckon_otp_child_restarts", {
  description: "children that were started again by their supervisor",
  incremental: true
})
