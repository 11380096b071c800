import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
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
  failureOf,
  fragile,
  idsOf,
  obedient,
  pidOf,
  provided,
  settle,
  statusOf,
  stuck
} from "./helpers.js"

describe("the administration of children", () => {
  it.effect("child_adm: startChild, and again while it runs: ChildAlreadyStarted with its pid", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      const a = yield* Supervisor.startChild(sup, child("a"))
      assert.strictEqual(a?.pid, yield* pidOf(sup, "a"))
      const error = yield* Effect.flip(Supervisor.startChild(sup, child("a")))
      if (error._tag !== "ChildAlreadyStarted") return assert.fail(error.message)
      assert.strictEqual(error.pid, a?.pid)
      assert.isFalse(error.retryable)
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("child_adm: a stopped child is already_present to startChild, and can be restarted or deleted", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      yield* Supervisor.terminateChild(sup, "a")
      assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, child("a"))), "already_present")
      const again = yield* Supervisor.restartChild(sup, "a")
      assert.strictEqual(again?.pid, yield* pidOf(sup, "a"))
      yield* Supervisor.terminateChild(sup, "a")
      yield* Supervisor.deleteChild(sup, "a")
      assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
      yield* Supervisor.startChild(sup, child("a"))
    }).pipe(provided)
  )

  it.effect("child_adm: a running child is running to restartChild and deleteChild", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      const a = yield* pidOf(sup, "a")
      assert.strictEqual(yield* failureOf(Supervisor.restartChild(sup, "a")), "running")
      assert.strictEqual(yield* failureOf(Supervisor.deleteChild(sup, "a")), "running")
      assert.strictEqual(yield* pidOf(sup, "a"), a)
    }).pipe(provided)
  )

  it.effect("child_adm: terminateChild twice succeeds twice", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      yield* Supervisor.terminateChild(sup, "a")
      yield* Supervisor.terminateChild(sup, "a")
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 1])
    }).pipe(provided)
  )

  it.effect("child_adm: an unknown id is not_found to every operation", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      assert.strictEqual(yield* failureOf(Supervisor.terminateChild(sup, "z")), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.restartChild(sup, "z")), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.deleteChild(sup, "z")), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.getChildSpec(sup, "z")), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, "z")), "not_found")
    }).pipe(provided)
  )

  it.effect("child_adm: terminateChild takes an id, not a pid: not_found, and the child lives", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      const a = yield* pidOf(sup, "a")
      assert.strictEqual(yield* failureOf(Supervisor.terminateChild(sup, a)), "not_found")
      yield* assertAlive(a)
    }).pipe(provided)
  )

  it.effect("child_adm: terminateChild of a temporary child forgets it", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a", { restart: "temporary" })] })
      yield* Supervisor.terminateChild(sup, "a")
      assert.strictEqual(yield* failureOf(Supervisor.terminateChild(sup, "a")), "not_found")
      assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect(
    "child_adm: to ask a supervisor that is not there is NoProcess, by pid, by name, and if it is no supervisor",
    () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [] })
        yield* Supervisor.stop(sup)
        const server = yield* GenServer.start(obedient("s"))
        for (const target of [sup, "nobody", server]) {
          assert.strictEqual(yield* failureOf(Supervisor.startChild(target, child("a"))), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.terminateChild(target, "a")), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.restartChild(target, "a")), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.deleteChild(target, "a")), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.getChildSpec(target, "a")), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.whichChild(target, "a")), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.whichChildren(target)), "NoProcess")
          assert.strictEqual(yield* failureOf(Supervisor.countChildren(target)), "NoProcess")
        }
        yield* assertAlive(server.pid)
      }).pipe(provided)
  )

  it.effect("1.4: operations wait without limit, and those behind them wait too", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const sup = yield* Supervisor.start({ children: [] })
      const starting = yield* Effect.fork(Supervisor.startChild(sup, Supervisor.scoped("slow", Deferred.await(gate))))
      const counting = yield* Effect.fork(countsOf(sup))
      yield* TestClock.adjust("1 day")
      assert.isNull(starting.unsafePoll())
      assert.isNull(counting.unsafePoll())
      yield* Deferred.succeed(gate, undefined)
      assert.isDefined(yield* Fiber.join(starting))
      assert.deepStrictEqual(yield* Fiber.join(counting), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("1.4: terminateChild returns when the child is dead", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [stuck("a", { shutdown: "10 seconds" })] })
      const a = yield* pidOf(sup, "a")
      const stopping = yield* Effect.fork(Supervisor.terminateChild(sup, "a"))
      yield* TestClock.adjust("9 seconds")
      assert.isNull(stopping.unsafePoll())
      yield* assertAlive(a)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopping)
      assert.isFalse(yield* Process.isAlive(a))
    }).pipe(provided)
  )

  it.effect("1.4: restartChild puts a child back into its old place", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: ["a", "b", "c"].map(id => child(id)) })
      yield* Supervisor.terminateChild(sup, "b")
      yield* Supervisor.restartChild(sup, "b")
      assert.deepStrictEqual(yield* idsOf(sup), ["c", "b", "a"])
      yield* Supervisor.terminateChild(sup, "b")
      yield* Supervisor.deleteChild(sup, "b")
      yield* Supervisor.startChild(sup, child("b"))
      assert.deepStrictEqual(yield* idsOf(sup), ["b", "c", "a"])
    }).pipe(provided)
  )

  it.effect("1.4: a message nobody knows is consumed; the supervisor goes on", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a")] })
      const a = yield* pidOf(sup, "a")
      const forged = { _tag: "ExitSignal", from: a, reason: crash }
      for (const message of ["hello", 7, null, undefined, {}, forged, Symbol("s")])
        yield* Process.send(sup.pid, message)
      yield* settle
      yield* assertAlive(sup.pid)
      assert.strictEqual(yield* pidOf(sup, "a"), a)
    }).pipe(provided)
  )

  it.effect("extra_return: what a start returns besides the pid comes back from startChild and restartChild", () =>
    Effect.gen(function* () {
      let starts = 0
      const start = Effect.map(GenServer.startLink(obedient("a")), ({ pid }) => ({ pid, info: `start ${++starts}` }))
      const sup = yield* Supervisor.start({ intensity: 2, period: "1 hour", children: [] })
      const first = yield* Supervisor.startChild(sup, { id: "a", start })
      assert.strictEqual(first?.info, "start 1")
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
      yield* Supervisor.terminateChild(sup, "a")
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 1])
      const second = yield* Supervisor.restartChild(sup, "a")
      assertFields(second, { info: "start 2" })
      assert.strictEqual(second?.pid, yield* pidOf(sup, "a"))
      yield* end(sup, "a", crash)
      assert.strictEqual(starts, 3)
      assert.notStrictEqual(yield* pidOf(sup, "a"), second?.pid)
      yield* Supervisor.terminateChild(sup, "a")
      yield* Supervisor.deleteChild(sup, "a")
      assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect("which_children: newest first; whichChild follows start, stop, restart and deletion", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a", { restart: "transient" })] })
      const inner = Supervisor.supervisor("b", { children: [] })
      yield* Supervisor.startChild(sup, inner)
      assert.deepStrictEqual(yield* idsOf(sup), ["b", "a"])
      const b = yield* Supervisor.whichChild(sup, "b")
      assertFields(b, { id: "b", type: "supervisor", restart: "permanent", restarts: 0 })
      assert.deepStrictEqual(yield* Supervisor.whichChild(sup, yield* pidOf(sup, "b")), b)
      assertFields(yield* Supervisor.whichChild(sup, "a"), { type: "worker", restart: "transient" })
      yield* end(sup, "a", crash)
      assert.strictEqual((yield* Supervisor.whichChild(sup, "a")).restarts, 1)
      yield* Supervisor.terminateChild(sup, "a")
      assert.isUndefined(yield* statusOf(sup, "a"))
      yield* Supervisor.restartChild(sup, "a")
      assert.instanceOf(yield* statusOf(sup, "a"), Process.Pid)
      yield* Supervisor.terminateChild(sup, "a")
      yield* Supervisor.deleteChild(sup, "a")
      assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, "a")), "not_found")
      assert.strictEqual(yield* failureOf(Supervisor.whichChild(sup, sup.pid)), "not_found")
      assert.deepStrictEqual(yield* idsOf(sup), ["b"])
    }).pipe(provided)
  )

  it.effect(
    "1.4: countChildren: a child without a process is a spec, but not active; workers and supervisors by type",
    () =>
      Effect.gen(function* () {
        const { health, spec } = fragile("a", { restart: "transient" })
        const sup = yield* Supervisor.start({
          children: [spec, child("b"), Supervisor.supervisor("s", { children: [child("leaf")] })]
        })
        assert.deepStrictEqual(yield* countsOf(sup), [3, 3, 1, 2])
        yield* Supervisor.terminateChild(sup, "s")
        yield* end(sup, "a", ExitReason.normal)
        assert.deepStrictEqual(yield* countsOf(sup), [3, 1, 1, 2])
        assert.strictEqual(health.tries, 1)
      }).pipe(provided)
  )

  it.effect("1.4: countChildren: a child that died while the supervisor was busy is not active", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const sup = yield* Supervisor.start({ children: [child("a"), child("b")] })
      const a = yield* pidOf(sup, "a")
      yield* Effect.fork(Supervisor.startChild(sup, Supervisor.scoped("slow", Deferred.await(gate))))
      yield* settle
      const counting = yield* Effect.fork(countsOf(sup))
      yield* settle
      yield* Process.exit(a, ExitReason.killed)
      yield* Deferred.succeed(gate, undefined)
      // The question stands before the exit signal in the mailbox.
      assert.deepStrictEqual(yield* Fiber.join(counting), [3, 2, 0, 3])
      assert.deepStrictEqual(yield* countsOf(sup), [3, 3, 0, 3])
    }).pipe(provided)
  )

  for (const size of [1_000, 2_000]) {
    it.effect(`count_children: ${size} children, listed and counted alike, whichever of them end`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [] })
        for (let i = 0; i < size; i++) {
          yield* Supervisor.startChild(sup, child(`c${i}`, { restart: i % 2 === 0 ? "transient" : "temporary" }))
        }
        assert.deepStrictEqual(yield* countsOf(sup), [size, size, 0, size])
        assert.lengthOf(yield* Supervisor.whichChildren(sup), size)
        for (let i = 0; i < size; i++) yield* Process.send(yield* pidOf(sup, `c${i}`), ExitReason.normal)
        yield* settle
        assert.deepStrictEqual(yield* countsOf(sup), [size / 2, 0, 0, size / 2])
        assert.lengthOf(yield* Supervisor.whichChildren(sup), size / 2)
      }).pipe(provided)
    )
  }
})
