import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Schema, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import {
  actor,
  endOf,
  get,
  held,
  logging,
  note,
  provided,
  Scripted,
  type ScriptedRef,
  scripted,
  settle,
  type Turn,
  untyped
} from "./processes.js"

describe("casts and infos", () => {
  it.effect("cast: succeeds at once, to a dead server and to a name nobody has too", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      yield* GenServer.stopServer(ref)
      const named = GenServer.named(Scripted, "nobody")
      for (const client of [ref, named]) assert.isUndefined(yield* client.cast("Run", get))
    }).pipe(provided)
  )

  it.effect("cast_fast: never waits for the server, however busy that is", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", held(gate))
      yield* settle
      for (let n = 0; n < 100; n++) yield* ref.cast("Run", note(journal, "cast"))
      assert.strictEqual((yield* Sys.status(ref)).waiting, 100)
      yield* Deferred.succeed(gate, undefined)
      yield* ref.call("Run", get)
      assert.lengthOf(journal, 100)
    }).pipe(provided)
  )

  it.effect("abcast: a cast to many reaches those that live", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const refs = yield* Effect.replicateEffect(GenServer.start(scripted()), 3)
      for (const ref of refs.slice(0, 1)) yield* GenServer.stopServer(ref)
      yield* Effect.forEach(refs, (ref, n) => ref.cast("Run", note(journal, String(n))))
      yield* settle
      assert.deepStrictEqual(journal, ["1", "2"])
    }).pipe(provided)
  )

  it.effect("cast: an outcome with a reply answers nobody, and the state is taken", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", n => GenServer.reply(99, n + 1))
      yield* ref.cast("Run", n => GenServer.fail("no", n + 1))
      yield* ref.cast("Run", (n, from) => Effect.as(GenServer.replyTo(from, 99), GenServer.noReply(n + 1)))
      assert.strictEqual(yield* ref.call("Run", get), 3)
    }).pipe(provided)
  )

  it.effect("info: the server's own messages, plain messages, downs and trapped exits all go to info", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal, { trapExit: true }))
      yield* ref.send("own")
      assert.isTrue(ref.unsafeSend("own, synchronously"))
      yield* Process.send(ref.pid, "plain")
      yield* ref.call("Run", n =>
        Effect.as(Process.spawnMonitor(Effect.void, { label: "child", link: true }), GenServer.reply(n, n))
      )
      yield* settle
      assert.deepStrictEqual(journal, ["own", "own, synchronously", "plain", "exit child normal", "down child normal"])
    }).pipe(provided)
  )

  it.effect("3.3: calls, casts, infos and exits of one sender keep their order", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal, { trapExit: true }))
      const sender = yield* actor("sender")
      yield* sender.do(
        Effect.gen(function* () {
          yield* ref.cast("Run", note(journal, "cast"))
          yield* ref.send("info")
          yield* ref.request("Run", note(journal, "request"))
          yield* Process.exit(ref.pid, ExitReason.shutdown())
          yield* Process.send(ref.pid, "plain")
          yield* ref.call("Run", note(journal, "call"))
        })
      )
      assert.deepStrictEqual(journal, ["cast", "info", "request", "exit sender shutdown", "plain", "call"])
    }).pipe(provided)
  )

  it.effect("3.3: one message at a time: the next waits until the callback is through", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted())
      const slow: Turn = n =>
        Effect.gen(function* () {
          journal.push("begins")
          yield* Effect.sleep("1 second")
          journal.push("ends")
          return GenServer.noReply(n)
        })
      yield* ref.cast("Run", slow)
      yield* ref.cast("Run", slow)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(journal, ["begins", "ends", "begins", "ends"])
    }).pipe(provided)
  )

  it.effect("3.3: a message to a server without info is dropped with a warning, and the server lives", () =>
    logging(lines =>
      Effect.gen(function* () {
        const server = GenServer.make(RpcGroup.make(Rpc.make("Get", { success: Schema.Number })), {
          init: () => Effect.succeed(7),
          handlers: { Get: (_, n) => GenServer.reply(n, n) }
        })
        const ref = yield* GenServer.start(server)
        yield* Process.send(ref.pid, "hello")
        assert.strictEqual(yield* ref.call("Get"), 7)
        assert.deepStrictEqual(
          lines.map(line => line.level),
          ["WARN"]
        )
      }).pipe(provided)
    )
  )

  for (const way of ["call", "cast"] as const) {
    it.effect(`3.3: a ${way} there is no handler for crashes the server`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(scripted(journal))
        const end = yield* endOf(ref.pid)
        yield* Effect.exit(ref[way](untyped("Nonsense"), untyped(undefined)))
        assert.include(ExitReason.format(yield* end), 'no handler for "Nonsense"')
        assert.lengthOf(journal, 1)
      }).pipe(provided)
    )
  }

  const junk: ReadonlyArray<readonly [name: string, turn: Turn]> = [
    ["an effect of something that is no outcome", () => Effect.succeed(untyped({ reply: 1 }))],
    ["something that is no effect", () => untyped({ reply: 1 })],
    ["nothing", () => untyped(undefined)]
  ]
  for (const [name, turn] of junk) {
    it.effect(`3.3: a callback that returns ${name} crashes the server; terminate is called, the caller is told`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(scripted(journal))
        const error = yield* Effect.flip(ref.call("Run", turn))
        assert.deepInclude(error, { _tag: "ServerExited" })
        assert.match(journal.join(), /^terminate crash/)
      }).pipe(provided)
    )
  }
})

describe("continue", () => {
  /** A server that can be asked for any chain of continues. */
  const Chain = RpcGroup.make(Rpc.make("Go", { payload: Schema.Array(Schema.String) }), Rpc.make("Other"))

  const chain = (journal: Array<string>, first: ReadonlyArray<string> = []) => {
    const next = ([token, ...rest]: ReadonlyArray<string>): { readonly continue: unknown } | undefined =>
      token === undefined ? undefined : { continue: [token, ...rest] }
    return GenServer.make(Chain, {
      init: () => Effect.succeed(first.length === 0 ? 0 : GenServer.initContinue(0, first)),
      handlers: {
        Go: (tokens, n) => GenServer.reply(undefined, n, next(tokens)),
        Other: (_, n) => {
          journal.push("other")
          return GenServer.reply(undefined, n)
        }
      },
      info: (message, n) => GenServer.noReply(n, next(message._tag === "Timeout" ? [] : ["from info"])),
      continue: (token, n) => {
        const [word = "?", ...rest] = token as ReadonlyArray<string>
        journal.push(word)
        return word === "stop" ? GenServer.stop(ExitReason.shutdown("continued"), n) : GenServer.noReply(n, next(rest))
      }
    })
  }

  it.effect("3.3: continue runs right after the callback that asked for it, before what waits; it may chain", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(chain(journal))
      yield* Effect.all([ref.cast("Go", ["a", "b", "c"]), ref.cast("Other"), ref.cast("Go", ["d"])])
      yield* settle
      assert.deepStrictEqual(journal, ["a", "b", "c", "other", "d"])
    }).pipe(provided)
  )

  it.effect("3.3: a continue of init runs before the first message, though that came during init", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const named = yield* GenServer.named(Chain, "it").bind
      const starting = yield* Effect.fork(GenServer.start(chain(journal, ["first"]), { name: "it" }))
      yield* Effect.yieldNow()
      yield* named.cast("Other")
      yield* starting
      yield* named.call("Other")
      assert.deepStrictEqual(journal, ["first", "other", "other"])
    }).pipe(provided)
  )

  it.effect("3.3: info may ask for a continue, and a continue may stop the server", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(chain(journal))
      const end = yield* endOf(ref.pid)
      yield* Process.send(ref.pid, { _tag: "Anything" })
      yield* ref.cast("Go", ["stop", "never"])
      assert.strictEqual(ExitReason.format(yield* end), "shutdown (continued)")
      assert.deepStrictEqual(journal, ["from info", "stop"])
    }).pipe(provided)
  )

  it.effect("3.3: a continue that was asked for without the callback crashes the server", () =>
    Effect.gen(function* () {
      const server = GenServer.make(RpcGroup.make(Rpc.make("Go")), {
        init: () => Effect.succeed(0),
        handlers: { Go: (_, n) => GenServer.reply(undefined, n, { continue: "token" }) }
      })
      const ref = yield* GenServer.start(server)
      const end = yield* endOf(ref.pid)
      yield* ref.call("Go")
      assert.include(ExitReason.format(yield* end), "no such callback")
    }).pipe(provided)
  )
})

describe("timeouts", () => {
  const arm =
    (timeout: Duration.DurationInput): Turn =>
    n =>
      GenServer.reply(n, n, { timeout })

  const armTimed =
    (timeout: Duration.DurationInput, message: string): Turn =>
    n =>
      GenServer.reply(n, n, { timeout, message })

  it.effect("handle_event_timeout: fires once, when no message has come in time", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.call("Run", arm("1 second"))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(journal, [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(journal, ["timeout"])
    }).pipe(provided)
  )

  const messages: ReadonlyArray<
    readonly [string, (ref: ScriptedRef) => Effect.Effect<unknown, unknown, Process.ProcessTable>]
  > = [
    ["a call", ref => ref.call("Run", get)],
    ["a cast", ref => ref.cast("Run", get)],
    ["an info", ref => ref.send("info")],
    ["a plain message", ref => Process.send(ref.pid, "plain")],
    ["a trapped exit", ref => Process.exit(ref.pid, ExitReason.shutdown())]
  ]
  for (const [name, send] of messages) {
    it.effect(`handle_event_timeout: ${name} cancels it, with a message of its own or without`, () =>
      Effect.gen(function* () {
        for (const turn of [arm("1 second"), armTimed("1 second", "timed")]) {
          const journal: Array<string> = []
          const ref = yield* GenServer.start(scripted(journal, { trapExit: true }))
          yield* ref.call("Run", turn)
          yield* TestClock.adjust("999 millis")
          yield* send(ref)
          yield* TestClock.adjust("1 hour")
          assert.notIncludeMembers(journal, ["timeout"])
          assert.notIncludeMembers(journal, ["timed"])
        }
      }).pipe(provided)
    )
  }

  it.effect("3.3: introspection does not cancel it, with a message of its own or without", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      for (const turn of [arm("1 second"), armTimed("1 second", "timed")]) {
        yield* ref.call("Run", turn)
        yield* TestClock.adjust("500 millis")
        yield* Sys.getState(ref)
        yield* Sys.replaceState(ref, state => state)
        yield* Sys.status(ref)
        yield* TestClock.adjust("500 millis")
      }
      assert.deepStrictEqual(journal, ["timeout", "timed"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout: a timed message fires once, in the place of the timeout", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.call("Run", armTimed("1 second", "timed"))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(journal, [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(journal, ["timed"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout: the next outcome replaces a timed message, by another or by a plain timeout", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.call("Run", armTimed("1 second", "old"))
      yield* ref.call("Run", armTimed("2 seconds", "new"))
      yield* TestClock.adjust("2 seconds")
      yield* ref.call("Run", armTimed("1 second", "old"))
      yield* ref.call("Run", arm("2 seconds"))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(journal, ["new", "timeout"])
    }).pipe(provided)
  )

  it.effect(
    "3.3: to the compiler a timed message is one of the server's own kind, known from init, or it is refused",
    () =>
      Effect.gen(function* () {
        type Own = "tick" | "tock"
        type IsOwn<Message> =
          GenServer.NoReply<number, Message> extends GenServer.Outcome<number, never, never, Own> ? true : false
        const judged: readonly [IsOwn<"tick">, IsOwn<"tack">] = [true, false]
        assert.deepStrictEqual(judged, [true, false])
        const server = GenServer.make(RpcGroup.make(), {
          init: (_: GenServer.Self<Own>) => Effect.succeed(GenServer.initNext(0, { timeout: 0, message: "tick" })),
          handlers: {},
          info: (message, n) =>
            message === "tick" ? GenServer.noReply(n + 1, { timeout: 0, message: "tock" }) : GenServer.noReply(n + 10)
        })
        assert.strictEqual(yield* Sys.getState(yield* GenServer.start(server)), 11)
      }).pipe(provided)
  )

  it.effect("handle_event_timeout_zero: a timed message of zero goes before what waits", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* Effect.all([ref.cast("Run", armTimed(0, "timed")), ref.cast("Run", note(journal, "waiting"))])
      yield* settle
      assert.deepStrictEqual(journal, ["timed", "waiting"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout_zero: introspection that waits does not cancel it either, and comes after it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.cast("Run", armTimed(0, "timed"))
      yield* Sys.replaceState(ref, () => journal.length)
      assert.deepStrictEqual([journal, yield* Sys.getState(ref)], [["timed"], 1])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout: the next outcome replaces it, by another or by none; infinity never fires", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.call("Run", arm("1 second"))
      yield* ref.call("Run", arm("3 seconds"))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(journal, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal, ["timeout"])
      yield* ref.call("Run", arm(Duration.infinity))
      yield* TestClock.adjust("1000 days")
      assert.deepStrictEqual(journal, ["timeout"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout_zero, _plain: zero fires only when nothing waits, right after the callback", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* Effect.all([ref.cast("Run", arm(0)), ref.cast("Run", note(journal, "waiting"))])
      yield* settle
      assert.deepStrictEqual(journal, ["waiting"])
      yield* ref.cast("Run", arm(0))
      yield* settle
      assert.deepStrictEqual(journal, ["waiting", "timeout"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout: a timeout and a continue in one outcome: the continue first", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.call("Run", n => GenServer.reply(n, n, { timeout: "1 second", continue: "token" }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal, ["continue token", "timeout"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout_zero: with a continue in the same outcome that comes first, then the message", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      const both: Turn = n => GenServer.noReply(n, { continue: "token", timeout: 0, message: "timed" })
      yield* Effect.all([ref.cast("Run", both), ref.cast("Run", note(journal, "waiting"))])
      yield* settle
      assert.deepStrictEqual(journal, ["continue token", "timed", "waiting"])
    }).pipe(provided)
  )

  it.effect("handle_event_timeout: a message that waits already cancels it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.cast("Run", armTimed("1 second", "timed"))
      yield* ref.cast("Run", n => Effect.as(Effect.sleep("1 minute"), GenServer.noReply(n)))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(journal, [])
    }).pipe(provided)
  )

  it.effect("3.3: a timeout that makes no sense crashes the server", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const end = yield* endOf(ref.pid)
      yield* ref.cast("Run", arm(untyped("soon")))
      assert.strictEqual((yield* end)._tag, "Crash")
    }).pipe(provided)
  )
})
