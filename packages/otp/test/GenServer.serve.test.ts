/** Calls to a server that waits with an empty mailbox: it takes them in the step of the caller. */
import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"

const Protocol = RpcGroup.make(
  Rpc.make("Add", { payload: { by: Schema.Number }, success: Schema.Number }),
  Rpc.make("AddTwice", { payload: { by: Schema.Number }, success: Schema.Number }),
  Rpc.make("AddAndTell", { payload: { by: Schema.Number }, success: Schema.Number }),
  Rpc.make("Get", { success: Schema.Number }),
  Rpc.make("WhoAmI", { success: Schema.Unknown }),
  Rpc.make("Stop", { success: Schema.Number }),
  Rpc.make("Throw")
)

const counter = (journal: Array<string> = []) =>
  GenServer.make(Protocol, {
    init: (self: GenServer.Self<number>) => Effect.succeed({ count: 0, self }),
    handlers: {
      Add: ({ by }, { count, self }) => {
        journal.push("Add")
        return GenServer.reply(count + by, { count: count + by, self })
      },
      AddTwice: ({ by }, { count, self }) => GenServer.reply(count + by, { count: count + by, self }, { continue: by }),
      AddAndTell: ({ by }, { count, self }) => {
        self.unsafeSend(100)
        return GenServer.reply(count + by, { count: count + by, self })
      },
      Get: (_, state) => GenServer.reply(state.count, state),
      WhoAmI: (_, state) => Effect.map(Process.self, self => GenServer.reply(Option.getOrUndefined(self), state)),
      Stop: (_, state) => GenServer.stopReply(ExitReason.normal, state.count, state),
      Throw: (_, state) => {
        if (state.count === 0) throw new Error("a handler that throws")
        return GenServer.noReply(state)
      }
    },
    info: (message, state) =>
      GenServer.noReply(typeof message === "number" ? { ...state, count: state.count + message } : state),
    continue: (by, state) => GenServer.noReply(typeof by === "number" ? { ...state, count: state.count + by } : state),
    terminate: () => Effect.sync(() => void journal.push("terminate"))
  })

/** What a call failed with. */
const errorOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>) =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error._tag : exit._tag

const provided = Effect.provide(Process.layer)

describe("a call to a server that waits", () => {
  it.effect("is answered before any other fiber gets its turn", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(counter())
      const order: Array<string> = []
      const other = yield* Effect.fork(Effect.sync(() => order.push("other")))
      assert.strictEqual(yield* server.call("Add", { by: 2 }), 2)
      order.push("answered")
      yield* Fiber.join(other)
      assert.deepStrictEqual(order, ["answered", "other"])
    }).pipe(provided)
  )

  it.effect("comes after the casts and messages sent before it", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(counter())
      yield* server.cast("Add", { by: 1 })
      yield* server.send(10)
      assert.strictEqual(yield* server.call("Get"), 11)
    }).pipe(provided)
  )

  it.effect("comes after an exit signal sent before it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(counter(journal))
      yield* Process.exit(server.pid, ExitReason.shutdown())
      assert.strictEqual(errorOf(yield* Effect.exit(server.call("Add", { by: 1 }))), "ServerExited")
      assert.notInclude(journal, "Add")
    }).pipe(provided)
  )

  it.effect("comes after a request to stop sent before it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(counter(journal))
      const stopping = yield* Effect.fork(GenServer.stopServer(server))
      yield* Effect.yieldNow()
      assert.include(["ServerExited", "NoProcess"], errorOf(yield* Effect.exit(server.call("Add", { by: 1 }))))
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(journal, ["terminate"])
    }).pipe(provided)
  )

  it.effect("runs what its handler returns in the server's own process", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(counter())
      assert.strictEqual(yield* server.call("WhoAmI"), server.pid)
    }).pipe(provided)
  )

  it.effect("is followed by its continue before the next call", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(counter())
      assert.strictEqual(yield* server.call("AddTwice", { by: 3 }), 3)
      assert.strictEqual(yield* server.call("Get"), 6)
    }).pipe(provided)
  )

  it.effect("is followed by what its handler sent to the server itself", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(counter())
      assert.strictEqual(yield* server.call("AddAndTell", { by: 3 }), 3)
      assert.strictEqual(yield* server.call("Get"), 103)
    }).pipe(provided)
  )

  it.effect("crashes the server if its handler throws, and leaves the caller alone", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(counter(journal))
      const ended = yield* Effect.fork(Process.awaitExit(server.pid))
      yield* Effect.yieldNow()
      assert.strictEqual(errorOf(yield* Effect.exit(server.call("Throw"))), "ServerExited")
      assert.strictEqual((yield* Fiber.join(ended))._tag, "Crash")
      assert.deepStrictEqual(journal, ["terminate"])
      assert.strictEqual(errorOf(yield* Effect.exit(server.call("Get"))), "NoProcess")
    }).pipe(provided)
  )

  it.effect("that stops it is answered after terminate", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(counter(journal))
      assert.strictEqual(yield* server.call("Stop"), 0)
      assert.deepStrictEqual(journal, ["terminate"])
    }).pipe(provided)
  )

  it.effect("made by its handler waits until that is through", () =>
    Effect.gen(function* () {
      const Nested = RpcGroup.make(
        Rpc.make("Outer", { success: Schema.Int }),
        Rpc.make("Inner", { success: Schema.Int })
      )
      const inner: Array<Fiber.RuntimeFiber<number, unknown>> = []
      const server: GenServer.Ref<RpcGroup.Rpcs<typeof Nested>> = yield* GenServer.start(
        GenServer.make(Nested, {
          init: () => Effect.succeed(0),
          handlers: {
            Outer: (_, count) => {
              inner.push(Effect.runFork(server.call("Inner")))
              return GenServer.reply(count, count + 1)
            },
            Inner: (_, count) => GenServer.reply(count, count + 1)
          }
        })
      )
      assert.strictEqual(yield* server.call("Outer"), 0)
      assert.deepStrictEqual(yield* Effect.forEach(inner, Fiber.join), [1])
      assert.strictEqual(yield* server.call("Inner"), 2)
    }).pipe(provided)
  )

  it.effect("is not served in the middle of a callback that waits for a signal", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(
        GenServer.make(RpcGroup.make(Rpc.make("Wait"), Rpc.make("Note")), {
          init: () => Effect.void,
          handlers: {
            Wait: () =>
              Effect.gen(function* () {
                journal.push("begins")
                yield* Process.receive
                journal.push("ends")
                return yield* GenServer.reply(undefined, undefined)
              }),
            Note: () => {
              journal.push("note")
              return GenServer.reply(undefined, undefined)
            }
          }
        })
      )
      const waiting = yield* Effect.fork(server.call("Wait"))
      yield* Effect.yieldNow()
      const noting = yield* Effect.fork(Effect.exit(server.call("Note")))
      yield* Effect.yieldNow()
      yield* Process.send(server.pid, "go on")
      yield* Fiber.join(waiting)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(noting)
      assert.deepStrictEqual(journal.slice(0, 2), ["begins", "ends"])
    }).pipe(provided)
  )
})
