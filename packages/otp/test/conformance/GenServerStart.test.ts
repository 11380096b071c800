import { RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Equal, Fiber, Option, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Registry from "../../src/Registry.js"
import * as Supervisor from "../../src/Supervisor.js"
import * as Sys from "../../src/Sys.js"
import { actor, boom, endOf, flush, get, heard, inProcess, logging, provided, scripted, settle } from "./processes.js"

type Init = Effect.Effect<number | GenServer.InitOutcome<number, string>, unknown>

/** A failed start in a few words. */
const failureOf = <A, R>(start: Effect.Effect<A, GenServer.StartError, R>) =>
  Effect.map(Effect.flip(start), error =>
    error._tag === "StartFailed" ? `StartFailed ${ExitReason.format(error.reason)}` : error._tag
  )

describe("the start of a server", () => {
  it.effect("start: the name is registered before init runs, and the start returns when init is through", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const server = scripted([], { init: Effect.as(Deferred.await(gate), 7) })
      const starting = yield* Effect.fork(GenServer.start(server, { name: "it" }))
      yield* settle
      assert.isTrue(Option.isSome(yield* Process.whereis("it")))
      assert.isTrue(Option.isNone(yield* Fiber.poll(starting)))
      yield* Deferred.succeed(gate, undefined)
      const ref = yield* starting
      assert.isTrue(Option.contains(yield* Process.whereis("it"), ref.pid))
      assert.strictEqual(yield* ref.call("Run", get), 7)
    }).pipe(provided)
  )

  it.effect("start: what is sent while init runs waits for its end", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const server = scripted([], { init: Effect.as(Deferred.await(gate), 7) })
      const named = yield* GenServer.named(server, "it").bind
      const starting = yield* Effect.fork(GenServer.start(server, { name: "it" }))
      yield* settle
      const asking = yield* Effect.fork(named.call("Run", get))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* starting
      assert.strictEqual(yield* asking, 7)
    }).pipe(provided)
  )

  it.effect("start: a taken name is AlreadyStarted with the holder's pid, and the newcomer's init never runs", () =>
    Effect.gen(function* () {
      let inits = 0
      const server = scripted([], { init: Effect.sync(() => ++inits) })
      const first = yield* GenServer.start(server, { name: "it" })
      for (const start of [GenServer.start, GenServer.startLink]) {
        const error = yield* Effect.flip(start(server, { name: "it" }))
        assert.deepInclude(error, { _tag: "AlreadyStarted", name: "it", pid: first.pid })
      }
      yield* settle
      assert.deepStrictEqual([inits, yield* Process.list], [1, [first.pid]])
    }).pipe(provided)
  )

  it.effect("start: a via name is claimed before init runs, tells its holder, and is free afterwards", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string>({ keys: "unique" })
      const name = Registry.via(registry, "key")
      const first = yield* GenServer.start(scripted(), { name })
      const error = yield* Effect.flip(GenServer.start(scripted(), { name }))
      assert.deepInclude(error, { _tag: "AlreadyStarted", pid: first.pid })
      yield* GenServer.stopServer(name)
      assert.isTrue(Option.isNone(yield* Process.whereis(name)))
      yield* GenServer.start(scripted(), { name })
    }).pipe(provided)
  )

  it.effect("start_link: the starter and the server are linked, and the starter is the parent", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const parent = yield* actor("parent", { trapExit: true })
      const ref = yield* parent.do(GenServer.startLink(scripted(journal, { trapExit: true })))
      assert.deepStrictEqual((yield* Sys.status(ref)).links, [parent.pid])
      yield* Process.exit(parent.pid, ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(journal, ["terminate killed"])
    }).pipe(provided)
  )

  it.effect("start_link: outside a process there is nobody to link to", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.startLink(scripted())
      assert.deepStrictEqual((yield* Sys.status(ref)).links, [])
    }).pipe(provided)
  )

  it.effect("start: without a link nobody is the parent: a starter's exit signal is one like any other", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const starter = yield* actor("starter")
      const ref = yield* starter.do(GenServer.start(scripted(journal, { trapExit: true })))
      yield* starter.do(Process.exit(ref.pid, ExitReason.shutdown()))
      yield* settle
      assert.deepStrictEqual(journal, ["exit starter shutdown"])
    }).pipe(provided)
  )

  it.effect("start_monitor: the starter monitors the server, and gets its Down", () =>
    inProcess(
      Effect.gen(function* () {
        const [ref, monitor] = yield* GenServer.startMonitor(scripted(), { name: "it" })
        assert.deepStrictEqual((yield* Sys.status(ref)).links, [])
        yield* GenServer.stopServer(ref, ExitReason.shutdown("enough"))
        const down = yield* Process.receive
        assert.deepInclude(down, { ref: monitor, pid: ref.pid })
        assert.strictEqual(down._tag === "Down" ? ExitReason.format(down.reason) : "", "shutdown (enough)")
      })
    ).pipe(provided)
  )
})

describe("what init decides", () => {
  const initials: ReadonlyArray<readonly [name: string, init: Init, journal: ReadonlyArray<string>]> = [
    ["a state", Effect.succeed(7), []],
    ["a state and a continue", Effect.succeed(GenServer.initContinue(7, "token")), ["continue token"]],
    ["a state and a timeout", Effect.succeed(GenServer.initTimeout(7, "1 second")), ["timeout"]],
    [
      "a state and a timed message",
      Effect.succeed(GenServer.initNext(7, { timeout: "1 second", message: "late" })),
      ["late"]
    ],
    [
      "a state, a continue and a timed message",
      Effect.succeed(GenServer.initNext(7, { continue: "token", timeout: "1 second", message: "late" })),
      ["continue token", "late"]
    ]
  ]
  for (const [name, init, expected] of initials) {
    it.effect(`3.1: init may give ${name}`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const ref = yield* GenServer.start(scripted(journal, { init }))
        assert.strictEqual(yield* Sys.getState(ref), 7)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(journal, expected)
      }).pipe(provided)
    )
  }

  it.effect("start_event_timeout: a timeout given by init fires when nothing has come; a message cancels it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const init = Effect.succeed(GenServer.initTimeout(0, "1 second"))
      yield* GenServer.start(scripted(journal, { init }))
      const busy = yield* GenServer.start(scripted(journal, { init }))
      yield* busy.send("message")
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(journal, ["message"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(journal, ["message", "timeout"])
    }).pipe(provided)
  )

  it.effect("start_event_timeout_zero: a timeout of zero fires at once if nothing has come during init", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const init = Effect.succeed(GenServer.initTimeout(0, 0))
      yield* GenServer.start(scripted(journal, { init }))
      yield* settle
      assert.deepStrictEqual(journal, ["timeout"])
    }).pipe(provided)
  )

  it.effect("start_event_timeout_zero: a timed message of zero fires first, before what came during init", () =>
    Effect.gen(function* () {
      const journals: Array<ReadonlyArray<string>> = []
      for (const next of [{ timeout: 0 }, { timeout: 0, message: "timed" }]) {
        const journal: Array<string> = []
        const gate = yield* Deferred.make<void>()
        const init = Effect.as(Deferred.await(gate), GenServer.initNext<number, string>(0, next))
        const named = yield* GenServer.named(scripted(), "it").bind
        const starting = yield* Effect.fork(GenServer.start(scripted(journal, { init }), { name: "it" }))
        yield* settle
        yield* named.send("queued")
        yield* Deferred.succeed(gate, undefined)
        yield* starting
        yield* GenServer.stopServer("it")
        journals.push(journal)
      }
      assert.deepStrictEqual(journals, [
        ["queued", "terminate normal"],
        ["timed", "queued", "terminate normal"]
      ])
    }).pipe(provided)
  )

  interface Failure {
    readonly name: string
    readonly init: Init
    /** What the starter is told. */
    readonly error: string
    /** Why the process ended. */
    readonly reason: string
    readonly reported: boolean
  }

  const failures: ReadonlyArray<Failure> = [
    {
      name: "ignore",
      init: Effect.succeed(GenServer.ignore),
      error: "StartIgnored",
      reason: "normal",
      reported: false
    },
    {
      name: "stop with shutdown",
      init: Effect.succeed(GenServer.initStop(ExitReason.shutdown("no"))),
      error: "StartFailed shutdown (no)",
      reason: "shutdown (no)",
      reported: false
    },
    {
      name: "stop with an abnormal reason",
      init: Effect.succeed(GenServer.initStop(boom)),
      error: "StartFailed crash: Error: boom",
      reason: "crash: Error: boom",
      reported: true
    },
    {
      name: "an error without an end of its own",
      init: Effect.succeed(GenServer.initFail(boom)),
      error: "StartFailed crash: Error: boom",
      reason: "normal",
      reported: false
    },
    {
      name: "a typed failure",
      init: Effect.fail("no"),
      error: "StartFailed crash: Error: no",
      reason: "crash: Error: no",
      reported: true
    },
    {
      name: "a defect",
      init: Effect.die("no"),
      error: "StartFailed crash: Error: no",
      reason: "crash: Error: no",
      reported: true
    },
    {
      name: "a thrown error",
      init: Effect.suspend(() => {
        throw new Error("thrown")
      }),
      error: "StartFailed crash: Error: thrown",
      reason: "crash: Error: thrown",
      reported: true
    },
    {
      name: "an interruption",
      init: Effect.interrupt,
      error: "StartFailed shutdown",
      reason: "shutdown",
      reported: false
    }
  ]

  for (const { error, init, name, reason, reported } of failures) {
    const server = (journal: Array<string>) => scripted(journal, { init })

    it.effect(`3.1: ${name}: the start fails with ${error}; dead, name free, no terminate when it returns`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        assert.strictEqual(yield* failureOf(GenServer.start(server(journal), { name: "it" })), error)
        assert.isTrue(Option.isNone(yield* Process.whereis("it")))
        assert.deepStrictEqual([journal, yield* Process.list], [[], []])
      }).pipe(provided)
    )

    it.effect(`3.1: ${name}: a starter that is linked or monitors gets no stray message, whether it traps or not`, () =>
      Effect.gen(function* () {
        for (const trapExit of [true, false]) {
          const starts = Effect.gen(function* () {
            assert.strictEqual(yield* failureOf(GenServer.startLink(server([]), { name: "it" })), error)
            assert.strictEqual(yield* failureOf(GenServer.startMonitor(server([]), { name: "it" })), error)
            return yield* flush
          })
          assert.deepStrictEqual(yield* inProcess(starts, { trapExit }), [])
        }
      }).pipe(provided)
    )

    it.effect(`3.1: ${name}: the process ends with ${reason}, ${reported ? "reported" : "silently"}`, () =>
      logging(lines =>
        Effect.gen(function* () {
          const watcher = yield* actor("watcher")
          const init_ = Effect.zipRight(settle, init)
          yield* Effect.fork(Effect.exit(GenServer.start(scripted([], { init: init_ }), { name: "it" })))
          yield* Effect.repeatN(Effect.yieldNow(), 3)
          yield* watcher.do(Process.monitorName("it"))
          yield* settle
          assert.deepStrictEqual(yield* heard(watcher), [`down it ${reason}`])
          assert.deepStrictEqual(
            lines.map(line => [line.level, line.message]),
            reported ? [["ERROR", "server terminated"]] : []
          )
        }).pipe(provided)
      )
    )
  }

  for (const region of ["interruptible", "uninterruptible"] as const) {
    it.effect(`start: an init that takes too long is killed, its name free, though it is ${region}`, () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const init = Effect.as(region === "interruptible" ? Effect.never : Effect.uninterruptible(Effect.never), 0)
        const starter = yield* actor("starter", { trapExit: true })
        const starting = yield* Effect.fork(
          starter.do(Effect.flip(GenServer.startLink(scripted(journal, { init }), { name: "it", timeout: 2_000 })))
        )
        yield* TestClock.adjust(1_999)
        assert.isTrue(Option.isSome(yield* Process.whereis("it")))
        yield* TestClock.adjust(1)
        assert.deepInclude(yield* starting, { _tag: "StartTimeout", timeoutMillis: 2_000 })
        assert.isTrue(Option.isNone(yield* Process.whereis("it")))
        assert.deepStrictEqual([journal, yield* heard(starter)], [[], []])
      }).pipe(provided)
    )
  }

  it.effect("§6: an exit signal during init is a failed start with that reason", () =>
    Effect.gen(function* () {
      for (const reason of [boom, ExitReason.killed, ExitReason.shutdown()]) {
        const starting = yield* Effect.fork(
          Effect.flip(GenServer.start(scripted([], { init: Effect.never }), { name: "it" }))
        )
        yield* settle
        const pid = Option.getOrThrow(yield* Process.whereis("it"))
        yield* Process.exit(pid, reason)
        const error = yield* starting
        assert.isTrue(error._tag === "StartFailed" && Equal.equals(error.reason, reason))
      }
    }).pipe(provided)
  )

  it.effect("§6: a starter that is interrupted, or dies, leaves no process that is still in its init", () =>
    Effect.gen(function* () {
      const hanging = scripted([], { init: Effect.never })
      const starting = yield* Effect.fork(GenServer.start(hanging, { name: "it" }))
      const starter = yield* actor("starter")
      yield* Effect.fork(starter.do(GenServer.start(hanging)))
      yield* settle
      assert.lengthOf(yield* Process.list, 3)
      yield* Fiber.interrupt(starting)
      yield* Process.exit(starter.pid, ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  for (const [outcome, decide, survives] of [
    ["stop", GenServer.initStop, false],
    ["error", GenServer.initFail, true]
  ] as const) {
    it.effect(`3.1: ${outcome} R from init: who is linked by then ${survives ? "lives on" : "ends with R"}`, () =>
      Effect.gen(function* () {
        const other = yield* actor("other")
        const end = yield* endOf(other.pid)
        const init = Effect.gen(function* () {
          const self = yield* Effect.flatten(Process.self)
          yield* other.do(Process.link(self))
          return decide(boom)
        })
        const table = yield* Process.ProcessTable
        const started = GenServer.start(
          scripted([], { init: Effect.provideService(init, Process.ProcessTable, table) })
        )
        assert.strictEqual(yield* failureOf(started), "StartFailed crash: Error: boom")
        yield* settle
        assert.strictEqual(yield* Process.isAlive(other.pid), survives)
        if (!survives) assert.isTrue(Equal.equals(yield* end, boom))
      }).pipe(provided)
    )
  }

  it.effect("3.1: error R from init is an ordinary start error R to a supervisor, which tries a restart again", () =>
    Effect.gen(function* () {
      let inits = 0
      const init = Effect.sync(() => ([2, 3].includes(++inits) ? GenServer.initFail(boom) : 0))
      const child = Supervisor.worker("child", GenServer.startLink(scripted([], { init })))
      const supervisor = yield* Supervisor.start({ intensity: 5, children: [child] })
      const error = yield* Effect.flip(Supervisor.startChild(supervisor, { ...child, id: "other" }))
      assert.isTrue(error._tag === "ChildStartFailed" && Equal.equals(error.reason, boom))
      const { pid } = yield* Supervisor.whichChild(supervisor, "child")
      if (pid instanceof Process.Pid) yield* Process.exit(pid, ExitReason.killed)
      yield* settle
      assert.strictEqual(inits, 4)
      const { pid: next } = yield* Supervisor.whichChild(supervisor, "child")
      assert.isTrue(next instanceof Process.Pid && next !== pid)
    }).pipe(provided)
  )

  it.effect("3.1: resources of an init that fails are released before the start returns", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = GenServer.make(RpcGroup.make(), {
        init: () =>
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.sync(() => journal.push("released"))),
            Effect.fail("no")
          ),
        handlers: {}
      })
      yield* Effect.exit(GenServer.start(server))
      assert.deepStrictEqual(journal, ["released"])
    }).pipe(provided)
  )
})
