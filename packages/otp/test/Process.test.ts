import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Option, Schema, Scope, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as Process from "../src/Process.js"
import { actor, endOf, heard, idle, provided, settle } from "./conformance/processes.js"

// What OTP promises of processes is in `conformance/`; here is what these add: tables, environment, scope.
describe("Process", () => {
  it.effect("belongs to its table: two tables share nothing", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.never, { name: "n" })
      const there = Effect.all([Process.isAlive(pid), Process.whereis("n"), Process.list])
      assert.deepStrictEqual(yield* Effect.provide(there, Process.layer), [false, Option.none(), []])
    }).pipe(provided)
  )

  it.effect("means nobody to another table, also where that has one of the same number", () =>
    Effect.gen(function* () {
      const here = yield* idle("here")
      yield* Effect.gen(function* () {
        const there = yield* actor("there")
        assert.strictEqual(there.pid.id, here.id)
        assert.isFalse(yield* Process.isAlive(here))
        assert.isFalse(yield* Process.send(here, "hello"))
        yield* Process.exit(here, ExitReason.killed)
        yield* there.do(Process.monitor(here))
        assert.deepStrictEqual(yield* heard(there), ["down here noproc"])
      }).pipe(Effect.provide(Process.layer))
      assert.isTrue(yield* Process.isAlive(here))
    }).pipe(provided)
  )

  it.effect("is listed, oldest first, while it lives", () =>
    Effect.gen(function* () {
      const pids = yield* Effect.forEach(["a", "b", "c"], label => idle(label))
      assert.deepStrictEqual(yield* Process.list, pids)
      yield* Effect.forEach(pids.slice(1, 2), pid => Process.exit(pid, ExitReason.killed))
      assert.deepStrictEqual(
        (yield* Process.list).map(({ label }) => label),
        ["<1 a>", "<3 c>"]
      )
    }).pipe(provided)
  )

  it.effect("knows itself, and so does every fiber it forks; outside there is nobody", () =>
    Effect.gen(function* () {
      const found = yield* Deferred.make<ReadonlyArray<Option.Option<Process.Pid>>>()
      const body = Effect.all([Process.self, Effect.flatten(Effect.fork(Process.self))])
      const pid = yield* Process.spawn(Effect.intoDeferred(body, found))
      assert.deepStrictEqual(yield* Deferred.await(found), [Option.some(pid), Option.some(pid)])
      assert.isTrue(Option.isNone(yield* Process.self))
    }).pipe(provided)
  )

  it.effect("has the environment of its spawn, and a scope of its own that is closed before its death is told", () =>
    Effect.gen(function* () {
      class Word extends Context.Tag("Word")<Word, string>() {}
      const journal: Array<string> = []
      const body = Effect.gen(function* () {
        journal.push(yield* Word)
        yield* Effect.addFinalizer(exit => Effect.sync(() => journal.push(`closed, ${exit._tag}`)))
        yield* Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(() => journal.push("fiber ended"))))
        return yield* Effect.never
      })
      const pid = yield* Effect.provide(Process.spawn(body), Layer.succeed(Word, "hello"))
      const end = yield* endOf(pid)
      yield* Process.exit(pid, ExitReason.shutdown())
      journal.push((yield* end)._tag)
      assert.deepStrictEqual(journal, ["hello", "fiber ended", "closed, Failure", "Shutdown"])
    }).pipe(provided)
  )

  it.effect("outlives the scope and the fiber it was spawned in", () =>
    Effect.gen(function* () {
      const pid = yield* Effect.flatten(Effect.fork(Effect.scoped(idle("one"))))
      yield* settle
      assert.isTrue(yield* Process.isAlive(pid))
    }).pipe(provided)
  )

  it.effect("that is asked to end before its first step never runs its effect", () =>
    Effect.gen(function* () {
      let ran = false
      const pid = yield* Process.spawn(Effect.sync(() => (ran = true)))
      yield* Process.exit(pid, ExitReason.shutdown())
      assert.strictEqual((yield* Process.awaitExit(pid))._tag, "Shutdown")
      assert.isFalse(ran)
    }).pipe(provided)
  )

  it.effect("is asked to shut down when its table closes, and killed after five seconds", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Process.layer, scope)
      const closing = (label: string, finalizer: Effect.Effect<void>) =>
        Process.spawn(
          Effect.zipRight(
            Effect.addFinalizer(() =>
              Effect.zipRight(
                finalizer,
                Effect.sync(() => journal.push(label))
              )
            ),
            Effect.never
          )
        ).pipe(Effect.provide(context))
      yield* closing("quick", Effect.void)
      const hanging = yield* closing("hanging", Effect.never)
      yield* settle
      const end = yield* Effect.provide(endOf(hanging), context)
      const closed = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(journal, ["quick"])
      assert.deepStrictEqual(yield* Effect.provide(Process.list, context), [hanging])
      yield* TestClock.adjust("1 millis")
      yield* closed
      assert.strictEqual((yield* end)._tag, "Killed")
    })
  )

  const reasons: ReadonlyArray<ExitReason.ExitReason> = [
    ExitReason.normal,
    ExitReason.shutdown(),
    ExitReason.shutdown("term"),
    ExitReason.killed,
    ExitReason.noProc,
    ExitReason.noConnection,
    ExitReason.crashWith(new Error("boom"))
  ]
  for (const reason of reasons) {
    it.effect(`ends for a reason that survives its schema: ${ExitReason.format(reason)}`, () =>
      Effect.gen(function* () {
        const wire = JSON.stringify(yield* Schema.encode(ExitReason.ExitReason)(reason))
        const back = yield* Schema.decodeUnknown(ExitReason.ExitReason)(JSON.parse(wire))
        assert.deepStrictEqual([back._tag, ExitReason.format(back)], [reason._tag, ExitReason.format(reason)])
      })
    )
  }
})
