import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope, TestClock } from "effect"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"

const Echo = RpcGroup.make(Rpc.make("Echo", { payload: { n: Schema.Number }, success: Schema.Number }))

const echo = GenServer.make(Echo, {
  init: () => Effect.succeed(0),
  // Not answered in the step of the caller, so that its time limit is armed.
  handlers: { Echo: ({ n }, state) => Effect.zipRight(Effect.yieldNow(), GenServer.reply(n, state)) }
})

/** How many fibers sleep for timers; no public function tells. */
const sleepers = (table: Process.ProcessTable["Type"]): number => {
  const watchers: unknown = Reflect.get(table.timers, "watchers")
  return watchers instanceof Map ? watchers.size : Number.NaN
}

describe("the process table", () => {
  it.effect("leaves no timer asleep when it closes, also if it was built where nothing can be interrupted", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Effect.uninterruptible(Layer.buildWithScope(Process.layer, scope))
      const table = Context.get(context, Process.ProcessTable)
      yield* Effect.flatMap(GenServer.start(echo), server => server.call("Echo", { n: 1 })).pipe(
        Effect.provide(context)
      )
      assert.strictEqual(sleepers(table), 1)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(0)
      assert.strictEqual(sleepers(table), 0)
    })
  )

  it.effect("forgets who waits no more for the end of a process", () =>
    Effect.gen(function* () {
      const kernel = yield* Process.ProcessTable
      const pid = yield* Process.spawn(Effect.never)
      const process = kernel.lookup(pid)
      assert(process !== undefined)
      const kept = () => Array.from(process.takeObservers()).length
      for (const wait of [Process.awaitExit(pid), kernel.awaitDeathWithin(process, 1_000)]) {
        const waiting = yield* Effect.fork(wait)
        yield* TestClock.adjust(0)
        yield* Fiber.interrupt(waiting)
        assert.strictEqual(kept(), 0)
      }
      const late = yield* Effect.fork(kernel.awaitDeathWithin(process, 1_000))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* Fiber.join(late))
      assert.strictEqual(kept(), 0)
    }).pipe(Effect.provide(Process.layer))
  )
})
