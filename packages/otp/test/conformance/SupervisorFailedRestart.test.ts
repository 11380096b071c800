import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertAlive,
  assertDead,
  assertFields,
  child,
  countsOf,
  crash,
  end,
  endOf,
  endPid,
  errorLines,
  failureOf,
  fragile,
  inProcess,
  obedient,
  pidOf,
  pidsOf,
  provided,
  reportsFromNow,
  type Starting,
  settle,
  statusOf
} from "./helpers.js"

/** Starts well once, then fails so many times, then works again. */
const failing = (id: string, failures: number, journal: Array<string> = []) => {
  let count = 0
  const start = Effect.suspend((): Starting => {
    const tries = count++
    return tries === 0 || tries > failures
      ? GenServer.startLink(obedient(id, journal))
      : Effect.zipRight(
          Effect.sync(() => journal.push(`?${id}`)),
          Effect.fail("not yet")
        )
  })
  return Supervisor.worker(id, start)
}

/** Works once; from then on each start waits for the gate and fails, so that the supervisor is caught inside a try. */
const gated = (id: string) =>
  Effect.map(Deferred.make<void>(), gate => {
    let started = false
    const start = Effect.suspend((): Starting => {
      if (started) return Effect.zipRight(Deferred.await(gate), Effect.fail("broken"))
      started = true
      return GenServer.startLink(obedient(id))
    })
    return { gate, spec: Supervisor.worker(id, start) }
  })

const never = 1_000_000_000

describe("a restart that fails", () => {
  it.effect("1.7: is tried again until it works, each try reported and counted", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({ intensity: 3, children: [failing("a", 2, journal)] })
      const reports = yield* reportsFromNow
      yield* end(sup, "a", crash)
      assert.deepStrictEqual(journal, ["+a", "-a", "?a", "?a", "+a"])
      assert.deepStrictEqual(
        errorLines(yield* reports).map(line => line.split(" ")[0]),
        ["child_terminated", "start_error", "start_error"]
      )
      assert.instanceOf(yield* statusOf(sup, "a"), Process.Pid)
      yield* end(sup, "a", crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.7: there is no back-off: no time passes between the tries", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({ intensity: 100, children: [failing("a", 99, journal)] })
      yield* end(sup, "a", crash)
      assert.strictEqual(journal.filter(entry => entry === "?a").length, 99)
      assert.instanceOf(yield* statusOf(sup, "a"), Process.Pid)
    }).pipe(provided)
  )

  it.effect("one_for_one_escalation: a child that cannot be restarted takes the supervisor and its sibling down", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ intensity: 4, period: "1 hour", children: [spec, child("b", {}, journal)] })
      const ended = yield* endOf(sup.pid)
      health.broken = true
      yield* end(sup, "a", crash)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown("reached_max_restart_intensity"))
      assert.strictEqual(health.tries, 1 + 4)
      assert.deepStrictEqual(journal, ["+b", "-b"])
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  for (const strategy of ["one_for_all", "rest_for_one"] as const) {
    it.effect(`${strategy}_escalation: a sibling that cannot be restarted takes everything down`, () =>
      Effect.gen(function* () {
        const { health, spec } = fragile("b")
        const sup = yield* Supervisor.start({ strategy, intensity: 4, period: "1 hour", children: [child("a"), spec] })
        const ended = yield* endOf(sup.pid)
        health.broken = true
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(yield* ended, ExitReason.shutdown("reached_max_restart_intensity"))
        assert.strictEqual(health.tries, 1 + 4)
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  }

  it.effect(
    "one_for_all_other_child_fails_restart: what was started in the round is stopped, and the whole group tried again",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy: "one_for_all",
          intensity: 5,
          children: [child("a", {}, journal), failing("b", 1, journal), child("c", {}, journal)]
        })
        journal.length = 0
        yield* end(sup, "c", crash)
        assert.deepStrictEqual(journal, ["-c", "-b", "-a", "+a", "?b", "-a", "+a", "+b", "+c"])
        assert.deepStrictEqual(yield* countsOf(sup), [3, 3, 0, 3])
      }).pipe(provided)
  )

  it.effect(
    "rest_for_one_other_child_fails_restart: the retry goes on from the failed sibling, earlier ones are left alone",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy: "rest_for_one",
          intensity: 5,
          children: [
            child("a", {}, journal),
            child("b", {}, journal),
            failing("c", 1, journal),
            child("d", {}, journal)
          ]
        })
        journal.length = 0
        yield* end(sup, "b", crash)
        assert.deepStrictEqual(journal, ["-b", "-d", "-c", "+b", "?c", "+c", "+d"])
        assert.deepStrictEqual(yield* countsOf(sup), [4, 4, 0, 4])
      }).pipe(provided)
  )

  it.effect(
    "1.7: between tries the child is restarting: terminateChild cancels the loop, start, restart and delete are refused",
    () =>
      Effect.gen(function* () {
        const { gate, spec } = yield* gated("a")
        const sup = yield* Supervisor.start({ intensity: never, children: [spec] })
        yield* end(sup, "a", crash)
        // The supervisor is inside the first try; these wait in its mailbox, in front of the second.
        const asked = yield* Effect.fork(
          Effect.all(
            [
              statusOf(sup, "a"),
              countsOf(sup),
              failureOf(Supervisor.startChild(sup, child("a"))),
              failureOf(Supervisor.restartChild(sup, "a")),
              failureOf(Supervisor.deleteChild(sup, "a")),
              Supervisor.startChild(sup, child("b")),
              Supervisor.terminateChild(sup, "a"),
              statusOf(sup, "a")
            ],
            { concurrency: "unbounded" }
          )
        )
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        const [status, counts, start, restart, remove, other, , after] = yield* Fiber.join(asked)
        assert.strictEqual(status, "restarting")
        assert.deepStrictEqual(counts, [1, 0, 0, 1])
        assert.strictEqual(start, "already_present")
        assert.strictEqual(restart, "restarting")
        assert.strictEqual(remove, "restarting")
        assert.instanceOf(other?.pid, Process.Pid)
        assert.isUndefined(after)
        yield* settle
        assert.isUndefined(yield* statusOf(sup, "a"))
        yield* Supervisor.deleteChild(sup, "a")
        assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      }).pipe(provided)
  )

  it.effect("1.7: a child stopped and started again by hand is not disturbed by a retry that comes late", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ intensity: never, children: [spec] })
      health.broken = true
      yield* Process.exit(yield* pidOf(sup, "a"), ExitReason.killed)
      const terminating = yield* Effect.fork(Supervisor.terminateChild(sup, "a"))
      yield* settle
      yield* Fiber.join(terminating)
      health.broken = false
      const again = yield* Supervisor.restartChild(sup, "a")
      yield* settle
      assert.strictEqual(yield* pidOf(sup, "a"), again?.pid)
      assert.strictEqual((yield* Supervisor.whichChild(sup, "a")).restarts, 0)
    }).pipe(provided)
  )

  it.effect("hanging_restart_loop: however long a loop goes on, the supervisor answers", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ intensity: never, children: [spec, child("b")] })
      health.broken = true
      yield* Process.exit(yield* pidOf(sup, "a"), ExitReason.killed)
      for (let i = 0; i < 20; i++) assert.strictEqual(yield* statusOf(sup, "a"), "restarting")
      assert.isAbove(health.tries, 10)
      yield* Supervisor.startChild(sup, child("c"))
      yield* Supervisor.terminateChild(sup, "a")
      const tries = health.tries
      assert.deepStrictEqual(yield* countsOf(sup), [3, 2, 0, 3])
      yield* settle
      assert.strictEqual(health.tries, tries)
    }).pipe(provided)
  )

  it.effect(
    "hanging_restart_loop_rest_for_one: the siblings behind the child wait, those before it live, and the loop can be cancelled",
    () =>
      Effect.gen(function* () {
        const { health, spec } = fragile("b")
        const sup = yield* Supervisor.start({
          strategy: "rest_for_one",
          intensity: never,
          children: [child("a"), spec, child("c")]
        })
        const a = yield* pidOf(sup, "a")
        health.broken = true
        yield* Process.exit(yield* pidOf(sup, "b"), ExitReason.killed)
        while ((yield* statusOf(sup, "b")) !== "restarting") yield* Effect.yieldNow()
        assert.strictEqual(yield* pidOf(sup, "a"), a)
        assert.isUndefined(yield* statusOf(sup, "c"))
        yield* Supervisor.terminateChild(sup, "b")
        assert.deepStrictEqual(yield* countsOf(sup), [3, 1, 0, 3])
      }).pipe(provided)
  )

  it.effect(
    "1.7: one_for_all: what a failed try has started runs until the next, and stays when the loop is cancelled",
    () =>
      Effect.gen(function* () {
        const { gate, spec } = yield* gated("b")
        const sup = yield* Supervisor.start({
          strategy: "one_for_all",
          intensity: never,
          children: [child("a"), spec, child("c")]
        })
        yield* end(sup, "a", crash)
        const asked = yield* Effect.fork(
          Effect.all([countsOf(sup), Supervisor.terminateChild(sup, "b")], { concurrency: "unbounded" })
        )
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        const [between] = yield* Fiber.join(asked)
        assert.deepStrictEqual(between, [3, 1, 0, 3])
        yield* settle
        assert.deepStrictEqual(yield* countsOf(sup), [3, 1, 0, 3])
        assert.instanceOf(yield* statusOf(sup, "a"), Process.Pid)
        yield* Supervisor.restartChild(sup, "c")
        assert.deepStrictEqual(yield* countsOf(sup), [3, 2, 0, 3])
      }).pipe(provided)
  )

  it.effect("1.7: a supervisor in a restart loop can be stopped", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ intensity: never, children: [child("b"), spec] })
      const ended = yield* endOf(sup.pid)
      health.broken = true
      yield* Process.exit(yield* pidOf(sup, "a"), ExitReason.killed)
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("1.7: and obeys its parent's exit signal", () =>
    inProcess(
      Effect.gen(function* () {
        const { health, spec } = fragile("a")
        const sup = yield* Supervisor.startLink({ intensity: never, children: [spec] })
        health.broken = true
        yield* Process.exit(yield* pidOf(sup, "a"), ExitReason.killed)
        yield* Process.exit(sup.pid, ExitReason.shutdown())
        assertFields(yield* Process.receive, { from: sup.pid, reason: ExitReason.shutdown() })
      })
    ).pipe(provided)
  )

  it.effect("1.7: a child that ignores its restart is kept without a process", () =>
    Effect.gen(function* () {
      let starts = 0
      const start = Effect.suspend(
        (): Starting =>
          starts++ === 0 ? GenServer.startLink(obedient("a")) : Effect.fail(new GenServer.StartIgnored())
      )
      const sup = yield* Supervisor.start({ children: [Supervisor.worker("a", start)] })
      yield* end(sup, "a", crash)
      assert.isUndefined(yield* statusOf(sup, "a"))
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 1])
    }).pipe(provided)
  )

  it.effect("1.7: tries count in the same window as restarts that worked", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({
        intensity: 2,
        period: "10 seconds",
        children: [failing("a", 1), child("b")]
      })
      yield* end(sup, "a", crash)
      yield* assertAlive(sup.pid)
      yield* TestClock.adjust("10 seconds")
      const [, b] = yield* pidsOf(sup)
      if (b === undefined) return assert.fail("b does not run")
      yield* endPid(b, crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.7: is tried again also by a supervisor whose mailbox is full", () =>
    Effect.gen(function* () {
      const kernel = yield* Process.ProcessTable
      let starts = 0
      const start = Effect.suspend((): Starting => {
        if (starts++ !== 1) return GenServer.startLink(obedient("a"))
        const supervisor = kernel.lookup(sup.pid)
        if (supervisor !== undefined) supervisor.mailbox.capacity = 0
        return Effect.fail("not yet")
      })
      const sup: Supervisor.Supervisor = yield* Supervisor.start({
        intensity: never,
        children: [Supervisor.worker("a", start)]
      })
      yield* end(sup, "a", crash)
      const [, a] = Array.from(kernel.processes.values())
      assert.strictEqual(starts, 3)
      assert.strictEqual(a?.parent?.pid, sup.pid)
    }).pipe(provided)
  )
})
