import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Telemetry from "../src/Telemetry.js"
import * as TelemetryEvents from "../src/TelemetryEvents.js"
import { delivered, info, settle, test } from "./helpers/telemetry.js"

const { linkCreated, storeStopped, streamDeleted, subscriptionCheckpoint, subscriptionEventDelivered } = TelemetryEvents

/** The value of a counter for a handler. */
const counted = (name: string, id: string) =>
  Effect.map(Metric.snapshot, pairs => {
    const pair = pairs.find(
      ({ metricKey }) =>
        metricKey.name === name && metricKey.tags.some(({ key, value }) => key === "handler" && value === id)
    )
    return pair !== undefined && MetricState.isCounterState(pair.metricState) ? pair.metricState.count : undefined
  })

describe("Telemetry", () => {
  describe("handlers", () => {
    test("get the events they are attached to, with measurements and metadata, and no others", telemetry =>
      Effect.gen(function* () {
        const got: Array<unknown> = []
        yield* telemetry.attach("a", [streamDeleted], ({ measurements, metadata, name }) => {
          got.push([name, measurements, metadata])
        })
        yield* TestClock.adjust("1500 millis")
        const metadata = { store_id: "orders", stream_id: "order-1", version: 7 }
        yield* telemetry.execute(streamDeleted, {}, metadata)
        yield* telemetry.execute(linkCreated, {}, { store_id: "orders", link_name: "l" })
        yield* settle
        // Microseconds since 1970, which is when a test begins.
        assert.deepStrictEqual(got, [["reckon_db.stream.deleted", { system_time: 1_500_000 }, metadata]])
      }))

    test("keep given measurements beside the time", telemetry =>
      Effect.gen(function* () {
        const got: Array<unknown> = []
        yield* telemetry.attach("a", [storeStopped], ({ measurements }) => void got.push(measurements))
        yield* telemetry.execute(storeStopped, { uptime_ms: 12 }, { store_id: "orders", reason: "shutdown" })
        yield* settle
        assert.deepStrictEqual(got, [{ system_time: 0, uptime_ms: 12 }])
      }))

    test("can be told apart by name, with the fields of each", telemetry =>
      Effect.gen(function* () {
        const got: Array<string | number> = []
        yield* telemetry.attach("a", [linkCreated, subscriptionCheckpoint], emitted => {
          got.push(
            emitted.name === "reckon_db.link.created" ? emitted.metadata.link_name : emitted.measurements.position
          )
        })
        yield* telemetry.execute(linkCreated, {}, { store_id: "orders", link_name: "l" })
        yield* telemetry.execute(
          subscriptionCheckpoint,
          { position: 3 },
          { store_id: "orders", subscription_id: "s", subscription_name: "projection" }
        )
        yield* settle
        assert.deepStrictEqual(got, ["l", 3])
      }))

    test("get the events in the order in which they were executed, each handler for itself", telemetry =>
      Effect.gen(function* () {
        const quick: Array<number> = []
        const slow: Array<number> = []
        yield* telemetry.attach("quick", [subscriptionEventDelivered], ({ measurements }) => {
          quick.push(measurements.count)
        })
        yield* telemetry.attach("slow", [subscriptionEventDelivered], ({ measurements }) =>
          Effect.delay(
            Effect.sync(() => slow.push(measurements.count)),
            measurements.count % 2 === 0 ? 20 : 1
          )
        )
        yield* delivered(telemetry, 1, 100)
        yield* settle
        assert.deepStrictEqual(
          quick,
          Array.from({ length: 100 }, (_, n) => n + 1)
        )
        assert.deepStrictEqual(slow, [])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(slow, quick)
      }))

    test("take turns when many events wait for each", telemetry =>
      Effect.gen(function* () {
        const turns: Array<string> = []
        for (const id of ["a", "b"]) {
          yield* telemetry.attach(id, [subscriptionEventDelivered], () => void turns.push(id))
        }
        yield* delivered(telemetry, 1, 200)
        yield* settle
        assert.strictEqual(turns.length, 400)
        assert.isBelow(turns.indexOf("b"), turns.lastIndexOf("a"))
      }))

    test("may be effects, with the environment of whoever attaches them, or return promises", telemetry =>
      Effect.gen(function* () {
        class Prefix extends Context.Tag("Prefix")<Prefix, string>() {}
        const got: Array<string> = []
        const second = yield* Deferred.make<void>()
        yield* telemetry
          .attach("effect", [subscriptionEventDelivered], ({ measurements }) =>
            Effect.map(Prefix, prefix => void got.push(`${prefix}${measurements.count}`))
          )
          .pipe(Effect.provideService(Prefix, "effect "))
        yield* telemetry.attach("promise", [subscriptionEventDelivered], async ({ measurements }) => {
          await Promise.resolve()
          got.push(`promise ${measurements.count}`)
          if (measurements.count === 2) Deferred.unsafeDone(second, Effect.void)
        })
        yield* delivered(telemetry, 1, 2)
        yield* Deferred.await(second)
        assert.sameMembers(got, ["effect 1", "effect 2", "promise 1", "promise 2"])
      }))

    test("get nothing after they were detached, not even what waited for them", telemetry =>
      Effect.gen(function* () {
        const got: Array<number> = []
        yield* telemetry.attach("a", [subscriptionEventDelivered], ({ measurements }) => {
          got.push(measurements.count)
        })
        yield* delivered(telemetry, 1)
        yield* settle
        yield* delivered(telemetry, 2)
        yield* telemetry.detach("a")
        yield* delivered(telemetry, 3)
        yield* settle
        assert.deepStrictEqual(got, [1])
        assert.deepStrictEqual(yield* telemetry.list, [])
      }))

    test("can detach themselves", telemetry =>
      Effect.gen(function* () {
        const got: Array<number> = []
        yield* telemetry.attach("once", [subscriptionEventDelivered], ({ measurements }) => {
          got.push(measurements.count)
          return telemetry.detach("once")
        })
        yield* delivered(telemetry, 1, 2)
        yield* settle
        assert.deepStrictEqual(got, [1])
      }))

    test("have ids: one is attached once, and what is not attached is not detached", telemetry =>
      Effect.gen(function* () {
        yield* telemetry.attach("a", [linkCreated, linkCreated, streamDeleted], () => Effect.void)
        const again = yield* Effect.flip(telemetry.attach("a", [storeStopped], () => Effect.void))
        assert.deepStrictEqual([again._tag, again.id, again.retryable], ["HandlerAlreadyExists", "a", false])
        assert.include(again.message, '"a" is attached already')
        const unknown = yield* Effect.flip(telemetry.detach("b"))
        assert.deepStrictEqual([unknown._tag, unknown.id, unknown.retryable], ["HandlerNotFound", "b", false])
        const [only, ...others] = yield* telemetry.list
        assert.deepStrictEqual(only?.events, ["reckon_db.link.created", "reckon_db.stream.deleted"])
        assert.deepStrictEqual(others, [])
        yield* telemetry.detach("a")
        assert.strictEqual((yield* Effect.flip(telemetry.detach("a"))).id, "a")
        yield* telemetry.attach("a", [linkCreated], () => Effect.void)
      }))

    it.effect("are closed as soon as nothing waits for them", () =>
      Effect.gen(function* () {
        const got: Array<number> = []
        const scope = yield* Scope.make()
        const telemetry = yield* Scope.extend(Telemetry.make, scope)
        yield* telemetry.attach("slow", [subscriptionEventDelivered], ({ measurements }) =>
          Effect.delay(
            Effect.sync(() => got.push(measurements.count)),
            "100 millis"
          )
        )
        yield* delivered(telemetry, 1, 3)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("299 millis")
        assert.isNull(closing.unsafePoll())
        yield* TestClock.adjust("1 millis")
        assert.isNotNull(closing.unsafePoll())
        assert.deepStrictEqual(got, [1, 2, 3])
      })
    )

    it.effect("have a second for what waits for them when the service closes", () =>
      Effect.gen(function* () {
        const got: Array<number> = []
        const scope = yield* Scope.make()
        const telemetry = yield* Scope.extend(Telemetry.make, scope)
        yield* telemetry.attach("good", [subscriptionEventDelivered], ({ measurements }) => {
          got.push(measurements.count)
        })
        yield* telemetry.attach("hanging", [subscriptionEventDelivered], () => Effect.never)
        yield* telemetry.attach("hanging as well", [subscriptionEventDelivered], () => Effect.never)
        yield* delivered(telemetry, 1, 3)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* settle
        assert.deepStrictEqual(got, [1, 2, 3])
        yield* TestClock.adjust("1 second")
        assert.isTrue(Option.isSome(yield* Fiber.poll(closing)))
        yield* delivered(telemetry, 4)
        yield* settle
        assert.deepStrictEqual(got, [1, 2, 3])
        const late = yield* Effect.exit(telemetry.attach("late", [linkCreated], () => Effect.void))
        assert.isTrue(Exit.isInterrupted(late))
      })
    )
  })

  describe("trouble with a handler", () => {
    const troubles: ReadonlyArray<
      readonly [name: string, handler: () => Effect.Effect<unknown, unknown> | Promise<unknown>]
    > = [
      [
        "throws",
        () => {
          throw new Error("broken")
        }
      ],
      ["fails", () => Effect.fail("broken")],
      ["dies", () => Effect.die(new Error("broken"))],
      ["interrupts itself", () => Effect.interrupt],
      ["rejects", () => Promise.reject(new Error("broken"))]
    ]
    for (const [name, handler] of troubles) {
      test(`one that ${name} stays attached, its failures are counted, and others get the event`, telemetry =>
        Effect.gen(function* () {
          let calls = 0
          const third = yield* Deferred.make<void>()
          const got: Array<number> = []
          yield* telemetry.attach(name, [subscriptionEventDelivered], ({ measurements }) => {
            calls = measurements.count
            if (calls === 3) Deferred.unsafeDone(third, Effect.void)
            return handler()
          })
          yield* telemetry.attach("other", [subscriptionEventDelivered], ({ measurements }) => {
            got.push(measurements.count)
          })
          yield* delivered(telemetry, 1, 3)
          yield* Deferred.await(third)
          yield* settle
          yield* settle
          assert.strictEqual(calls, 3)
          assert.strictEqual((yield* info(telemetry, name))?.failures, 3)
          assert.strictEqual(yield* counted("reckon_db_telemetry_handler_failures", name), 3)
          assert.deepStrictEqual(got, [1, 2, 3])
        }))
    }

    test("one that ends its own fiber gets another", (telemetry, logged) =>
      Effect.gen(function* () {
        const got: Array<number> = []
        yield* telemetry.attach("suicide", [subscriptionEventDelivered], ({ measurements }) => {
          got.push(measurements.count)
          if (measurements.count > 1) return
          const fiber = Option.getOrThrow(Fiber.getCurrentFiber())
          fiber.unsafeInterruptAsFork(fiber.id())
        })
        yield* delivered(telemetry, 1, 100)
        yield* settle
        yield* delivered(telemetry, 101)
        yield* settle
        assert.deepStrictEqual(
          got,
          Array.from({ length: 101 }, (_, n) => n + 1)
        )
        const { failures, waiting } = Option.getOrThrow(Option.fromNullable(yield* info(telemetry, "suicide")))
        assert.deepStrictEqual([failures, waiting], [1, 0])
        assert.include(logged[0]?.text, "suicide failed")
      }))

    test("one that never ends is interrupted after five seconds, and goes on with the next event", telemetry =>
      Effect.gen(function* () {
        const got: Array<number> = []
        yield* TestClock.adjust("1 minute")
        yield* telemetry.attach("hanging", [subscriptionEventDelivered], ({ measurements }) => {
          got.push(measurements.count)
          return measurements.count === 1 ? Effect.never : Effect.void
        })
        yield* delivered(telemetry, 1, 2)
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(got, [1])
        assert.strictEqual((yield* info(telemetry, "hanging"))?.waiting, 2)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(got, [1, 2])
        assert.strictEqual((yield* info(telemetry, "hanging"))?.failures, 1)
      }))

    test("one that never ends and cannot be interrupted holds up itself alone, and can be detached", telemetry =>
      Effect.gen(function* () {
        const others: Array<number> = []
        yield* telemetry.attach("stuck", [subscriptionEventDelivered], () => Effect.uninterruptible(Effect.never))
        yield* telemetry.attach("other", [subscriptionEventDelivered], ({ measurements }) => {
          others.push(measurements.count)
        })
        yield* delivered(telemetry, 1, 2)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(others, [1, 2])
        assert.strictEqual((yield* info(telemetry, "stuck"))?.failures, 1)
        yield* telemetry.detach("stuck")
      }))

    test("1,024 events wait for it, those beyond are dropped and counted, and the others do not notice", (telemetry, logged) =>
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const got: Array<number> = []
        const others: Array<number> = []
        yield* telemetry.attach("slow", [subscriptionEventDelivered], ({ measurements }) =>
          Effect.map(Deferred.await(go), () => got.push(measurements.count))
        )
        yield* telemetry.attach("other", [subscriptionEventDelivered], ({ measurements }) => {
          others.push(measurements.count)
        })
        yield* delivered(telemetry, 1)
        yield* settle
        yield* delivered(telemetry, 2, 1_025)
        yield* settle
        assert.strictEqual((yield* info(telemetry, "slow"))?.dropped, 0)
        yield* delivered(telemetry, 1_026, 1_035)
        yield* settle
        const state = yield* info(telemetry, "slow")
        assert.deepStrictEqual([state?.waiting, state?.dropped, state?.failures], [1_025, 10, 0])
        assert.strictEqual(yield* counted("reckon_db_telemetry_dropped", "slow"), 10)
        yield* Deferred.succeed(go, undefined)
        yield* settle
        assert.deepStrictEqual(
          got,
          Array.from({ length: 1_025 }, (_, n) => n + 1)
        )
        assert.deepStrictEqual(
          others,
          Array.from({ length: 1_035 }, (_, n) => n + 1)
        )
        assert.deepStrictEqual(
          logged.map(({ text }) => text),
          ["telemetry: slow is too slow: 1024 events wait for it, and it has missed 1"]
        )
      }))

    test("is logged every ten seconds at most, in at most 1,000 characters of detail", (telemetry, logged) =>
      Effect.gen(function* () {
        yield* telemetry.attach("loud", [subscriptionEventDelivered], () => Effect.fail("x".repeat(1_000_000)))
        yield* delivered(telemetry, 1, 500)
        yield* TestClock.adjust("9 seconds")
        yield* delivered(telemetry, 1, 50)
        yield* settle
        assert.strictEqual(logged.length, 1)
        yield* TestClock.adjust("1 second")
        yield* delivered(telemetry, 1)
        yield* settle
        assert.strictEqual(logged.length, 2)
        assert.include(logged[1]?.text, "loud failed (and 549 times before, since the last report): ")
        yield* TestClock.adjust("10 seconds")
        yield* delivered(telemetry, 1)
        yield* settle
        assert.include(logged[2]?.text, "loud failed: ")
        for (const { text } of logged) assert.isBelow(text.length, 1_100)
      }))
  })

  describe("execute", () => {
    test("computes nothing where nobody listens", telemetry =>
      Effect.gen(function* () {
        // What it throws would be caught, so it is counted.
        let computed = 0
        const notWanted = (): never => {
          computed++
          throw new Error("computed for nobody")
        }
        yield* telemetry.attach("other", [streamDeleted], () => Effect.void)
        yield* telemetry.attach("gone", [linkCreated], () => Effect.void)
        yield* telemetry.detach("gone")
        yield* telemetry.execute(linkCreated, notWanted, notWanted)
        telemetry.unsafeExecute(storeStopped, notWanted, notWanted)
        yield* telemetry.span(TelemetryEvents.streamRead, notWanted, Effect.void, notWanted)
        yield* telemetry.spanEach(TelemetryEvents.streamWrite, [1, 2], notWanted, Effect.succeed([]), notWanted)
        assert.isFalse(telemetry.isObserved(linkCreated))
        assert.isTrue(telemetry.isObserved(streamDeleted))
        assert.strictEqual(computed, 0)
      }))

    test("computes fields once for all who listen", telemetry =>
      Effect.gen(function* () {
        let computed = 0
        const got: Array<string> = []
        for (const id of ["a", "b"]) {
          yield* telemetry.attach(id, [linkCreated], ({ metadata }) => {
            got.push(metadata.link_name)
          })
        }
        yield* telemetry.execute(linkCreated, {}, () => {
          computed++
          return { store_id: "orders", link_name: "l" }
        })
        yield* settle
        assert.deepStrictEqual(got, ["l", "l"])
        assert.strictEqual(computed, 1)
      }))

    test("does not throw where the fields cannot be computed, and says so", (telemetry, logged) =>
      Effect.gen(function* () {
        yield* telemetry.attach("a", [linkCreated], () => assert.fail("called without fields"))
        telemetry.unsafeExecute(linkCreated, {}, () => {
          throw new Error("no fields")
        })
        yield* settle
        assert.include(logged[0]?.text, "an emitter failed: Error: no fields")
      }))
  })

  describe("observers", () => {
    test("see every event at the moment it is executed, until their scope closes", telemetry =>
      Effect.gen(function* () {
        let sum = 0
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* telemetry.observe([subscriptionEventDelivered], ({ measurements }) => {
              sum += measurements.count
            })
            yield* delivered(telemetry, 1, 10_000)
            assert.strictEqual(sum, 50_005_000)
          })
        )
        yield* delivered(telemetry, 1)
        assert.strictEqual(sum, 50_005_000)
      }))

    test("that throw do not throw at the emitter, nor keep the event from others", (telemetry, logged) =>
      Effect.gen(function* () {
        const got: Array<number> = []
        yield* telemetry.observe([subscriptionEventDelivered], () => {
          throw new Error("broken")
        })
        yield* telemetry.observe([subscriptionEventDelivered], ({ measurements }) => void got.push(measurements.count))
        yield* delivered(telemetry, 1)
        yield* settle
        assert.deepStrictEqual(got, [1])
        assert.include(logged[0]?.text, "an observer failed: Error: broken")
      }).pipe(Effect.scoped))
  })
})
