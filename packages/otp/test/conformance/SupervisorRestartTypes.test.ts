import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref, TestClock } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  child,
  countsOf,
  crash,
  crewOf,
  end,
  endPid,
  errorLines,
  failureOf,
  pidOf,
  pidsOf,
  provided,
  reportsFromNow,
  settle,
  statusOf
} from "./helpers.js"

/** A reason, what the suite calls it, and whether it is clean. */
const reasons: ReadonlyArray<readonly [string, "normal" | "shutdown" | "abnormal", ExitReason.ExitReason, boolean]> = [
  ["normal", "normal", ExitReason.normal, true],
  ["shutdown", "shutdown", ExitReason.shutdown(), true],
  ["shutdown with a term", "shutdown", ExitReason.shutdown("why"), true],
  ["a crash", "abnormal", crash, false],
  ["killed", "abnormal", ExitReason.killed, false],
  ["noproc", "abnormal", ExitReason.noProc, false],
  ["noconnection", "abnormal", ExitReason.noConnection, false]
]

type Outcome = "restarted" | "kept" | "dropped"

const outcomeOf = (restart: ChildSpec.Restart, clean: boolean): Outcome =>
  restart === "temporary" ? "dropped" : restart === "transient" && clean ? "kept" : "restarted"

/** Every clean end of a child that is not permanent is silent. */
const isReported = (restart: ChildSpec.Restart, clean: boolean): boolean => restart === "permanent" || !clean

const countsAfter: Record<Outcome, ReadonlyArray<number>> = {
  restarted: [1, 1, 0, 1],
  kept: [1, 0, 0, 1],
  dropped: [0, 0, 0, 0]
}

describe("restart types", () => {
  for (const restart of ["permanent", "transient", "temporary"] as const) {
    for (const [label, kind, reason, clean] of reasons) {
      const outcome = outcomeOf(restart, clean)
      const report = isReported(restart, clean) ? "reported" : "not reported"

      it.effect(`${restart}_${kind}: after ${label} the child is ${outcome}, its end ${report}`, () =>
        Effect.gen(function* () {
          const sup = yield* Supervisor.start({ children: [child("a", { restart })] })
          const reports = yield* reportsFromNow
          const before = yield* end(sup, "a", reason)
          assert.deepStrictEqual(yield* countsOf(sup), Array.from(countsAfter[outcome]))
          const expected = isReported(restart, clean) ? [`child_terminated a ${ExitReason.format(reason)}`] : []
          assert.deepStrictEqual(errorLines(yield* reports), expected)
          if (outcome === "restarted") assert.notStrictEqual(yield* pidOf(sup, "a"), before)
          if (outcome === "kept") assert.isUndefined(yield* statusOf(sup, "a"))
          if (outcome === "dropped") assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, "a")), "not_found")
        }).pipe(provided)
      )

      it.effect(`1.5: a dynamic ${restart} child is ${outcome === "kept" ? "dropped" : outcome} after ${label}`, () =>
        Effect.gen(function* () {
          const sup = yield* DynamicSupervisor.start(crewOf({ restart }))
          const before = (yield* sup.startChild("a"))?.pid
          const bystander = (yield* sup.startChild("b"))?.pid
          if (before === undefined || bystander === undefined) return assert.fail("not started")
          const reports = yield* reportsFromNow
          yield* endPid(before, reason)
          const after = yield* pidsOf(sup)
          assert.include(after, bystander)
          assert.notInclude(after, before)
          assert.lengthOf(after, outcome === "restarted" ? 2 : 1)
          const expected = isReported(restart, clean) ? [`child_terminated undefined ${ExitReason.format(reason)}`] : []
          assert.deepStrictEqual(errorLines(yield* reports), expected)
        }).pipe(provided)
      )
    }
  }

  for (const reason of [ExitReason.normal, ExitReason.shutdown(), ExitReason.shutdown("why")]) {
    it.effect(
      `transient_${reason._tag.toLowerCase()}: restartChild brings it back after ${ExitReason.format(reason)}`,
      () =>
        Effect.gen(function* () {
          const sup = yield* Supervisor.start({ children: [child("a", { restart: "transient" })] })
          const before = yield* end(sup, "a", reason)
          assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 1])
          const again = yield* Supervisor.restartChild(sup, "a")
          assert.notStrictEqual(again?.pid, before)
          assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
        }).pipe(provided)
    )
  }

  it.effect("1.5: a task that returns ends normally, one that fails abnormally", () =>
    Effect.gen(function* () {
      const runs = yield* Ref.make(0)
      const body = Effect.zipRight(
        Ref.update(runs, n => n + 1),
        Effect.sleep("1 minute")
      )
      const failing = Effect.zipRight(body, Effect.fail("no luck"))
      const sup = yield* Supervisor.start({
        intensity: 2,
        children: [
          Supervisor.task("permanent", body),
          Supervisor.task("transient", body, { restart: "transient" }),
          Supervisor.task("failing", failing, { restart: "transient" })
        ]
      })
      yield* settle
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Ref.get(runs), 5)
      assert.instanceOf(yield* statusOf(sup, "permanent"), Process.Pid)
      assert.isUndefined(yield* statusOf(sup, "transient"))
      assert.instanceOf(yield* statusOf(sup, "failing"), Process.Pid)
    }).pipe(provided)
  )
})
