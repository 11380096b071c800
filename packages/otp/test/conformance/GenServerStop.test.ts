import { RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { ServerExited } from "../../src/CallError.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import {
  actor,
  boom,
  endOf,
  get,
  held,
  inProcess,
  logging,
  provided,
  Scripted,
  type ScriptedRef,
  scripted,
  settle,
  silence,
  type Turn,
  untyped
} from "./processes.js"

type Actor = Effect.Effect.Success<ReturnType<typeof actor>>

/** One line of the table of 3.4. The reason is that of the server's end; undefined: it lives. */
interface Row {
  readonly cause: string
  readonly trapping?: boolean
  readonly act: (
    server: ScriptedRef,
    others: { readonly parent: Actor; readonly stranger: Actor }
  ) => Effect.Effect<unknown, unknown, Process.ProcessTable>
  readonly terminate: boolean
  readonly reason: string | undefined
  readonly reported: boolean
}

const bad = "crash: Error: bad"

const turning =
  (turn: Turn): Row["act"] =>
  server =>
    server.cast("Run", turn)

const stopping: ReadonlyArray<readonly [ExitReason.ExitReason, boolean]> = [
  [ExitReason.normal, false],
  [ExitReason.shutdown(), false],
  [ExitReason.shutdown("term"), false],
  [ExitReason.noProc, true],
  [boom, true]
]

const table: ReadonlyArray<Row> = [
  ...stopping.map(([reason, reported]) => ({
    cause: `a callback stops it with ${ExitReason.format(reason)}`,
    act: turning(n => GenServer.stop(reason, n)),
    terminate: true,
    reason: ExitReason.format(reason),
    reported
  })),
  ...stopping.map(([reason, reported]) => ({
    cause: `a callback stops it with a reply and ${ExitReason.format(reason)}`,
    act: turning(n => GenServer.stopReply(reason, 1, n)),
    terminate: true,
    reason: ExitReason.format(reason),
    reported
  })),
  { cause: "a callback fails", act: turning(() => Effect.fail("bad")), terminate: true, reason: bad, reported: true },
  { cause: "a callback dies", act: turning(() => Effect.die("bad")), terminate: true, reason: bad, reported: true },
  {
    cause: "a callback throws",
    act: turning(() => {
      throw new Error("bad")
    }),
    terminate: true,
    reason: bad,
    reported: true
  },
  {
    cause: "a callback interrupts itself",
    act: turning(() => Effect.interrupt),
    terminate: true,
    reason: "shutdown",
    reported: false
  },
  {
    cause: "a callback returns junk",
    act: turning(() => Effect.succeed(untyped("junk"))),
    terminate: true,
    reason: "crash: RuntimeException: a callback returned something that is not an outcome",
    reported: true
  },
  ...stopping.map(([reason, reported]) => ({
    cause: `its parent sends the exit signal ${ExitReason.format(reason)}`,
    trapping: true,
    act: (server: ScriptedRef, { parent }: { readonly parent: Actor }) => parent.do(Process.exit(server.pid, reason)),
    terminate: true,
    reason: ExitReason.format(reason),
    reported
  })),
  {
    cause: "its parent dies abnormally",
    trapping: true,
    act: (_, { parent }) => Process.exit(parent.pid, boom),
    terminate: true,
    reason: ExitReason.format(boom),
    reported: true
  },
  {
    cause: "its parent is killed",
    trapping: true,
    act: (_, { parent }) => Process.exit(parent.pid, ExitReason.killed),
    terminate: true,
    reason: "killed",
    reported: true
  },
  {
    cause: "its parent ends normally",
    act: (_, { parent }) => Effect.fork(parent.do(Process.exit(parent.pid, ExitReason.normal))),
    terminate: false,
    reason: undefined,
    reported: false
  },
  {
    cause: "its parent dies abnormally",
    act: (_, { parent }) => Process.exit(parent.pid, boom),
    terminate: false,
    reason: ExitReason.format(boom),
    reported: false
  },
  ...stopping.map(([reason]) => ({
    cause: `another process sends the exit signal ${ExitReason.format(reason)}`,
    trapping: true,
    act: (server: ScriptedRef, { stranger }: { readonly stranger: Actor }) =>
      stranger.do(Process.exit(server.pid, reason)),
    terminate: false,
    reason: undefined,
    reported: false
  })),
  ...stopping.map(([reason]) => ({
    cause: `another process sends the exit signal ${ExitReason.format(reason)}`,
    act: (server: ScriptedRef, { stranger }: { readonly stranger: Actor }) =>
      stranger.do(Process.exit(server.pid, reason)),
    terminate: false,
    reason: reason._tag === "Normal" ? undefined : ExitReason.format(reason),
    reported: false
  })),
  ...[true, false].map(trapping => ({
    cause: "it is killed",
    trapping,
    act: (server: ScriptedRef) => Process.exit(server.pid, ExitReason.killed),
    terminate: false,
    reason: "killed",
    reported: false
  })),
  ...[true, false].flatMap(trapping =>
    stopping.map(([reason, reported]) => ({
      cause: `stopServer asks it to stop with ${ExitReason.format(reason)}`,
      trapping,
      act: (server: ScriptedRef) => Effect.fork(GenServer.stopServer(server, reason)),
      terminate: true,
      reason: ExitReason.format(reason),
      reported
    }))
  )
]

describe("the end of a server, by cause", () => {
  for (const { act, cause, reason, reported, terminate, trapping } of table) {
    const outcome =
      reason === undefined
        ? "it lives, and terminate is not called"
        : [
            terminate ? "terminate is called" : "no terminate",
            reported ? "reported" : "silent",
            `a waiting caller sees ${reason}`
          ].join(", ")
    it.effect(
      `3.4: ${cause}${trapping === undefined ? "" : trapping ? ", trapping" : ", not trapping"}: ${outcome}`,
      () =>
        logging(lines =>
          Effect.gen(function* () {
            const journal: Array<string> = []
            const parent = yield* actor("parent", { trapExit: false })
            const stranger = yield* actor("stranger")
            const server = yield* parent.do(GenServer.startLink(scripted(journal, { trapExit: trapping ?? false })))
            const waiting = yield* Effect.fork(Effect.flip(server.call("Run", silence)))
            const end = yield* endOf(server.pid)

            yield* act(server, { parent, stranger })
            yield* settle

            const calls = journal.filter(line => line.startsWith("terminate"))
            assert.deepStrictEqual(calls, terminate ? [`terminate ${reason}`] : [])
            assert.deepStrictEqual(
              lines.map(line => line.message),
              reported ? ["server terminated"] : []
            )
            assert.strictEqual(yield* Process.isAlive(server.pid), reason === undefined)
            if (reason === undefined) {
              assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
              return
            }
            assert.strictEqual(ExitReason.format(yield* end), reason)
            const error = yield* waiting
            assert.strictEqual(error instanceof ServerExited ? ExitReason.format(error.reason) : error, reason)
          }).pipe(provided)
        )
    )
  }
})

describe("terminate", () => {
  it.effect("3.4: stop with a reply: terminate runs first, then the caller is answered", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const ref = yield* GenServer.start(scripted(journal, { terminate: Deferred.await(gate) }))
      const asking = yield* Effect.fork(ref.call("Run", n => GenServer.stopReply(boom, 7, n)))
      yield* settle
      assert.deepStrictEqual(journal, ["terminate crash: Error: boom"])
      assert.isTrue(Option.isNone(yield* Fiber.poll(asking)))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* asking, 7)
    }).pipe(provided)
  )

  it.effect(
    "3.4: a terminate that crashes replaces the reason, is what is reported, and the reply is sent all the same",
    () =>
      logging(lines =>
        Effect.gen(function* () {
          const ref = yield* GenServer.start(scripted([], { terminate: Effect.die("terminate") }))
          const end = yield* endOf(ref.pid)
          const waiting = yield* Effect.fork(Effect.flip(ref.call("Run", silence)))
          assert.strictEqual(yield* ref.call("Run", n => GenServer.stopReply(ExitReason.normal, 7, n)), 7)
          assert.strictEqual(ExitReason.format(yield* end), "crash: Error: terminate")
          assert.deepInclude(yield* waiting, { _tag: "ServerExited" })
          assert.deepStrictEqual(
            lines.map(line => [line.message, line.cause]),
            [["server terminated", "crash: Error: terminate"]]
          )
        }).pipe(provided)
      )
  )

  it.effect("3.4: terminate runs before the server's resources are released, and both before its death is told", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = GenServer.make(RpcGroup.make(), {
        init: () =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.sync(() => journal.push("finalizer")))
            yield* Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(() => journal.push("fiber"))))
          }),
        handlers: {},
        terminate: () => Effect.sync(() => journal.push("terminate"))
      })
      const ref = yield* GenServer.start(server)
      yield* settle
      const told = yield* Effect.fork(Effect.map(Process.awaitExit(ref.pid), () => journal.push("told")))
      yield* settle
      yield* GenServer.stopServer(ref)
      yield* told
      assert.deepStrictEqual(journal, ["terminate", "fiber", "finalizer", "told"])
    }).pipe(provided)
  )

  it.effect("spec_init: the parent's death reaches a server that is busy when its turn comes, after what waited", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const parent = yield* actor("parent")
      const ref = yield* parent.do(GenServer.startLink(scripted(journal, { trapExit: true })))
      yield* ref.cast("Run", held(gate))
      yield* ref.send("before")
      yield* Process.exit(parent.pid, ExitReason.shutdown())
      yield* settle
      yield* ref.send("after")
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(journal, ["before", "terminate shutdown"])
    }).pipe(provided)
  )

  it.effect("spec_init: a server started under a name, or by a parent that has one, knows its parent too", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const parent = yield* actor("parent")
      yield* Process.register("parent", parent.pid)
      yield* parent.do(GenServer.startLink(scripted(journal, { trapExit: true }), { name: "it" }))
      yield* Process.exit(parent.pid, ExitReason.shutdown())
      yield* settle
      assert.deepStrictEqual(journal, ["terminate shutdown"])
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )
})

describe("stopServer", () => {
  const addresses: ReadonlyArray<
    readonly [name: string, (ref: ScriptedRef) => Parameters<typeof GenServer.stopServer>[0]]
  > = [
    ["stop1: by its reference", ref => ref],
    ["stop2: by its pid", ({ pid }) => ({ pid })],
    ["stop4: by its name", () => "it"],
    ["stop5: by a named reference", () => GenServer.named(Scripted, "it")]
  ]
  for (const [name, address] of addresses) {
    it.effect(`${name}, normally: terminate runs, it is dead when that returns, the second time is NoProcess`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(scripted(journal), { name: "it" })
        yield* GenServer.stopServer(address(ref))
        assert.deepStrictEqual([journal, yield* Process.list], [["terminate normal"], []])
        assert.strictEqual((yield* Effect.flip(GenServer.stopServer(address(ref))))._tag, "NoProcess")
      }).pipe(provided)
    )
  }

  it.effect("stop2: with a reason of the caller's choice, which it ends with", () =>
    Effect.gen(function* () {
      for (const reason of [ExitReason.shutdown("enough"), boom, ExitReason.noConnection]) {
        const ref = yield* GenServer.start(scripted())
        const end = yield* endOf(ref.pid)
        yield* GenServer.stopServer(ref, reason)
        assert.strictEqual(ExitReason.format(yield* end), ExitReason.format(reason))
      }
    }).pipe(provided)
  )

  it.effect("stop3: a time limit that makes no sense is the caller's defect, and the server lives", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      assert.isTrue(Exit.isFailure(yield* Effect.exit(GenServer.stopServer(ref, ExitReason.normal, untyped("soon")))))
      assert.strictEqual(yield* ref.call("Run", get), 0)
    }).pipe(provided)
  )

  it.effect("3.4: it stops in its turn: what waited before is served", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const asking = yield* Effect.fork(ref.call("Run", get))
      yield* settle
      const [before, , after] = yield* Effect.all(
        [Effect.exit(ref.call("Run", get)), GenServer.stopServer(ref), Effect.exit(ref.call("Run", get))],
        { concurrency: "unbounded" }
      )
      assert.isTrue(Exit.isSuccess(before) && Exit.isFailure(after))
      yield* asking
    }).pipe(provided)
  )

  it.effect("3.4: when its time limit is over the caller is told, and the server is as it was", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", held(gate))
      const stopping = yield* Effect.fork(Effect.flip(GenServer.stopServer(ref, ExitReason.normal, "1 second")))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* stopping, { _tag: "CallTimeout", request: "stop", timeoutMillis: 1_000 })
      assert.isTrue(yield* Process.isAlive(ref.pid))
    }).pipe(provided)
  )

  it.effect("3.4: a server that ends with another reason fails the stop with that reason", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted([], { terminate: Effect.die("terminate") }))
      const error = yield* Effect.flip(GenServer.stopServer(ref))
      assert.strictEqual(error._tag, "StopFailed")
      if (error._tag === "StopFailed") assert.strictEqual(ExitReason.format(error.reason), "crash: Error: terminate")
    }).pipe(provided)
  )

  it.effect("3.4: a server that is killed before its turn fails the stop with killed", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      yield* ref.cast("Run", () => Effect.never)
      const stopping = yield* Effect.fork(Effect.flip(GenServer.stopServer(ref, ExitReason.shutdown())))
      yield* settle
      yield* Process.exit(ref.pid, ExitReason.killed)
      assert.deepInclude(yield* stopping, { _tag: "StopFailed", reason: ExitReason.killed })
    }).pipe(provided)
  )

  it.effect("3.4: two stops at once are both answered when the server is dead", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      yield* Effect.all([GenServer.stopServer(ref), GenServer.stopServer(ref)], { concurrency: "unbounded" })
      assert.isFalse(yield* Process.isAlive(ref.pid))
    }).pipe(provided)
  )

  it.effect("3.4: a server cannot stop itself this way: CallingSelf", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted(), { name: "it" })
      const told = yield* ref.call("Run", n =>
        Effect.map(Effect.flip(GenServer.stopServer("it")), ({ _tag }) =>
          _tag === "CallingSelf" ? GenServer.reply(1, n) : GenServer.reply(2, n)
        )
      )
      assert.strictEqual(told, 1)
    }).pipe(provided)
  )

  it.effect("stop: a linked, trapping caller gets the exit signal, and nothing else", () =>
    inProcess(
      Effect.gen(function* () {
        const ref = yield* GenServer.startLink(scripted())
        yield* GenServer.stopServer(ref)
        const signal = yield* Process.receive
        assert.deepInclude(signal, { from: ref.pid, reason: ExitReason.normal })
        const self = yield* Effect.flatten(Process.self)
        yield* Process.send(self, "marker")
        assert.strictEqual((yield* Process.receive)._tag, "Message")
      })
    ).pipe(provided)
  )
})
