import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Schema, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as Sys from "../src/Sys.js"

const Counter = RpcGroup.make(
  Rpc.make("Add", { payload: { by: Schema.Number }, success: Schema.Number, error: Schema.String }),
  Rpc.make("Get", { success: Schema.Number }),
  Rpc.make("Never", { success: Schema.Number }),
  Rpc.make("Crash"),
  Rpc.make("Stop", { payload: { abnormal: Schema.Boolean }, success: Schema.String })
)

/** A counter that keeps a journal of what its callbacks saw. */
const counter = (journal: Array<string> = [], options: { trapExit?: boolean; capacity?: number } = {}) =>
  GenServer.make(Counter, {
    trapExit: options.trapExit ?? false,
    ...(options.capacity === undefined ? {} : { mailboxCapacity: options.capacity }),
    init: (_: GenServer.Self<string>) => Effect.succeed(0),
    handlers: {
      Add: ({ by }, n) =>
        by < 0
          ? GenServer.fail("negative", n)
          : Effect.sync(() => {
              journal.push(`add ${by}`)
              return GenServer.reply(n + by, n + by)
            }),
      Get: (_, n) => GenServer.reply(n, n),
      Never: (_, n) => GenServer.noReply(n),
      Crash: () => Effect.dieMessage("crashed"),
      Stop: ({ abnormal }, n) =>
        GenServer.stopReply(abnormal ? ExitReason.crashWith("told to") : ExitReason.normal, "bye", n)
    },
    info: (message, n) => {
      journal.push(typeof message === "string" ? `info ${message}` : message._tag)
      return GenServer.noReply(n)
    },
    terminate: reason => Effect.sync(() => journal.push(`terminate ${reason._tag}`))
  })

const provided = Effect.provide(Process.layer)

describe("GenServer", () => {
  describe("start", () => {
    it.effect("returns after init; the name is registered before", () =>
      Effect.gen(function* () {
        const seen: Array<boolean> = []
        const server = GenServer.make(RpcGroup.make(), {
          init: () => Effect.map(Process.whereis("it"), found => seen.push(Option.isSome(found))),
          handlers: {}
        })
        yield* GenServer.start(server, { name: "it" })
        assert.deepStrictEqual(seen, [true])
      }).pipe(provided)
    )

    it.effect("a taken name is AlreadyStarted with the holder's pid, and the newcomer's init never runs", () =>
      Effect.gen(function* () {
        let inits = 0
        const server = GenServer.make(RpcGroup.make(), { init: () => Effect.sync(() => ++inits), handlers: {} })
        const first = yield* GenServer.start(server, { name: "it" })
        const error = yield* Effect.flip(GenServer.start(server, { name: "it" }))
        assert.strictEqual(error._tag, "AlreadyStarted")
        if (error._tag === "AlreadyStarted") assert.strictEqual(error.pid, first.pid)
        assert.strictEqual(inits, 1)
      }).pipe(provided)
    )

    const failures: ReadonlyArray<
      readonly [string, Effect.Effect<number | GenServer.InitOutcome<number>, string>, string]
    > = [
      ["ignore", Effect.succeed(GenServer.ignore), "StartIgnored"],
      ["initStop", Effect.succeed(GenServer.initStop(ExitReason.shutdown("no"))), "StartFailed"],
      ["a typed failure", Effect.fail("no"), "StartFailed"],
      ["a defect", Effect.die("no"), "StartFailed"]
    ]
    for (const [label, init, tag] of failures) {
      it.effect(`${label} in init: dead, name free, no terminate, no stray exit signal`, () =>
        Effect.gen(function* () {
          const journal: Array<string> = []
          const server = GenServer.make(RpcGroup.make(), {
            init: () => init,
            handlers: {},
            terminate: () => Effect.sync(() => journal.push("terminate"))
          })
          const result = yield* Deferred.make<readonly [string, boolean, string]>()
          yield* Process.spawn(
            Effect.gen(function* () {
              const error = yield* Effect.flip(GenServer.startLink(server, { name: "it" }))
              const free = Option.isNone(yield* Process.whereis("it"))
              const self = yield* Effect.flatten(Process.self)
              yield* Process.send(self, "marker")
              const next = yield* Process.receive
              yield* Deferred.succeed(result, [error._tag, free, next._tag] as const)
            }),
            { trapExit: true }
          )
          assert.deepStrictEqual(yield* Deferred.await(result), [tag, true, "Message"])
          assert.deepStrictEqual(journal, [])
          assert.deepStrictEqual(yield* Process.list, [])
        }).pipe(provided)
      )
    }

    it.effect("an init that takes too long is killed", () =>
      Effect.gen(function* () {
        const server = GenServer.make(RpcGroup.make(), { init: () => Effect.as(Effect.never, 0), handlers: {} })
        const starting = yield* Effect.fork(Effect.flip(GenServer.start(server, { name: "it", timeout: "2 seconds" })))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(starting))._tag, "StartTimeout")
        assert.isTrue(Option.isNone(yield* Process.whereis("it")))
      }).pipe(provided)
    )

    it.effect("an interrupted start leaves nothing behind", () =>
      Effect.gen(function* () {
        const server = GenServer.make(RpcGroup.make(), { init: () => Effect.as(Effect.never, 0), handlers: {} })
        const starting = yield* Effect.fork(GenServer.start(server, { name: "it" }))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(starting)
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  })

  describe("call", () => {
    it.effect("carries payload, success and the protocol's error", () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(counter())
        assert.strictEqual(yield* ref.call("Add", { by: 2 }), 2)
        assert.strictEqual(yield* Effect.flip(ref.call("Add", { by: -1 })), "negative")
        assert.strictEqual(yield* ref.call("Get"), 2)
      }).pipe(provided)
    )

    it.effect("times out after 5 seconds by default; the server lives and the late reply goes nowhere", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const server = GenServer.make(RpcGroup.make(Rpc.make("Slow", { success: Schema.Number })), {
          init: () => Effect.succeed(0),
          handlers: { Slow: (_, n) => Effect.as(Deferred.await(gate), GenServer.reply(n + 1, n + 1)) }
        })
        const ref = yield* GenServer.start(server)
        const first = yield* Effect.fork(Effect.flip(ref.call("Slow")))
        yield* TestClock.adjust(4_999)
        assert.isTrue(Option.isNone(yield* Fiber.poll(first)))
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* Fiber.join(first))._tag, "CallTimeout")
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* ref.call("Slow"), 2)
      }).pipe(provided)
    )

    it.effect("limits of different lengths expire each at its own time; an answered call does not", () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(counter())
        const late: Array<number> = []
        const asking = (millis: number) =>
          ref
            .call("Never", undefined, { timeout: millis })
            .pipe(Effect.catchTag("CallTimeout", () => Effect.sync(() => late.push(millis))))
        const fibers = yield* Effect.forEach([300, 100, 200, 100], millis => Effect.fork(asking(millis)))
        yield* Effect.yieldNow()
        yield* ref.call("Get", undefined, { timeout: 100 })
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(late, [100, 100])
        yield* TestClock.adjust(200)
        assert.deepStrictEqual(late, [100, 100, 200, 300])
        yield* Fiber.joinAll(fibers)
      }).pipe(provided)
    )

    it.effect("to nobody is NoProcess; by a server to itself is CallingSelf", () =>
      Effect.gen(function* () {
        const Looping = RpcGroup.make(Rpc.make("Loop", { success: Schema.String }))
        const me = GenServer.named(Looping, "me")
        const server = GenServer.make(Looping, {
          init: () => Effect.succeed(0),
          handlers: {
            Loop: (_, n) =>
              Effect.match(me.call("Loop"), {
                onFailure: error => GenServer.reply(error._tag, n),
                onSuccess: () => GenServer.reply("answered", n)
              })
          }
        })
        const ref = yield* GenServer.start(server, { name: "me" })
        assert.strictEqual(yield* ref.call("Loop"), "CallingSelf")
        yield* GenServer.stopServer(ref)
        assert.strictEqual((yield* Effect.flip(ref.call("Loop")))._tag, "NoProcess")
        assert.strictEqual((yield* Effect.flip(me.call("Loop")))._tag, "NoProcess")
      }).pipe(provided)
    )

    it.effect("fails with the server's exit reason if it ends before replying, also for those still queued", () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(counter())
        const waiting = yield* Effect.fork(Effect.flip(ref.call("Never")))
        const crashing = yield* Effect.fork(Effect.flip(ref.call("Crash")))
        const queued = yield* Effect.fork(Effect.flip(ref.call("Get")))
        for (const error of [yield* Fiber.join(waiting), yield* Fiber.join(crashing), yield* Fiber.join(queued)]) {
          assert.strictEqual(error._tag, "ServerExited")
          if (error._tag === "ServerExited") assert.include(ExitReason.format(error.reason), "crashed")
        }
      }).pipe(provided)
    )

    it.effect("a full mailbox refuses calls, drops casts and counts both", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const server = GenServer.make(RpcGroup.make(Rpc.make("Wait"), Rpc.make("Note")), {
          mailboxCapacity: 1,
          init: () => Effect.succeed(0),
          handlers: {
            Wait: (_, n) => Effect.as(Deferred.await(gate), GenServer.reply(undefined, n)),
            Note: (_, n) => GenServer.noReply(n + 1)
          }
        })
        const ref = yield* GenServer.start(server)
        const busy = yield* Effect.fork(ref.call("Wait"))
        yield* TestClock.adjust(0)
        yield* ref.cast("Note")
        yield* ref.cast("Note")
        assert.strictEqual((yield* Effect.flip(ref.call("Wait")))._tag, "MailboxFull")
        assert.strictEqual((yield* Sys.status(ref)).refused, 2)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(busy)
        assert.strictEqual(yield* Sys.getState(ref), 1)
      }).pipe(provided)
    )

    it.effect("an interrupted caller is gone: the reply goes nowhere and the server lives", () =>
      Effect.gen(function* () {
        const kept = yield* Deferred.make<GenServer.From<number>>()
        const server = GenServer.make(RpcGroup.make(Rpc.make("Ask", { success: Schema.Number })), {
          init: () => Effect.succeed(1),
          handlers: { Ask: (_, n, from) => Effect.as(Deferred.succeed(kept, from), GenServer.noReply(n)) }
        })
        const ref = yield* GenServer.start(server)
        const asking = yield* Effect.fork(ref.call("Ask"))
        const from = yield* Deferred.await(kept)
        const exit = yield* Fiber.interrupt(asking)
        assert.isTrue(Exit.isInterrupted(exit))
        yield* GenServer.replyTo(from, 3)
        assert.strictEqual(yield* Sys.getState(ref), 1)
      }).pipe(provided)
    )

    it.effect("may be answered later, from any fiber, once", () =>
      Effect.gen(function* () {
        const kept = yield* Deferred.make<GenServer.From<number>>()
        const server = GenServer.make(RpcGroup.make(Rpc.make("Ask", { success: Schema.Number })), {
          init: () => Effect.succeed(0),
          handlers: { Ask: (_, n, from) => Effect.as(Deferred.succeed(kept, from), GenServer.noReply(n)) }
        })
        const ref = yield* GenServer.start(server)
        const asking = yield* Effect.fork(ref.call("Ask", undefined, { timeout: Duration.infinity }))
        const from = yield* Deferred.await(kept)
        yield* GenServer.replyTo(from, Exit.succeed(7))
        yield* GenServer.replyTo(from, 8)
        assert.strictEqual(yield* Fiber.join(asking), 7)
      }).pipe(provided)
    )
  })

  describe("messages", () => {
    it.effect("of all kinds from one sender keep their order", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(counter(journal, { trapExit: true }))
        yield* ref.cast("Add", { by: 1 })
        yield* ref.send("a")
        yield* Process.exit(ref.pid, ExitReason.shutdown())
        ref.unsafeSend("b")
        yield* ref.call("Add", { by: 2 })
        assert.deepStrictEqual(journal, ["add 1", "info a", "ExitSignal", "info b", "add 2"])
      }).pipe(provided)
    )

    it.effect("a cast to nobody succeeds", () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(counter())
        yield* GenServer.stopServer(ref)
        yield* ref.cast("Add", { by: 1 })
        assert.isFalse(ref.unsafeSend("x"))
      }).pipe(provided)
    )

    it.effect("continue runs right after the callback that asked for it, before the mailbox, and may chain", () =>
      Effect.gen(function* () {
        const journal: Array<unknown> = []
        const server = GenServer.make(RpcGroup.make(Rpc.make("Go"), Rpc.make("Other")), {
          init: () => Effect.succeed(GenServer.initContinue(0, "first")),
          handlers: {
            Go: (_, n) => GenServer.reply(undefined, n, { continue: 2 }),
            Other: (_, n) =>
              Effect.sync(() => {
                journal.push("other")
                return GenServer.reply(undefined, n)
              })
          },
          continue: (token, n) =>
            Effect.sync(() => {
              journal.push(token)
              return token === 2 ? GenServer.noReply(n, { continue: 3 }) : GenServer.noReply(n)
            })
        })
        const ref = yield* GenServer.start(server)
        yield* Effect.all([ref.call("Go"), ref.call("Other")], { concurrency: "unbounded" })
        assert.deepStrictEqual(journal, ["first", 2, 3, "other"])
      }).pipe(provided)
    )

    it.effect("a timeout fires when no message came; introspection does not cancel it, a message does", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const server = GenServer.make(RpcGroup.make(Rpc.make("Arm"), Rpc.make("Touch")), {
          init: () => Effect.succeed(0),
          handlers: {
            Arm: (_, n) => GenServer.reply(undefined, n, { timeout: "1 second" }),
            Touch: (_, n) => GenServer.reply(undefined, n)
          },
          info: (message, n) =>
            Effect.sync(() => {
              journal.push(message._tag)
              return GenServer.noReply(n)
            })
        })
        const ref = yield* GenServer.start(server)
        yield* ref.call("Arm")
        yield* TestClock.adjust("500 millis")
        yield* Sys.getState(ref)
        yield* TestClock.adjust("500 millis")
        assert.deepStrictEqual(journal, ["Timeout"])
        yield* ref.call("Arm")
        yield* ref.call("Touch")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(journal, ["Timeout"])
      }).pipe(provided)
    )

    it.effect("a zero timeout fires only if the mailbox is empty", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const server = GenServer.make(RpcGroup.make(Rpc.make("Arm"), Rpc.make("Touch")), {
          init: () => Effect.succeed(0),
          handlers: {
            Arm: (_, n) => GenServer.reply(undefined, n, { timeout: 0 }),
            Touch: (_, n) =>
              Effect.sync(() => {
                journal.push("touch")
                return GenServer.reply(undefined, n)
              })
          },
          info: (message, n) =>
            Effect.sync(() => {
              journal.push(message._tag)
              return GenServer.noReply(n)
            })
        })
        const ref = yield* GenServer.start(server)
        yield* Effect.all([ref.call("Arm"), ref.call("Touch")], { concurrency: "unbounded" })
        assert.deepStrictEqual(journal, ["touch"])
        yield* ref.call("Arm")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(journal, ["touch", "Timeout"])
      }).pipe(provided)
    )
  })

  describe("stopping", () => {
    it.effect("stop with a reply: terminate runs first, then the caller is answered", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(counter(journal))
        const answer = yield* ref.call("Stop", { abnormal: true })
        journal.push(answer)
        assert.deepStrictEqual(journal, ["terminate Crash", "bye"])
        assert.isFalse(yield* Process.isAlive(ref.pid))
      }).pipe(provided)
    )

    it.effect("a crash of terminate replaces the exit reason, and the caller is answered all the same", () =>
      Effect.gen(function* () {
        const server = GenServer.make(RpcGroup.make(Rpc.make("Stop", { success: Schema.String })), {
          init: () => Effect.succeed(0),
          handlers: { Stop: (_, n) => GenServer.stopReply(ExitReason.normal, "bye", n) },
          terminate: () => Effect.dieMessage("terminate crashed")
        })
        const ref = yield* GenServer.start(server)
        const told = yield* Effect.fork(Process.awaitExit(ref.pid))
        yield* Effect.yieldNow()
        assert.strictEqual(yield* ref.call("Stop"), "bye")
        assert.include(ExitReason.format(yield* Fiber.join(told)), "terminate crashed")
      }).pipe(provided)
    )

    it.effect("a crash calls terminate with its cause", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(counter(journal))
        yield* Effect.exit(ref.call("Crash"))
        assert.deepStrictEqual(journal, ["terminate Crash"])
      }).pipe(provided)
    )

    it.effect("a typed failure outside GenServer.fail crashes the server too, with its cause", () =>
      Effect.gen(function* () {
        const server = GenServer.make(RpcGroup.make(Rpc.make("Go")), {
          init: () => Effect.succeed(0),
          handlers: { Go: () => Effect.fail("typed") }
        })
        const ref = yield* GenServer.start(server)
        const error = yield* Effect.flip(ref.call("Go"))
        assert.strictEqual(error._tag, "ServerExited")
        assert.include(error.message, "typed")
      }).pipe(provided)
    )

    const byParent: ReadonlyArray<readonly [string, boolean, ReadonlyArray<string>]> = [
      ["trapping: terminate runs", true, ["terminate Shutdown"]],
      ["not trapping: it does not", false, []]
    ]
    for (const [label, trapExit, expected] of byParent) {
      it.effect(`the parent's exit signal, ${label}`, () =>
        Effect.gen(function* () {
          const journal: Array<string> = []
          const started = yield* Deferred.make<Process.Pid>()
          const parent = yield* Process.spawn(
            Effect.gen(function* () {
              const ref = yield* GenServer.startLink(counter(journal, { trapExit }))
              yield* Deferred.succeed(started, ref.pid)
              return yield* Effect.never
            })
          )
          const child = yield* Deferred.await(started)
          const dead = yield* Effect.fork(Process.awaitExit(child))
          yield* Effect.yieldNow()
          yield* Process.exit(parent, ExitReason.shutdown())
          assert.strictEqual((yield* Fiber.join(dead))._tag, "Shutdown")
          assert.deepStrictEqual(journal, expected)
        }).pipe(provided)
      )
    }

    it.effect("another process's exit signal goes to info", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(counter(journal, { trapExit: true }))
        yield* Process.exit(ref.pid, ExitReason.crashWith("not your business"))
        yield* ref.call("Get")
        assert.deepStrictEqual(journal, ["ExitSignal"])
      }).pipe(provided)
    )

    it.effect("kill runs no terminate", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(counter(journal, { trapExit: true }))
        yield* Process.exit(ref.pid, ExitReason.killed)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(journal, [])
      }).pipe(provided)
    )

    it.effect("stopServer waits for the end; the second is NoProcess; another reason is told", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(counter(journal))
        yield* GenServer.stopServer(ref, ExitReason.shutdown())
        assert.deepStrictEqual(journal, ["terminate Shutdown"])
        assert.strictEqual((yield* Effect.flip(GenServer.stopServer(ref)))._tag, "NoProcess")
      }).pipe(provided)
    )

    it.effect("fibers forked in the process's scope end with it", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const server = GenServer.make(RpcGroup.make(), {
          init: () =>
            Effect.as(
              Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(() => journal.push("interrupted")))),
              0
            ),
          handlers: {}
        })
        const ref = yield* GenServer.start(server)
        yield* Effect.yieldNow()
        yield* GenServer.stopServer(ref)
        assert.deepStrictEqual(journal, ["interrupted"])
      }).pipe(provided)
    )
  })

  it.effect("a named reference finds whoever has the name now", () =>
    Effect.gen(function* () {
      const named = GenServer.named(counter(), "count")
      const bound = yield* named.bind
      const first = yield* GenServer.start(counter(), { name: "count" })
      yield* named.call("Add", { by: 5 })
      yield* Process.exit(first.pid, ExitReason.killed)
      yield* GenServer.start(counter(), { name: "count" })
      assert.strictEqual(yield* named.call("Get"), 0)
      assert.strictEqual(yield* bound.call("Add", { by: 1 }), 1)
    }).pipe(provided)
  )
})
