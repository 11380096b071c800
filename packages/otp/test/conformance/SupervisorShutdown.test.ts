import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertAlive,
  child,
  countsOf,
  crash,
  end,
  endOf,
  errorLines,
  obedient,
  pidOf,
  provided,
  reportsFromNow,
  settle,
  statusOf,
  stuck
} from "./helpers.js"

/** A child that answers a shutdown with an end of its own, after some time. */
const ending = (id: string, reason: ExitReason.ExitReason, options: ChildSpec.Options = {}, delay = 0) =>
  Supervisor.worker(
    id,
    GenServer.startLink(
      GenServer.make(obedient(id).protocol, {
        trapExit: true,
        init: () => Effect.succeed(id),
        handlers: {},
        terminate: () => Effect.zipRight(Effect.sleep(delay), Effect.failCause(ExitReason.toCause(reason)))
      })
    ),
    options
  )

/** Holds the supervisor up: what is asked of it, and the signals it gets, wait until the gate opens. */
const held = (sup: Supervisor.Supervisor) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    yield* Effect.fork(
      Supervisor.startChild(sup, Supervisor.scoped("gate", Deferred.await(gate), { restart: "temporary" }))
    )
    yield* settle
    return Effect.zipRight(Deferred.succeed(gate, undefined), settle)
  })

describe("the stop of children", () => {
  it.effect(
    "sup_stop_infinity: a worker and a supervisor of infinity both end with shutdown, however long it takes",
    () =>
      Effect.gen(function* () {
        const slow = Supervisor.scoped(
          "worker",
          Effect.acquireRelease(Effect.void, () => Effect.sleep("1 day")),
          { shutdown: "infinity" }
        )
        const sup = yield* Supervisor.start({ children: [Supervisor.supervisor("sup", { children: [] }), slow] })
        const worker = yield* endOf(yield* pidOf(sup, "worker"))
        const supervisor = yield* endOf(yield* pidOf(sup, "sup"))
        const stopping = yield* Effect.fork(Supervisor.stop(sup))
        yield* TestClock.adjust("23 hours")
        assert.isNull(stopping.unsafePoll())
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(yield* worker, ExitReason.shutdown())
        assert.deepStrictEqual(yield* supervisor, ExitReason.shutdown())
      }).pipe(provided)
  )

  it.effect(
    "sup_stop_timeout: a child that does not hear is killed when its time is up, its sibling ends with shutdown",
    () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({
          children: [child("a", { shutdown: "1 second" }), stuck("b", { shutdown: "1 second" })]
        })
        yield* settle
        const a = yield* endOf(yield* pidOf(sup, "a"))
        const b = yield* endOf(yield* pidOf(sup, "b"))
        const ended = yield* endOf(sup.pid)
        yield* Effect.fork(Supervisor.stop(sup))
        yield* TestClock.adjust("999 millis")
        yield* assertAlive(sup.pid)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* a, ExitReason.shutdown())
        assert.deepStrictEqual(yield* b, ExitReason.killed)
        assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
  )

  it.effect("sup_stop_brutal_kill: a brutal_kill child is killed at once, its sibling ends with shutdown", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a"), stuck("b", { shutdown: "brutal_kill" })] })
      yield* settle
      const a = yield* endOf(yield* pidOf(sup, "a"))
      const b = yield* endOf(yield* pidOf(sup, "b"))
      const ended = yield* endOf(sup.pid)
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(yield* a, ExitReason.shutdown())
      assert.deepStrictEqual(yield* b, ExitReason.killed)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
    }).pipe(provided)
  )

  it.effect("1.9: brutal_kill gives the child no chance: its terminate does not run", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = GenServer.make(obedient("a").protocol, {
        trapExit: true,
        init: () => Effect.succeed(0),
        handlers: {},
        terminate: reason => Effect.sync(() => journal.push(reason._tag))
      })
      const sup = yield* Supervisor.start({
        children: [
          Supervisor.worker("killed", GenServer.startLink(server), { shutdown: "brutal_kill" }),
          Supervisor.worker("asked", GenServer.startLink(server))
        ]
      })
      yield* Supervisor.stop(sup)
      yield* settle
      assert.deepStrictEqual(journal, ["Shutdown"])
    }).pipe(provided)
  )

  it.effect("1.9: children stop in reverse order of their start, one after another, each waited for", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const slow = (id: string) =>
        Supervisor.scoped(
          id,
          Effect.acquireRelease(Effect.void, () =>
            Effect.andThen(
              Effect.sync(() => journal.push(`stop ${id}`)),
              Effect.zipRight(
                Effect.sleep("1 second"),
                Effect.sync(() => journal.push(`gone ${id}`))
              )
            )
          )
        )
      const sup = yield* Supervisor.start({ children: ["a", "b", "c"].map(slow) })
      const stopping = yield* Effect.fork(Supervisor.stop(sup))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(journal, ["stop c", "gone c", "stop b", "gone b", "stop a", "gone a"])
    }).pipe(provided)
  )

  it.effect("1.9: three children that do not hear take three times their shutdown time, one after another", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: ["a", "b", "c"].map(id => stuck(id, { shutdown: "1 second" })) })
      yield* settle
      yield* Effect.fork(Supervisor.stop(sup))
      yield* TestClock.adjust("2999 millis")
      yield* assertAlive(sup.pid)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("child_unlink: a child that unlinked itself is stopped like any other", () =>
    Effect.gen(function* () {
      const unlinked = Supervisor.task(
        "a",
        Effect.gen(function* () {
          yield* Process.unlink(sup.pid)
          yield* Effect.never
        }),
        { shutdown: "infinity" }
      )
      const sup: Supervisor.Supervisor = yield* Supervisor.start({ children: [] })
      yield* Supervisor.startChild(sup, unlinked)
      yield* settle
      const a = yield* endOf(yield* pidOf(sup, "a"))
      yield* Supervisor.terminateChild(sup, "a")
      assert.deepStrictEqual(yield* a, ExitReason.shutdown())
    }).pipe(provided)
  )

  it.effect(
    "1.9: one that unlinked itself and died unnoticed is reported with its own reason when it is to be stopped",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const sup: Supervisor.Supervisor = yield* Supervisor.start({ children: [] })
        const body = Effect.zipRight(
          Process.unlink(sup.pid),
          Effect.zipRight(Deferred.await(gate), Effect.die("alone"))
        )
        yield* Supervisor.startChild(sup, Supervisor.task("a", body))
        yield* settle
        const before = yield* pidOf(sup, "a")
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.strictEqual(yield* pidOf(sup, "a"), before)
        const reports = yield* reportsFromNow
        yield* Supervisor.terminateChild(sup, "a")
        assert.deepStrictEqual(errorLines(yield* reports), [
          `shutdown_error a ${ExitReason.format(ExitReason.crashWith("alone"))}`
        ])
        assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 1])
      }).pipe(provided)
  )

  it.effect(
    "1.9: one that died just before it was to be stopped keeps its reason, and its exit signal restarts nothing",
    () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ children: [child("a")] })
        const a = yield* pidOf(sup, "a")
        const reports = yield* reportsFromNow
        const letGo = yield* held(sup)
        yield* Effect.fork(Supervisor.terminateChild(sup, "a"))
        yield* settle
        yield* Process.send(a, crash)
        yield* settle
        yield* letGo
        assert.deepStrictEqual(errorLines(yield* reports), [`shutdown_error a ${ExitReason.format(crash)}`])
        assert.isUndefined(yield* statusOf(sup, "a"))
      }).pipe(provided)
  )

  it.effect("1.9: one that ends by itself while it waits for its turn keeps its reason, and is not restarted", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({
        children: [child("a", {}, journal), stuck("b", { shutdown: "10 seconds" })]
      })
      yield* settle
      const a = yield* pidOf(sup, "a")
      const ended = yield* endOf(sup.pid)
      const reports = yield* reportsFromNow
      yield* Effect.fork(Supervisor.stop(sup))
      yield* TestClock.adjust("5 seconds")
      yield* Process.send(a, crash)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
      assert.deepStrictEqual(journal, ["+a", "-a"])
      assert.deepStrictEqual(errorLines(yield* reports), [
        "shutdown_error b killed",
        `shutdown_error a ${ExitReason.format(crash)}`
      ])
    }).pipe(provided)
  )

  /** Reason, restart, whether it is silent under a time limit, and under brutal_kill. */
  const ends: ReadonlyArray<readonly [ExitReason.ExitReason, ChildSpec.Restart, boolean, boolean]> = [
    [ExitReason.shutdown(), "permanent", true, false],
    [ExitReason.shutdown(), "transient", true, true],
    [ExitReason.shutdown(), "temporary", true, true],
    [ExitReason.shutdown("why"), "permanent", false, false],
    [ExitReason.shutdown("why"), "transient", true, true],
    [ExitReason.shutdown("why"), "temporary", true, true],
    [ExitReason.normal, "permanent", false, false],
    [ExitReason.normal, "transient", true, true],
    [ExitReason.normal, "temporary", true, true],
    [ExitReason.killed, "permanent", false, true],
    [ExitReason.killed, "transient", false, true],
    [ExitReason.killed, "temporary", false, true],
    [crash, "permanent", false, false],
    [crash, "transient", false, false],
    [crash, "temporary", false, false]
  ]
  for (const [reason, restart, silent, silentKill] of ends) {
    for (const [shutdown, expected] of [
      ["1 second", silent],
      ["brutal_kill", silentKill]
    ] as const) {
      const text = ExitReason.format(reason)
      it.effect(
        `1.9: the end ${text} of a ${restart} child under ${shutdown} is ${expected ? "silent" : "a shutdown_error"}`,
        () =>
          Effect.gen(function* () {
            // The child has ended in this way by the time the supervisor comes to stop it.
            const sup = yield* Supervisor.start({ children: [child("a", { restart, shutdown })] })
            const a = yield* pidOf(sup, "a")
            const reports = yield* reportsFromNow
            const letGo = yield* held(sup)
            yield* Effect.fork(Supervisor.terminateChild(sup, "a"))
            yield* settle
            yield* reason._tag === "Killed" ? Process.exit(a, reason) : Process.send(a, reason)
            yield* settle
            yield* letGo
            assert.deepStrictEqual(errorLines(yield* reports), expected ? [] : [`shutdown_error a ${text}`])
            yield* assertAlive(sup.pid)
          }).pipe(provided)
      )
    }
  }

  it.effect("1.9: a terminate that crashes is a shutdown_error; the supervisor's own reason is not affected", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [ending("a", crash)] })
      const ended = yield* endOf(sup.pid)
      const reports = yield* reportsFromNow
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
      assert.deepStrictEqual(errorLines(yield* reports), [`shutdown_error a ${ExitReason.format(crash)}`])
    }).pipe(provided)
  )

  it.effect("1.9: the death of a supervisor takes the whole tree along", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const inner = Supervisor.supervisor("inner", { children: [child("leaf", {}, journal)] })
      const sup = yield* Supervisor.start({ children: [inner, child("a", {}, journal)] })
      yield* Process.exit(sup.pid, ExitReason.killed)
      yield* settle
      assert.sameMembers(journal, ["+leaf", "+a", "-a", "-leaf"])
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("1.9: terminateChild of a supervisor stops its whole tree, in reverse order", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const leaves = ["a", "b"].map(id => child(id, {}, journal))
      const sup = yield* Supervisor.start({ children: [Supervisor.supervisor("inner", { children: leaves })] })
      yield* Supervisor.terminateChild(sup, "inner")
      assert.deepStrictEqual(journal, ["+a", "+b", "-b", "-a"])
      assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 1, 0])
      yield* Supervisor.restartChild(sup, "inner")
      yield* end(sup, "inner", ExitReason.killed)
      assert.strictEqual(journal.filter(entry => entry === "+a").length, 3)
    }).pipe(provided)
  )
})
