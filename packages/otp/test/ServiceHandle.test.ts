import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Scope, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as Process from "../src/Process.js"
import * as ServiceHandle from "../src/ServiceHandle.js"
import * as Supervisor from "../src/Supervisor.js"

class Numbered extends Context.Tag("Numbered")<Numbered, number>() {}

/** A layer whose service tells the number of its making; `closing` runs before it is closed. */
const numbered = (journal: Array<string>, closing: Effect.Effect<unknown> = Effect.void) => {
  let built = 0
  return Layer.scoped(
    Numbered,
    Effect.acquireRelease(
      Effect.sync(() => {
        built++
        journal.push(`+${built}`)
        return built
      }),
      n =>
        Effect.zipRight(
          closing,
          Effect.sync(() => journal.push(`-${n}`))
        )
    )
  )
}

const provided = <A, E>(effect: Effect.Effect<A, E, Process.ProcessTable>) =>
  effect.pipe(Effect.provide(Process.layer), Logger.withMinimumLogLevel(LogLevel.None))

const settle = TestClock.adjust(0)

const kill = (sup: Supervisor.Supervisor, id: string) =>
  Effect.gen(function* () {
    const { pid } = yield* Supervisor.whichChild(sup, id)
    if (pid instanceof Process.Pid) yield* Process.exit(pid, ExitReason.killed)
  })

describe("ServiceHandle", () => {
  it.effect("is down before its child is up and after it was stopped", () =>
    Effect.gen(function* () {
      const handle = yield* ServiceHandle.make<number>("numbered")
      assert.deepInclude(yield* Effect.flip(handle.get), { _tag: "ServiceUnavailable", service: "numbered" })
      const sup = yield* Supervisor.start({
        children: [ServiceHandle.child("n", handle, Numbered, numbered([]))]
      })
      assert.strictEqual(yield* handle.use(n => Effect.succeed(n)), 1)
      yield* Supervisor.terminateChild(sup, "n")
      assert.strictEqual(handle.current(), undefined)
    }).pipe(provided)
  )

  it.effect("gives the service of the restarted child, which the layer built anew", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const handle = yield* ServiceHandle.make<number>("numbered")
      const sup = yield* Supervisor.start({
        children: [ServiceHandle.child("n", handle, Numbered, numbered(journal))]
      })
      yield* kill(sup, "n")
      yield* settle
      assert.strictEqual(yield* handle.get, 2)
      assert.sameMembers(journal, ["+1", "-1", "+2"])
    }).pipe(provided)
  )

  it.effect(
    "does not offer the service of a killed child, whose scope closes late, nor lose that of its successor",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const journal: Array<string> = []
        const handle = yield* ServiceHandle.make<number>("numbered")
        const sup = yield* Supervisor.start({
          children: [ServiceHandle.child("n", handle, Numbered, numbered(journal, Deferred.await(gate)))]
        })
        yield* kill(sup, "n")
        assert.strictEqual(handle.current(), undefined)
        yield* settle
        assert.strictEqual(handle.current(), 2)
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(journal, ["+1", "+2", "-1"])
        assert.strictEqual(handle.current(), 2)
      }).pipe(provided)
  )

  it.effect("keeps what was offered last when an earlier offer is withdrawn", () =>
    Effect.gen(function* () {
      const handle = yield* ServiceHandle.make<number>("numbered")
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.extend(handle.provide(1), first)
      yield* Scope.extend(handle.provide(2), second)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(handle.current(), 2)
      yield* Scope.close(second, Exit.void)
      assert.strictEqual(handle.current(), undefined)
    })
  )

  it.effect("leaves nothing with the process that has offered it and lives on", () =>
    Effect.gen(function* () {
      const handle = yield* ServiceHandle.make<number>("numbered")
      const kernel = yield* Process.ProcessTable
      const pid = yield* Process.spawn(
        Effect.zipRight(Effect.repeatN(Effect.scoped(handle.provide(1)), 99), Effect.never)
      )
      yield* settle
      assert.strictEqual(handle.current(), undefined)
      assert.strictEqual(kernel.lookup(pid)?.holdings?.size, 0)
    }).pipe(provided)
  )

  it.effect("ready waits for the child", () =>
    Effect.gen(function* () {
      const handle = yield* ServiceHandle.make<number>("numbered")
      const waiting = yield* Effect.fork(handle.ready)
      yield* settle
      assert.strictEqual(waiting.unsafePoll(), null)
      yield* Supervisor.start({ children: [ServiceHandle.child("n", handle, Numbered, numbered([]))] })
      assert.deepStrictEqual(yield* Fiber.await(waiting), Exit.succeed(1))
    }).pipe(provided)
  )

  it.effect("a layer that cannot be built is a child that cannot be started", () =>
    Effect.gen(function* () {
      const handle = yield* ServiceHandle.make<number>("numbered")
      const broken = Layer.effect(Numbered, Effect.fail("no file"))
      const error = yield* Effect.flip(
        Supervisor.start({ children: [ServiceHandle.child("n", handle, Numbered, broken)] })
      )
      assert.include(error.message, "no file")
      assert.strictEqual(handle.current(), undefined)
    }).pipe(provided)
  )
})
