import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as fc from "fast-check"
import * as logger from "../src/internal/telemetry/logger.js"
import * as Telemetry from "../src/Telemetry.js"
import * as TelemetryEvents from "../src/TelemetryEvents.js"
import { delivered, info, settle, test, withTelemetry } from "./helpers/telemetry.js"

const { storeStopped } = TelemetryEvents

describe("the default handler", () => {
  test("logs what happens to stores and nodes, with the fields as annotations", (telemetry, logged) =>
    Effect.gen(function* () {
      yield* telemetry.attachDefault()
      yield* telemetry.execute(storeStopped, { uptime_ms: 5 }, { store_id: "orders", reason: "shutdown" })
      yield* delivered(telemetry, 1)
      yield* settle
      assert.deepStrictEqual(logged, [
        {
          text: "reckon_db.store.stopped",
          fields: { system_time: 0, uptime_ms: 5, store_id: "orders", reason: "shutdown" }
        }
      ])
    }))

  test("logs everything if it should", (telemetry, logged) =>
    Effect.gen(function* () {
      yield* telemetry.attachDefault({ minimumLevel: LogLevel.Debug })
      const [attached] = yield* telemetry.list
      assert.strictEqual(attached?.events.length, TelemetryEvents.all.length)
      yield* delivered(telemetry, 1)
      yield* settle
      assert.deepStrictEqual(
        logged.map(({ text }) => text),
        ["reckon_db.subscription.event_delivered"]
      )
    }))

  test("has the original's id, and is attached once", telemetry =>
    Effect.gen(function* () {
      yield* telemetry.attachDefault()
      assert.strictEqual((yield* telemetry.list)[0]?.id, "reckon_db_logger_handler")
      assert.strictEqual((yield* Effect.flip(telemetry.attachDefault()))._tag, "HandlerAlreadyExists")
      yield* telemetry.detachDefault
      assert.strictEqual((yield* Effect.flip(telemetry.detachDefault))._tag, "HandlerNotFound")
    }))

  test("stays as it is, at its level, where the settings ask for it too", telemetry =>
    Effect.gen(function* () {
      yield* telemetry.attachDefault({ minimumLevel: LogLevel.Debug })
      const before = yield* telemetry.list
      yield* Layer.build(Telemetry.layerHandlers(["logger"]))
      assert.deepStrictEqual(yield* telemetry.list, before)
    }).pipe(Effect.scoped))

  it.effect.prop(
    "logs any event of the catalogue, whatever fields it lacks or has beyond its own",
    {
      event: fc.constantFrom(...TelemetryEvents.all),
      measurements: fc.dictionary(fc.string(), fc.oneof(fc.double(), fc.maxSafeInteger())),
      metadata: fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }))
    },
    ({ event, measurements, metadata }) =>
      withTelemetry((_, logged) =>
        Effect.gen(function* () {
          yield* logger.log({ name: event.name, event, measurements, metadata })
          assert.strictEqual(logged[0]?.text, event.name)
          for (const value of Object.values(logged[0]?.fields ?? {})) assert.isAtMost(String(value).length, 257)
        })
      )
  )

  test("logs no more than 32 fields", (_, logged) =>
    Effect.gen(function* () {
      const metadata = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`field-${n}`, n]))
      yield* logger.log({ name: storeStopped.name, event: storeStopped, measurements: { uptime_ms: 5 }, metadata })
      assert.strictEqual(Object.keys(logged[0]?.fields ?? {}).length, 32)
    }))

  test("gets along with values that cannot be printed", (telemetry, logged) =>
    Effect.gen(function* () {
      const strange = TelemetryEvents.make(
        "strange",
        "Error",
        {},
        { value: TelemetryEvents.consistencyCheckComplete.metadata.checks }
      )
      yield* telemetry.attach("strange", [strange], logger.log)
      const value: Record<string, unknown> = {
        toString: () => assert.fail("no text"),
        toJSON: () => assert.fail("no text")
      }
      const circular: Record<string, unknown> = {}
      circular.self = circular
      yield* telemetry.execute(strange, {}, { value })
      yield* telemetry.execute(strange, {}, { value: circular })
      yield* telemetry.execute(strange, {}, { value: { long: "x".repeat(10_000) } })
      yield* settle
      assert.strictEqual((yield* info(telemetry, "strange"))?.failures, 0)
      assert.deepStrictEqual(logged[0]?.fields, { value: "(not printable)" })
      assert.strictEqual(logged.length, 3)
    }))
})
