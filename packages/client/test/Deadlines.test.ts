import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import * as Deadlines from "../src/internal/deadlines.js"

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
})
