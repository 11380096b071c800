import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import * as Deadlines from "../src/internal/deadlines.js"

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = vm.runInNewContext("gc")

const late = Effect.fail("late" as const)

/** Whether the fiber has ended by now, and how. */
const outcome = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) =>
  Effect.map(Fiber.poll(fiber), Option.getOrUndefined).pipe(
    Effect.map(exit => (exit === undefined ? "waits" : Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause)))
  )

describe("what has a time limit", () => {
  it.scoped("has its own outcome where that is in time", () =>
    Effect.gen(function* () {
      const { within } = yield* Deadlines.make
      assert.strictEqual(yield* within(Effect.succeed(1), 1000, late), 1)
      assert.strictEqual(yield* Effect.flip(within(Effect.fail("no"), 1000, late)), "no")
      const died = yield* Effect.exit(within(Effect.die("broken"), 1000, late))
      assert.deepStrictEqual(died, Exit.die("broken"))
      const slow = yield* Effect.fork(within(Effect.as(Effect.sleep(999), "done"), 1000, late))
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* outcome(slow), "done")
    })
  )

  it.scoped("is late when its time is up, each at its own time, whichever began first", () =>
    Effect.gen(function* () {
      const { within } = yield* Deadlines.make
      const limits = [500, 300, 400, 300, 1000]
      const asked = yield* Effect.forEach(limits, millis => Effect.fork(within(Effect.never, millis, late)))
      yield* Effect.yieldNow()
      const outcomesAt = (millis: number) => limits.map(limit => (limit <= millis ? "late" : "waits"))
      let now = 0
      for (const at of [299, 300, 399, 400, 499, 500, 999, 1000]) {
        yield* TestClock.adjust(at - now)
        now = at
        assert.deepStrictEqual(yield* Effect.forEach(asked, outcome), outcomesAt(at), `after ${at} ms`)
      }
    })
  )

  it.scoped("is given up when it is late, and not waited for: to interrupt it can take long", () =>
    Effect.gen(function* () {
      const { within } = yield* Deadlines.make
      const ends: Array<string> = []
      const stubborn = Effect.onInterrupt(Effect.never, () =>
        Effect.zipRight(
          Effect.sync(() => ends.push("told")),
          Effect.zipRight(
            Effect.sleep("1 minute"),
            Effect.sync(() => ends.push("ended"))
          )
        )
      )
      const asked = yield* Effect.fork(within(stubborn, 100, late))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* outcome(asked), "late")
      assert.deepStrictEqual(ends, ["told"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ends, ["told", "ended"])
    })
  )

  it.scoped("is given up with whoever asked for it, who does not wait for that either", () =>
    Effect.gen(function* () {
      const { within } = yield* Deadlines.make
      const ends: Array<string> = []
      const stubborn = Effect.onInterrupt(Effect.never, () =>
        Effect.zipRight(
          Effect.sync(() => ends.push("told")),
          Effect.sleep("1 minute")
        )
      )
      const asked = yield* Effect.fork(within(stubborn, 100, late))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(asked)
      yield* Effect.yieldNow()
      assert.deepStrictEqual(ends, ["told"])
    })
  )

  it.scoped("leaves its answer with nobody but who asked: the fiber it ran in ends without it", () =>
    Effect.gen(function* () {
      const { within } = yield* Deadlines.make
      const ends: Array<Exit.Exit<unknown, unknown>> = []
      class Ends extends Supervisor.AbstractSupervisor<void> {
        readonly value = Effect.void
        override onEnd<A, E>(exit: Exit.Exit<A, E>) {
          ends.push(exit)
        }
      }
      const answers = Effect.all([
        within(Effect.succeed("at once"), 1000, late),
        within(Effect.as(Effect.yieldNow(), "in a while"), 1000, late)
      ])
      assert.deepStrictEqual(yield* Effect.supervised(answers, new Ends()), ["at once", "in a while"])
      assert.deepStrictEqual(ends, [Exit.void, Exit.void])
    })
  )

  it.effect("has one fiber asleep for all, and none once the client is closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const track = yield* Supervisor.track
      const { within } = yield* Scope.extend(Effect.supervised(Deadlines.make, track), scope)
      for (const millis of [500, 300, 400, 100]) yield* Effect.fork(within(Effect.never, millis, late))
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* track.value).length, 1)
      yield* TestClock.adjust(300)
      assert.strictEqual((yield* track.value).length, 1)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* track.value).length, 0)
    })
  )

  it.scoped("is forgotten when it is over, be it in time or late, while others are under way", () =>
    Effect.gen(function* () {
      const { within } = yield* Deadlines.make
      const kept: Array<WeakRef<object>> = []
      const ask = (effect: Effect.Effect<unknown>) =>
        Effect.suspend(() => {
          const error = { of: "no use any more" }
          kept.push(new WeakRef(error))
          return Effect.ignore(within(effect, 100, Effect.fail(error)))
        })
      const left = Effect.gen(function* () {
        for (let turn = 0; turn < 3; turn++) {
          yield* Effect.promise(() => new Promise(resolve => setImmediate(resolve)))
          yield* Effect.sync(collectGarbage)
        }
        return kept.filter(ref => ref.deref() !== undefined).length
      })
      yield* Effect.fork(within(Effect.never, 1000, late))
      yield* Effect.repeatN(ask(Effect.void), 99)
      assert.isBelow(yield* left, 10)
      yield* Effect.forkAll(Array.from({ length: 100 }, () => ask(Effect.never)))
      yield* TestClock.adjust(100)
      assert.isBelow(yield* left, 10)
    })
  )
})
