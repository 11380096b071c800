import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, TestContext } from "effect"
import * as fc from "fast-check"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertAlive,
  child,
  countsOf,
  crash,
  end,
  endOf,
  endPid,
  idsOf,
  pidOf,
  pidsOf,
  provided,
  settle,
  statusOf,
  stuck
} from "./helpers.js"

const strategies = ["one_for_one", "one_for_all", "rest_for_one"] as const

const groups: Record<ChildSpec.Strategy, ReadonlyArray<string>> = {
  one_for_one: ["-b", "+b"],
  one_for_all: ["-b", "-d", "-c", "-a", "+a", "+b", "+c", "+d"],
  rest_for_one: ["-b", "-d", "-c", "+b", "+c", "+d"]
}

const untouched: Record<ChildSpec.Strategy, ReadonlyArray<string>> = {
  one_for_one: ["a", "c", "d"],
  one_for_all: [],
  rest_for_one: ["a"]
}

describe("strategies", () => {
  for (const strategy of strategies) {
    it.effect(`${strategy}: the end of the second of four: ${groups[strategy].join(" ")}`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ids = ["a", "b", "c", "d"]
        const sup = yield* Supervisor.start({ strategy, children: ids.map(id => child(id, {}, journal)) })
        const before = yield* pidsOf(sup)
        journal.length = 0
        yield* end(sup, "b", crash)
        assert.deepStrictEqual(journal, Array.from(groups[strategy]))
        const after = yield* pidsOf(sup)
        assert.deepStrictEqual(
          ids.filter((_, i) => before[i] === after[i]),
          Array.from(untouched[strategy])
        )
        assert.deepStrictEqual(yield* idsOf(sup), ["d", "c", "b", "a"])
      }).pipe(provided)
    )

    it.effect(`${strategy}: the third failure within the window ends the supervisor and all its children`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({
          strategy,
          intensity: 2,
          period: "1 hour",
          children: [child("a"), child("b")]
        })
        const ended = yield* endOf(sup.pid)
        yield* end(sup, "a", crash)
        yield* end(sup, "a", crash)
        yield* assertAlive(sup.pid)
        yield* end(sup, "a", crash)
        assert.isTrue(ExitReason.isClean(yield* ended))
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  }

  for (const strategy of ["one_for_all", "rest_for_one"] as const) {
    it.effect(`temporary_bystander: ${strategy} drops a temporary sibling and does not start it again`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy,
          children: [child("a", {}, journal), child("temp", { restart: "temporary" }, journal), child("c", {}, journal)]
        })
        journal.length = 0
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(journal, ["-a", "-c", "-temp", "+a", "+c"])
        assert.deepStrictEqual(yield* countsOf(sup), [2, 2, 0, 2])
      }).pipe(provided)
    )

    it.effect(`tree: ${strategy} starts siblings again that had ended, or were stopped`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy,
          children: [
            child("a", {}, journal),
            child("done", { restart: "transient" }, journal),
            child("off", {}, journal)
          ]
        })
        yield* end(sup, "done", ExitReason.normal)
        yield* Supervisor.terminateChild(sup, "off")
        journal.length = 0
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(journal, ["-a", "+a", "+done", "+off"])
      }).pipe(provided)
    )

    it.effect(`1.8: siblings stopped by ${strategy} get their own shutdown setting`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({
          strategy,
          children: [child("a"), child("b"), stuck("c", { shutdown: "brutal_kill" })]
        })
        yield* settle
        const b = yield* endOf(yield* pidOf(sup, "b"))
        const c = yield* endOf(yield* pidOf(sup, "c"))
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(yield* b, ExitReason.shutdown())
        assert.deepStrictEqual(yield* c, ExitReason.killed)
        assert.deepStrictEqual(yield* countsOf(sup), [3, 3, 0, 3])
        yield* Supervisor.stop(sup)
      }).pipe(provided)
    )
  }

  it.effect("1.8: rest_for_one leaves stopped children alone that come before the dead one", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ strategy: "rest_for_one", children: [child("a"), child("b")] })
      yield* Supervisor.terminateChild(sup, "a")
      yield* end(sup, "b", crash)
      assert.isUndefined(yield* statusOf(sup, "a"))
      assert.instanceOf(yield* statusOf(sup, "b"), Process.Pid)
    }).pipe(provided)
  )

  it.effect("1.8: two children that die together under one_for_all make one restart", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({
        strategy: "one_for_all",
        intensity: 1,
        children: [child("a", {}, journal), child("b", {}, journal)]
      })
      for (const pid of yield* pidsOf(sup)) yield* Process.exit(pid, ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(yield* countsOf(sup), [2, 2, 0, 2])
      assert.strictEqual(journal.filter(entry => entry === "+a").length, 2)
    }).pipe(provided)
  )

  it.effect("tree: supervisors of each strategy below one another restart what is theirs", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const group = (name: string, strategy: ChildSpec.Strategy) =>
        Supervisor.supervisor(name, {
          name,
          strategy,
          intensity: 1,
          children: ["1", "2"].map(n => child(`${name}${n}`, {}, journal))
        })
      const top = yield* Supervisor.start({
        strategy: "one_for_all",
        intensity: 1,
        children: [group("one", "one_for_one"), group("all", "one_for_all")]
      })
      journal.length = 0
      yield* end("one", "one1", ExitReason.killed)
      assert.deepStrictEqual(journal.splice(0), ["-one1", "+one1"])
      yield* end("all", "all2", crash)
      assert.deepStrictEqual(journal.splice(0), ["-all2", "-all1", "+all1", "+all2"])
      // The inner supervisor gives up; its parent starts everybody again.
      yield* end("all", "all2", crash)
      assert.deepStrictEqual(journal, ["-all2", "-all1", "-one2", "-one1", "+one1", "+one2", "+all1", "+all2"])
      assert.deepStrictEqual(yield* countsOf(top), [2, 2, 2, 0])
    }).pipe(provided)
  )

  it.effect("order_of_children: a group restart keeps the order, so the stop that follows is in reverse", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ids = Array.from({ length: 8 }, (_, i) => `c${i}`)
      const sup = yield* Supervisor.start({
        strategy: "rest_for_one",
        children: ids.map(id => child(id, {}, journal))
      })
      yield* end(sup, "c3", crash)
      journal.length = 0
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, ids.map(id => `-${id}`).reverse())
    }).pipe(provided)
  )

  it("1.8: for any tree and any faults: start order is kept, siblings outside the group are untouched", () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom<ChildSpec.Strategy>(...strategies),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 8 }),
        (strategy, size, victims) =>
          Effect.gen(function* () {
            const journal: Array<string> = []
            const ids = Array.from({ length: size }, (_, i) => `c${i}`)
            const sup = yield* Supervisor.start({
              strategy,
              intensity: victims.length,
              children: ids.map(id => child(id, {}, journal))
            })
            for (const [victim, byKill] of victims) {
              const index = victim % size
              const dead = `c${index}`
              const group = strategy === "one_for_one" ? [dead] : ids.slice(strategy === "one_for_all" ? 0 : index)
              const before = yield* pidsOf(sup)
              journal.length = 0
              yield* endPid(yield* pidOf(sup, dead), byKill ? ExitReason.killed : crash)
              const stopped = [dead, ...group.filter(id => id !== dead).reverse()]
              assert.deepStrictEqual(journal, [...stopped.map(id => `-${id}`), ...group.map(id => `+${id}`)])
              const after = yield* pidsOf(sup)
              assert.deepStrictEqual(
                ids.filter((_, i) => before[i] === after[i]),
                ids.filter(id => !group.includes(id))
              )
            }
            journal.length = 0
            yield* Supervisor.stop(sup)
            assert.deepStrictEqual(journal, ids.map(id => `-${id}`).reverse())
          }).pipe(
            provided,
            Effect.provide(TestContext.TestContext),
            Logger.withMinimumLogLevel(LogLevel.None),
            Effect.runPromise
          )
      ),
      { numRuns: 40 }
    ))
})
