import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import { actor, dead, endOf, get, held, provided, scripted, settle } from "./processes.js"

describe("introspection", () => {
  it.effect("get_state: the state, by reference, pid or name, in its turn among the messages", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted([], { init: Effect.succeed(7) }), { name: "it" })
      for (const address of [ref, { pid: ref.pid }, "it", { name: "it" }]) {
        assert.strictEqual(yield* Sys.getState(address), 7)
      }
      const gate = yield* Deferred.make<void>()
      yield* ref.cast("Run", held(gate))
      yield* ref.cast("Run", n => GenServer.noReply(n + 1))
      const asking = yield* Effect.fork(Sys.getState(ref))
      yield* settle
      yield* ref.cast("Run", n => GenServer.noReply(n + 1))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* asking, 8)
    }).pipe(provided)
  )

  it.effect("get_state: of a server that is busy it has a time limit, 5 seconds unless the caller says otherwise", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", () => Effect.never)
      const asking = yield* Effect.fork(Effect.flip(Sys.getState(ref)))
      const hasty = yield* Effect.fork(Effect.flip(Sys.getState(ref, { timeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* hasty, { _tag: "CallTimeout", timeoutMillis: 1_000 })
      yield* TestClock.adjust("4 seconds")
      assert.deepInclude(yield* asking, { _tag: "CallTimeout", timeoutMillis: 5_000 })
    }).pipe(provided)
  )

  it.effect("get_state: of nobody is NoProcess; of a server that dies before its turn its reason", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(Sys.getState("nobody")))._tag, "NoProcess")
      assert.strictEqual((yield* Effect.flip(Sys.getState({ pid: yield* dead })))._tag, "NoProcess")
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", () => Effect.die("bad"))
      assert.strictEqual((yield* Effect.flip(Sys.getState(ref)))._tag, "ServerExited")
    }).pipe(provided)
  )

  it.effect("replace_state: the new state is returned and is the server's from then on", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted([], { init: Effect.succeed(7) }))
      assert.strictEqual(yield* Sys.replaceState(ref, state => (typeof state === "number" ? state + 1 : state)), 8)
      assert.strictEqual(yield* ref.call("Run", get), 8)
    }).pipe(provided)
  )

  it.effect("replace_state: a replacer that throws leaves the old state, and the server does not notice", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted([], { init: Effect.succeed(7) }))
      const error = yield* Effect.flip(
        Sys.replaceState(ref, () => {
          throw new Error("replacer")
        })
      )
      assert.strictEqual(error._tag, "ReplacerFailed")
      assert.include(error.message, "replacer")
      assert.deepStrictEqual([error.maybeExecuted, error.retryable], [false, false])
      assert.strictEqual(yield* ref.call("Run", get), 7)
    }).pipe(provided)
  )

  it.effect("3.3: introspection is no message: info and the handlers never see it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* Sys.getState(ref)
      yield* Sys.replaceState(ref, state => state)
      yield* settle
      assert.deepStrictEqual(journal, [])
    }).pipe(provided)
  )

  it.effect("status: what a process is and what it has, without asking it, though it is busy", () =>
    Effect.gen(function* () {
      const parent = yield* actor("parent")
      const ref = yield* parent.do(
        GenServer.startLink(scripted([], { trapExit: true, mailboxCapacity: 3 }), { name: "it" })
      )
      yield* parent.do(Process.monitor(ref.pid))
      yield* ref.cast("Run", () => Effect.never)
      yield* settle
      yield* ref.cast("Run", get)
      assert.deepStrictEqual(yield* Sys.status("it"), {
        pid: ref.pid,
        name: "it",
        kind: "server",
        trapExit: true,
        waiting: 1,
        capacity: 3,
        refused: 0,
        links: [parent.pid],
        monitoredBy: 1
      })
      assert.strictEqual((yield* Sys.status({ pid: parent.pid })).kind, "process")
    }).pipe(provided)
  )

  it.effect("get_state: an interrupted asker leaves the server as it was", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", held(gate))
      const asking = yield* Effect.fork(Sys.getState(ref))
      yield* settle
      yield* Fiber.interrupt(asking)
      yield* Deferred.succeed(gate, undefined)
      const end = yield* endOf(ref.pid)
      yield* GenServer.stopServer(ref)
      assert.strictEqual((yield* end)._tag, "Normal")
    }).pipe(provided)
  )
})
