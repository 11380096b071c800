import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as EventStore from "../src/EventStore.js"
import * as WallClock from "../src/internal/processes/wallClock.js"
import { settable } from "./helpers/clock.js"
import { event } from "./helpers/events.js"

const hourMillis = 3_600_000
const hourUs = hourMillis * 1000

describe("an embedded store on a machine whose clock is set", () => {
  it.effect("gives events the time that the clock shows, and none an earlier one than another before it", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(24 * hourMillis)
      const { clock, set } = yield* settable
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1)])
        yield* set(8 * hourMillis)
        yield* store.append("a", "any", [event(2)])
        yield* set(-8 * hourMillis)
        yield* store.append("a", "any", [event(3)])
        const { events } = yield* store.read("a")
        assert.deepStrictEqual(
          events.map(({ epochUs }) => epochUs),
          [24 * hourUs, 32 * hourUs, 32 * hourUs]
        )
        assert.strictEqual(yield* store.versionAt("a", 31 * hourUs), 0)
      })
      yield* program.pipe(Effect.provide(EventStore.layerMemory), Effect.withClock(clock))
    })
  )

  it.effect("hides what is too old by the time that the clock shows", () =>
    Effect.gen(function* () {
      const { clock, set } = yield* settable
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1)])
        yield* store.setStreamMetadata("a", { maxAgeUs: hourUs })
        yield* set(hourMillis)
        assert.strictEqual((yield* store.read("a")).events.length, 1)
        yield* set(hourMillis + 1)
        assert.deepStrictEqual((yield* store.read("a")).events, [])
      })
      yield* program.pipe(Effect.provide(EventStore.layerMemory), Effect.withClock(clock))
    })
  )
})

describe("what is too old", () => {
  it.effect("stays hidden where the clock is set back behind an event that came later", () =>
    Effect.gen(function* () {
      const { clock, set } = yield* settable
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1)])
        yield* store.setStreamMetadata("a", { maxAgeUs: hourUs })
        yield* set(hourMillis + 1)
        yield* store.append("b", "any", [event(2)])
        yield* set(0)
        assert.deepStrictEqual((yield* store.read("a")).events, [])
        assert.strictEqual((yield* store.readAll()).events.length, 1)
      })
      yield* program.pipe(Effect.provide(EventStore.layerMemory), Effect.withClock(clock))
    })
  )
})

describe("the time in microseconds", () => {
  const at = (millis: number, nanos: bigint) =>
    WallClock.nowUs({ unsafeCurrentTimeMillis: () => millis, unsafeCurrentTimeNanos: () => nanos })

  it("is as fine as the steady count, which may have begun somewhat more than a millisecond too early", () => {
    assert.strictEqual(at(1000, 1_000_345_678n), 1_000_345)
    assert.strictEqual(at(1000, 998_900_000n), 998_900)
  })

  it("is what the clock shows, where that was set", () => {
    assert.strictEqual(at(5000, 1_000_345_678n), 5_000_000)
    assert.strictEqual(at(1000, 5_000_345_678n), 1_000_000)
  })
})
