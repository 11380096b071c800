import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  type Anyone,
  assertAlive,
  assertDead,
  assertFields,
  child,
  countsOf,
  crash,
  crewOf,
  endOf,
  endPid,
  failureOf,
  ignoring,
  obedient,
  pidsOf,
  provided,
  type Starting,
  settle,
  untypedChild
} from "./helpers.js"

/** The process of a child that was started, not ignored. */
const started = (info: Anyone | undefined): Process.Pid => info?.pid ?? assert.fail("the start was ignored")

describe("the administration of dynamic children", () => {
  it.effect("child_adm_simple: children are started from the template with their own arguments", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* DynamicSupervisor.start(crewOf({}, journal))
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
      const a = started(yield* sup.startChild("a"))
      const b = started(yield* sup.startChild("b"))
      assert.deepStrictEqual(journal, ["+a", "+b"])
      assert.deepStrictEqual(yield* countsOf(sup), [1, 2, 0, 2])
      assert.sameMembers(Array.from(yield* pidsOf(sup)), [a, b])
      const listed = (yield* DynamicSupervisor.whichChildren(sup)).map(({ id, type }) => [id, type])
      assert.deepStrictEqual(listed, [
        [undefined, "worker"],
        [undefined, "worker"]
      ])
    }).pipe(provided)
  )

  it.effect(
    "1.4: countChildren: a child that died while the supervisor was busy is active until that is read, as in OTP",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const start = (waits: boolean) =>
          Effect.zipRight(waits ? Deferred.await(gate) : Effect.void, GenServer.startLink(obedient("c")))
        const sup = yield* DynamicSupervisor.start({ start })
        const a = started(yield* sup.startChild(false))
        yield* Effect.fork(sup.startChild(true))
        yield* settle
        const counting = yield* Effect.fork(countsOf(sup))
        yield* settle
        yield* Process.exit(a, ExitReason.killed)
        yield* Deferred.succeed(gate, undefined)
        // The question stands before the exit signal in the mailbox.
        assert.deepStrictEqual(yield* Fiber.join(counting), [1, 2, 0, 2])
        assert.deepStrictEqual(yield* countsOf(sup), [1, 2, 0, 2])
      }).pipe(provided)
  )

  it.effect("child_adm_simple: terminateChild by pid, and again when it is dead", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf())
      const a = started(yield* sup.startChild("a"))
      yield* sup.startChild("b")
      yield* DynamicSupervisor.terminateChild(sup, a)
      yield* assertDead(a)
      yield* DynamicSupervisor.terminateChild(sup, a)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("child_adm_simple: a living stranger is not_found and is not touched", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf())
      const stranger = yield* Process.spawn(Effect.never)
      assert.strictEqual(yield* failureOf(DynamicSupervisor.terminateChild(sup, stranger)), "not_found")
      assert.strictEqual(yield* failureOf(DynamicSupervisor.terminateChild(sup, sup.pid)), "not_found")
      yield* settle
      yield* assertAlive(stranger)
      yield* assertAlive(sup.pid)
    }).pipe(provided)
  )

  it.effect("child_adm_simple: every operation by id answers simple_one_for_one", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf())
      assert.strictEqual(yield* failureOf(Supervisor.terminateChild(sup, "a")), "simple_one_for_one")
      assert.strictEqual(yield* failureOf(Supervisor.restartChild(sup, "a")), "simple_one_for_one")
      assert.strictEqual(yield* failureOf(Supervisor.deleteChild(sup, "a")), "simple_one_for_one")
      assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, "a")), "simple_one_for_one")
      assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, child("a"))), "simple_one_for_one")
      assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, untypedChild(null))), "simple_one_for_one")
      assert.strictEqual(yield* failureOf(Supervisor.reconfigure(sup, { children: [] })), "simple_one_for_one")
      yield* assertAlive(sup.pid)
    }).pipe(provided)
  )

  it.effect("child_adm_simple: a supervisor of the other kind answers not_simple_one_for_one", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ name: "sup", children: [] })
      const crew = crewOf()
      assert.strictEqual(
        yield* failureOf(DynamicSupervisor.named(crew, "sup").startChild("a")),
        "not_simple_one_for_one"
      )
      assert.strictEqual(yield* failureOf(DynamicSupervisor.reconfigure(sup, crew)), "not_simple_one_for_one")
    }).pipe(provided)
  )

  it.effect("child_adm_simple: to ask one that is not there is NoProcess", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf())
      yield* DynamicSupervisor.stop(sup)
      assert.strictEqual(yield* failureOf(sup.startChild("a")), "NoProcess")
      assert.strictEqual(yield* failureOf(DynamicSupervisor.terminateChild(sup, sup.pid)), "NoProcess")
      assert.strictEqual(yield* failureOf(DynamicSupervisor.named(crewOf(), "x").startChild("a")), "NoProcess")
    }).pipe(provided)
  )

  it.effect(
    "sup_start_child_returns_error_simple: the start's own errors come back as they are, and nothing is kept",
    () =>
      Effect.gen(function* () {
        class Refused {
          readonly _tag = "Refused"
          readonly message = "refused"
          constructor(readonly who: string) {}
        }
        const start = (who: string): Effect.Effect<Anyone, Refused> =>
          who === "nobody" ? Effect.die("nobody is there") : Effect.fail(new Refused(who))
        const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ start }))
        assert.deepStrictEqual(yield* Effect.flip(sup.startChild("me")), new Refused("me"))
        const defect = yield* Effect.flip(sup.startChild("nobody"))
        if (defect._tag !== "ChildStartFailed") return assert.fail(defect.message)
        assert.include(ExitReason.format(defect.reason), "nobody is there")
        assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
        assert.deepStrictEqual(yield* Supervisor.whichChildren(sup), [])
      }).pipe(provided)
  )

  for (const restart of ["temporary", "permanent"] as const) {
    it.effect(`sup_start_ignore_${restart}_child_start_child_simple: nothing is kept of a start that is ignored`, () =>
      Effect.gen(function* () {
        const start = (id: string): Starting => (id === "ignored" ? ignoring(id) : child(id)).start
        const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ restart, start }))
        assert.isUndefined(yield* sup.startChild("ignored"))
        const b = started(yield* sup.startChild("b"))
        assert.deepStrictEqual(yield* pidsOf(sup), [b])
        assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
        const ended = yield* endOf(sup.pid)
        yield* DynamicSupervisor.stop(sup)
        assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
      }).pipe(provided)
    )
  }

  it.effect("sup_start_map_simple: getChildSpec by a child's pid gives the template with its defaults", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf())
      const a = started(yield* sup.startChild("a"))
      assert.deepStrictEqual(yield* Supervisor.getChildSpec(sup, a), {
        id: "template",
        start: undefined,
        restart: "permanent",
        shutdown: "5 seconds",
        type: "worker",
        significant: false
      })
      assert.strictEqual(yield* failureOf(Supervisor.getChildSpec(sup, sup.pid)), "not_found")
      const supervisors = yield* DynamicSupervisor.start(crewOf({ type: "supervisor", restart: "transient" }))
      const b = started(yield* supervisors.startChild("b"))
      const expected = { restart: "transient", shutdown: "infinity", type: "supervisor" }
      assertFields(yield* Supervisor.getChildSpec(supervisors, b), expected)
    }).pipe(provided)
  )

  it.effect("simple_one_for_one_extra: what a start returns besides the pid comes back", () =>
    Effect.gen(function* () {
      const start = (id: string) =>
        Effect.map(GenServer.startLink(obedient(id)), ({ pid }) => ({ pid, info: `made for ${id}` }))
      const sup = yield* DynamicSupervisor.start(DynamicSupervisor.make({ start }))
      const a = yield* sup.startChild("a")
      assert.strictEqual(a?.info, "made for a")
      yield* endPid(started(a), crash)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      assert.notDeepEqual(yield* pidsOf(sup), [a?.pid])
    }).pipe(provided)
  )

  it.effect("which_children_simple_one_for_one: whichChild follows start and stop, by pid", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf({ restart: "temporary" }))
      const a = started(yield* sup.startChild("a"))
      const expected = { id: undefined, pid: a, type: "worker", restart: "temporary", restarts: 0 } as const
      assert.deepStrictEqual(yield* Supervisor.whichChild(sup, a), expected)
      assert.deepStrictEqual(yield* Supervisor.whichChildren(sup), [expected])
      yield* DynamicSupervisor.terminateChild(sup, a)
      assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, a)), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, sup.pid)), "not_found")
      assert.deepStrictEqual(yield* Supervisor.whichChildren(sup), [])
    }).pipe(provided)
  )

  it.effect("1.2: a maxChildren that is no number of children is refused", () =>
    Effect.forEach([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY], maxChildren =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(DynamicSupervisor.start(crewOf({ maxChildren })))
        assert.deepInclude(error, { _tag: "InvalidSpec", problem: "invalid_max_children" })
      })
    ).pipe(provided)
  )

  it.effect("1.1: more children than maxChildren are refused, and one that goes makes room", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf({ maxChildren: 1, restart: "temporary" }))
      const a = started(yield* sup.startChild("a"))
      assert.strictEqual(yield* failureOf(sup.startChild("b")), "max_children")
      yield* endPid(a, ExitReason.normal)
      yield* sup.startChild("b")
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("1.4: a message nobody knows is consumed; the supervisor goes on", () =>
    Effect.gen(function* () {
      const sup = yield* DynamicSupervisor.start(crewOf())
      const a = started(yield* sup.startChild("a"))
      const forged = { _tag: "ExitSignal", from: a, reason: crash }
      for (const message of ["hello", 7, null, undefined, {}, forged]) yield* Process.send(sup.pid, message)
      yield* settle
      assert.deepStrictEqual(yield* pidsOf(sup), [a])
    }).pipe(provided)
  )

  for (const [type, size, counted] of [
    ["worker", 1_000, [1, 1_000, 0, 1_000]],
    ["worker", 2_000, [1, 2_000, 0, 2_000]],
    ["supervisor", 1_000, [1, 1_000, 1_000, 0]]
  ] as const) {
    const name = type === "worker" ? "count_children" : "count_children_supervisor"
    it.effect(`${name}: ${size} ${type}s, listed and counted alike, down to none`, () =>
      Effect.gen(function* () {
        const sup = yield* DynamicSupervisor.start(crewOf({ type, restart: "temporary" }))
        for (let i = 0; i < size; i++) yield* sup.startChild(`c${i}`)
        assert.deepStrictEqual(yield* countsOf(sup), Array.from(counted))
        assert.deepStrictEqual(yield* countsOf(sup), Array.from(counted))
        const pids = yield* pidsOf(sup)
        assert.strictEqual(new Set(pids).size, size)
        for (const pid of pids) yield* Process.exit(pid, ExitReason.killed)
        yield* settle
        assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
        assert.deepStrictEqual(yield* Supervisor.whichChildren(sup), [])
      }).pipe(provided)
    )
  }
})
