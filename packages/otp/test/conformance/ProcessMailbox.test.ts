import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import { actor, dead, flush, get, heard, idle, inProcess, provided, scripted, settle, silence } from "./processes.js"

describe("mailboxes", () => {
  it.effect("4.5: messages are received in the order in which they came", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      for (let n = 0; n < 100; n++) yield* Process.send(one.pid, n)
      assert.deepStrictEqual(
        yield* heard(one),
        Array.from({ length: 100 }, (_, n) => String(n))
      )
    }).pipe(provided)
  )

  it.effect("4.5: receive waits for the next signal, and a limit around it loses none", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        const limited = yield* Effect.fork(Effect.timeoutOption(Process.receive, "1 second"))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Option.isNone(yield* Fiber.join(limited)))
        yield* Process.send(self, "late")
        assert.deepStrictEqual(yield* flush, ["late"])
      })
    ).pipe(provided)
  )

  it.effect("4.1: a message to a dead process goes nowhere; the sender goes on", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* Process.send(yield* dead, "hello"))
    }).pipe(provided)
  )

  it.effect("4.1: a message to a name nobody has is an error to the sender", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Process.sendName("nobody", "hello"))
      assert.deepInclude({ ...error, retryable: error.retryable }, { name: "nobody", retryable: true })
    }).pipe(provided)
  )

  it.effect("4.1: an exit signal to a dead process goes nowhere", () =>
    Effect.gen(function* () {
      for (const reason of [ExitReason.shutdown(), ExitReason.killed]) yield* Process.exit(yield* dead, reason)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("4.5: answers travel beside the mailbox: a caller finds none in it, and need not empty it first", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(scripted())
      const caller = yield* actor("caller")
      const waiting = yield* caller.do(
        Effect.gen(function* () {
          yield* Process.send(caller.pid, "before")
          assert.strictEqual(yield* server.call("Run", get), 0)
          return yield* Sys.status(caller)
        })
      )
      assert.strictEqual(waiting.waiting, 1)
      assert.deepStrictEqual(yield* heard(caller), ["before"])
    }).pipe(provided)
  )

  it.effect("4.5: a call to a process that is no server is not among what it receives", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const asking = yield* Effect.fork(Effect.flip(Sys.getState(one, { timeout: "1 second" })))
      yield* settle
      yield* Process.send(one.pid, "hello")
      assert.deepStrictEqual(yield* heard(one), ["hello"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(asking))._tag, "CallTimeout")
    }).pipe(provided)
  )

  it.effect("4.5: a full mailbox refuses messages, says so to the sender and counts them", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.never, { name: "full", mailboxCapacity: 2 })
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3], n => Process.send(pid, n)), [true, true, false])
      assert.isFalse(yield* Process.sendName("full", 4))
      assert.deepInclude(yield* Sys.status({ pid }), { waiting: 2, capacity: 2, refused: 2 })
    }).pipe(provided)
  )

  it.effect("4.5: exit and down signals are never refused, however full the mailbox", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        const children = yield* Effect.replicateEffect(
          Process.spawnMonitor(Effect.never, { link: true, label: "child" }),
          20
        )
        for (const n of [1, 2, 3]) yield* Process.send(self, n)
        for (const [pid] of children) yield* Process.exit(pid, ExitReason.killed)
        assert.deepInclude(yield* Sys.status({ pid: self }), { waiting: 42, refused: 1 })
        yield* Effect.replicateEffect(Process.receive, 2)
        const signals = yield* Effect.replicateEffect(Process.receive, 40)
        assert.deepStrictEqual(new Set(signals.map(signal => signal._tag)), new Set<string>(["ExitSignal", "Down"]))
      }),
      { trapExit: true, mailboxCapacity: 2 }
    ).pipe(provided)
  )

  it.effect(
    "4.5: a server's full mailbox refuses a call with MailboxFull, which was not taken and may be repeated",
    () =>
      Effect.gen(function* () {
        const server = yield* GenServer.start(scripted([], { mailboxCapacity: 1 }))
        yield* server.cast("Run", () => Effect.never)
        yield* settle
        yield* server.cast("Run", silence)
        const error = yield* Effect.flip(server.call("Run", get))
        assert.strictEqual(typeof error === "string" ? error : error._tag, "MailboxFull")
        if (typeof error !== "string") assert.deepStrictEqual([error.maybeExecuted, error.retryable], [false, true])
      }).pipe(provided)
  )

  it.effect("4.5: a server's full mailbox drops casts and infos and counts them; the senders go on", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(scripted(journal, { mailboxCapacity: 2 }))
      yield* server.cast("Run", n => Effect.as(Effect.sleep("1 second"), GenServer.noReply(n)))
      yield* settle
      for (const word of ["a", "b", "c"]) yield* server.send(word)
      yield* server.cast("Run", n => GenServer.noReply(n + 1))
      assert.isFalse(server.unsafeSend("d"))
      assert.strictEqual((yield* Sys.status(server)).refused, 3)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([journal, yield* Sys.getState(server)], [["a", "b"], 0])
    }).pipe(provided)
  )

  it.effect("4.5: a server's full mailbox takes the signals that stop it", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(scripted([], { mailboxCapacity: 1 }))
      yield* server.cast("Run", n => Effect.as(Effect.sleep("1 second"), GenServer.noReply(n)))
      yield* settle
      yield* server.cast("Run", silence)
      const stopping = yield* Effect.fork(GenServer.stopServer(server))
      yield* TestClock.adjust("1 second")
      yield* stopping
      assert.isFalse(yield* Process.isAlive(server.pid))
    }).pipe(provided)
  )

  it.effect("4.5: what waits in the mailbox of a process that dies is gone", () =>
    Effect.gen(function* () {
      const one = yield* idle("one")
      yield* Process.send(one, "unread")
      yield* Process.exit(one, ExitReason.killed)
      assert.isFalse(yield* Process.send(one, "later"))
      assert.strictEqual((yield* Effect.flip(Sys.status({ pid: one })))._tag, "NoProcess")
    }).pipe(provided)
  )
})

describe("names", () => {
  it.effect("4.1: a name belongs to one living process, and a process has one name", () =>
    Effect.gen(function* () {
      const one = yield* idle("one")
      const other = yield* idle("other")
      yield* Process.register("n", one)
      yield* Process.register("n", one)
      assert.strictEqual((yield* Effect.flip(Process.register("n", other)))._tag, "NameTaken")
      assert.strictEqual((yield* Effect.flip(Process.register("m", one)))._tag, "NotRegistrable")
      assert.strictEqual((yield* Effect.flip(Process.register("m", yield* dead)))._tag, "NotRegistrable")
      assert.isTrue(yield* Process.unregister("n"))
      assert.isFalse(yield* Process.unregister("n"))
      yield* Process.register("n", other)
      assert.isTrue(Option.contains(yield* Process.whereis("n"), other))
    }).pipe(provided)
  )

  it.effect("4.1: a spawn under a taken name fails, and leaves no process", () =>
    Effect.gen(function* () {
      let ran = false
      const holder = yield* Process.spawn(Effect.never, { name: "n" })
      const error = yield* Effect.flip(
        Process.spawn(
          Effect.sync(() => (ran = true)),
          { name: "n" }
        )
      )
      yield* settle
      assert.deepStrictEqual([error.holder, ran, yield* Process.list], [holder.label, false, [holder]])
    }).pipe(provided)
  )

  it.effect("4.1: a name is free however its process ends", () =>
    Effect.gen(function* () {
      for (const reason of [ExitReason.killed, ExitReason.shutdown(), ExitReason.crashWith("boom")]) {
        const pid = yield* Process.spawn(Effect.never, { name: "n" })
        yield* Process.exit(pid, reason)
        yield* settle
        assert.isTrue(Option.isNone(yield* Process.whereis("n")))
      }
      yield* Process.spawn(Effect.void, { name: "n" })
      yield* settle
      assert.isTrue(Option.isNone(yield* Process.whereis("n")))
    }).pipe(provided)
  )
})
