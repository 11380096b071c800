import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import { actor, boom, type Line, logging, provided, scripted, settle, type Turn } from "./processes.js"

const die: Turn = () => Effect.die("bad")

/** What is reported of a server that was treated like this. */
const reportOf = (lines: ReadonlyArray<Line>) =>
  Effect.map(settle, () => {
    assert.lengthOf(lines, 1)
    return lines[0] ?? assert.fail("no report")
  })

describe("the report of a server that crashed", () => {
  it.effect("crash: it tells the server, the reason with its cause, the last message, the state and the caller", () =>
    logging(lines =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(scripted([], { init: Effect.succeed(7) }), { name: "it" })
        const caller = yield* actor("caller")
        yield* caller.do(Effect.exit(ref.call("Run", die)))
        const { annotations, cause, level, message } = yield* reportOf(lines)
        assert.deepStrictEqual([level, message, cause], ["ERROR", "server terminated", "crash: Error: bad"])
        assert.deepInclude(annotations, {
          reason: "crash: Error: bad",
          lastMessage: "call Run",
          state: "7",
          caller: caller.pid.label
        })
        assert.match(String(annotations.server), /^it<\d+ it>$/)
      }).pipe(provided)
    )
  )

  it.effect("crash: a caller that has a name is told by it; one that is no process by its fiber", () =>
    logging(lines =>
      Effect.gen(function* () {
        const caller = yield* actor("caller")
        yield* Process.register("boss", caller.pid)
        const first = yield* GenServer.start(scripted())
        yield* caller.do(Effect.exit(first.call("Run", die)))
        const second = yield* GenServer.start(scripted())
        yield* Effect.exit(second.call("Run", die))
        yield* settle
        assert.deepStrictEqual(
          lines.map(line => String(line.annotations.caller).replace(/\d+/, "n")),
          ["boss<n caller>", "#n"]
        )
      }).pipe(provided)
    )
  )

  const causes: ReadonlyArray<
    readonly [
      lastMessage: string,
      crash: (ref: GenServer.Ref<Rpcs, string>) => Effect.Effect<unknown, unknown, Process.ProcessTable>
    ]
  > = [
    ["cast Go", ref => ref.cast("Go", "crash")],
    ["call Go", ref => ref.call("Go", "crash")],
    ["Message", ref => ref.send("crash")],
    ["Continue", ref => ref.call("Go", "continue")],
    ["Timeout", ref => ref.call("Go", "timeout")],
    ["stop", ref => GenServer.stopServer(ref, boom)],
    ["ExitSignal", ref => Process.exit(ref.pid, boom)]
  ]

  const Go = Rpc.make("Go", { payload: Schema.String })
  type Rpcs = typeof Go

  /** Crashes wherever it is told to. */
  const fragile = GenServer.make(RpcGroup.make(Go), {
    trapExit: true,
    init: (_: GenServer.Self<string>) => Effect.succeed(0),
    handlers: {
      Go: (where, n) => {
        if (where === "crash") return Effect.die("bad")
        return GenServer.reply(undefined, n, where === "continue" ? { continue: where } : { timeout: 0 })
      }
    },
    info: () => Effect.die("bad"),
    continue: () => Effect.die("bad")
  })

  for (const [lastMessage, crash] of causes) {
    it.effect(`crash: the last message is "${lastMessage}" if that was handled, and only a call has a caller`, () =>
      logging(lines =>
        Effect.gen(function* () {
          const ref = yield* GenServer.start(fragile)
          yield* Effect.fork(Effect.exit(crash(ref)))
          const { annotations } = yield* reportOf(lines)
          assert.strictEqual(annotations.lastMessage, lastMessage)
          assert.strictEqual("caller" in annotations, lastMessage === "call Go")
        }).pipe(provided)
      )
    )
  }

  it.effect("crash: a failed init has no last message and no state yet", () =>
    logging(lines =>
      Effect.gen(function* () {
        yield* Effect.exit(GenServer.start(scripted([], { init: Effect.fail("no") })))
        const { annotations } = yield* reportOf(lines)
        assert.deepInclude(annotations, { lastMessage: "none", state: "undefined" })
      }).pipe(provided)
    )
  )

  it.effect("crash: of a state only the surface is told: a large one fits a line, a cyclic one does no harm", () =>
    logging(lines =>
      Effect.gen(function* () {
        interface Big {
          readonly items: ReadonlyArray<number>
          readonly secret: { readonly key: string }
          self?: Big
        }
        const state: Big = { items: Array.from({ length: 100_000 }, (_, n) => n), secret: { key: "hidden" } }
        state.self = state
        const server = GenServer.make(RpcGroup.make(Rpc.make("Crash")), {
          init: () => Effect.succeed(state),
          handlers: { Crash: () => Effect.die("bad") }
        })
        const ref = yield* GenServer.start(server)
        yield* ref.cast("Crash")
        const { annotations } = yield* reportOf(lines)
        assert.strictEqual(annotations.state, "Object{ items: Array(100000), secret: Object, self: Object }")
      }).pipe(provided)
    )
  )

  it.effect("crash: a server whose finalizer fails is reported, though it stopped in an orderly way", () =>
    logging(lines =>
      Effect.gen(function* () {
        for (const trapExit of [true, false]) {
          const server = GenServer.make(RpcGroup.make(), {
            trapExit,
            init: () => Effect.addFinalizer(() => Effect.die("finalizer")),
            handlers: {}
          })
          const ref = yield* GenServer.start(server)
          if (trapExit) yield* Effect.exit(GenServer.stopServer(ref))
          else yield* Process.exit(ref.pid, ExitReason.shutdown())
        }
        yield* settle
        assert.deepStrictEqual(
          lines.map(line => line.cause),
          ["crash: Error: finalizer", "crash: Error: finalizer"]
        )
      }).pipe(provided)
    )
  )

  it.effect("crash: a process that is linked to the server dies of it without a report of its own", () =>
    logging(lines =>
      Effect.gen(function* () {
        const parent = yield* actor("parent")
        const ref = yield* parent.do(GenServer.startLink(scripted()))
        const sibling = yield* parent.do(GenServer.startLink(scripted()))
        yield* ref.cast("Run", die)
        yield* reportOf(lines)
        assert.deepStrictEqual(yield* Process.list, [])
        assert.isFalse(yield* Process.isAlive(sibling.pid))
      }).pipe(provided)
    )
  )
})
