/**
 * How a supervisor makes its reports known: to the log, the metrics and the observers.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as ExitReason from "../ExitReason.js"
import { type ErrorContext, ErrorReport, errorReports, type Offender, ProgressReport, restarts } from "../Report.js"
import type { Process } from "./kernel.js"

export class Reporter {
  constructor(private readonly supervisor: Process) {}

  error(errorContext: ErrorContext, reason: ExitReason.ExitReason, offender: Offender): Effect.Effect<void> {
    return Effect.suspend(() => {
      const report = new ErrorReport({ ...this.supervised(), errorContext, reason, offender })
      this.publish(report)
      const log = ExitReason.isClean(reason)
        ? Effect.logWarning("supervisor report")
        : Effect.logError("supervisor report")
      return Effect.annotateLogs(log, {
        ...this.annotations(offender),
        errorContext,
        reason: ExitReason.format(reason)
      }).pipe(Effect.zipRight(Metric.increment(Metric.tagged(errorReports, "context", errorContext))))
    })
  }

  /** `info` for a start the supervisor made by itself, `debug` for one that somebody asked for. */
  progress(level: "info" | "debug", started: Offender): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.publish(new ProgressReport({ ...this.supervised(), level, started }))
      const log = level === "info" ? Effect.logInfo("child started") : Effect.logDebug("child started")
      return Effect.annotateLogs(log, this.annotations(started))
    })
  }

  restarted(): Effect.Effect<void> {
    return Metric.increment(restarts)
  }

  private publish(report: ErrorReport | ProgressReport): void {
    const changes = this.supervisor.kernel.changes
    if (changes.wanted) changes.publish({ _tag: "Reported", report })
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
