import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Registry from "../../src/Registry.js"
import * as Sys from "../../src/Sys.js"
import * as Timer from "../../src/Timer.js"
import { actor, dead, get, heard, idle, provided, scripted, settle, silence } from "./processes.js"

describe("timers", () => {
  it.effect("send_after: the message comes when its time has passed, not before, and once", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      yield* Timer.sendAfter(one, "hello", "1 second")
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* heard(one), [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* heard(one), ["hello"])
    }).pipe(provided)
  )

  it.effect("send_after: of several each comes at its own time; of the same time in the order they were set", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      for (const [body, seconds] of [
        ["b1", 2],
        ["c", 3],
        ["a", 1],
        ["b2", 2]
      ] as const) {
        yield* Timer.sendAfter(one, body, Duration.seconds(seconds))
      }
      for (const expected of [["a"], ["b1", "b2"], ["c"]]) {
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* heard(one), expected)
      }
    }).pipe(provided)
  )

  it.effect("send_after: after no time at all the message is sent at once", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      yield* Timer.sendAfter(one, "now", 0)
      assert.deepStrictEqual(yield* heard(one), ["now"])
    }).pipe(provided)
  )

  it.effect("send_after: to a server it is an info", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* Timer.sendAfter(ref, "hello", "1 second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal, ["hello"])
    }).pipe(provided)
  )

  it.effect("send_after: to a name it goes to whoever has that when the time has passed", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string>({ keys: "unique" })
      for (const name of ["it", Registry.via(registry, "key")]) {
        const journal: Array<string> = []
        const first = yield* GenServer.start(scripted(), { name })
        yield* Timer.sendAfter(name, "hello", "1 second")
        yield* Process.exit(first.pid, ExitReason.killed)
        yield* GenServer.start(scripted(journal), { name })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(journal, ["hello"])
      }
    }).pipe(provided)
  )

  it.effect("send_after: to nobody, or into a full mailbox, it is dropped", () =>
    Effect.gen(function* () {
      const full = yield* Process.spawn(Effect.never, { mailboxCapacity: 0 })
      for (const target of [{ pid: full }, { pid: yield* dead }, "nobody"]) {
        yield* Timer.sendAfter(target, "hello", "1 second")
      }
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Sys.status({ pid: full })).refused, 1)
    }).pipe(provided)
  )

  it.effect("cancel_timer: takes the message back and tells how long it would still have waited", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const timer = yield* Timer.sendAfter(one, "hello", "3 seconds")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Timer.cancel(timer), Option.some(Duration.seconds(2)))
      assert.deepStrictEqual(yield* Timer.cancel(timer), Option.none())
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* heard(one), [])
    }).pipe(provided)
  )

  it.effect("cancel_timer: of a timer that has fired tells so, and leaves the message where it is", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const timer = yield* Timer.sendAfter(one, "hello", "1 second")
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.isNone(yield* Timer.cancel(timer)))
      assert.deepStrictEqual(yield* heard(one), ["hello"])
    }).pipe(provided)
  )

  it.effect("cancel_timer: anybody may cancel, not only who set it", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const other = yield* actor("other")
      const timer = yield* one.do(Timer.sendAfter(one, "hello", "1 second"))
      assert.isTrue(Option.isSome(yield* other.do(Timer.cancel(timer))))
    }).pipe(provided)
  )

  it.effect("send_after: a timer for a process ends with it, and one for a dead process is none", () =>
    Effect.gen(function* () {
      const one = yield* idle("one")
      const timer = yield* Timer.sendAfter({ pid: one }, "hello", "1 day")
      const late = yield* Timer.sendAfter({ pid: yield* dead }, "hello", "1 day")
      assert.isTrue(Option.isNone(yield* Timer.cancel(late)))
      yield* Process.exit(one, ExitReason.shutdown())
      yield* settle
      assert.isTrue(Option.isNone(yield* Timer.cancel(timer)))
    }).pipe(provided)
  )

  it.effect("send_after: who set it may die, and the message comes", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const setter = yield* actor("setter")
      yield* setter.do(Timer.sendAfter(one, "hello", "1 second"))
      yield* Process.exit(setter.pid, ExitReason.killed)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* heard(one), ["hello"])
    }).pipe(provided)
  )

  it.effect("send_after: a server may set one for itself again and again", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      for (let n = 0; n < 3; n++) {
        yield* ref.call("Run", state =>
          Effect.as(Timer.sendAfter(ref, `tick ${n}`, "1 second"), GenServer.reply(0, state))
        )
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(journal, ["tick 0", "tick 1", "tick 2"])
    }).pipe(provided)
  )

  it.effect(
    "§6: limits that are all different do not pile up once nobody waits for them; those that are left expire",
    () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(scripted())
        const limit = (n: number) => ({ timeout: 1_000 + n / 100 })
        const waiting = yield* Effect.forEach([1, 300, 550], n =>
          Effect.fork(Effect.flip(ref.call("Run", silence, limit(n))))
        )
        for (let n = 0; n < 600; n++) yield* ref.call("Run", get, limit(n))
        assert.isBelow(Array.from(yield* Fiber.roots).length, 300)
        yield* TestClock.adjust("2 seconds")
        for (const error of yield* Fiber.join(Fiber.all(waiting))) assert.deepInclude(error, { _tag: "CallTimeout" })
      }).pipe(provided)
  )
})
