import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { ServerExited } from "../../src/CallError.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import {
  actor,
  boom,
  dead,
  endOf,
  get,
  heard,
  held,
  note,
  provided,
  Scripted,
  scripted,
  settle,
  silence,
  type Turn,
  untyped
} from "./processes.js"

/** Keeps the address of a call, to be answered by somebody else. */
const keeping =
  (kept: Deferred.Deferred<GenServer.From<number, string>>): Turn =>
  (n, from) =>
    Effect.as(Deferred.succeed(kept, from), GenServer.noReply(n))

describe("call", () => {
  it.effect("call: the server answers with a value, or with an error of the protocol, and lives on", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      assert.strictEqual(yield* ref.call("Run", n => GenServer.reply(n + 1, n + 1)), 1)
      assert.strictEqual(yield* Effect.flip(ref.call("Run", n => GenServer.fail("no", n + 1))), "no")
      assert.strictEqual(yield* ref.call("Run", get), 2)
    }).pipe(provided)
  )

  it.effect("call: the server may answer later, while it serves others", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const kept = yield* Deferred.make<GenServer.From<number, string>>()
      const asking = yield* Effect.fork(ref.call("Run", keeping(kept)))
      const from = yield* Deferred.await(kept)
      const told = yield* ref.call("Run", n => Effect.as(GenServer.replyTo(from, 7), GenServer.reply(n, n)))
      assert.deepStrictEqual([told, yield* asking], [0, 7])
    }).pipe(provided)
  )

  it.effect("call: another process may answer, with a value, an error of the protocol, or an exit", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const other = yield* actor("other")
      for (const answer of [7, Exit.succeed(8), Exit.fail("no")]) {
        const kept = yield* Deferred.make<GenServer.From<number, string>>()
        const asking = yield* Effect.fork(Effect.exit(ref.call("Run", keeping(kept))))
        yield* other.do(GenServer.replyTo(yield* Deferred.await(kept), answer))
        assert.deepStrictEqual(yield* asking, Exit.isExit(answer) ? answer : Exit.succeed(answer))
      }
    }).pipe(provided)
  )

  it.effect("call: a fiber of the server may answer, and a callback of another library may, synchronously", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const forked: Turn = (n, from) =>
        Effect.as(Effect.forkDaemon(Effect.zipRight(settle, GenServer.replyTo(from, 7))), GenServer.noReply(n))
      const called: Turn = (n, from) => {
        queueMicrotask(() => from.settle(Exit.succeed(8)))
        return GenServer.noReply(n)
      }
      assert.deepStrictEqual([yield* ref.call("Run", forked), yield* ref.call("Run", called)], [7, 8])
    }).pipe(provided)
  )

  it.effect("3.2: a second reply is ignored, whoever gives it", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const twice: Turn = (n, from) => Effect.as(GenServer.replyTo(from, 1), GenServer.reply(2, n))
      assert.strictEqual(yield* ref.call("Run", twice), 1)
      const atOnce: Turn = (n, from) => {
        from.settle(Exit.succeed(1))
        return GenServer.reply(2, n)
      }
      assert.strictEqual(yield* ref.call("Run", atOnce), 1)
      const kept = yield* Deferred.make<GenServer.From<number, string>>()
      const asking = yield* Effect.fork(ref.call("Run", keeping(kept)))
      const from = yield* Deferred.await(kept)
      for (const answer of [3, 4]) yield* GenServer.replyTo(from, answer)
      assert.strictEqual(yield* asking, 3)
      yield* GenServer.replyTo(from, 5)
      assert.strictEqual(yield* ref.call("Run", get), 0)
    }).pipe(provided)
  )

  it.effect("reply_by_alias_with_payload: the address of a call is opaque and works wherever it was put", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const waiting = new Map<string, Array<GenServer.From<number, string>>>()
      const asking = yield* Effect.fork(
        ref.call("Run", (n, from) => {
          waiting.set("caller", [from])
          return GenServer.noReply(n)
        })
      )
      yield* settle
      for (const from of Array.from(waiting.values()).flat()) yield* GenServer.replyTo(from, 7)
      assert.strictEqual(yield* asking, 7)
    }).pipe(provided)
  )

  it.effect("3.2: the limit is 5 seconds unless the caller says otherwise; the request is executed all the same", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", held(gate))
      const asking = yield* Effect.fork(Effect.flip(ref.call("Run", note(journal, "executed"))))
      yield* TestClock.adjust(4_999)
      assert.isTrue(Option.isNone(yield* Fiber.poll(asking)))
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* asking, { _tag: "CallTimeout", request: "Run", timeoutMillis: 5_000 })
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(journal, ["executed"])
    }).pipe(provided)
  )

  it.effect("3.2: a late reply goes nowhere: the caller's mailbox stays empty, its next call gets its own answer", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const ref = yield* GenServer.start(scripted())
      const caller = yield* actor("caller")
      const asking = yield* Effect.fork(
        caller.do(Effect.flip(ref.call("Run", n => Effect.as(Deferred.await(gate), GenServer.reply(99, n)))))
      )
      yield* TestClock.adjust("5 seconds")
      yield* asking
      const next = yield* Effect.fork(caller.do(ref.call("Run", get)))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* next, 0)
      assert.deepStrictEqual(yield* heard(caller), [])
    }).pipe(provided)
  )

  it.effect("3.2: without a limit a call waits for as long as it takes", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const asking = yield* Effect.fork(
        ref.call("Run", n => Effect.as(Effect.sleep("30 days"), GenServer.reply(n, n)), { timeout: Duration.infinity })
      )
      yield* TestClock.adjust("30 days")
      assert.strictEqual(yield* asking, 0)
    }).pipe(provided)
  )

  it.effect("3.2: calls with limits of different lengths expire each at its own time", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const late: Array<number> = []
      yield* Effect.forEach([300, 100, 200, 100], timeout =>
        Effect.fork(Effect.catchAll(ref.call("Run", silence, { timeout }), () => Effect.sync(() => late.push(timeout))))
      )
      yield* settle
      yield* ref.call("Run", get, { timeout: 100 })
      for (const expected of [
        [100, 100],
        [100, 100, 200],
        [100, 100, 200, 300]
      ]) {
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(late, expected)
      }
    }).pipe(provided)
  )

  it.effect("3.2: a call to a dead process, or to a name nobody has, is NoProcess at once, with what was asked", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted(), { name: "it" })
      yield* GenServer.stopServer(ref)
      const named = GenServer.named(Scripted, "it")
      assert.deepInclude(yield* Effect.flip(ref.call("Run", get)), { _tag: "NoProcess", request: "Run" })
      assert.deepInclude(yield* Effect.flip(named.call("Run", get)), { _tag: "NoProcess", server: "it" })
      assert.strictEqual((yield* Effect.flip(Sys.getState({ pid: yield* dead })))._tag, "NoProcess")
    }).pipe(provided)
  )

  it.effect("3.2: a callback that calls its own server is CallingSelf; a fiber it forked may call", () =>
    Effect.gen(function* () {
      const me = yield* GenServer.named(Scripted, "me").bind
      const ref = yield* GenServer.start(scripted(), { name: "me" })
      const told = yield* ref.call("Run", n =>
        Effect.map(Effect.flip(me.call("Run", get)), error =>
          typeof error !== "string" && error._tag === "CallingSelf" ? GenServer.reply(1, n) : GenServer.reply(2, n)
        )
      )
      assert.strictEqual(told, 1)
      const forked = yield* ref.call("Run", (_, from) => {
        const asking = Effect.flatMap(me.call("Run", get), answer => GenServer.replyTo(from, answer))
        return Effect.as(Effect.forkDaemon(asking), GenServer.noReply(5))
      })
      assert.strictEqual(forked, 5)
    }).pipe(provided)
  )

  const ends: ReadonlyArray<readonly [name: string, turn: Turn, reason: string]> = [
    ["stops normally", n => GenServer.stop(ExitReason.normal, n), "normal"],
    ["stops with shutdown", n => GenServer.stop(ExitReason.shutdown("enough"), n), "shutdown (enough)"],
    ["stops abnormally", n => GenServer.stop(boom, n), "crash: Error: boom"],
    ["crashes", () => Effect.die("bad"), "crash: Error: bad"]
  ]
  for (const [name, turn, reason] of ends) {
    it.effect(
      `call_remote: a server that ${name} before it answers: the caller is told the reason, and who waits too`,
      () =>
        Effect.gen(function* () {
          const ref = yield* GenServer.start(scripted())
          const unanswered = yield* Effect.fork(Effect.flip(ref.call("Run", silence)))
          const asking = yield* Effect.fork(Effect.flip(ref.call("Run", turn)))
          const queued = yield* Effect.fork(Effect.flip(ref.call("Run", get)))
          for (const fiber of [unanswered, asking, queued]) {
            const error = yield* fiber
            assert.strictEqual(error instanceof ServerExited ? ExitReason.format(error.reason) : error, reason)
          }
        }).pipe(provided)
    )
  }

  it.effect("3.2: a failed call ends the caller's effect, not the caller's process, and leaves it nothing", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const caller = yield* actor("caller", { trapExit: true })
      yield* caller.do(Effect.exit(ref.call("Run", () => Effect.die("bad"))))
      assert.deepStrictEqual(yield* heard(caller), [])
      assert.isTrue(yield* Process.isAlive(caller.pid))
    }).pipe(provided)
  )

  it.effect("call: stop with a reply answers the caller; stop without one tells it the reason", () =>
    Effect.gen(function* () {
      const answering = yield* GenServer.start(scripted())
      assert.strictEqual(yield* answering.call("Run", n => GenServer.stopReply(boom, 7, n)), 7)
      const silent = yield* GenServer.start(scripted())
      const error = yield* Effect.flip(silent.call("Run", n => GenServer.stop(boom, n)))
      assert.isTrue(error instanceof ServerExited && error.reason === boom)
    }).pipe(provided)
  )

  it.effect("§6: the caller of a call is interrupted: the reply goes nowhere, and the server goes on", () =>
    Effect.gen(function* () {
      for (const timeout of ["1 minute", Duration.infinity] as const) {
        const journal: Array<string> = []
        const gate = yield* Deferred.make<void>()
        const ref = yield* GenServer.start(scripted())
        yield* ref.cast("Run", held(gate))
        const asking = yield* Effect.fork(ref.call("Run", note(journal, "executed"), { timeout }))
        yield* settle
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(asking)))
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* ref.call("Run", get), 0)
        assert.deepStrictEqual(journal, ["executed"])
      }
    }).pipe(provided)
  )

  it.effect("§6: a caller that dies while it waits: nothing of the call is left when the server answers or dies", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const caller = yield* actor("caller")
      yield* Effect.fork(caller.do(ref.call("Run", silence)))
      yield* settle
      yield* Process.exit(caller.pid, ExitReason.killed)
      const end = yield* endOf(ref.pid)
      yield* GenServer.stopServer(ref)
      assert.strictEqual((yield* end)._tag, "Normal")
    }).pipe(provided)
  )

  it.effect("3.2: a limit that makes no sense is the caller's defect; the server does not notice", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const exit = yield* Effect.exit(ref.call("Run", n => GenServer.reply(n, n + 1), { timeout: untyped("soon") }))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* ref.call("Run", get), 0)
    }).pipe(provided)
  )

  it.effect("3.2: by name, each call finds the server that has the name now", () =>
    Effect.gen(function* () {
      const named = yield* GenServer.named(Scripted, "it").bind
      const first = yield* GenServer.start(scripted([], { init: Effect.succeed(1) }), { name: "it" })
      assert.strictEqual(yield* named.call("Run", get), 1)
      yield* Process.exit(first.pid, ExitReason.killed)
      yield* GenServer.start(scripted([], { init: Effect.succeed(2) }), { name: "it" })
      assert.strictEqual(yield* named.call("Run", get), 2)
    }).pipe(provided)
  )
})
