import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
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
  crewOf,
  end,
  endPid,
  failureOf,
  idsOf,
  obedient,
  pidOf,
  pidsOf,
  provided,
  settle,
  statusOf,
  stuck,
  untypedChild,
  untypedSpec
} from "./helpers.js"

describe("reconfiguration", () => {
  it.effect("code_change: new settings count from now on: strategy, intensity and period", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const children = ["a", "b"].map(id => child(id, {}, journal))
      const sup = yield* Supervisor.start({ intensity: 0, children })
      yield* Supervisor.reconfigure(sup, { strategy: "one_for_all", intensity: 2, period: "1 minute", children })
      journal.length = 0
      yield* end(sup, "a", crash)
      assert.deepStrictEqual(journal, ["-a", "-b", "+a", "+b"])
      yield* TestClock.adjust("1 minute")
      yield* end(sup, "a", crash)
      yield* assertAlive(sup.pid)
      yield* end(sup, "a", crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("code_change: restarts from before count against the new intensity", () =>
    Effect.gen(function* () {
      const children = [child("a")]
      const sup = yield* Supervisor.start({ intensity: 5, children })
      yield* end(sup, "a", crash)
      yield* end(sup, "a", crash)
      yield* Supervisor.reconfigure(sup, { intensity: 2, children })
      yield* end(sup, "a", crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("code_change: a new child is kept but not started; restartChild starts it", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      yield* Supervisor.reconfigure(sup, { children: [child("a"), child("b")] })
      assert.isUndefined(yield* statusOf(sup, "b"))
      assert.deepStrictEqual(yield* countsOf(sup), [2, 1, 0, 2])
      yield* Supervisor.restartChild(sup, "b")
      assert.deepStrictEqual(yield* countsOf(sup), [2, 2, 0, 2])
    }).pipe(provided)
  )

  it.effect("code_change: a child that is not named any more runs on, and can be stopped and deleted", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a"), child("b")] })
      const a = yield* pidOf(sup, "a")
      yield* Supervisor.reconfigure(sup, { children: [child("b")] })
      assert.strictEqual(yield* pidOf(sup, "a"), a)
      yield* Supervisor.terminateChild(sup, "a")
      yield* Supervisor.deleteChild(sup, "a")
      assert.deepStrictEqual(yield* idsOf(sup), ["b"])
    }).pipe(provided)
  )

  it.effect("code_change: the order is that of the new list, children that are left over come last", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const noted = (id: string) => child(id, {}, journal)
      const sup = yield* Supervisor.start({ children: ["x", "a", "y", "b"].map(noted) })
      const pids = yield* pidsOf(sup)
      yield* Supervisor.reconfigure(sup, { children: ["b", "new", "a"].map(noted) })
      assert.deepStrictEqual(Array.from(yield* idsOf(sup)).reverse(), ["b", "new", "a", "x", "y"])
      assert.sameMembers(Array.from(yield* pidsOf(sup)), Array.from(pids))
      journal.length = 0
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, ["-y", "-x", "-a", "-b"])
    }).pipe(provided)
  )

  it.effect("code_change: a changed child keeps its process; its new start counts from the next start on", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const version = (n: number) => Supervisor.worker("a", GenServer.startLink(obedient(`a${n}`, journal)))
      const sup = yield* Supervisor.start({ children: [version(1)] })
      const before = yield* pidOf(sup, "a")
      yield* Supervisor.reconfigure(sup, { children: [version(2)] })
      assert.strictEqual(yield* pidOf(sup, "a"), before)
      yield* end(sup, "a", crash)
      assert.deepStrictEqual(journal, ["+a1", "-a1", "+a2"])
    }).pipe(provided)
  )

  it.effect("code_change: a changed restart type and shutdown count for the process that runs", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a"), stuck("b", { shutdown: "infinity" })] })
      yield* settle
      yield* Supervisor.reconfigure(sup, {
        children: [child("a", { restart: "temporary" }), stuck("b", { shutdown: "brutal_kill" })]
      })
      yield* end(sup, "a", crash)
      assert.deepStrictEqual(yield* idsOf(sup), ["b"])
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect(
    "code_change: the start of a running child that becomes temporary is let go; one that was, gets one again",
    () =>
      Effect.gen(function* () {
        const temporary = [child("a", { restart: "temporary" })]
        const sup = yield* Supervisor.start({ children: [child("a")] })
        const startOf = Effect.map(Supervisor.getChildSpec(sup, "a"), ({ start }) => start)
        yield* Supervisor.reconfigure(sup, { children: temporary })
        assert.isUndefined(yield* startOf)
        yield* Supervisor.reconfigure(sup, { children: [child("a")] })
        assert.isDefined(yield* startOf)
        const before = yield* end(sup, "a", crash)
        assert.notStrictEqual(yield* pidOf(sup, "a"), before)
      }).pipe(provided)
  )

  it.effect("code_change: a new temporary child is kept until somebody starts it", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      yield* Supervisor.reconfigure(sup, { children: [child("a", { restart: "temporary" })] })
      yield* Supervisor.restartChild(sup, "a")
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  const wrong: ReadonlyArray<readonly [ChildSpec.InvalidSpec["problem"], object]> = [
    ["invalid_type", { children: "none" }],
    ["invalid_strategy", { strategy: "simple", children: [] }],
    ["invalid_intensity", { intensity: "faulty", children: [] }],
    ["invalid_period", { period: 0, children: [] }],
    ["missing_start", { children: [{ id: "a" }] }],
    ["duplicate_child_name", { children: [child("a"), child("a")] }]
  ]
  for (const [problem, spec] of wrong) {
    it.effect(`code_change_map: a spec with ${problem} is an error, changes nothing, and the supervisor lives`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [child("a"), child("b")] })
        const before = yield* Supervisor.whichChildren(sup)
        assert.strictEqual(yield* failureOf(Supervisor.reconfigure(sup, untypedSpec(spec))), problem)
        assert.deepStrictEqual(yield* Supervisor.whichChildren(sup), before)
        yield* end(sup, "a", crash)
        assert.strictEqual(yield* pidOf(sup, "b"), before[0]?.pid)
      }).pipe(provided)
    )
  }

  it.effect("1.12: a supervisor that is not there is NoProcess", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* failureOf(Supervisor.reconfigure("nobody", { children: [] })), "NoProcess")
    }).pipe(provided)
  )

  it.effect("1.12: one that is gone finds no fault with a spec that is wrong: it is NoProcess, of either kind", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      const crew = yield* DynamicSupervisor.start(crewOf())
      yield* Supervisor.stop(sup)
      yield* DynamicSupervisor.stop(crew)
      const wrong = { intensity: -1, children: [] }
      assert.strictEqual(yield* failureOf(Supervisor.reconfigure(sup, wrong)), "NoProcess")
      assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, untypedChild(wrong))), "NoProcess")
      assert.strictEqual(yield* failureOf(DynamicSupervisor.reconfigure(crew, crewOf({ intensity: -1 }))), "NoProcess")
    }).pipe(provided)
  )

  it.effect("1.12: a spec that is wrong is refused in its turn, of either kind", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const slow = Supervisor.scoped("slow", Deferred.await(gate))
      const sup = yield* Supervisor.start({ children: [] })
      const crew = yield* DynamicSupervisor.start({ start: () => slow.start })
      yield* Effect.fork(Supervisor.startChild(sup, slow))
      yield* Effect.fork(crew.startChild({}))
      yield* settle
      const wrong = yield* Effect.fork(failureOf(Supervisor.reconfigure(sup, { intensity: -1, children: [] })))
      const wrongToo = yield* Effect.fork(failureOf(DynamicSupervisor.reconfigure(crew, crewOf({ intensity: -1 }))))
      yield* settle
      assert.isNull(wrong.unsafePoll())
      assert.isNull(wrongToo.unsafePoll())
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(wrong), "invalid_intensity")
      assert.strictEqual(yield* Fiber.join(wrongToo), "invalid_intensity")
    }).pipe(provided)
  )

  it.effect("code_change_simple: a new template counts for starts and restarts from now on, children run on", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const version = (n: number) =>
        DynamicSupervisor.make({ start: (id: string) => GenServer.startLink(obedient(`${id}${n}`, journal)) })
      const sup = yield* DynamicSupervisor.start(version(1))
      const a = yield* sup.startChild("a")
      yield* DynamicSupervisor.reconfigure(sup, version(2))
      assert.deepStrictEqual(yield* pidsOf(sup), [a?.pid])
      yield* sup.startChild("b")
      if (a !== undefined) yield* endPid(a.pid, crash)
      assert.deepStrictEqual(journal, ["+a1", "+b2", "-a1", "+a2"])
    }).pipe(provided)
  )

  it.effect("code_change_simple: intensity, restart type and shutdown change for living children too", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf({ intensity: 0 }))
      const a = yield* sup.startChild("a")
      yield* DynamicSupervisor.reconfigure(sup, crewOf({ intensity: 1, restart: "transient", shutdown: "1 minute" }))
      if (a === undefined) return assert.fail("not started")
      const expected = { restart: "transient", shutdown: "1 minute" }
      assertFields(yield* Supervisor.getChildSpec(sup, a.pid), expected)
      yield* endPid(a.pid, crash)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      for (const pid of yield* pidsOf(sup)) yield* endPid(pid, ExitReason.normal)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect("code_change_simple: a child started as temporary stays temporary: its arguments are gone", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* DynamicSupervisor.start(crewOf({ restart: "temporary" }, journal))
      const a = yield* sup.startChild("a")
      yield* DynamicSupervisor.reconfigure(sup, crewOf({ restart: "permanent" }, journal))
      const b = yield* sup.startChild("b")
      if (a === undefined || b === undefined) return assert.fail("not started")
      yield* endPid(a.pid, crash)
      yield* endPid(b.pid, crash)
      assert.deepStrictEqual(journal, ["+a", "+b", "-a", "-b", "+b"])
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )
})
