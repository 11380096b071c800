import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, HashMap, Logger, LogLevel, Metric, TestClock } from "effect"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import * as Report from "../../src/Report.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertFields,
  child,
  crash,
  crewOf,
  end,
  endPid,
  errorLines,
  failureOf,
  fragile,
  ignoring,
  pidOf,
  provided,
  reportsFromNow,
  settle,
  stuck
} from "./helpers.js"

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Record<string, unknown>
}

/** A log that is kept instead of written. */
const logged = (lines: Array<Line>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, logLevel, message }) => {
      const text = Array.isArray(message) ? message.join(" ") : String(message)
      lines.push({
        level: logLevel.label,
        message: text,
        annotations: Object.fromEntries(HashMap.toEntries(annotations))
      })
    })
  )

/** Like `provided`, with everything logged into the list. */
const recorded =
  (lines: Array<Line>) =>
  <A, E, R>(test: Effect.Effect<A, E, R>) =>
    test.pipe(Effect.provide(Process.layer), Logger.withMinimumLogLevel(LogLevel.Debug), Effect.provide(logged(lines)))

const ofSupervisor = (lines: ReadonlyArray<Line>) =>
  lines.filter(({ message }) => message === "supervisor report" || message === "child started")

describe("reports", () => {
  it.effect("1.11: an error report has the supervisor, the context, the reason and the child it is about", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({
        name: "sup",
        autoShutdown: "any_significant",
        children: [child("a", { restart: "transient", significant: true, shutdown: "2 seconds" })]
      })
      const reports = yield* reportsFromNow
      const pid = yield* end(sup, "a", crash)
      const [first] = yield* reports
      assert.deepStrictEqual(
        first,
        new Report.ErrorReport({
          supervisor: sup.pid,
          supervisorLabel: "sup<1 sup>",
          errorContext: "child_terminated",
          reason: crash,
          offender: {
            id: "a",
            pid,
            nbChildren: 1,
            restart: "transient",
            shutdown: "2 seconds",
            significant: true,
            type: "worker",
            restarts: 0
          }
        })
      )
    }).pipe(provided)
  )

  it.effect("1.11: each of the four contexts", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ intensity: 1, children: [stuck("b", { shutdown: "1 second" }), spec] })
      const reports = yield* reportsFromNow
      health.broken = true
      yield* end(sup, "a", ExitReason.killed)
      yield* TestClock.adjust("1 second")
      const broken = ExitReason.format(ExitReason.crash(Cause.fail("broken")))
      assert.deepStrictEqual(errorLines(yield* reports), [
        "child_terminated a killed",
        `start_error a ${broken}`,
        "shutdown a shutdown (reached_max_restart_intensity)",
        "shutdown_error b killed"
      ])
    }).pipe(provided)
  )

  it.effect("1.11: the supervisor's own starts are reported at level info: those of its list, and restarts", () =>
    Effect.gen(function* () {
      const reports = yield* reportsFromNow
      const sup = yield* Supervisor.start({ children: [child("a")] })
      yield* end(sup, "a", crash)
      const progress = (yield* reports).flatMap(report =>
        report._tag === "ProgressReport" ? [`${report.level} ${report.started.id} ${report.started.pid}`] : []
      )
      assert.deepStrictEqual(progress, ["info a <2>", "info a <3>"])
    }).pipe(provided)
  )

  it.effect(
    "external_start_no_progress_log: starts that somebody asked for are reported at level debug: the first to be heard of is the exit",
    () => {
      const lines: Array<Line> = []
      return Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [] })
        yield* Supervisor.startChild(sup, child("a"))
        yield* Supervisor.terminateChild(sup, "a")
        yield* Supervisor.restartChild(sup, "a")
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(
          ofSupervisor(lines).map(({ level, message }) => [level, message]),
          [
            ["DEBUG", "child started"],
            ["DEBUG", "child started"],
            ["ERROR", "supervisor report"],
            ["INFO", "child started"]
          ]
        )
      }).pipe(recorded(lines))
    }
  )

  it.effect("1.11: a report is a log event with its fields as annotations", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const sup = yield* Supervisor.start({ name: "sup", children: [child("a")] })
      lines.length = 0
      yield* end(sup, "a", ExitReason.killed)
      const [report] = ofSupervisor(lines)
      assert.deepStrictEqual(report?.annotations, {
        supervisor: "sup<1 sup>",
        child: "a",
        pid: "<2>",
        restartType: "permanent",
        significant: false,
        shutdown: "5 seconds",
        childType: "worker",
        restarts: 0,
        errorContext: "child_terminated",
        reason: "killed"
      })
    }).pipe(recorded(lines))
  })

  it.effect("1.11: a permanent child that ends cleanly is a warning, one that crashes an error", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 2, children: [child("a")] })
      yield* end(sup, "a", ExitReason.normal)
      yield* end(sup, "a", crash)
      const levels = lines.filter(({ message }) => message === "supervisor report").map(({ level }) => level)
      assert.deepStrictEqual(levels, ["WARN", "ERROR"])
    }).pipe(recorded(lines))
  })

  it.effect(
    "1.11: a child that keeps its supervisor from starting is logged at level debug: the starter is told",
    () => {
      const lines: Array<Line> = []
      return Effect.gen(function* () {
        const inner = Supervisor.supervisor("inner", { children: [Supervisor.scoped("a", Effect.fail("bad"))] })
        const reports = yield* reportsFromNow
        yield* Effect.flip(Supervisor.start({ children: [inner] }))
        const levels = lines.filter(({ message }) => message === "supervisor report").map(({ level }) => level)
        assert.deepStrictEqual(levels, ["DEBUG", "DEBUG"])
        assert.deepStrictEqual(
          errorLines(yield* reports).map(line => line.split(" ").slice(0, 2)),
          [
            ["start_error", "a"],
            ["start_error", "inner"]
          ]
        )
      }).pipe(recorded(lines))
    }
  )

  it.effect("1.11: of a supervisor that does not come back its own supervisor says why", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const inner = Supervisor.supervisor("inner", { intensity: 0, children: [spec] })
      const sup = yield* Supervisor.start({ children: [inner] })
      const pid = yield* pidOf(sup, "inner")
      lines.length = 0
      health.broken = true
      yield* endPid(pid, ExitReason.killed)
      const shown = lines.filter(({ level, message }) => message === "supervisor report" && level !== "DEBUG")
      assert.deepStrictEqual(
        shown.slice(0, 2).map(({ annotations: { child, errorContext } }) => [errorContext, child]),
        [
          ["child_terminated", "inner"],
          ["start_error", "inner"]
        ]
      )
      assert.include(String(shown[1]?.annotations.reason), "broken")
    }).pipe(recorded(lines))
  })

  it.effect("1.11: there is no progress report for a start that fails or is ignored, nor for dynamic children", () =>
    Effect.gen(function* () {
      const reports = yield* reportsFromNow
      const sup = yield* Supervisor.start({ children: [ignoring("a")] })
      yield* Effect.flip(Supervisor.startChild(sup, Supervisor.scoped("b", Effect.die("bad"))))
      const crew = yield* DynamicSupervisor.start(crewOf())
      const c = yield* crew.startChild("c")
      if (c !== undefined) yield* endPid(c.pid, crash)
      const progress = (yield* reports).filter(report => report._tag === "ProgressReport")
      assert.deepStrictEqual(progress, [])
    }).pipe(provided)
  )

  it.effect("1.11: a start that somebody asked for and that fails is told to him alone; there is no start_error", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ children: [spec] })
      const crew = yield* DynamicSupervisor.start({ start: () => Effect.fail("bad" as const) })
      yield* Supervisor.terminateChild(sup, "a")
      const reports = yield* reportsFromNow
      health.broken = true
      assert.strictEqual(yield* failureOf(Supervisor.restartChild(sup, "a")), "ChildStartFailed")
      assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, { ...spec, id: "b" })), "ChildStartFailed")
      assert.strictEqual(yield* Effect.flip(crew.startChild({})), "bad")
      assert.deepStrictEqual(yield* reports, [])
    }).pipe(provided)
  )

  it.effect(
    "1.11: the retries of a dynamic child that does not come back are the supervisor's own: each is reported",
    () =>
      Effect.gen(function* () {
        const { health, spec } = fragile("a")
        const sup = yield* DynamicSupervisor.start({ intensity: 2, start: () => spec.start })
        const a = yield* sup.startChild({})
        const reports = yield* reportsFromNow
        health.broken = true
        if (a !== undefined) yield* endPid(a.pid, crash)
        const contexts = (yield* reports).map(report => (report._tag === "ErrorReport" ? report.errorContext : ""))
        assert.deepStrictEqual(contexts, ["child_terminated", "start_error", "start_error", "shutdown"])
      }).pipe(provided)
  )

  it.effect("1.11: a temporary child that is reported has no start any more", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a", { restart: "temporary" })] })
      assert.isUndefined((yield* Supervisor.getChildSpec(sup, "a")).start)
      const reports = yield* reportsFromNow
      const pid = yield* end(sup, "a", crash)
      const [report] = yield* reports
      assertFields(report?._tag === "ErrorReport" ? report.offender : {}, { id: "a", pid, restart: "temporary" })
    }).pipe(provided)
  )

  it.effect("1.11: the offender of a supervisor that ended is of type supervisor", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [Supervisor.supervisor("inner", { children: [] })] })
      const reports = yield* reportsFromNow
      yield* end(sup, "inner", ExitReason.killed)
      const [report] = yield* reports
      const expected = { id: "inner", type: "supervisor", shutdown: "infinity" }
      assertFields(report?._tag === "ErrorReport" ? report.offender : {}, expected)
    }).pipe(provided)
  )

  it.effect("1.11: reports and restarts are counted", () =>
    Effect.gen(function* () {
      const failed = Metric.tagged(Report.errorReports, "context", "child_terminated")
      const before = [(yield* Metric.value(failed)).count, (yield* Metric.value(Report.restarts)).count] as const
      const sup = yield* Supervisor.start({ children: [child("a"), child("t", { restart: "temporary" })] })
      yield* end(sup, "a", crash)
      yield* end(sup, "t", crash)
      assert.strictEqual((yield* Metric.value(failed)).count - before[0], 2)
      assert.strictEqual((yield* Metric.value(Report.restarts)).count - before[1], 1)
    }).pipe(provided)
  )

  it.effect("1.4: an unknown message is logged", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      yield* Process.send(sup.pid, "hello")
      yield* settle
      const warnings = lines.filter(({ level }) => level === "WARN").map(({ message }) => message)
      assert.deepStrictEqual(warnings, ["unexpected message to a supervisor"])
    }).pipe(recorded(lines))
  })

  it.effect(
    "1.9: the children of a dynamic supervisor that do not stop as told are reported by reason, with a count",
    () =>
      Effect.gen(function* () {
        const stubborn = (how: "stuck" | "crash") =>
          how === "stuck"
            ? Effect.map(Process.spawn(Effect.uninterruptible(Effect.never), { link: true }), pid => ({ pid }))
            : Effect.map(
                Process.spawn(
                  Effect.onInterrupt(Effect.never, () => Effect.die("no")),
                  { link: true }
                ),
                pid => ({ pid })
              )
        const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ shutdown: "brutal_kill", start: stubborn }))
        for (const how of ["stuck", "stuck", "crash"] as const) yield* sup.startChild(how)
        yield* settle
        yield* DynamicSupervisor.reconfigure(sup, { shutdown: 0, start: stubborn })
        const reports = yield* reportsFromNow
        yield* Effect.fork(DynamicSupervisor.stop(sup))
        yield* settle
        const told = (yield* reports).flatMap(report =>
          report._tag === "ErrorReport"
            ? [[report.errorContext, ExitReason.format(report.reason).slice(0, 6), report.offender.nbChildren]]
            : []
        )
        assert.sameDeepMembers(told, [
          ["shutdown_error", "crash:", 1],
          ["shutdown_error", "killed", 2]
        ])
      }).pipe(provided)
  )

  it.effect("1.11: a name in the label is the name at the time of the report", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      yield* Process.register("late", sup.pid)
      const reports = yield* reportsFromNow
      yield* Process.exit(yield* pidOf(sup, "a"), ExitReason.killed)
      const [report] = yield* reports
      assert.strictEqual(report?.supervisorLabel, "late<1>")
    }).pipe(provided)
  )
})
