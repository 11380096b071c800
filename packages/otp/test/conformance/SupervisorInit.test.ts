import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Fiber, Option } from "effect"
import * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
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
  inProcess,
  pidOf,
  pidsOf,
  provided,
  settle,
  statusOf,
  untyped
} from "./helpers.js"

/** An init that is run with whatever the test puts there. */
type Init = Effect.Effect<never, unknown>

/** The start of either kind of supervisor from an init, linked to the calling process. */
const kinds = {
  Supervisor: (init: Init) => Supervisor.startLink(init, { name: "sup" }),
  DynamicSupervisor: (init: Init) =>
    DynamicSupervisor.startLink<string, Supervisor.Supervisor, never, never>(init, { name: "sup" })
}

const anything = (value: unknown): Init => Effect.succeed(untyped(value))

/** That the start failed for good: nothing came to the mailbox of its process, which traps exits, and the name is free. */
const assertNoTrace = Effect.gen(function* () {
  const next = yield* Effect.fork(Process.receive)
  yield* settle
  assert.isNull(next.unsafePoll())
  yield* Fiber.interrupt(next)
  assert.isTrue(Option.isNone(yield* Process.whereis("sup")))
})

/** A spec that is another one each time it is computed. */
const versions = (...specs: ReadonlyArray<unknown>) => {
  let run = 0
  return Effect.suspend((): Init => anything(specs[Math.min(run++, specs.length - 1)]))
}

describe("init", () => {
  for (const [kind, start] of Object.entries(kinds)) {
    it.effect(`1.3: ${kind}: init that ignores: the start is StartIgnored, without an exit message`, () =>
      inProcess(
        Effect.gen(function* () {
          assert.strictEqual(yield* failureOf(start(anything(GenServer.ignore))), "StartIgnored")
          yield* assertNoTrace
        })
      ).pipe(provided)
    )

    const junk: ReadonlyArray<readonly [string, unknown]> = [
      ["undefined", undefined],
      ["7", 7],
      [`"invalid"`, "invalid"],
      ["Array(0)", Array],
      ["Object{  }", {}],
      ["InitStop", GenServer.initStop(ExitReason.normal)]
    ]
    for (const [shown, value] of junk) {
      it.effect(
        `sup_start_error_return: ${kind}: init that returns ${shown} is a bad_return, without an exit message`,
        () =>
          inProcess(
            Effect.gen(function* () {
              const error = yield* Effect.flip(start(anything(value === Array ? [[]] : value)))
              if (error._tag !== "InvalidSpec") return assert.fail(error.message)
              assert.strictEqual(error.problem, "bad_return")
              assert.include(error.message, shown)
              yield* assertNoTrace
            })
          ).pipe(provided)
      )
    }

    const failing: ReadonlyArray<readonly [string, Init]> = [
      ["fails", Effect.fail("no luck")],
      ["dies", Effect.die("no luck")],
      [
        "throws",
        Effect.suspend(() => {
          throw new Error("no luck")
        })
      ]
    ]
    for (const [how, init] of failing) {
      it.effect(
        `sup_start_fail: ${kind}: init that ${how}: the start fails with the cause, without an exit message`,
        () =>
          inProcess(
            Effect.gen(function* () {
              const error = yield* Effect.flip(start(init))
              if (error._tag !== "StartFailed") return assert.fail(error.message)
              assert.include(ExitReason.format(error.reason), "no luck")
              yield* assertNoTrace
            })
          ).pipe(provided)
      )

      it.effect(`code_change: ${kind}: init that ${how} when it runs again is InitFailed; the supervisor lives`, () =>
        Effect.gen(function* () {
          let isBroken = false
          const good = { children: [], start: () => Effect.never }
          const sup = yield* start(Effect.suspend((): Init => (isBroken ? init : anything(good))))
          isBroken = true
          const error = yield* Effect.flip(Supervisor.reconfigure(sup))
          if (error._tag !== "InitFailed") return assert.fail(error.message)
          assert.include(error.message, "no luck")
          isBroken = false
          yield* Supervisor.reconfigure(sup)
        }).pipe(provided)
      )
    }

    it.effect(
      `1.2: ${kind}: settings that are wrong are as precise from init as in a value, without an exit message`,
      () =>
        inProcess(
          Effect.gen(function* () {
            const wrong = (settings: object) => anything({ children: [], start: () => Effect.never, ...settings })
            assert.strictEqual(yield* failureOf(start(wrong({ intensity: -1 }))), "invalid_intensity")
            assert.strictEqual(yield* failureOf(start(wrong({ period: 0 }))), "invalid_period")
            yield* assertNoTrace
          })
        ).pipe(provided)
    )

    it.effect(`3.1: ${kind}: the name is taken before init runs: of one that is taken already it never runs`, () =>
      inProcess(
        Effect.gen(function* () {
          let runs = 0
          const init = Effect.zipRight(
            Effect.sync(() => runs++),
            anything({ intensity: -1, children: [], start: () => Effect.never })
          )
          const holder = yield* Process.spawn(Effect.never, { name: "sup" })
          assert.strictEqual(yield* failureOf(start(init)), "AlreadyStarted")
          assert.strictEqual(runs, 0)
          yield* Process.exit(holder, ExitReason.killed)
          assert.strictEqual(yield* failureOf(start(init)), "invalid_intensity")
          assert.strictEqual(runs, 1)
        })
      ).pipe(provided)
    )
  }

  it.effect("1.2: children that are wrong are told by the start, before any of them starts", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const twice = Effect.sync(() => ({ children: [child("a", {}, journal), child("a", {}, journal)] }))
      assert.strictEqual(yield* failureOf(Supervisor.start(twice)), "duplicate_child_name")
      const none = anything({ children: "none" })
      assert.strictEqual(yield* failureOf(Supervisor.start(none)), "invalid_type")
      assert.deepStrictEqual(journal, [])
    }).pipe(provided)
  )

  it.effect("1.3: init runs in the supervisor's process, which has its name, with the environment of the start", () =>
    Effect.gen(function* () {
      class Size extends Context.Tag("Size")<Size, number>() {}
      const seen: Array<unknown> = []
      const init = Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        seen.push(self, Option.getOrUndefined(yield* Process.whereis("sup")))
        return { children: Array.from({ length: yield* Size }, (_, i) => child(`c${i}`)) }
      })
      const sup = yield* Effect.provideService(Supervisor.start(init, { name: "sup" }), Size, 3)
      assert.deepStrictEqual(seen, [sup.pid, sup.pid])
      assert.deepStrictEqual(yield* idsOf(sup), ["c2", "c1", "c0"])
      yield* Supervisor.reconfigure(sup)
      assert.deepStrictEqual(yield* countsOf(sup), [3, 3, 0, 3])
    }).pipe(provided)
  )

  it.effect("1.3: what init acquires is the supervisor's, and outlives its children", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const table = Effect.acquireRelease(
        Effect.sync(() => journal.push("+table")),
        () => Effect.sync(() => journal.push("-table"))
      )
      const sup = yield* Supervisor.start(Effect.as(table, { children: [child("a", {}, journal)] }))
      yield* end(sup, "a", crash)
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, ["+table", "+a", "-a", "+a", "-a", "-table"])
    }).pipe(provided)
  )

  it.effect("1.3: a nested supervisor computes its spec anew each time its parent starts it", () =>
    Effect.gen(function* () {
      const inner = versions({ children: [child("a")] }, { children: [child("a"), child("b")] }, "junk")
      const top = yield* Supervisor.start({
        intensity: 2,
        children: [Supervisor.supervisor("inner", inner, { name: "inner", restart: "transient" })]
      })
      assert.deepStrictEqual(yield* idsOf("inner"), ["a"])
      yield* end(top, "inner", ExitReason.killed)
      assert.deepStrictEqual(yield* idsOf("inner"), ["b", "a"])
      const ended = yield* Effect.fork(Process.awaitExit(top.pid))
      yield* end(top, "inner", ExitReason.killed)
      // Its third start fails, and so do the tries that follow.
      assert.deepStrictEqual(yield* Fiber.join(ended), ExitReason.shutdown("reached_max_restart_intensity"))
    }).pipe(provided)
  )

  it.effect("1.3: a nested supervisor that ignores is kept without a process, and can be started later", () =>
    Effect.gen(function* () {
      const inner = versions(GenServer.ignore, { children: [child("leaf")] })
      const top = yield* Supervisor.start({ children: [Supervisor.supervisor("inner", inner), child("b")] })
      assert.isUndefined(yield* statusOf(top, "inner"))
      assert.deepStrictEqual(yield* countsOf(top), [2, 1, 1, 1])
      const started = yield* Supervisor.restartChild(top, "inner")
      assert.strictEqual(started?.pid, yield* pidOf(top, "inner"))
      assert.deepStrictEqual(yield* idsOf({ pid: yield* pidOf(top, "inner") }), ["leaf"])
    }).pipe(provided)
  )

  it.effect("1.3: a temporary one that ignores is dropped", () =>
    Effect.gen(function* () {
      const temporary = { restart: "temporary" } as const
      const inner = Supervisor.supervisor("inner", GenServer.ignore, temporary)
      const wanted = []
      const crews = Effect.sync(() => (wanted.length > 0 ? crewOf() : GenServer.ignore))
      const crew = DynamicSupervisor.supervisor("crew", crews, temporary)
      const top = yield* Supervisor.start({ children: [inner, crew, child("b")] })
      assert.deepStrictEqual(yield* idsOf(top), ["b"])
      assert.isUndefined(yield* Supervisor.startChild(top, inner))
      assert.deepStrictEqual(yield* countsOf(top), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("sup_start_error_return: of a nested supervisor it is the reason why the parent did not start", () =>
    Effect.gen(function* () {
      const inner = Supervisor.supervisor("inner", anything("junk"))
      const error = yield* Effect.flip(Supervisor.start({ children: [inner] }))
      if (error._tag !== "StartFailed" || error.reason._tag !== "Shutdown") return assert.fail(error.message)
      const { term } = error.reason
      if (!(term instanceof Supervisor.FailedToStartChild)) return assert.fail(String(term))
      assert.strictEqual(term.id, "inner")
      const cause = term.reason._tag === "Crash" ? Cause.squash(term.reason.cause) : undefined
      assert.instanceOf(cause, ChildSpec.InvalidSpec)
      assertFields(cause, { problem: "bad_return", detail: `"junk"` })
    }).pipe(provided)
  )
})

describe("init that runs again", () => {
  it.effect(
    "code_change: its settings count, its new children are kept but not started, those it no longer names stay",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const noted = (id: string) => child(id, {}, journal)
        const sup = yield* Supervisor.start(
          versions(
            { intensity: 0, children: ["a", "b"].map(noted) },
            { strategy: "one_for_all", intensity: 1, children: ["c", "b"].map(noted) }
          )
        )
        const before = yield* pidsOf(sup)
        yield* Supervisor.reconfigure(sup)
        assert.deepStrictEqual(Array.from(yield* idsOf(sup)).reverse(), ["c", "b", "a"])
        assert.isUndefined(yield* statusOf(sup, "c"))
        assert.sameMembers(Array.from(yield* pidsOf(sup)), Array.from(before))
        journal.length = 0
        yield* end(sup, "b", crash)
        assert.deepStrictEqual(journal, ["-b", "-a", "+c", "+b", "+a"])
      }).pipe(provided)
  )

  const useless: ReadonlyArray<readonly [string, unknown, string | undefined]> = [
    ["ignores is no failure", GenServer.ignore, undefined],
    ["returns junk is a bad_return", "faulty_return", "bad_return"],
    ["has faulty settings says which", { intensity: "faulty", children: [] }, "invalid_intensity"],
    ["has a faulty child says what is wrong", { children: [{ id: "a" }] }, "missing_start"]
  ]
  for (const [how, returned, problem] of useless) {
    it.effect(`code_change: init that ${how}; nothing changes, and the supervisor lives`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start(versions({ intensity: 1, children: [child("a")] }, returned))
        const before = yield* Supervisor.whichChildren(sup)
        const asked = Supervisor.reconfigure(sup)
        if (problem === undefined) yield* asked
        else assert.strictEqual(yield* failureOf(asked), problem)
        assert.deepStrictEqual(yield* Supervisor.whichChildren(sup), before)
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      }).pipe(provided)
    )
  }

  it.effect("1.12: of a supervisor that was started from a value it gives that value back", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ intensity: 0, children: [child("a"), child("b")] })
      yield* Supervisor.reconfigure(sup, { intensity: 1, children: [child("b"), child("a", { restart: "temporary" })] })
      yield* Supervisor.reconfigure(sup)
      assert.deepStrictEqual(yield* idsOf(sup), ["b", "a"])
      assertFields(yield* Supervisor.getChildSpec(sup, "a"), { restart: "permanent" })
      yield* end(sup, "a", crash)
      yield* assertDead(sup.pid)
    }).pipe(provided)
  )

  it.effect("1.12: a supervisor that is not there is NoProcess", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* failureOf(Supervisor.reconfigure("nobody")), "NoProcess")
      assert.strictEqual(yield* failureOf(DynamicSupervisor.reconfigure("nobody")), "NoProcess")
    }).pipe(provided)
  )

  it.effect("code_change_simple: another template counts for starts and restarts from now on", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      let version = 0
      const init = Effect.sync(() => {
        version++
        const { start, ...crew } = crewOf({ intensity: version }, journal)
        return { ...crew, start: (id: string) => start(`${id}${version}`) }
      })
      const sup = yield* DynamicSupervisor.start(init)
      const a = yield* sup.startChild("a")
      yield* DynamicSupervisor.reconfigure(sup)
      yield* sup.startChild("b")
      if (a !== undefined) yield* endPid(a.pid, crash)
      assert.deepStrictEqual(journal, ["+a1", "+b2", "-a1", "+a2"])
    }).pipe(provided)
  )

  const uselessTemplates: ReadonlyArray<readonly [string, unknown, string | undefined]> = [
    ["ignores is no failure", GenServer.ignore, undefined],
    ["returns junk is a bad_return", [], "bad_return"],
    ["has no start says so", { start: "later" }, "missing_start"],
    ["has a faulty setting says which", { ...crewOf(), period: 0 }, "invalid_period"]
  ]
  for (const [how, returned, problem] of uselessTemplates) {
    it.effect(`code_change_simple: init that ${how}; the template stays`, () =>
      Effect.gen(function* () {
        const sup = yield* DynamicSupervisor.start<string, Supervisor.Supervisor, never, never>(
          versions(crewOf({ restart: "transient" }), returned)
        )
        const asked = DynamicSupervisor.reconfigure(sup)
        if (problem === undefined) yield* asked
        else assert.strictEqual(yield* failureOf(asked), problem)
        const a = yield* sup.startChild("a")
        assertFields(yield* Supervisor.getChildSpec(sup, a?.pid ?? sup.pid), { restart: "transient" })
      }).pipe(provided)
    )
  }
})
