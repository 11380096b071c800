/**
 * What the supervisor conformance tests share: children that do as they are told, and ways to look at what came of it.
 */
import { RpcGroup } from "@effect/rpc"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger, LogLevel, Stream, TestClock } from "effect"
import * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Observer from "../../src/Observer.js"
import * as Process from "../../src/Process.js"
import type { ErrorReport, ProgressReport } from "../../src/Report.js"
import * as Supervisor from "../../src/Supervisor.js"

export type Anyone = { readonly pid: Process.Pid }

/** What a start is, whatever it fails with. */
export type Starting = Effect.Effect<Anyone, unknown, Process.ProcessTable>

/** A process table of the test's own, and no log: children crash on purpose here. */
export const provided = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  test.pipe(Effect.provide(Process.layer), Logger.withMinimumLogLevel(LogLevel.None))

/** Lets everything that can run do so; no time passes. */
export const settle = TestClock.adjust(0)

export const crash = ExitReason.crashWith("boom")

/** What a caller without a type checker may pass. */
export const untyped = (value: unknown) => value as never

/** Anything in the place of a child spec. */
export const untypedChild = (value: unknown): ChildSpec.ChildSpec<never, never> => untyped(value)

/** Anything in the place of a supervisor's spec. */
export const untypedSpec = (value: unknown): ChildSpec.Spec<readonly []> => untyped(value)

// -----------------------------------------------------------------------------------------------------------------
// children
// -----------------------------------------------------------------------------------------------------------------

/** Writes its start and its end down, and ends by itself with whatever reason it is sent. */
export const obedient = (id: string, journal: Array<string> = []) =>
  GenServer.make(RpcGroup.make(), {
    init: (_: GenServer.Self<ExitReason.ExitReason>) =>
      Effect.as(
        Effect.acquireRelease(
          Effect.sync(() => journal.push(`+${id}`)),
          () => Effect.sync(() => journal.push(`-${id}`))
        ),
        id
      ),
    handlers: {},
    info: (order, state) => (ExitReason.isExitReason(order) ? GenServer.stop(order, state) : GenServer.noReply(state))
  })

export const child = (id: string, options: ChildSpec.Options = {}, journal: Array<string> = []) =>
  Supervisor.worker(id, GenServer.startLink(obedient(id, journal)), options)

/** Decides in its start that it is not needed. */
export const ignoring = (id: string, options: ChildSpec.Options = {}) =>
  Supervisor.worker(id, GenServer.startLink(ignored), options)

const ignored = GenServer.make(RpcGroup.make(), { init: () => Effect.succeed(GenServer.ignore), handlers: {} })

/** Does not listen to a shutdown; only a kill ends it. */
export const stuck = (id: string, options: ChildSpec.Options = {}) =>
  Supervisor.task(id, Effect.uninterruptible(Effect.never), options)

/** A child whose starts fail while `broken` says so; each try is written down. */
export const fragile = (id: string, options: ChildSpec.Options = {}, journal: Array<string> = []) => {
  const health = { broken: false, tries: 0 }
  const start = Effect.suspend((): Starting => {
    health.tries++
    return health.broken ? Effect.fail("broken" as const) : GenServer.startLink(obedient(id, journal))
  })
  return { health, spec: Supervisor.worker(id, start, options) }
}

/** A dynamic supervisor of obedient children. */
export const crewOf = (
  options: Omit<DynamicSupervisor.DynamicSupervisor<string, Anyone, GenServer.StartError, never>, "start"> = {},
  journal: Array<string> = []
) => DynamicSupervisor.make({ ...options, start: (id: string) => GenServer.startLink(obedient(id, journal)) })

// -----------------------------------------------------------------------------------------------------------------
// what is done to them
// -----------------------------------------------------------------------------------------------------------------

/** Runs an effect in a process that traps exits, and gives its result. */
export const inProcess = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const result = yield* Deferred.make<A, E>()
    yield* Process.spawn(Effect.intoDeferred(effect, result), { trapExit: true })
    return yield* Deferred.await(result)
  })

/** Ends a process: a kill comes from outside, with every other reason it ends by itself. */
export const endPid = (pid: Process.Pid, reason: ExitReason.ExitReason) =>
  Effect.zipRight(reason._tag === "Killed" ? Process.exit(pid, reason) : Process.send(pid, reason), settle)

/** Ends a child and tells which process it was. */
export const end = (supervisor: Supervisor.Target, id: string, reason: ExitReason.ExitReason) =>
  Effect.tap(pidOf(supervisor, id), pid => endPid(pid, reason))

// -----------------------------------------------------------------------------------------------------------------
// what came of it
// -----------------------------------------------------------------------------------------------------------------

/** The process of a child that has one. */
export const pidOf = (supervisor: Supervisor.Target, id: string) =>
  Effect.flatMap(Supervisor.whichChild(supervisor, id), ({ pid }) =>
    pid instanceof Process.Pid ? Effect.succeed(pid) : Effect.dieMessage(`child ${id} is ${pid ?? "stopped"}`)
  )

/** What the supervisor says of a child: a process, `restarting`, or undefined. */
export const statusOf = (supervisor: Supervisor.Target, id: string) =>
  Effect.map(Supervisor.whichChild(supervisor, id), ({ pid }) => pid)

/** The processes of the children, oldest first. */
export const pidsOf = (supervisor: Supervisor.Target) =>
  Effect.map(Supervisor.whichChildren(supervisor), children =>
    children.flatMap(({ pid }) => (pid instanceof Process.Pid ? [pid] : [])).reverse()
  )

export const idsOf = (supervisor: Supervisor.Target) =>
  Effect.map(Supervisor.whichChildren(supervisor), children => children.map(({ id }) => id))

/** Specs, active, supervisors, workers. */
export const countsOf = (supervisor: Supervisor.Target) =>
  Effect.map(Supervisor.countChildren(supervisor), ({ active, specs, supervisors, workers }) => [
    specs,
    active,
    supervisors,
    workers
  ])

/** Begins to wait for a process's end; the inner effect tells the reason. */
export const endOf = (pid: Process.Pid) =>
  Effect.map(Effect.zipLeft(Effect.fork(Process.awaitExit(pid)), settle), fiber => Fiber.join(fiber))

/** What went wrong: the state or problem an error names, or else its tag. */
export const failureOf = <A, R>(
  effect: Effect.Effect<
    A,
    { readonly _tag: string; readonly state?: string; readonly problem?: string; readonly message: string },
    R
  >
) => Effect.map(Effect.flip(effect), error => error.state ?? error.problem ?? error._tag)

/** That an object has these fields, and maybe others. */
export const assertFields = (actual: object | undefined, expected: object): void =>
  assert.deepInclude(actual ?? {}, expected)

export const assertAlive = (pid: Process.Pid) =>
  Effect.map(Process.isAlive(pid), alive => assert.isTrue(alive, `${pid} is dead`))

export const assertDead = (pid: Process.Pid) =>
  Effect.map(Process.isAlive(pid), alive => assert.isFalse(alive, `${pid} is alive`))

/** What all supervisors report from now on; the inner effect gives it, after everything has happened. */
export const reportsFromNow = Effect.gen(function* () {
  const seen: Array<ErrorReport | ProgressReport> = []
  yield* Effect.forkDaemon(
    Stream.runForEach(Observer.changes, change =>
      Effect.sync(() => {
        if (change._tag === "Reported") seen.push(change.report)
      })
    )
  )
  yield* settle
  return Effect.as(settle, seen)
})

/** The error reports as lines: context, child, reason. */
export const errorLines = (reports: ReadonlyArray<ErrorReport | ProgressReport>) =>
  reports.flatMap(report =>
    report._tag === "ErrorReport"
      ? [`${report.errorContext} ${report.offender.id} ${ExitReason.format(report.reason)}`]
      : []
  )
