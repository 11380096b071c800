import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  type Anyone,
  assertAlive,
  countsOf,
  crash,
  crewOf,
  end,
  endOf,
  endPid,
  errorLines,
  failureOf,
  obedient,
  pidOf,
  pidsOf,
  provided,
  reportsFromNow,
  type Starting,
  settle
} from "./helpers.js"

/** Starts well until it is broken; tells how often it was asked to. */
const fragileCrew = () => {
  const health = { broken: false, ignores: false, tries: 0 }
  const start = (id: string) =>
    Effect.suspend((): Starting => {
      health.tries++
      if (health.ignores) return Effect.fail(new GenServer.StartIgnored())
      return health.broken ? Effect.fail("broken") : GenServer.startLink(obedient(id))
    })
  return { health, start }
}

const never = 1_000_000_000

/** Starts children and gives their processes. */
const crew = <E>(sup: DynamicSupervisor.Client<string, Anyone, E>, ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, id => Effect.map(sup.startChild(id), child => child?.pid ?? assert.fail("the start was ignored")))

/** Does not listen to a shutdown. */
const deaf = (_: string) =>
  Effect.map(Process.spawn(Effect.uninterruptible(Effect.never), { link: true }), pid => ({ pid }))

describe("dynamic children", () => {
  it.effect(
    "simple_one_for_one: a child that ends is started again with its arguments, its sibling is unaffected",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* DynamicSupervisor.start(crewOf({ intensity: 2, period: "1 hour" }, journal))
        const [a, b] = yield* crew(sup, "a", "b")
        if (a === undefined || b === undefined) return assert.fail("two children")
        yield* endPid(a, crash)
        assert.deepStrictEqual(journal, ["+a", "+b", "-a", "+a"])
        const after = yield* pidsOf(sup)
        assert.lengthOf(after, 2)
        assert.include(after, b)
        assert.notInclude(after, a)
      }).pipe(provided)
  )

  it.effect("simple_one_for_one: the third failure within the window ends the supervisor with shutdown", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf({ intensity: 2, period: "1 hour" }))
      yield* crew(sup, "a", "b")
      const ended = yield* endOf(sup.pid)
      const reports = yield* reportsFromNow
      for (let i = 0; i < 3; i++) {
        const [first] = yield* pidsOf(sup)
        if (first !== undefined) yield* endPid(first, ExitReason.killed)
      }
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown("reached_max_restart_intensity"))
      assert.deepStrictEqual(errorLines(yield* reports).slice(-2), [
        "child_terminated undefined killed",
        "shutdown undefined shutdown (reached_max_restart_intensity)"
      ])
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect(
    "simple_one_for_one_escalation: a child that cannot be restarted ends the supervisor and its siblings",
    () =>
      Effect.gen(function* () {
        const { health, start } = fragileCrew()
        const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ intensity: 4, period: "1 hour", start }))
        const [a] = yield* crew(sup, "a", "b")
        const ended = yield* endOf(sup.pid)
        health.broken = true
        if (a !== undefined) yield* endPid(a, crash)
        assert.isTrue(ExitReason.isClean(yield* ended))
        assert.strictEqual(health.tries, 2 + 4)
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
  )

  it.effect("simple_one_for_one_escalation: under a parent, the crew that gave up comes back empty", () =>
    Effect.gen(function* () {
      const jobs = crewOf({ intensity: 0 })
      const top = yield* Supervisor.start({ children: [DynamicSupervisor.supervisor("jobs", jobs, { name: "jobs" })] })
      const before = yield* pidOf(top, "jobs")
      yield* crew(DynamicSupervisor.named(jobs, "jobs"), "a", "b")
      const [a] = yield* pidsOf("jobs")
      if (a !== undefined) yield* endPid(a, crash)
      assert.notStrictEqual(yield* pidOf(top, "jobs"), before)
      assert.deepStrictEqual(yield* countsOf("jobs"), [1, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect(
    "hanging_restart_loop_simple: a restarting child is listed, not active, and can be stopped by its old pid",
    () =>
      Effect.gen(function* () {
        const { health, start } = fragileCrew()
        const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ intensity: never, start }))
        const [a, b] = yield* crew(sup, "a", "b")
        if (a === undefined || b === undefined) return assert.fail("two children")
        health.broken = true
        yield* Process.exit(a, ExitReason.killed)
        for (let i = 0; i < 20; i++) assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 2])
        assert.isAbove(health.tries, 10)
        assert.strictEqual((yield* Supervisor.whichChild(sup, a)).pid, "restarting")
        assert.sameMembers(
          (yield* Supervisor.whichChildren(sup)).map(({ pid }) => pid),
          ["restarting", b]
        )
        assert.strictEqual(yield* Effect.flip(sup.startChild("c")), "broken")
        yield* DynamicSupervisor.terminateChild(sup, a)
        const tries = health.tries
        assert.deepStrictEqual(yield* pidsOf(sup), [b])
        yield* settle
        assert.strictEqual(health.tries, tries)
        assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, a)), "not_found")
      }).pipe(provided)
  )

  it.effect("1.7: a retry that works brings the child back under a new process", () =>
    Effect.gen(function* () {
      const { health, start } = fragileCrew()
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ intensity: never, start }))
      const [a] = yield* crew(sup, "a")
      if (a === undefined) return assert.fail("a child")
      health.broken = true
      yield* Process.exit(a, ExitReason.killed)
      assert.strictEqual((yield* Supervisor.whichChild(sup, a)).pid, "restarting")
      health.broken = false
      yield* settle
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      const [again] = yield* pidsOf(sup)
      assert.notStrictEqual(again, a)
      yield* DynamicSupervisor.terminateChild(sup, a)
      assert.deepStrictEqual(yield* pidsOf(sup), [again])
    }).pipe(provided)
  )

  it.effect("1.7: a supervisor in a restart loop can be stopped", () =>
    Effect.gen(function* () {
      const { health, start } = fragileCrew()
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ intensity: never, start }))
      const [a] = yield* crew(sup, "a", "b")
      health.broken = true
      if (a !== undefined) yield* Process.exit(a, ExitReason.killed)
      yield* DynamicSupervisor.stop(sup)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("1.7: a restart that is ignored removes the child without a report", () =>
    Effect.gen(function* () {
      const { health, start } = fragileCrew()
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ start }))
      const [a] = yield* crew(sup, "a", "b")
      health.ignores = true
      const reports = yield* reportsFromNow
      if (a !== undefined) yield* endPid(a, ExitReason.killed)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      assert.deepStrictEqual(errorLines(yield* reports), ["child_terminated undefined killed"])
    }).pipe(provided)
  )

  it.effect("sup_stop_timeout_dynamic: all children share one shutdown time; those that do not hear are killed", () =>
    Effect.gen(function* () {
      const start = (id: string): Starting => (id === "deaf" ? deaf(id) : GenServer.startLink(obedient(id)))
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ shutdown: "1 second", start }))
      const ids = ["a", ...Array.from({ length: 9 }, () => "deaf")]
      const pids = yield* crew(sup, ...ids)
      yield* settle
      const ends = yield* Effect.forEach(pids, endOf)
      const ended = yield* endOf(sup.pid)
      yield* Effect.fork(DynamicSupervisor.stop(sup))
      yield* TestClock.adjust("999 millis")
      yield* assertAlive(sup.pid)
      assert.lengthOf(yield* Process.list, 1 + 9)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Effect.all(ends), [
        ExitReason.shutdown(),
        ...Array.from({ length: 9 }, () => ExitReason.killed)
      ])
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
    }).pipe(provided)
  )

  it.effect("sup_stop_brutal_kill_dynamic: ten brutal_kill children are all killed at once, without a report", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ shutdown: "brutal_kill", start: deaf }))
      const pids = yield* crew(sup, ...Array.from({ length: 10 }, (_, i) => `c${i}`))
      yield* settle
      const ends = yield* Effect.forEach(pids, endOf)
      const ended = yield* endOf(sup.pid)
      const reports = yield* reportsFromNow
      yield* DynamicSupervisor.stop(sup)
      assert.deepStrictEqual(
        yield* Effect.all(ends),
        pids.map(() => ExitReason.killed)
      )
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
      assert.deepStrictEqual(errorLines(yield* reports), [])
    }).pipe(provided)
  )

  it.effect("simple_one_for_one_shutdown: children that take their time are waited for together", () =>
    Effect.gen(function* () {
      const slow = (_: string) =>
        Effect.map(
          Process.spawn(
            Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second")),
            { link: true }
          ),
          pid => ({ pid })
        )
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ shutdown: "infinity", start: slow }))
      yield* crew(sup, "a", "b", "c")
      yield* settle
      const ended = yield* endOf(sup.pid)
      yield* Effect.fork(DynamicSupervisor.stop(sup))
      yield* TestClock.adjust("999 millis")
      yield* assertAlive(sup.pid)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
    }).pipe(provided)
  )

  it.effect("1.9: terminateChild waits for the child within its shutdown time, then kills it", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ shutdown: "1 second", start: deaf }))
      const [a] = yield* crew(sup, "a")
      if (a === undefined) return assert.fail("a child")
      yield* settle
      const reports = yield* reportsFromNow
      const ended = yield* endOf(a)
      yield* Effect.fork(DynamicSupervisor.terminateChild(sup, a))
      yield* TestClock.adjust("999 millis")
      yield* assertAlive(a)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* ended, ExitReason.killed)
      assert.deepStrictEqual(errorLines(yield* reports), ["shutdown_error undefined killed"])
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect("1.9: the death of a dynamic supervisor takes its children along", () =>
    Effect.gen(function* () {
      const jobs = crewOf()
      const top = yield* Supervisor.start({ children: [DynamicSupervisor.supervisor("jobs", jobs, { name: "jobs" })] })
      const pids = yield* crew(DynamicSupervisor.named(jobs, "jobs"), "a", "b")
      yield* end(top, "jobs", ExitReason.killed)
      for (const pid of pids) assert.isFalse(yield* Process.isAlive(pid))
      assert.deepStrictEqual(yield* countsOf("jobs"), [1, 0, 0, 0])
    }).pipe(provided)
  )
})
