import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertAlive,
  assertFields,
  child,
  countsOf,
  crash,
  end,
  endOf,
  errorLines,
  failureOf,
  fragile,
  idsOf,
  ignoring,
  inProcess,
  obedient,
  pidOf,
  provided,
  reportsFromNow,
  settle,
  statusOf,
  untyped
} from "./helpers.js"

/** Why the start of a tree failed, as far as the child is concerned. */
const failedChild = (error: Supervisor.StartError) => {
  if (error._tag !== "StartFailed" || error.reason._tag !== "Shutdown") return assert.fail(error.message)
  const { term } = error.reason
  return term instanceof Supervisor.FailedToStartChild ? term : assert.fail(String(term))
}

describe("the start of a supervisor", () => {
  it.effect(
    "sup_start_normal: an empty supervisor starts; its parent's exit signal shutdown ends it with shutdown",
    () =>
      inProcess(
        Effect.gen(function* () {
          const sup = yield* Supervisor.startLink({ intensity: 2, period: "1 hour", children: [] })
          assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
          yield* Process.exit(sup.pid, ExitReason.shutdown())
          assertFields(yield* Process.receive, { from: sup.pid, reason: ExitReason.shutdown() })
        })
      ).pipe(provided)
  )

  it.effect("1.3: a supervisor traps exits: the end of a linked stranger does not end it", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      const stranger = yield* Process.spawn(Effect.zipRight(Process.link(sup.pid), Effect.never))
      yield* settle
      yield* Process.exit(stranger, ExitReason.killed)
      yield* Process.exit(sup.pid, ExitReason.shutdown("not from its parent"))
      yield* settle
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("1.3: children start left to right, each only when the one before it is in service", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const slow = Supervisor.scoped("slow", Deferred.await(gate))
      const starting = yield* Effect.fork(
        Supervisor.start({ children: [child("a", {}, journal), slow, child("c", {}, journal)] })
      )
      yield* settle
      assert.deepStrictEqual(journal, ["+a"])
      yield* Deferred.succeed(gate, undefined)
      const sup = yield* Fiber.join(starting)
      assert.deepStrictEqual(journal, ["+a", "+c"])
      assert.deepStrictEqual(yield* idsOf(sup), ["c", "slow", "a"])
    }).pipe(provided)
  )

  it.effect(
    "1.3: if a child fails, those before it stop in reverse, a start_error is reported, the supervisor ends with the same reason",
    () =>
      inProcess(
        Effect.gen(function* () {
          const reports = yield* reportsFromNow
          const journal: Array<string> = []
          const children = [
            child("a", {}, journal),
            child("b", {}, journal),
            Supervisor.scoped("c", Effect.fail("no luck"))
          ]
          const error = yield* Effect.flip(Supervisor.startLink({ name: "sup", children }))
          const failed = failedChild(error)
          assert.strictEqual(failed.id, "c")
          assert.include(ExitReason.format(failed.reason), "no luck")
          assert.include(error.message, `failed to start child "c"`)
          assert.deepStrictEqual(journal, ["+a", "+b", "-b", "-a"])
          assert.deepStrictEqual(errorLines(yield* reports), [`start_error c ${ExitReason.format(failed.reason)}`])
          assert.isTrue(Option.isNone(yield* Process.whereis("sup")))
        })
      ).pipe(provided)
  )

  it.effect(
    "sup_start_fail: a parent that traps exits hears of a failed start from the start alone, without an exit message",
    () =>
      inProcess(
        Effect.gen(function* () {
          const children = [Supervisor.scoped("a", Effect.die("bad"))]
          assert.strictEqual(failedChild(yield* Effect.flip(Supervisor.startLink({ children }))).id, "a")
          const next = yield* Effect.fork(Process.receive)
          yield* settle
          assert.isNull(next.unsafePoll())
        })
      ).pipe(provided)
  )

  it.effect(
    "faulty_application_shutdown: a crash in the init of a nested worker surfaces at the top, with each id and the cause",
    () =>
      Effect.gen(function* () {
        const inner = Supervisor.supervisor("inner", { children: [Supervisor.scoped("leaf", Effect.die("deep"))] })
        const outer = failedChild(yield* Effect.flip(Supervisor.start({ children: [inner] })))
        assert.strictEqual(outer.id, "inner")
        const term = outer.reason._tag === "Shutdown" ? outer.reason.term : undefined
        if (!(term instanceof Supervisor.FailedToStartChild)) return assert.fail(String(term))
        assert.strictEqual(term.id, "leaf")
        assert.strictEqual(ExitReason.format(term.reason), ExitReason.format(ExitReason.crashWith("deep")))
      }).pipe(provided)
  )

  it.effect("sup_start_ignore_child: a permanent child that ignores its start is listed without a process", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      assert.isUndefined(yield* Supervisor.startChild(sup, ignoring("a")))
      const b = yield* Supervisor.startChild(sup, child("b"))
      const listed = (yield* Supervisor.whichChildren(sup)).map(({ id, pid, type }) => [id, pid, type])
      assert.deepStrictEqual(listed, [
        ["b", b?.pid, "worker"],
        ["a", undefined, "worker"]
      ])
      assert.deepStrictEqual(yield* countsOf(sup), [2, 1, 0, 2])
    }).pipe(provided)
  )

  it.effect(
    "sup_start_ignore_child: in the list of a supervisor too, for permanent and transient; the start goes on",
    () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({
          children: [ignoring("p"), ignoring("t", { restart: "transient" }), child("c")]
        })
        assert.deepStrictEqual(yield* idsOf(sup), ["c", "t", "p"])
        assert.deepStrictEqual(yield* countsOf(sup), [3, 1, 0, 3])
      }).pipe(provided)
  )

  it.effect("sup_start_ignore_temporary_child: one of the list that ignores its start is not kept", () =>
    Effect.gen(function* () {
      const temporary = { restart: "temporary" } as const
      const sup = yield* Supervisor.start({ children: [ignoring("a", temporary), child("b", temporary)] })
      assert.deepStrictEqual(yield* idsOf(sup), ["b"])
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("sup_start_ignore_temporary_child_start_child: nor is one started by hand", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      assert.isUndefined(yield* Supervisor.startChild(sup, ignoring("a", { restart: "temporary" })))
      yield* Supervisor.startChild(sup, child("b", { restart: "temporary" }))
      assert.deepStrictEqual(yield* idsOf(sup), ["b"])
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  const failing: ReadonlyArray<readonly [string, Effect.Effect<{ readonly pid: Process.Pid }, unknown>]> = [
    ["a typed failure", Effect.fail("no luck")],
    ["a defect", Effect.die("no luck")],
    [
      "an exception",
      Effect.suspend(() => {
        throw new Error("no luck")
      })
    ],
    ["something else than a process", untyped(Effect.succeed("no luck"))],
    ["nothing at all", untyped(Effect.void)]
  ]
  for (const [label, start] of failing) {
    it.effect(`sup_start_child_returns_error: a start with ${label} fails with the reason, and nothing is kept`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [] })
        const error = yield* Effect.flip(Supervisor.startChild(sup, Supervisor.worker("a", start)))
        if (error._tag !== "ChildStartFailed") return assert.fail(error.message)
        assert.strictEqual(error.id, "a")
        assert.include(ExitReason.format(error.reason), label === "nothing at all" ? "undefined" : "no luck")
        assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
        yield* Supervisor.startChild(sup, child("a"))
      }).pipe(provided)
    )
  }

  it.effect("sup_start_restart_child_returns_error: a stopped child whose start throws stays listed and stopped", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a")
      const sup = yield* Supervisor.start({ children: [spec] })
      yield* Supervisor.terminateChild(sup, "a")
      health.broken = true
      assert.strictEqual(yield* failureOf(Supervisor.restartChild(sup, "a")), "ChildStartFailed")
      assert.isUndefined(yield* statusOf(sup, "a"))
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 1])
      assert.strictEqual(health.tries, 2)
    }).pipe(provided)
  )

  it.effect("sup_start_map: what is left out has OTP's defaults, to be seen in getChildSpec", () =>
    Effect.gen(function* () {
      const start = GenServer.startLink(obedient("a"))
      const sup = yield* Supervisor.start({
        children: [
          { id: "worker", start },
          { id: "killed", start, shutdown: "brutal_kill" },
          { id: "supervisor", start, type: "supervisor" }
        ]
      })
      const defaults = { restart: "permanent", shutdown: "5 seconds", type: "worker", significant: false }
      assertFields(yield* Supervisor.getChildSpec(sup, "worker"), { ...defaults, id: "worker" })
      assertFields(yield* Supervisor.getChildSpec(sup, "killed"), { ...defaults, shutdown: "brutal_kill" })
      const supervisor = { ...defaults, shutdown: "infinity", type: "supervisor" }
      assertFields(yield* Supervisor.getChildSpec(sup, "supervisor"), supervisor)
      assert.isDefined((yield* Supervisor.getChildSpec(sup, yield* pidOf(sup, "worker"))).start)
      assert.strictEqual(yield* failureOf(Supervisor.getChildSpec(sup, "nobody")), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.getChildSpec(sup, sup.pid)), "not_found")
    }).pipe(provided)
  )

  it.effect(
    "1.1: a supervisor without settings is one_for_one, intensity 1 in 5 seconds, and never stops by itself",
    () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [child("a"), child("b", { restart: "transient" })] })
        const a = yield* pidOf(sup, "a")
        yield* end(sup, "b", crash)
        yield* end(sup, "b", ExitReason.normal)
        assert.strictEqual(yield* pidOf(sup, "a"), a)
        const ended = yield* endOf(sup.pid)
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(yield* ended, ExitReason.shutdown("reached_max_restart_intensity"))
      }).pipe(provided)
  )

  it.effect("1.3: the effect that computes a spec may run in a child's start", () =>
    Effect.gen(function* () {
      let size = 1
      const inner = Effect.suspend(() =>
        Supervisor.startLink({ name: "inner", children: Array.from({ length: size++ }, (_, i) => child(`c${i}`)) })
      )
      const sup = yield* Supervisor.start({ children: [{ id: "inner", start: inner, type: "supervisor" }] })
      assert.deepStrictEqual(yield* countsOf("inner"), [1, 1, 0, 1])
      yield* end(sup, "inner", ExitReason.killed)
      assert.deepStrictEqual(yield* countsOf("inner"), [2, 2, 0, 2])
    }).pipe(provided)
  )

  it.effect("1.3: a child started without a link is linked and adopted", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({
        children: [Supervisor.worker("a", GenServer.start(obedient("a", journal)))]
      })
      const before = yield* end(sup, "a", ExitReason.killed)
      assert.notStrictEqual(yield* pidOf(sup, "a"), before)
      yield* Process.exit(sup.pid, ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(journal, ["+a", "-a", "+a", "-a"])
    }).pipe(provided)
  )

  it.effect("1.3: a child that is dead by the time its start returns counts as one that ended", () =>
    Effect.gen(function* () {
      const dead = Effect.tap(Process.spawn(Effect.void), pid => Process.awaitExit(pid))
      const sup = yield* Supervisor.start({
        children: [
          Supervisor.worker(
            "a",
            Effect.map(dead, pid => ({ pid })),
            { restart: "temporary" }
          ),
          child("b")
        ]
      })
      yield* settle
      assert.deepStrictEqual(yield* idsOf(sup), ["b"])
    }).pipe(provided)
  )

  it.effect(
    "already_started_outside_supervisor: a child's name taken by a stranger is AlreadyStarted, with the stranger's pid",
    () =>
      Effect.gen(function* () {
        const stranger = yield* Process.spawn(Effect.never, { name: "taken" })
        const sup = yield* Supervisor.start({ children: [] })
        const named = Supervisor.worker("a", GenServer.startLink(obedient("a"), { name: "taken" }))
        const error = yield* Effect.flip(Supervisor.startChild(sup, named))
        if (error._tag !== "AlreadyStarted") return assert.fail(error.message)
        assert.strictEqual(error.pid, stranger)
        assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
        yield* assertAlive(stranger)
      }).pipe(provided)
  )

  it.effect(
    "simple_global_supervisor: names go to the new processes, of a killed supervisor, a killed, ended or restarted worker",
    () =>
      Effect.gen(function* () {
        const whereis = (name: string) => Effect.map(Process.whereis(name), Option.getOrUndefined)
        const worker = Supervisor.worker("w", GenServer.startLink(obedient("w"), { name: "w" }))
        const top = yield* Supervisor.start({
          intensity: 9,
          children: [Supervisor.supervisor("s", { name: "s", intensity: 9, children: [worker] })]
        })
        const renamed = (name: string, act: Effect.Effect<unknown, unknown, Process.ProcessTable>) =>
          Effect.gen(function* () {
            const before = yield* whereis(name)
            yield* act
            yield* settle
            const after = yield* whereis(name)
            assert.isDefined(after)
            assert.notStrictEqual(after, before)
          })
        yield* renamed("w", end("s", "w", ExitReason.killed))
        yield* renamed("w", end("s", "w", ExitReason.normal))
        yield* renamed("w", Effect.zipRight(Supervisor.terminateChild("s", "w"), Supervisor.restartChild("s", "w")))
        yield* renamed("s", end(top, "s", ExitReason.killed))
        assert.strictEqual(yield* pidOf("s", "w"), yield* whereis("w"))
      }).pipe(provided)
  )
})
