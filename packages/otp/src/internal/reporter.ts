/**
 * How a supervisor makes its reports known: to the log, the metrics and the observers.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as ExitReason from "../ExitReason.js"
import { type ErrorContext, ErrorReport, errorReports, type Offender, ProgressReport, restarts } from "../Report.js"
import type { Process } from "./kernel.js"

const counterOf = (context: ErrorContext) => Metric.tagged(errorReports, "context", context)

const counters: { readonly [Context in ErrorContext]: Metric.Metric.Counter<number> } = {
  start_error: counterOf("start_error"),
  child_terminated: counterOf("child_terminated"),
  shutdown_error: counterOf("shutdown_error"),
  shutdown: counterOf("shutdown")
}

export class Reporter {
  constructor(private readonly supervisor: Process) {}

  error(
    errorContext: ErrorContext,
    reason: ExitReason.ExitReason,
    offender: Offender,
    level = ExitReason.isClean(reason) ? LogLevel.Warning : LogLevel.Error
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.publish(() => new ErrorReport({ ...this.supervised(), errorContext, reason, offender }))
      const log = this.log(level, "supervisor report", () => ({
        ...this.annotations(offender),
        errorContext,
        reason: ExitReason.format(reason)
      }))
      return Effect.zipRight(log, Metric.increment(counters[errorContext]))
    })
  }

  /** `info` for a start the supervisor made by itself, `debug` for one that somebody asked for. */
  progress(level: "info" | "debug", started: Offender): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.publish(() => new ProgressReport({ ...this.supervised(), level, started }))
      return this.log(level === "info" ? LogLevel.Info : LogLevel.Debug, "child started", () =>
        this.annotations(started)
      )
    })
  }

  restarted(): Effect.Effect<void> {
    return Metric.increment(restarts)
  }

  private publish(report: () => ErrorReport | ProgressReport): void {
    const changes = this.supervisor.kernel.changes
    if (changes.wanted) changes.publish({ _tag: "Reported", report: report() })
  }

  /** Annotations cost more than a restart, so they are made only if somebody is to read them. */
  private log(
    level: LogLevel.LogLevel,
    message: string,
    annotations: () => Record<string, unknown>
  ): Effect.Effect<void> {
    return Effect.withFiberRuntime(fiber =>
      LogLevel.greaterThan(fiber.getFiberRef(FiberRef.currentMinimumLogLevel), level)
        ? Effect.void
        : Effect.annotateLogs(Effect.logWithLevel(level, message), annotations())
    )
  }

  private supervised() {
    return { supervisor: this.supervisor.pid, supervisorLabel: this.supervisor.label() }
  }

  private annotations(offender: Offender): Record<string, unknown> {
    return {
      supervisor: this.supervisor.label(),
      child: offender.id ?? "undefined",
      ...(offender.nbChildren === 1
        ? { pid: offender.pid?.label ?? "undefined" }
        : { nbChildren: offender.nbChildren }),
      restartType: offender.restart,
      significant: offender.significant,
      shutdown: typeof offender.shutdown === "string" ? offender.shutdown : Duration.format(offender.shutdown),
      childType: offender.type,
      restarts: offender.restarts
    }
  }
}
