/** What tests of telemetry have in common. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import { layer, Telemetry } from "../../src/Telemetry.js"
import { subscriptionEventDelivered } from "../../src/TelemetryEvents.js"

type Service = Telemetry["Type"]

/** What is logged while a test runs. */
export type Logged = Array<{ readonly text: string; readonly fields: object }>

/** Runs a test with a service of its own, and keeps what is logged, at any level. */
export const withTelemetry = <A, E>(
  body: (telemetry: Service, logged: Logged) => Effect.Effect<A, E, Telemetry>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const logged: Logged = []
    const remember = Logger.make(({ annotations, message }) => {
      logged.push({ text: String(message), fields: Object.fromEntries(annotations) })
    })
    const logging = Layer.merge(Logger.replace(Logger.defaultLogger, remember), Logger.minimumLogLevel(LogLevel.All))
    return Effect.flatMap(Telemetry, telemetry => body(telemetry, logged)).pipe(
      Effect.provide(layer),
      Effect.provide(logging)
    )
  })

export const test = (
  name: string,
  body: (telemetry: Service, logged: Logged) => Effect.Effect<void, unknown, Telemetry>
) => it.effect(name, () => withTelemetry(body))

/** Lets everything that can run do so; no time passes. */
export const settle = TestClock.adjust(0)

/** Executes one event for each number, with it as its measurement. */
export const delivered = (telemetry: Service, from: number, to = from) =>
  Effect.sync(() => {
    const fields = { store_id: "orders", subscription_id: "s", event_id: "e" }
    for (let n = from; n <= to; n++) telemetry.unsafeExecute(subscriptionEventDelivered, { count: n }, fields)
  })

export const info = (telemetry: Service, id: string) =>
  Effect.map(telemetry.list, list => list.find(handler => handler.id === id))
