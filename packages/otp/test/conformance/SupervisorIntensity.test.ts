import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, TestClock } from "effect"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import { Intensity } from "../../src/internal/intensity.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertAlive,
  assertDead,
  child,
  countsOf,
  crash,
  crewOf,
  end,
  endOf,
  endPid,
  errorLines,
  pidOf,
  pidsOf,
  provided,
  reportsFromNow,
  settle,
  statusOf
} from "./helpers.js"

const gaveUp = ExitReason.shutdown("reached_max_restart_intensity")

describe("restart intensity", () => {
  it("1.6: of a supervisor that lives long is what counting all restarts of the last period says", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.record({ intensity: FastCheck.nat(4), periodMillis: FastCheck.integer({ min: 1, max: 20 }) }),
        FastCheck.array(FastCheck.nat(12), { minLength: 200, maxLength: 400 }),
        (limits, pauses) => {
          const intensity = new Intensity(limits)
          const instants: Array<number> = []
          let now = 0
          for (const pause of pauses) {
            now += pause
            instants.push(now)
            const counted = instants.filter(instant => instant >= now - limits.periodMillis).length
            assert.strictEqual(intensity.count(now), counted <= limits.intensity)
          }
        }
      )
    )
  })

  it.effect("1.6: n restarts within the period are allowed, whichever child; the next one ends the supervisor", () =>
    Effect.gen(function* () {
      const children = [child("a"), child("b")]
      const sup = yield* Supervisor.start({ intensity: 2, period: "10 seconds", children })
      const ended = yield* endOf(sup.pid)
      yield* end(sup, "a", crash)
      yield* end(sup, "b", crash)
      yield* assertAlive(sup.pid)
      yield* end(sup, "a", crash)
      assert.deepStrictEqual(yield* ended, gaveUp)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("1.6: giving up is reported for the child that went too far, the others stop in reverse", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({
        intensity: 0,
        children: ["a", "b", "c"].map(id => child(id, {}, journal))
      })
      const reports = yield* reportsFromNow
      journal.length = 0
      yield* end(sup, "b", ExitReason.killed)
      assert.deepStrictEqual(errorLines(yield* reports), [
        "child_terminated b killed",
        "shutdown b shutdown (reached_max_restart_intensity)"
      ])
      assert.deepStrictEqual(journal, ["-b", "-c", "-a"])
    }).pipe(provided)
  )

  it.effect("1.6: intensity 0: the very first restart ends the supervisor", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 0, children: [child("a")] })
      yield* end(sup, "a", ExitReason.normal)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.6: ends that need no restart do not count", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({
        intensity: 0,
        children: [child("t", { restart: "temporary" }), child("k", { restart: "transient" })]
      })
      yield* end(sup, "t", crash)
      yield* end(sup, "k", ExitReason.normal)
      yield* assertAlive(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.6: an earlier restart that is exactly a period old still counts", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 1, period: "5 seconds", children: [child("a")] })
      yield* end(sup, "a", crash)
      yield* TestClock.adjust("5 seconds")
      yield* end(sup, "a", crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.6: one that is a millisecond older does not", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 1, period: "5 seconds", children: [child("a")] })
      for (let i = 0; i < 100; i++) {
        yield* end(sup, "a", crash)
        yield* TestClock.adjust(5_001)
      }
      yield* assertAlive(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.6: the window slides: what counts is the last period, not one that began somewhere", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 2, period: "10 seconds", children: [child("a")] })
      yield* end(sup, "a", crash)
      yield* TestClock.adjust("9 seconds")
      yield* end(sup, "a", crash)
      yield* TestClock.adjust("2 seconds")
      yield* end(sup, "a", crash)
      yield* assertAlive(sup.pid)
      yield* TestClock.adjust("8 seconds")
      yield* end(sup, "a", crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("multiple_restarts: intensity 1 in a second, a kill every 2.1 seconds, four times: it survives", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 1, period: "1 second", children: [child("a")] })
      for (let i = 0; i < 4; i++) {
        yield* end(sup, "a", ExitReason.killed)
        yield* TestClock.adjust("2100 millis")
      }
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      assert.strictEqual((yield* Supervisor.whichChild(sup, "a")).restarts, 4)
    }).pipe(provided)
  )

  for (const strategy of ["one_for_all", "rest_for_one"] as const) {
    it.effect(`1.6: a group restart of ${strategy} counts once, not once a sibling`, () =>
      Effect.gen(function* () {
        const children = ["a", "b", "c", "d"].map(id => child(id))
        const sup = yield* Supervisor.start({ strategy, intensity: 2, children })
        yield* end(sup, "a", crash)
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(yield* countsOf(sup), [4, 4, 0, 4])
        yield* end(sup, "a", crash)
        yield* assertDead(sup.pid)
      }).pipe(provided)
    )
  }

  it.effect("1.6: starts, stops and restarts by hand never count", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 0, children: [child("a")] })
      for (let i = 0; i < 5; i++) {
        yield* Supervisor.terminateChild(sup, "a")
        yield* Supervisor.restartChild(sup, "a")
        yield* Supervisor.startChild(sup, child(`extra${i}`))
      }
      assert.deepStrictEqual(yield* countsOf(sup), [6, 6, 0, 6])
    }).pipe(provided)
  )

  it.effect(
    "1.6: giving up is a clean end: a parent does not restart a transient supervisor, but a permanent one",
    () =>
      Effect.gen(function* () {
        const inner = (id: string, restart: "transient" | "permanent") =>
          Supervisor.supervisor(id, { name: id, intensity: 0, children: [child("a")] }, { restart })
        const top = yield* Supervisor.start({ children: [inner("t", "transient"), inner("p", "permanent")] })
        const permanent = yield* pidOf(top, "p")
        yield* end("t", "a", crash)
        yield* end("p", "a", crash)
        assert.isUndefined(yield* statusOf(top, "t"))
        assert.notStrictEqual(yield* pidOf(top, "p"), permanent)
        assert.deepStrictEqual(yield* countsOf("p"), [1, 1, 0, 1])
      }).pipe(provided)
  )

  it.effect("1.6: faults climb: a permanent supervisor that gives up counts against its parent's intensity", () =>
    Effect.gen(function* () {
      const inner = Supervisor.supervisor("inner", { name: "inner", intensity: 0, children: [child("a")] })
      const top = yield* Supervisor.start({ intensity: 1, children: [inner] })
      yield* end("inner", "a", crash)
      yield* assertAlive(top.pid)
      yield* end("inner", "a", crash)
      yield* assertDead(top.pid)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("1.6: a dynamic supervisor has one window for all its children", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf({ intensity: 2, period: "5 seconds" }))
      for (const id of ["a", "b", "c"]) yield* sup.startChild(id)
      const [a, b, c] = yield* pidsOf(sup)
      if (a === undefined || b === undefined || c === undefined) return assert.fail("three children")
      const ended = yield* endOf(sup.pid)
      yield* endPid(a, crash)
      yield* endPid(b, crash)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 3, 0, 3])
      yield* TestClock.adjust("5 seconds")
      yield* endPid(c, crash)
      yield* settle
      assert.deepStrictEqual(yield* ended, gaveUp)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )
})
