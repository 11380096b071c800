import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { CallError } from "../src/CallError.js"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as Sys from "../src/Sys.js"

class Negative extends Schema.TaggedError<Negative>()("Negative", { by: Schema.Number }) {}

const Counter = RpcGroup.make(
  Rpc.make("Add", { payload: { by: Schema.Number }, success: Schema.Number, error: Negative }),
  Rpc.make("Get", { success: Schema.Number })
)

const counter = GenServer.make(Counter, {
  init: () => Effect.succeed(0),
  handlers: {
    Add: ({ by }, n) => (by < 0 ? GenServer.fail(new Negative({ by }), n) : GenServer.reply(n + by, n + by)),
    Get: (_, n) => GenServer.reply(n, n)
  }
})

const provided = Effect.provide(Process.layer)

// What OTP promises of a server is in `conformance/`; here is what this one adds: types, environment, scope.
describe("GenServer", () => {
  it.effect(
    "carries payload, success and the protocol's error as they are; a payload may be left out where there is none",
    () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(counter)
        assert.strictEqual(yield* ref.call("Add", { by: 2 }), 2)
        const error = yield* Effect.flip(ref.call("Add", { by: -1 }))
        assert.deepStrictEqual(error, new Negative({ by: -1 }))
        yield* ref.cast("Add", { by: 3 })
        assert.strictEqual(yield* ref.call("Get"), 5)
      }).pipe(provided)
  )

  it.effect("errors of the protocol and of the call are told apart by their tags", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(counter)
      const add = (by: number) =>
        ref.call("Add", { by }).pipe(
          Effect.map(String),
          Effect.catchTag("Negative", ({ by }) => Effect.succeed(`negative ${by}`)),
          Effect.catchTag("NoProcess", ({ request }) => Effect.succeed(`nobody to ask ${request}`))
        )
      assert.deepStrictEqual([yield* add(1), yield* add(-1)], ["1", "negative -1"])
      yield* GenServer.stopServer(ref)
      assert.strictEqual(yield* add(1), "nobody to ask Add")
    }).pipe(provided)
  )

  it.effect("the environment of all callbacks is captured when the server is started", () =>
    Effect.gen(function* () {
      class Step extends Context.Tag("Step")<Step, number>() {}
      const journal: Array<string> = []
      const note = (who: string) => Effect.map(Step, step => void journal.push(`${who} ${step}`))
      const server = GenServer.make(RpcGroup.make(Rpc.make("Go")), {
        init: () => Effect.as(note("init"), 0),
        handlers: { Go: (_, n) => Effect.as(note("handler"), GenServer.reply(undefined, n, { continue: n })) },
        info: (_, n) => Effect.as(note("info"), GenServer.noReply(n)),
        continue: (_, n) => Effect.as(note("continue"), GenServer.noReply(n)),
        terminate: () => note("terminate")
      })
      const ref = yield* Effect.provide(GenServer.start(server), Layer.succeed(Step, 7))
      yield* ref.call("Go")
      yield* Process.send(ref.pid, "hello")
      yield* GenServer.stopServer(ref)
      assert.deepStrictEqual(
        journal,
        ["init", "handler", "continue", "info", "terminate"].map(who => `${who} 7`)
      )
    }).pipe(provided)
  )

  it.effect("a definition can be started any number of times; each server has its own state and scope", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = GenServer.make(RpcGroup.make(Rpc.make("Open", { payload: Schema.String })), {
        init: () => Effect.succeed(0),
        handlers: {
          Open: (name, n) =>
            Effect.as(
              Effect.acquireRelease(
                Effect.sync(() => journal.push(`open ${name}`)),
                () => Effect.sync(() => journal.push(`close ${name}`))
              ),
              GenServer.reply(undefined, n + 1)
            )
        }
      })
      const [one, other] = [yield* GenServer.start(server), yield* GenServer.start(server)]
      yield* one.call("Open", "a")
      yield* one.call("Open", "b")
      yield* other.call("Open", "c")
      assert.deepStrictEqual([yield* Sys.getState(one), yield* Sys.getState(other)], [2, 1])
      yield* GenServer.stopServer(one)
      assert.deepStrictEqual(journal, ["open a", "open b", "open c", "close b", "close a"])
    }).pipe(provided)
  )

  it.effect("a server sends itself messages through its own address, also from callbacks of other libraries", () =>
    Effect.gen(function* () {
      const server = GenServer.make(RpcGroup.make(), {
        init: (self: GenServer.Self<number>) =>
          Effect.gen(function* () {
            yield* self.send(1)
            assert.isTrue(self.unsafeSend(2))
            return [] as number[]
          }),
        handlers: {},
        info: (message, seen) => GenServer.noReply(typeof message === "number" ? [...seen, message] : seen)
      })
      const ref = yield* GenServer.start(server)
      assert.deepStrictEqual(yield* Sys.getState(ref), [1, 2])
    }).pipe(provided)
  )

  it.effect("a named reference needs the process table only where it is used; bound, nothing", () =>
    Effect.gen(function* () {
      const named = GenServer.named(counter, "count")
      const bound = yield* named.bind
      const ref = yield* GenServer.start(counter, { name: "count" })
      yield* named.call("Add", { by: 5 })
      yield* named.cast("Add", { by: 1 })
      assert.deepStrictEqual([yield* bound.call("Get"), bound.label, named.label], [6, "count", "count"])
      assert.match(ref.label, /^<\d+ count>$/)
    }).pipe(provided)
  )

  it.effect("the capacity of the mailbox is the definition's, or that of the start", () =>
    Effect.gen(function* () {
      const small = GenServer.make(RpcGroup.make(), {
        init: () => Effect.succeed(0),
        handlers: {},
        mailboxCapacity: 7
      })
      const capacityOf = (options: GenServer.StartOptions) =>
        Effect.flatMap(GenServer.start(small, options), ref => Effect.map(Sys.status(ref), ({ capacity }) => capacity))
      assert.deepStrictEqual([yield* capacityOf({}), yield* capacityOf({ mailboxCapacity: 9 })], [7, 9])
      assert.strictEqual((yield* Sys.status(yield* GenServer.start(counter))).capacity, 65_536)
    }).pipe(provided)
  )

  it.effect("an error of a call survives its schema, with the reason of the server's end", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(
        GenServer.make(RpcGroup.make(Rpc.make("Crash")), {
          init: () => Effect.succeed(0),
          handlers: { Crash: () => Effect.die(new Error("boom")) }
        })
      )
      const error = yield* Effect.flip(ref.call("Crash"))
      const wire = JSON.stringify(yield* Schema.encode(CallError)(error))
      const back = yield* Schema.decodeUnknown(CallError)(JSON.parse(wire))
      assert.strictEqual(back._tag, "ServerExited")
      if (back._tag === "ServerExited") assert.strictEqual(ExitReason.format(back.reason), "crash: Error: boom")
    }).pipe(provided)
  )
})
