import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Equal, Exit, Scope } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import { actor, boom, endOf, heard, idle, logging, provided, settle } from "./processes.js"

const reasons: ReadonlyArray<readonly [name: string, reason: ExitReason.ExitReason]> = [
  ["normal", ExitReason.normal],
  ["shutdown", ExitReason.shutdown()],
  ["{shutdown, term}", ExitReason.shutdown("term")],
  ["killed", ExitReason.killed],
  ["noproc", ExitReason.noProc],
  ["noconnection", ExitReason.noConnection],
  ["a crash", boom]
]

describe("exit reasons", () => {
  const ends: ReadonlyArray<readonly [name: string, Effect.Effect<unknown, string>, expected: ExitReason.ExitReason]> =
    [
      ["code that returns ends normal", Effect.succeed("value"), ExitReason.normal],
      ["a typed failure is a crash that keeps its cause", Effect.fail("no"), ExitReason.crash(Cause.fail("no"))],
      ["a defect is a crash that keeps its cause", Effect.die("no"), ExitReason.crashWith("no")],
      ["an interruption from nowhere in particular is a shutdown", Effect.interrupt, ExitReason.shutdown()]
    ]
  for (const [name, effect, expected] of ends) {
    it.effect(`4.2: ${name}`, () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const end = yield* endOf(yield* Process.spawn(Effect.zipRight(Deferred.await(gate), effect)))
        yield* Deferred.succeed(gate, undefined)
        const reason = yield* end
        assert.isTrue(Equal.equals(reason, expected), ExitReason.format(reason))
      }).pipe(provided)
    )
  }

  it.effect("4.2: a failure and an interruption at once are a crash", () =>
    Effect.gen(function* () {
      const end = yield* endOf(
        yield* Process.spawn(Effect.onInterrupt(Effect.never, () => Effect.die("in a finalizer")))
      )
      const [pid] = yield* Process.list
      if (pid !== undefined) yield* Process.exit(pid, ExitReason.shutdown())
      assert.include(ExitReason.format(yield* end), "in a finalizer")
    }).pipe(provided)
  )

  for (const [name, reason] of reasons) {
    const clean = reason._tag === "Normal" || reason._tag === "Shutdown"
    it(`4.2: ${name} is ${clean ? "of the clean family" : "abnormal"}`, () => {
      assert.strictEqual(ExitReason.isClean(reason), clean)
      assert.isTrue(ExitReason.isExitReason(reason))
    })
  }

  it.effect("4.2: a process's own crash is logged once, with its cause; nobody who dies of it logs it again", () =>
    logging(lines =>
      Effect.gen(function* () {
        const pid = yield* Process.spawn(
          Effect.zipRight(Process.spawn(Effect.die("boom"), { link: true, label: "culprit" }), Effect.never)
        )
        yield* Effect.flatMap(endOf(pid), end => end)
        yield* settle
        assert.deepStrictEqual(
          lines.map(line => [line.level, line.message, line.cause]),
          [["ERROR", "process crashed", "crash: Error: boom"]]
        )
        assert.match(String(lines[0]?.annotations.pid), /culprit/)
      }).pipe(provided)
    )
  )

  for (const [name, reason] of reasons) {
    it.effect(`4.2: an exit signal with ${name} is not logged by the process that dies of it`, () =>
      logging(lines =>
        Effect.gen(function* () {
          yield* Process.exit(yield* idle("victim"), reason)
          yield* settle
          assert.deepStrictEqual(lines, [])
        }).pipe(provided)
      )
    )
  }

  it.effect("4.2: a finalizer that fails makes the end a crash, and that is logged", () =>
    logging(lines =>
      Effect.gen(function* () {
        const pid = yield* Process.spawn(
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.die("finalizer")),
            Effect.never
          )
        )
        const end = yield* endOf(pid)
        yield* Process.exit(pid, ExitReason.shutdown())
        assert.include(ExitReason.format(yield* end), "finalizer")
        yield* settle
        assert.deepStrictEqual(
          lines.map(line => line.cause),
          ["crash: Error: finalizer"]
        )
      }).pipe(provided)
    )
  )
})

type Way = "along a link" | "sent by another process" | "sent to oneself"

/** The table of 4.3: what an exit signal does. `undefined`: nothing. */
const effectOf = (way: Way, trapping: boolean, reason: ExitReason.ExitReason): "message" | "end" | undefined => {
  if (reason._tag === "Killed" && way !== "along a link") return "end"
  if (trapping) return "message"
  if (reason._tag === "Normal" && way !== "sent to oneself") return undefined
  return "end"
}

describe("exit signals", () => {
  for (const way of ["along a link", "sent by another process", "sent to oneself"] as const) {
    for (const trapping of [false, true]) {
      for (const [name, reason] of reasons) {
        const expected = effectOf(way, trapping, reason)
        const outcome =
          expected === "message" ? "becomes a message" : expected === "end" ? "ends it with that reason" : "is ignored"
        it.effect(`4.3: ${name} ${way}, ${trapping ? "trapping" : "not trapping"}: ${outcome}`, () =>
          Effect.gen(function* () {
            const target = yield* actor("target", { trapExit: trapping })
            const other = yield* actor("other")
            const end = yield* endOf(target.pid)
            if (way === "along a link") {
              yield* other.do(Process.link(target.pid))
              if (reason._tag === "Normal") yield* Effect.fork(other.do(sayGoodbye))
              else yield* Process.exit(other.pid, reason)
            } else {
              const sender = way === "sent to oneself" ? target : other
              yield* Effect.fork(sender.do(Process.exit(target.pid, reason)))
            }
            const from = way === "sent to oneself" ? "target" : "other"
            assert.deepStrictEqual(
              yield* heard(target),
              expected === "message" ? [`exit ${from} ${ExitReason.format(reason)}`] : []
            )
            assert.strictEqual(yield* Process.isAlive(target.pid), expected !== "end")
            if (expected === "end") assert.isTrue(Equal.equals(yield* end, reason))
          }).pipe(provided)
        )
      }
    }
  }

  /** From oneself a normal exit signal ends even who does not trap. */
  const sayGoodbye = Effect.flatMap(Effect.flatten(Process.self), self => Process.exit(self, ExitReason.normal))

  it.effect("4.3: a signal from outside any process comes from the host", () =>
    Effect.gen(function* () {
      const target = yield* actor("target", { trapExit: true })
      yield* Process.exit(target.pid, ExitReason.shutdown())
      assert.deepStrictEqual(yield* heard(target), ["exit <host> shutdown"])
    }).pipe(provided)
  )

  it.effect("4.3: trapping can be switched; what was set before is told", () =>
    Effect.gen(function* () {
      const target = yield* actor("target")
      assert.isFalse(yield* target.do(Process.trapExit(true)))
      yield* Process.exit(target.pid, boom)
      assert.lengthOf(yield* heard(target), 1)
      assert.isTrue(yield* target.do(Process.trapExit(false)))
      yield* Process.exit(target.pid, boom)
      yield* settle
      assert.isFalse(yield* Process.isAlive(target.pid))
    }).pipe(provided)
  )

  it.effect("4.1: death is asynchronous: who was asked to end lives until its finalizers are through", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const watcher = yield* actor("watcher")
      const target = yield* Process.spawn(
        Effect.zipRight(
          Effect.addFinalizer(() => Deferred.await(gate)),
          Effect.never
        ),
        { label: "target", name: "n" }
      )
      yield* settle
      yield* watcher.do(Process.monitor(target))
      yield* Process.exit(target, ExitReason.shutdown())
      yield* Process.exit(target, boom)
      assert.deepStrictEqual(yield* heard(watcher), [])
      assert.isTrue(yield* Process.isAlive(target))
      yield* Deferred.succeed(gate, undefined)
      // The first reason wins.
      assert.deepStrictEqual(yield* heard(watcher), ["down target shutdown"])
      assert.isFalse(yield* Process.isAlive(target))
    }).pipe(provided)
  )

  it.effect("4.3: an exit signal does not wait for the messages before it, unless it is trapped", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      for (const trapExit of [false, true]) {
        const pid = yield* Process.spawn(
          Effect.forever(Effect.map(Process.receive, signal => seen.push([trapExit, signal._tag]))),
          { trapExit }
        )
        yield* Process.send(pid, 1)
        yield* Process.exit(pid, boom)
      }
      yield* settle
      assert.deepStrictEqual(seen, [
        [true, "Message"],
        [true, "ExitSignal"]
      ])
    }).pipe(provided)
  )

  it.effect("§6: a scope that closes over a process's fiber ends it with shutdown", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const inner = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(
        Effect.gen(function* () {
          const fiber = yield* Effect.forkIn(Effect.never, scope)
          yield* Deferred.succeed(inner, undefined)
          yield* fiber
        })
      )
      yield* Deferred.await(inner)
      const end = yield* endOf(pid)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Effect.map(end, ExitReason.format), "shutdown")
    }).pipe(provided)
  )
})
