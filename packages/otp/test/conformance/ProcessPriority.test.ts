import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, TestContext } from "effect"
import * as fc from "fast-check"
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
  idle,
  inProcess,
  note,
  provided,
  say,
  scripted,
  settle
} from "./processes.js"

/** Takes what waits in the mailbox of the calling process. `flush` would send itself a message that priority ones overtake. */
const drain = Effect.gen(function* () {
  yield* settle
  const { waiting } = yield* Sys.status({ pid: yield* Effect.flatten(Process.self) })
  return (yield* Effect.replicateEffect(Process.receive, waiting)).map(say)
})

describe("priority messages", () => {
  it.effect("priority_messages: they go ahead of what waits; both kinds keep their order among themselves", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        const alias = yield* Process.priorityAlias
        for (const n of [1, 2, 3]) {
          assert.isTrue(yield* Process.send(self, n))
          assert.isTrue(yield* alias.send(`priority ${n}`))
        }
        assert.isTrue(alias.unsafeSend("priority 4"))
        assert.deepStrictEqual(yield* drain, ["priority 1", "priority 2", "priority 3", "priority 4", "1", "2", "3"])
      })
    ).pipe(provided)
  )

  it.effect("priority_messages: opt-in only: beside the alias everything keeps its place, though there is one", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        yield* Process.register("it", self)
        const alias = yield* Process.priorityAlias
        yield* alias.send("priority")
        assert.deepStrictEqual(yield* drain, ["priority"])
        yield* Process.send(self, "first")
        const sender = yield* actor("sender")
        yield* Process.monitor(sender.pid)
        yield* sender.do(Process.sendName("it", "by name"))
        yield* sender.do(Process.exit(self, ExitReason.shutdown()))
        yield* Process.exit(sender.pid, ExitReason.killed)
        assert.deepStrictEqual(yield* drain, ["first", "by name", "exit sender shutdown", "down sender killed"])
      })
    ).pipe(provided)
  )

  it.effect("priority_messages: one wakes a process that waits in receive", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const alias = yield* one.do(Process.priorityAlias)
      yield* settle
      assert.strictEqual(alias.pid, one.pid)
      yield* alias.send("hello")
      assert.deepStrictEqual(yield* heard(one), ["hello"])
    }).pipe(provided)
  )

  it.effect("priority_messages: to make an alias outside a process is a defect", () =>
    Effect.gen(function* () {
      assert.match(String(yield* Effect.flip(Effect.sandbox(Process.priorityAlias))), /must run inside a process/)
    }).pipe(provided)
  )

  it.effect("unalias: what comes later is dropped, what waits stays where it is, and other aliases stand", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        const [first, second] = [yield* Process.priorityAlias, yield* Process.priorityAlias]
        yield* Process.send(self, "ordinary")
        yield* first.send("before")
        assert.deepStrictEqual([yield* Process.unalias(first), yield* Process.unalias(first)], [true, false])
        assert.isFalse(yield* first.send("after"))
        yield* first.exit(ExitReason.shutdown())
        yield* first.exit(ExitReason.killed)
        assert.isTrue(yield* second.send("second"))
        assert.deepStrictEqual(yield* drain, ["before", "second", "ordinary"])
      })
    ).pipe(provided)
  )

  it.effect("unalias: of another's alias is false, and takes nothing back", () =>
    Effect.gen(function* () {
      const owner = yield* actor("owner")
      const alias = yield* owner.do(Process.priorityAlias)
      assert.isFalse(yield* inProcess(Process.unalias(alias)))
      assert.isTrue(yield* alias.send("hello"))
      assert.deepStrictEqual(yield* heard(owner), ["hello"])
    }).pipe(provided)
  )

  it.effect("priority_messages: an alias dies with its process, and does not reach who has the name next", () =>
    Effect.gen(function* () {
      const first = yield* actor("first")
      yield* Process.register("it", first.pid)
      const alias = yield* first.do(Process.priorityAlias)
      yield* Process.exit(first.pid, ExitReason.killed)
      const second = yield* actor("second")
      yield* Process.register("it", second.pid)
      assert.isFalse(yield* alias.send("hello"))
      yield* alias.exit(ExitReason.killed)
      assert.deepStrictEqual(yield* heard(second), [])
      assert.isTrue(yield* Process.isAlive(second.pid))
    }).pipe(provided)
  )

  it.effect("4.5: both kinds share the room of a mailbox; a full one refuses both and counts them", () =>
    Effect.gen(function* () {
      const one = yield* actor("one", { mailboxCapacity: 3 })
      const alias = yield* one.do(Process.priorityAlias)
      const gate = yield* Deferred.make<void>()
      yield* Effect.fork(one.do(Deferred.await(gate)))
      yield* settle
      assert.deepStrictEqual(
        [yield* Process.send(one.pid, "a"), yield* alias.send("b"), yield* alias.send("c")],
        [true, true, true]
      )
      assert.deepStrictEqual([yield* Process.send(one.pid, "d"), yield* alias.send("e")], [false, false])
      assert.deepInclude(yield* Sys.status(one), { waiting: 3, refused: 2 })
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* heard(one), ["b", "c", "a"])
    }).pipe(provided)
  )
})

describe("priority exits", () => {
  it.effect(
    "priority_messages_exit: an exit through an alias is trapped ahead of what waits, in order with the messages",
    () =>
      inProcess(
        Effect.gen(function* () {
          const self = yield* Effect.flatten(Process.self)
          const alias = yield* Process.priorityAlias
          const sender = yield* actor("sender")
          yield* Process.send(self, "ordinary")
          yield* sender.do(
            Effect.gen(function* () {
              yield* alias.send("before")
              yield* alias.exit(ExitReason.normal)
              yield* alias.exit(boom)
              yield* alias.send("after")
            })
          )
          assert.deepStrictEqual(yield* drain, [
            "before",
            "exit sender normal",
            "exit sender crash: Error: boom",
            "after",
            "ordinary"
          ])
        })
      ).pipe(provided)
  )

  const exits: ReadonlyArray<readonly [ExitReason.ExitReason, trapExit: boolean, ends: string | undefined]> = [
    [ExitReason.shutdown(), false, "shutdown"],
    [ExitReason.normal, false, undefined],
    [ExitReason.killed, true, "killed"]
  ]
  for (const [reason, trapExit, ends] of exits) {
    const name = `${ExitReason.format(reason)} to a process that ${trapExit ? "traps" : "does not trap"}`
    it.effect(`priority_messages_exit: ${name} is the same through an alias: ${ends ?? "it lives on"}`, () =>
      Effect.gen(function* () {
        const one = yield* actor("one", { trapExit })
        const end = yield* endOf(one.pid)
        const alias = yield* one.do(Process.priorityAlias)
        yield* alias.exit(reason)
        assert.deepStrictEqual(yield* heard(one), [])
        assert.strictEqual(yield* Process.isAlive(one.pid), ends === undefined)
        if (ends !== undefined) assert.strictEqual(ExitReason.format(yield* end), ends)
      }).pipe(provided)
    )
  }
})

describe("priority downs", () => {
  it.effect(
    "priority_messages_monitor: its Down overtakes what waits, also of the one that died; a plain one does not",
    () =>
      inProcess(
        Effect.gen(function* () {
          const self = yield* Effect.flatten(Process.self)
          const target = yield* actor("target")
          yield* Process.monitor(target.pid)
          const ref = yield* Process.monitor(target.pid, { priority: true })
          yield* target.do(Process.send(self, "message"))
          yield* Process.exit(target.pid, ExitReason.killed)
          const first = yield* Process.receive
          assert.strictEqual(first._tag === "Down" ? first.ref : undefined, ref)
          assert.deepStrictEqual(yield* drain, ["message", "down target killed"])
        })
      ).pipe(provided)
  )

  it.effect("priority_messages_monitor: so does the noproc of a target that is dead, and of a name nobody has", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        yield* Process.send(self, "message")
        yield* Process.monitor(yield* dead, { priority: true })
        yield* Process.monitorName("nobody", { priority: true })
        assert.deepStrictEqual(yield* drain, ["down dead noproc", "down <nobody> noproc", "message"])
      })
    ).pipe(provided)
  )

  it.effect("priority_messages_monitor: a monitor by name can have it too", () =>
    inProcess(
      Effect.gen(function* () {
        const target = yield* idle("target")
        yield* Process.register("it", target)
        yield* Process.monitorName("it", { priority: true })
        yield* Process.send(yield* Effect.flatten(Process.self), "message")
        yield* Process.exit(target, ExitReason.killed)
        assert.deepStrictEqual(yield* drain, ["down target killed", "message"])
      })
    ).pipe(provided)
  )

  it.effect("priority_messages_monitor: a full mailbox takes it, and demonitor with flush takes it out", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        const [kept, flushed] = [yield* idle("kept"), yield* idle("flushed")]
        yield* Process.monitor(kept, { priority: true })
        const ref = yield* Process.monitor(flushed, { priority: true })
        yield* Process.send(self, "message")
        assert.isFalse(yield* Process.send(self, "refused"))
        for (const pid of [flushed, kept]) yield* Process.exit(pid, ExitReason.killed)
        assert.isFalse(yield* Process.demonitor(ref, { flush: true }))
        assert.deepStrictEqual(yield* drain, ["down kept killed", "message"])
      }),
      { trapExit: true, mailboxCapacity: 1 }
    ).pipe(provided)
  )
})

describe("priority messages to a server", () => {
  /** A started server and the alias it has handed out. */
  const opened = (journal: Array<string>, options: { readonly trapExit?: boolean } = {}) =>
    Effect.gen(function* () {
      const met = yield* Deferred.make<Process.PriorityAlias<string>>()
      const meet = (self: GenServer.Self<string>) => Effect.intoDeferred(self.priorityAlias, met)
      const ref = yield* GenServer.startLink(scripted(journal, { ...options, meet }))
      return { ref, alias: yield* Deferred.await(met) }
    })

  it.effect(
    "3.3, 4.5: what comes through self.priorityAlias goes to info ahead of calls, casts and infos that wait",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const { alias, ref } = yield* opened(journal)
        const gate = yield* Deferred.make<void>()
        yield* ref.cast("Run", held(gate))
        yield* settle
        yield* ref.cast("Run", note(journal, "cast"))
        yield* ref.send("info")
        const calling = yield* Effect.fork(ref.call("Run", note(journal, "call")))
        yield* settle
        yield* alias.send("priority 1")
        yield* alias.send("priority 2")
        yield* Deferred.succeed(gate, undefined)
        yield* calling
        assert.deepStrictEqual(journal, ["priority 1", "priority 2", "cast", "info", "call"])
      }).pipe(provided)
  )

  it.effect("4.5: a continue still comes before them, and so does a timed message of zero", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const { alias, ref } = yield* opened(journal)
      yield* ref.call("Run", n => {
        alias.unsafeSend("priority")
        return GenServer.reply(n, n, { continue: "token", timeout: 0, message: "timed" })
      })
      yield* settle
      assert.deepStrictEqual(journal, ["continue token", "timed", "priority"])
    }).pipe(provided)
  )

  it.effect("4.5: one cancels a timeout, and keeps a plain one of zero from firing, like any message", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const { alias, ref } = yield* opened(journal)
      for (const timeout of [0, 1_000]) {
        yield* ref.call("Run", n => {
          alias.unsafeSend("priority")
          return GenServer.reply(n, n, { timeout })
        })
        yield* settle
      }
      assert.deepStrictEqual(journal, ["priority", "priority"])
    }).pipe(provided)
  )

  it.effect("4.5: a parent's exit through one stops a server that traps exits, before it reads what waits", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const parent = yield* actor("parent", { trapExit: true })
      const { alias, ref } = yield* parent.do(opened(journal, { trapExit: true }))
      const gate = yield* Deferred.make<void>()
      yield* ref.cast("Run", held(gate))
      yield* settle
      yield* ref.send("waiting")
      yield* parent.do(alias.exit(ExitReason.shutdown("now")))
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(journal, ["terminate shutdown (now)"])
    }).pipe(provided)
  )

  it.effect("unalias: a server takes its alias back in a callback, and only there", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const { alias, ref } = yield* opened(journal)
      assert.isFalse(yield* inProcess(Process.unalias(alias)))
      yield* ref.call("Run", n => Effect.map(Process.unalias(alias), taken => GenServer.reply(n, taken ? 1 : 0)))
      assert.deepStrictEqual([yield* ref.call("Run", get), yield* alias.send("late"), journal], [1, false, []])
    }).pipe(provided)
  )
})

/*
 * The queue as a property. A process sends to itself, plainly and through its alias, and receives, in any order. A naive model keeps
 * two lists and one room for both.
 */
describe("priority messages, against a naive model", () => {
  const capacity = 6
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant("ordinary" as const) },
    { weight: 3, arbitrary: fc.constant("priority" as const) },
    { weight: 1, arbitrary: fc.constant("down" as const) },
    { weight: 1, arbitrary: fc.constant("priority down" as const) },
    { weight: 4, arbitrary: fc.constant("receive" as const) }
  )

  const play = (steps: ReadonlyArray<"ordinary" | "priority" | "down" | "priority down" | "receive">) =>
    Effect.gen(function* () {
      const self = yield* Effect.orDie(Effect.flatten(Process.self))
      const alias = yield* Process.priorityAlias
      const ahead: Array<string> = []
      const behind: Array<string> = []
      let number = 0
      for (const step of steps) {
        number++
        const hasRoom = ahead.length + behind.length < capacity
        switch (step) {
          case "ordinary":
            assert.strictEqual(yield* Process.send(self, number), hasRoom)
            if (hasRoom) behind.push(String(number))
            break
          case "priority":
            assert.strictEqual(yield* alias.send(number), hasRoom)
            if (hasRoom) ahead.push(String(number))
            break
          case "down":
          case "priority down": {
            const priority = step === "priority down"
            yield* Process.monitorName(String(number), { priority })
            const list = priority ? ahead : behind
            list.push("down <nobody> noproc")
            break
          }
          case "receive": {
            const expected = ahead.shift() ?? behind.shift()
            if (expected !== undefined) assert.strictEqual(say(yield* Process.receive), expected)
          }
        }
      }
      assert.deepStrictEqual(yield* Effect.orDie(drain), [...ahead, ...behind])
    })

  it("4.5: priority messages first, each kind in its order, one room for both, and no signal is refused", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), steps =>
        Effect.runPromise(
          inProcess(play(steps), { trapExit: true, mailboxCapacity: capacity }).pipe(
            provided,
            Effect.provide(TestContext.TestContext)
          )
        )
      ),
      { numRuns: 200 }
    ))
})
