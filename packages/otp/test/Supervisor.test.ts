import { RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Option,
  Ref,
  TestClock,
  TestContext
} from "effect"
import * as fc from "fast-check"
import * as ChildSpec from "../src/ChildSpec.js"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as Supervisor from "../src/Supervisor.js"

const provided = Effect.provide(Process.layer)

/** Lets everything that can run do so; no time passes. */
const settle = TestClock.adjust(0)

/** A child that writes its starts and stops down. */
const noted = (journal: Array<string>, id: string, options: ChildSpec.Options = {}) =>
  Supervisor.scoped(
    id,
    Effect.acquireRelease(
      Effect.sync(() => journal.push(`+${id}`)),
      () => Effect.sync(() => journal.push(`-${id}`))
    ),
    options
  )

const pidOf = (sup: Supervisor.Supervisor, id: string) =>
  Effect.map(Supervisor.whichChildren(sup), children => children.find(child => child.id === id)?.pid)

const end = (sup: Supervisor.Supervisor, id: string, reason: ExitReason.ExitReason) =>
  Effect.gen(function* () {
    const pid = yield* pidOf(sup, id)
    if (!(pid instanceof Process.Pid)) return yield* Effect.dieMessage(`child ${id} has no process`)
    yield* Process.exit(pid, reason)
    yield* settle
    return pid
  })

const crash = ExitReason.crashWith("boom")

describe("Supervisor", () => {
  describe("start and stop", () => {
    it.effect("children start left to right and stop in reverse", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({ children: ["a", "b", "c"].map(id => noted(journal, id)) })
        yield* Supervisor.stop(sup)
        assert.deepStrictEqual(journal, ["+a", "+b", "+c", "-c", "-b", "-a"])
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )

    it.effect("if a child fails to start, those before it are stopped and the start tells which and why", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const error = yield* Effect.flip(
          Supervisor.start({
            name: "sup",
            children: [noted(journal, "a"), noted(journal, "b"), Supervisor.scoped("c", Effect.fail("no luck"))]
          })
        )
        assert.strictEqual(error._tag, "StartFailed")
        assert.include(error.message, `failed to start child "c"`)
        assert.include(error.message, "no luck")
        assert.deepStrictEqual(journal, ["+a", "+b", "-b", "-a"])
        assert.isTrue(Option.isNone(yield* Process.whereis("sup")))
      }).pipe(provided)
    )

    it.effect("a crash in the init of a nested worker surfaces at the top start", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Supervisor.start({
            children: [Supervisor.supervisor("inner", { children: [Supervisor.scoped("leaf", Effect.die("deep"))] })]
          })
        )
        assert.include(error.message, "inner")
      }).pipe(provided)
    )

    it.effect("a child that ignores its start is kept without a process, a temporary one is dropped", () =>
      Effect.gen(function* () {
        const ignoring = (id: string, restart: ChildSpec.Restart) =>
          Supervisor.worker(
            id,
            GenServer.startLink(
              GenServer.make(RpcGroup.make(), { init: () => Effect.succeed(GenServer.ignore), handlers: {} })
            ),
            { restart }
          )
        const sup = yield* Supervisor.start({ children: [ignoring("p", "permanent"), ignoring("t", "temporary")] })
        assert.deepStrictEqual(
          (yield* Supervisor.whichChildren(sup)).map(child => [child.id, child.pid]),
          [["p", undefined]]
        )
      }).pipe(provided)
    )

    it.effect("a child that does not stop within its shutdown time is killed; the others get theirs", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const stuck = Supervisor.task("stuck", Effect.uninterruptible(Effect.never), { shutdown: "1 second" })
        const sup = yield* Supervisor.start({ children: [noted(journal, "a"), stuck] })
        yield* settle
        const stopping = yield* Effect.fork(Supervisor.stop(sup))
        yield* TestClock.adjust("999 millis")
        assert.deepStrictEqual(journal, ["+a"])
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(journal, ["+a", "-a"])
      }).pipe(provided)
    )

    it.effect("brutal_kill does not wait", () =>
      Effect.gen(function* () {
        const stuck = Supervisor.task("stuck", Effect.uninterruptible(Effect.never), { shutdown: "brutal_kill" })
        const sup = yield* Supervisor.start({ children: [stuck] })
        yield* settle
        yield* Supervisor.stop(sup)
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )

    it.effect("a parent's death takes the whole tree along", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          children: [Supervisor.supervisor("inner", { children: [noted(journal, "leaf")] })]
        })
        yield* Process.exit(sup.pid, ExitReason.killed)
        yield* settle
        assert.deepStrictEqual(journal, ["+leaf", "-leaf"])
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  })

  describe("restart type x exit reason", () => {
    const reasons: ReadonlyArray<readonly [string, ExitReason.ExitReason, boolean]> = [
      ["shutdown", ExitReason.shutdown(), true],
      ["shutdown with a term", ExitReason.shutdown("why"), true],
      ["a crash", crash, false],
      ["killed", ExitReason.killed, false]
    ]
    const outcome = (restart: ChildSpec.Restart, clean: boolean): "restarted" | "kept" | "dropped" =>
      restart === "temporary" ? "dropped" : restart === "transient" && clean ? "kept" : "restarted"
    for (const restart of ["permanent", "transient", "temporary"] as const) {
      for (const [label, reason, clean] of reasons) {
        const expected = outcome(restart, clean)
        it.effect(`${restart}, ${label}: ${expected}`, () =>
          Effect.gen(function* () {
            const sup = yield* Supervisor.start({ children: [noted([], "a", { restart })] })
            const before = yield* end(sup, "a", reason)
            const after = (yield* Supervisor.whichChildren(sup)).at(0)
            const seen =
              after === undefined
                ? "dropped"
                : after.pid === undefined
                  ? "kept"
                  : after.pid === before
                    ? "same"
                    : "restarted"
            assert.strictEqual(seen, expected)
          }).pipe(provided)
        )
      }
    }

    it.effect("a task that returns ends normally: permanent is restarted, transient is kept", () =>
      Effect.gen(function* () {
        const runs = yield* Ref.make(0)
        const body = Effect.zipRight(
          Ref.update(runs, n => n + 1),
          Effect.sleep("1 minute")
        )
        const sup = yield* Supervisor.start({
          children: [Supervisor.task("p", body), Supervisor.task("t", body, { restart: "transient" })]
        })
        yield* settle
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Ref.get(runs), 3)
        assert.strictEqual(yield* pidOf(sup, "t"), undefined)
      }).pipe(provided)
    )
  })

  describe("strategies", () => {
    const expected: ReadonlyArray<readonly [ChildSpec.Strategy, ReadonlyArray<string>]> = [
      ["one_for_one", ["-b", "+b"]],
      ["one_for_all", ["-b", "-c", "-a", "+a", "+b", "+c"]],
      ["rest_for_one", ["-b", "-c", "+b", "+c"]]
    ]
    for (const [strategy, steps] of expected) {
      it.effect(`${strategy}: ${steps.join(" ")}`, () =>
        Effect.gen(function* () {
          const journal: Array<string> = []
          const sup = yield* Supervisor.start({ strategy, children: ["a", "b", "c"].map(id => noted(journal, id)) })
          journal.length = 0
          yield* end(sup, "b", crash)
          assert.deepStrictEqual(journal, steps)
        }).pipe(provided)
      )
    }

    it.effect("a group restart drops temporary siblings and starts again those that had ended", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy: "one_for_all",
          children: [
            noted(journal, "a"),
            noted(journal, "temp", { restart: "temporary" }),
            noted(journal, "done", { restart: "transient" })
          ]
        })
        yield* end(sup, "done", ExitReason.shutdown())
        journal.length = 0
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(journal, ["-a", "-temp", "+a", "+done"])
      }).pipe(provided)
    )
  })

  it.effect("two children that die together under one_for_all make one restart: the second's exit is consumed", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({
        strategy: "one_for_all",
        intensity: 1,
        children: [noted(journal, "a"), noted(journal, "b")]
      })
      const pids = (yield* Supervisor.whichChildren(sup)).map(child => child.pid)
      for (const pid of pids) if (pid instanceof Process.Pid) yield* Process.exit(pid, ExitReason.killed)
      yield* settle
      assert.isTrue(yield* Process.isAlive(sup.pid))
      assert.strictEqual((yield* Supervisor.countChildren(sup)).active, 2)
      assert.strictEqual(journal.filter(entry => entry === "+a").length, 2)
    }).pipe(provided)
  )

  it.effect("a child started without a link is linked and adopted by the supervisor", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = GenServer.make(RpcGroup.make(), {
        trapExit: true,
        init: () => Effect.succeed(0),
        handlers: {},
        terminate: reason => Effect.sync(() => journal.push(`terminate ${reason._tag}`))
      })
      const sup = yield* Supervisor.start({ children: [Supervisor.worker("a", GenServer.start(server))] })
      const before = yield* end(sup, "a", ExitReason.killed)
      assert.notStrictEqual(yield* pidOf(sup, "a"), before)
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, ["terminate Shutdown"])
    }).pipe(provided)
  )

  describe("restart intensity", () => {
    it.effect("n restarts within the period are allowed, the next one ends the supervisor with shutdown", () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({
          intensity: 2,
          period: "10 seconds",
          children: [noted([], "a"), noted([], "b")]
        })
        const ended = yield* Effect.fork(Process.awaitExit(sup.pid))
        yield* end(sup, "a", crash)
        yield* end(sup, "b", crash)
        assert.isTrue(yield* Process.isAlive(sup.pid))
        yield* end(sup, "a", crash)
        assert.isTrue(ExitReason.isClean(yield* Fiber.join(ended)))
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )

    it.effect("a restart exactly a period old still counts; one older does not", () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ intensity: 1, period: "5 seconds", children: [noted([], "a")] })
        yield* end(sup, "a", crash)
        yield* TestClock.adjust(5_001)
        yield* end(sup, "a", crash)
        assert.isTrue(yield* Process.isAlive(sup.pid))
        yield* TestClock.adjust(5_000)
        yield* end(sup, "a", crash)
        assert.isFalse(yield* Process.isAlive(sup.pid))
      }).pipe(provided)
    )

    it.effect("intensity 0: the first restart ends it; a group restart counts once", () =>
      Effect.gen(function* () {
        const none = yield* Supervisor.start({ intensity: 0, children: [noted([], "a")] })
        yield* end(none, "a", crash)
        assert.isFalse(yield* Process.isAlive(none.pid))
        const group = yield* Supervisor.start({
          strategy: "one_for_all",
          intensity: 1,
          children: ["a", "b", "c", "d"].map(id => noted([], id))
        })
        yield* end(group, "a", crash)
        assert.isTrue(yield* Process.isAlive(group.pid))
      }).pipe(provided)
    )

    it.effect("manual restarts do not count", () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ intensity: 0, children: [noted([], "a")] })
        for (let i = 0; i < 5; i++) {
          yield* Supervisor.terminateChild(sup, "a")
          yield* Supervisor.restartChild(sup, "a")
        }
        assert.strictEqual((yield* Supervisor.countChildren(sup)).active, 1)
      }).pipe(provided)
    )

    it.effect("a parent does not restart a transient supervisor that gave up", () =>
      Effect.gen(function* () {
        const top = yield* Supervisor.start({
          children: [
            Supervisor.supervisor(
              "inner",
              { name: "inner", intensity: 0, children: [noted([], "a")] },
              { restart: "transient" }
            )
          ]
        })
        const inner = yield* pidOf(top, "inner")
        if (!(inner instanceof Process.Pid)) return assert.fail("inner does not run")
        yield* end({ pid: inner }, "a", crash)
        assert.strictEqual(yield* pidOf(top, "inner"), undefined)
        assert.isTrue(yield* Process.isAlive(top.pid))
      }).pipe(provided)
    )
  })

  describe("a restart that fails", () => {
    /** Starts well once, then fails `failures` times. */
    const stubborn = (id: string, failures: number, starts: Array<string>) => {
      let count = 0
      return Supervisor.scoped(
        id,
        Effect.suspend(() => {
          starts.push(id)
          return count++ === 0 || count > failures + 1 ? Effect.void : Effect.fail("not yet")
        })
      )
    }

    it.effect("is tried again until it works, each try counting", () =>
      Effect.gen(function* () {
        const starts: Array<string> = []
        const sup = yield* Supervisor.start({ intensity: 3, children: [stubborn("a", 2, starts)] })
        yield* end(sup, "a", crash)
        assert.strictEqual(starts.length, 4)
        assert.isTrue((yield* pidOf(sup, "a")) instanceof Process.Pid)
      }).pipe(provided)
    )

    it.effect("takes the supervisor down when it never works", () =>
      Effect.gen(function* () {
        const starts: Array<string> = []
        const journal: Array<string> = []
        const sup = yield* Supervisor.start({
          intensity: 3,
          children: [noted(journal, "b"), stubborn("a", 99, starts)]
        })
        yield* end(sup, "a", crash)
        assert.isFalse(yield* Process.isAlive(sup.pid))
        assert.strictEqual(starts.length, 4)
        assert.deepStrictEqual(journal, ["+b", "-b"])
      }).pipe(provided)
    )

    it.effect(
      "between tries the supervisor serves its mailbox: terminate cancels the loop, start and delete are refused",
      () =>
        Effect.gen(function* () {
          let broken = false
          const gate = yield* Deferred.make<void>()
          const sup = yield* Supervisor.start({
            intensity: 1_000,
            children: [
              Supervisor.scoped(
                "a",
                Effect.suspend(() =>
                  broken ? Effect.zipRight(Deferred.await(gate), Effect.fail("broken")) : Effect.void
                )
              )
            ]
          })
          broken = true
          yield* end(sup, "a", crash)
          // The supervisor is inside the first try; these wait in its mailbox, in front of the second.
          const asked = yield* Effect.fork(
            Effect.all(
              [
                pidOf(sup, "a"),
                Effect.flip(Supervisor.startChild(sup, Supervisor.scoped("a", Effect.void))),
                Effect.flip(Supervisor.restartChild(sup, "a")),
                Effect.flip(Supervisor.deleteChild(sup, "a")),
                Supervisor.terminateChild(sup, "a")
              ],
              { concurrency: "unbounded" }
            )
          )
          yield* settle
          yield* Deferred.succeed(gate, undefined)
          const [pid, start, restart, remove] = yield* Fiber.join(asked)
          assert.strictEqual(pid, "restarting")
          assert.deepInclude(start, { _tag: "ChildStateError", state: "already_present" })
          assert.deepInclude(restart, { _tag: "ChildStateError", state: "restarting" })
          assert.deepInclude(remove, { _tag: "ChildStateError", state: "restarting" })
          yield* settle
          assert.strictEqual(yield* pidOf(sup, "a"), undefined)
        }).pipe(provided)
    )

    it.effect("one_for_all: what was started in the round is stopped and the whole group tried again", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const starts: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy: "one_for_all",
          intensity: 5,
          children: [noted(journal, "a"), stubborn("b", 1, starts), noted(journal, "c")]
        })
        journal.length = 0
        yield* end(sup, "c", crash)
        assert.deepStrictEqual(journal, ["-c", "-a", "+a", "-a", "+a", "+c"])
      }).pipe(provided)
    )

    it.effect("rest_for_one: the retry goes on from the failed sibling, earlier ones are left alone", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const starts: Array<string> = []
        const sup = yield* Supervisor.start({
          strategy: "rest_for_one",
          intensity: 5,
          children: [noted(journal, "a"), stubborn("b", 1, starts), noted(journal, "c")]
        })
        journal.length = 0
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(journal, ["-a", "-c", "+a", "+c"])
      }).pipe(provided)
    )
  })

  describe("administration", () => {
    it.effect("the table of answers", () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ name: "sup", children: [noted([], "a")] })
        const state = (effect: Effect.Effect<unknown, { readonly _tag: string }, Process.ProcessTable>) =>
          Effect.map(Effect.flip(effect), error => ("state" in error ? error.state : error._tag))
        assert.strictEqual(yield* state(Supervisor.startChild(sup, noted([], "a"))), "ChildAlreadyStarted")
        assert.strictEqual(yield* state(Supervisor.restartChild(sup, "a")), "running")
        assert.strictEqual(yield* state(Supervisor.deleteChild(sup, "a")), "running")
        assert.strictEqual(yield* state(Supervisor.terminateChild(sup, "z")), "not_found")
        yield* Supervisor.terminateChild(sup, "a")
        yield* Supervisor.terminateChild("sup", "a")
        assert.strictEqual(yield* state(Supervisor.startChild(sup, noted([], "a"))), "already_present")
        yield* Supervisor.deleteChild(sup, "a")
        assert.strictEqual(yield* state(Supervisor.restartChild(sup, "a")), "not_found")
        assert.strictEqual(
          yield* state(Supervisor.startChild(sup, Supervisor.scoped("bad", Effect.fail("no")))),
          "ChildStartFailed"
        )
        yield* Supervisor.startChild(sup, noted([], "b"))
        yield* Supervisor.startChild(sup, noted([], "c"))
        assert.deepStrictEqual(
          (yield* Supervisor.whichChildren(sup)).map(child => child.id),
          ["c", "b"]
        )
        assert.deepStrictEqual(yield* Supervisor.countChildren(sup), {
          specs: 2,
          active: 2,
          supervisors: 0,
          workers: 2
        })
        yield* Supervisor.stop(sup)
        assert.strictEqual(yield* state(Supervisor.countChildren(sup)), "NoProcess")
      }).pipe(provided)
    )

    const bad = noted([], "x")
    const invalid: ReadonlyArray<readonly [ChildSpec.InvalidSpec["problem"], ChildSpec.Spec]> = [
      ["invalid_intensity", { intensity: -1, children: [] }],
      ["invalid_intensity", { intensity: Number.POSITIVE_INFINITY, children: [] }],
      ["invalid_period", { period: 0, children: [] }],
      ["invalid_period", { period: "Infinity" as "1 second", children: [] }],
      ["missing_id", { children: [{ ...bad, id: "" }] }],
      ["invalid_shutdown", { children: [{ ...bad, shutdown: -1 }] }],
      ["duplicate_child_name", { children: [bad, bad] }],
      ["bad_combination", { children: [{ ...bad, significant: true, restart: "transient" }] }],
      ["bad_combination", { autoShutdown: "any_significant", children: [{ ...bad, significant: true }] }]
    ]
    for (const [problem, spec] of invalid) {
      it.effect(`${problem} is found before anything starts`, () =>
        Effect.map(Effect.flip(ChildSpec.checkSpec(spec)), error => assert.strictEqual(error.problem, problem))
      )
    }
  })

  describe("auto_shutdown", () => {
    const children = () => ["a", "b"].map(id => noted([], id, { restart: "transient", significant: true }))
    it.effect("any_significant: the first clean end by itself stops the supervisor; terminate and crash do not", () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ autoShutdown: "any_significant", children: children() })
        yield* end(sup, "a", crash)
        yield* Supervisor.terminateChild(sup, "a")
        assert.isTrue(yield* Process.isAlive(sup.pid))
        yield* end(sup, "b", ExitReason.shutdown())
        assert.isFalse(yield* Process.isAlive(sup.pid))
      }).pipe(provided)
    )

    it.effect("all_significant: only the last one does", () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({ autoShutdown: "all_significant", children: children() })
        yield* end(sup, "a", ExitReason.shutdown())
        assert.isTrue(yield* Process.isAlive(sup.pid))
        yield* end(sup, "b", ExitReason.shutdown())
        assert.isFalse(yield* Process.isAlive(sup.pid))
      }).pipe(provided)
    )
  })

  describe("hosting", () => {
    class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

    it.effect("a layer runs the tree with the environment of its children and stops it in order", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const child = Supervisor.scoped(
          "hello",
          Effect.map(Greeting, greeting => journal.push(greeting))
        )
        const tree = Supervisor.layer({ children: [noted(journal, "a"), child] }).pipe(
          Layer.provide(Layer.succeed(Greeting, "hello"))
        )
        yield* Effect.map(Supervisor.Root, () => journal.push("body")).pipe(Effect.provide(tree))
        assert.deepStrictEqual(journal, ["+a", "hello", "body", "-a"])
      }).pipe(provided)
    )

    it.effect("launch fails when the tree gives up", () =>
      Effect.gen(function* () {
        const launched = yield* Effect.fork(
          Supervisor.launch({ intensity: 0, children: [Supervisor.task("t", Effect.die("boom"))] })
        )
        const exit = yield* Fiber.await(launched)
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "reached_max_restart_intensity")
      }).pipe(provided)
    )
  })

  it("for any tree and any faults: start order is kept, siblings outside the group are untouched", () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom<ChildSpec.Strategy>("one_for_one", "one_for_all", "rest_for_one"),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.nat(5), { maxLength: 8 }),
        (strategy, size, victims) =>
          Effect.gen(function* () {
            const journal: Array<string> = []
            const ids = Array.from({ length: size }, (_, i) => `c${i}`)
            const sup = yield* Supervisor.start({
              strategy,
              intensity: victims.length,
              children: ids.map(id => noted(journal, id))
            })
            for (const victim of victims) {
              const index = victim % size
              const from = strategy === "one_for_all" ? 0 : index
              const group = strategy === "one_for_one" ? [`c${index}`] : ids.slice(from)
              const before = yield* Supervisor.whichChildren(sup)
              journal.length = 0
              yield* end(sup, `c${index}`, crash)
              const stopped = [`c${index}`, ...group.filter(id => id !== `c${index}`).reverse()]
              assert.deepStrictEqual(journal, [...stopped.map(id => `-${id}`), ...group.map(id => `+${id}`)])
              const after = yield* Supervisor.whichChildren(sup)
              assert.deepStrictEqual(
                after.filter((child, i) => child.pid === before[i]?.pid).map(child => child.id),
                ids.filter(id => !group.includes(id)).reverse()
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
