import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as Exporter from "../src/Exporter.js"

/** A collector, and what was said of it. */
const makeCollector = () => {
  const collector = {
    answer: (_signal: AbortSignal): Promise<Response> => Promise.resolve(new Response("{}")),
    underWay: 0,
    begun: 0,
    lines: [] as string[]
  }
  const fetch: typeof globalThis.fetch = async (url, init) => {
    if (!String(url).endsWith("/v1/traces")) return new Response("{}")
    collector.begun++
    collector.underWay++
    return collector.answer(init?.signal ?? new AbortController().signal).finally(() => collector.underWay--)
  }
  const logger = Logger.make<unknown, void>(({ message }) => void collector.lines.push(String(message)))
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.provide(Exporter.layer("n1", ["opentelemetry"])),
      Effect.provideService(FetchHttpClient.Fetch, fetch),
      Effect.provide(Logger.add(logger)),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))
    )
  return { collector, within }
}

/** As many as the exporter sends in so many batches. */
const spans = (batches: number) =>
  Effect.void.pipe(Effect.withSpan("one"), Effect.repeatN(batches * 1000 - 1), Effect.zipRight(settled))

/** What has been begun in promises comes to its end. */
const settled = Effect.promise(() => new Promise(resolve => setImmediate(resolve)))

const hanging = (signal: AbortSignal) =>
  new Promise<Response>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

const answering =
  (status: number, headers: Record<string, string> = {}) =>
  () =>
    Promise.resolve(new Response("no", { status, headers }))

describe("telemetry for a collector", () => {
  it.scoped("that does not answer is held for so many batches and so long, and then not for a minute", () => {
    const { collector, within } = makeCollector()
    collector.answer = hanging
    return Effect.gen(function* () {
      yield* spans(40)
      assert.strictEqual(collector.begun, 16)
      yield* TestClock.adjust("10 seconds")
      yield* settled
      assert.strictEqual(collector.underWay, 0)
      yield* spans(40)
      assert.strictEqual(collector.begun, 16)
      assert.deepStrictEqual(collector.lines, ["the collector takes no telemetry; what it is not sent is lost"])
    }).pipe(within)
  })

  for (const [what, answer] of [
    ["fails", answering(500)],
    ["says to come back in a year", answering(429, { "retry-after": "31536000" })],
    ["knows no such address", answering(404)],
    ["is not there", () => Promise.reject(new TypeError("fetch failed"))]
  ] as const) {
    it.scoped(`that ${what} is tried again after a minute, and said to fail once, and once that it is well`, () => {
      const { collector, within } = makeCollector()
      collector.answer = answer
      return Effect.gen(function* () {
        for (let minute = 0; minute < 2; minute++) {
          const before = collector.begun
          yield* spans(1)
          for (let second = 0; second < 75; second++) yield* Effect.zipRight(TestClock.adjust("1 second"), settled)
          assert.isAbove(collector.begun, before)
          assert.isAtMost(collector.begun, before + 4)
        }
        assert.deepStrictEqual(collector.lines, ["the collector takes no telemetry; what it is not sent is lost"])
        collector.answer = answering(200)
        yield* spans(1)
        assert.strictEqual(collector.lines.at(-1), "the collector takes telemetry again")
        assert.strictEqual(collector.lines.length, 2)
      }).pipe(within)
    })
  }
})
