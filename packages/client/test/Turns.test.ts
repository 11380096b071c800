import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Turns from "../src/internal/typed/turns.js"

describe("a turn", () => {
  it.effect("is had by one of a name at a time, in the order in which they came; other names do not wait", () =>
    Effect.gen(function* () {
      const inTurn = Turns.make()
      const seen: Array<string> = []
      const work = (name: string, who: string) =>
        inTurn(name)(
          Effect.sync(() => seen.push(`${who} begins`)).pipe(
            Effect.zipRight(Effect.sleep("1 second")),
            Effect.zipRight(Effect.sync(() => seen.push(`${who} ends`)))
          )
        )
      const fibers = yield* Effect.forEach(
        [
          ["a", "1"],
          ["a", "2"],
          ["b", "3"],
          ["a", "4"]
        ] as const,
        ([name, who]) => Effect.fork(work(name, who))
      )
      yield* TestClock.adjust("1 second")
      assert.include(seen, "3 ends")
      const last = yield* Effect.fork(work("a", "5"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.joinAll([...fibers, last])
      assert.deepStrictEqual(
        seen.filter(line => !line.startsWith("3")),
        [...["1 begins", "1 ends", "2 begins", "2 ends", "4 begins", "4 ends", "5 begins", "5 ends"]]
      )
    })
  )

  it.effect("is waited for by nobody who has one: neither the same nor another's", () =>
    Effect.gen(function* () {
      const [one, other] = [Turns.make(), Turns.make()]
      assert.strictEqual(yield* one("a")(one("a")(Effect.succeed("within"))), "within")
      const pause = Effect.sleep("1 second")
      const fiber = yield* Effect.fork(
        Effect.all(
          [
            one("a")(Effect.zipRight(pause, other("b")(Effect.succeed(1)))),
            other("b")(Effect.zipRight(pause, one("a")(Effect.succeed(2))))
          ],
          { concurrency: 2 }
        )
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 2])
    })
  )

  it.effect("ends with whoever is interrupted in it, or while waiting for it", () =>
    Effect.gen(function* () {
      const inTurn = Turns.make()
      const [first, second, third] = yield* Effect.all([
        Effect.fork(inTurn("a")(Effect.never)),
        Effect.fork(inTurn("a")(Effect.never)),
        Effect.fork(inTurn("a")(Effect.succeed("had it")))
      ])
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(second)
      assert.strictEqual((yield* Fiber.poll(third))._tag, "None")
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* Fiber.join(third), "had it")
    })
  )
})
