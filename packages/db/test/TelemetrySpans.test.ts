import { assert, describe, it } from "@effect/vitest"
import { NoQuorum, WrongExpectedVersion } from "@reckon/client/StoreError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import * as Telemetry from "../src/Telemetry.js"
import { streamRead, streamReadStop, streamWrite } from "../src/TelemetryEvents.js"

const write = {
  store_id: "orders",
  stream_id: "order-1",
  event_count: 2,
  expected_version: "no_stream"
} as const

const conflict = new WrongExpectedVersion({ streamId: "order-1", expected: "no_stream", actual: 4 })

/** Runs an append that takes 3 ms, and returns what was told of it. */
const told = (append: Effect.Effect<number, unknown>) =>
  Effect.gen(function* () {
    const telemetry = yield* Telemetry.Telemetry
    const events: Array<readonly [name: string, measurements: object, metadata: object]> = []
    yield* telemetry.observe([streamWrite.start, streamWrite.stop, streamWrite.error], emitted => {
      events.push([emitted.name, emitted.measurements, emitted.metadata])
    })
    const fiber = yield* telemetry
      .span(streamWrite, write, Effect.delay(append, "3 millis"), version => ({ event_count: 2, new_version: version }))
      .pipe(Effect.exit, Effect.fork)
    yield* TestClock.adjust("3 millis")
    return { events, exit: yield* Fiber.join(fiber) }
  }).pipe(Effect.scoped, Effect.provide(Telemetry.layer))

const stream = { store_id: "orders", stream_id: "order-1" }

/** A tracer that keeps what has ended. */
const makeTracer = () => {
  const ended: Array<{
    readonly name: string
    readonly attributes: object
    readonly exit: Exit.Exit<unknown, unknown>
  }> = []
  const tracer = Tracer.make({
    context: run => run(),
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      return {
        _tag: "Span",
        name,
        spanId: "1",
        traceId: "2",
        parent,
        context,
        links,
        kind,
        sampled: true,
        status: { _tag: "Started", startTime },
        attributes,
        attribute: (key, value) => void attributes.set(key, value),
        event: () => {},
        addLinks: () => {},
        end: (_, exit) => void ended.push({ name, attributes: Object.fromEntries(attributes), exit })
      }
    }
  })
  return { ended, tracer }
}

describe("Telemetry.span", () => {
  it.effect("is a start and a stop, with the duration in nanoseconds and what only the result tells", () =>
    Effect.gen(function* () {
      const { events, exit } = yield* told(Effect.succeed(1))
      assert.deepStrictEqual(exit, Exit.succeed(1))
      assert.deepStrictEqual(events, [
        ["reckon_db.stream.write.start", { system_time: 0 }, write],
        ["reckon_db.stream.write.stop", { duration: 3_000_000, event_count: 2 }, { ...stream, new_version: 1 }]
      ])
    })
  )

  const failures: ReadonlyArray<
    readonly [name: string, Effect.Effect<never, unknown>, { readonly reason: string; readonly detail: string }]
  > = [
    [
      "a refusal, by its tag and message",
      conflict,
      { reason: "WrongExpectedVersion", detail: 'stream "order-1" is at version 4, expected no_stream' }
    ],
    ["an error of another kind", Effect.fail(new TypeError("no number")), { reason: "TypeError", detail: "no number" }],
    ["a failure that is no error", Effect.fail("full"), { reason: "Failure", detail: "full" }],
    ["a defect", Effect.die(new Error("broken")), { reason: "Defect", detail: "broken" }],
    [
      "a failure with more to say than there is room for",
      Effect.fail({ _tag: "T".repeat(65), message: "m".repeat(257) }),
      { reason: `${"T".repeat(64)}…`, detail: `${"m".repeat(256)}…` }
    ]
  ]
  for (const [name, append, reason] of failures) {
    it.effect(`is a start and an error for ${name}, which goes on to the caller as it was`, () =>
      Effect.gen(function* () {
        const { events, exit } = yield* told(append)
        assert.deepStrictEqual(events[1], [
          "reckon_db.stream.write.error",
          { duration: 3_000_000 },
          { ...stream, ...reason }
        ])
        assert.strictEqual(events.length, 2)
        const expected = yield* Effect.exit(append)
        assert.deepStrictEqual(
          Option.map(Exit.causeOption(exit), Cause.squash),
          Option.map(Exit.causeOption(expected), Cause.squash)
        )
      })
    )
  }

  it.effect("tells of an interruption from outside", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      const reasons: Array<string> = []
      yield* telemetry.observe([streamWrite.error], ({ metadata }) => void reasons.push(metadata.reason))
      const fiber = yield* Effect.fork(
        telemetry.span(streamWrite, write, Effect.never, () => ({ event_count: 0, new_version: 0 }))
      )
      yield* TestClock.adjust("1 milli")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(reasons, ["Interrupted"])
    }).pipe(Effect.scoped, Effect.provide(Telemetry.layer))
  )

  it.effect("does not touch the operation where fields cannot be computed", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      const stops: Array<object> = []
      yield* telemetry.observe([streamReadStop], ({ measurements }) => void stops.push(measurements))
      const broken = (): never => {
        throw new Error("no fields")
      }
      assert.strictEqual(yield* telemetry.span(streamRead, broken, Effect.succeed(1), broken), 1)
      assert.deepStrictEqual(stops, [{ duration: 0 }])
    }).pipe(Effect.scoped, Effect.provide(Telemetry.layer))
  )

  it.effect("is a span of Effect's tracer while tracing is on, and only then", () =>
    Effect.gen(function* () {
      const { ended, tracer } = makeTracer()
      yield* Effect.gen(function* () {
        const telemetry = yield* Telemetry.Telemetry
        const append = (result: Effect.Effect<number, WrongExpectedVersion>) =>
          telemetry
            .span(streamWrite, write, result, version => ({ event_count: 2, new_version: version }))
            .pipe(Effect.exit, Effect.withTracer(tracer))
        yield* append(Effect.succeed(7))
        assert.deepStrictEqual(ended, [])
        yield* Effect.zipRight(append(Effect.succeed(8)), append(conflict)).pipe(Effect.provide(Telemetry.layerTracing))
        yield* append(Effect.succeed(9))
      }).pipe(Effect.provide(Telemetry.layer))
      const [first, second] = ended
      assert.strictEqual(ended.length, 2)
      assert.strictEqual(first?.name, "reckon_db.stream.write")
      assert.deepStrictEqual(first?.attributes, { ...write, new_version: 8 })
      assert.isTrue(first && Exit.isSuccess(first.exit))
      assert.deepStrictEqual(second?.attributes, write)
      assert.isTrue(second && Exit.isFailure(second.exit))
    })
  )

  it.effect("is traced as long as one of several tracing layers is up", () =>
    Effect.gen(function* () {
      const { ended, tracer } = makeTracer()
      const telemetry = yield* Telemetry.Telemetry
      const read = Effect.withTracer(
        telemetry.span(
          streamRead,
          { ...stream, start_version: 0, count: 1, direction: "forward" },
          Effect.void,
          () => ({
            event_count: 0
          })
        ),
        tracer
      )
      const traced = Effect.provide(Layer.fresh(Telemetry.layerTracing))
      yield* Effect.zipRight(traced(read), read).pipe(traced)
      yield* read
      assert.strictEqual(ended.length, 2)
    }).pipe(Effect.provide(Telemetry.layer))
  )
})

describe("Telemetry.spanEach", () => {
  const items = ["order-1", "order-2", "order-3"]
  const metadata = (stream_id: string) => ({ ...write, stream_id })
  const outcome = (version: number, stream_id: string) => ({ event_count: stream_id.length, new_version: version })

  /** What each stream was told to come to. */
  const ends = (operation: Effect.Effect<ReadonlyArray<Either.Either<number, WrongExpectedVersion>>, NoQuorum>) =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      const events: Array<ReadonlyArray<unknown>> = []
      yield* telemetry.observe([streamWrite.start], ({ metadata }) => void events.push(["start", metadata.stream_id]))
      yield* telemetry.observe([streamWrite.stop], ({ measurements, metadata }) => {
        events.push(["stop", metadata.stream_id, measurements.duration, measurements.event_count, metadata.new_version])
      })
      yield* telemetry.observe([streamWrite.error], ({ measurements, metadata }) => {
        events.push(["error", metadata.stream_id, measurements.duration, metadata.reason])
      })
      const slow = Effect.zipRight(TestClock.adjust("2 millis"), operation)
      const exit = yield* Effect.exit(telemetry.spanEach(streamWrite, items, metadata, slow, outcome))
      return { events, exit }
    }).pipe(Effect.scoped, Effect.provide(Telemetry.layer))

  it.effect("has a start for each operation, and a stop or an error by its own result", () =>
    Effect.gen(function* () {
      const result = [Either.right(5), Either.left(conflict), Either.right(0)]
      const { events, exit } = yield* ends(Effect.succeed(result))
      assert.deepStrictEqual(events, [
        ["start", "order-1"],
        ["start", "order-2"],
        ["start", "order-3"],
        ["stop", "order-1", 2_000_000, 7, 5],
        ["error", "order-2", 2_000_000, "WrongExpectedVersion"],
        ["stop", "order-3", 2_000_000, 7, 0]
      ])
      assert.deepStrictEqual(exit, Exit.succeed(result))
    })
  )

  it.effect("has an error for each where the whole fails", () =>
    Effect.gen(function* () {
      const { events } = yield* ends(new NoQuorum({ store: "orders", detail: "no leader" }))
      assert.deepStrictEqual(
        events.slice(3),
        items.map(stream_id => ["error", stream_id, 2_000_000, "NoQuorum"])
      )
    })
  )

  it.effect("is one span of Effect's tracer, which is a single operation's own, with its result or refusal", () =>
    Effect.gen(function* () {
      const { ended, tracer } = makeTracer()
      const telemetry = yield* Telemetry.Telemetry
      const append = (streams: ReadonlyArray<string>, result: Either.Either<number, WrongExpectedVersion>) =>
        telemetry
          .spanEach(streamWrite, streams, metadata, Effect.succeed(streams.map(() => result)), outcome)
          .pipe(Effect.withTracer(tracer), Effect.provide(Telemetry.layerTracing))
      yield* append(items, Either.left(conflict))
      yield* append(["order-4"], Either.right(1))
      const refused = yield* append(["order-5"], Either.left(conflict))
      assert.deepStrictEqual(refused, [Either.left(conflict)])
      assert.deepStrictEqual(
        ended.map(({ attributes }) => attributes),
        [{ operation_count: 3 }, { ...metadata("order-4"), ...outcome(1, "order-4") }, metadata("order-5")]
      )
      assert.deepStrictEqual(
        ended.map(({ exit }) => exit).map(exit => (Exit.isFailure(exit) ? exit.cause : undefined)),
        [undefined, undefined, Cause.fail(conflict)]
      )
    }).pipe(Effect.provide(Telemetry.layer))
  )

  it.effect("has fields that are given as a function, and does not mind one that throws", () =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      const started: Array<object> = []
      yield* telemetry.observe([streamWrite.start], ({ metadata }) => void started.push(metadata))
      const throws = () => {
        throw new Error("no fields")
      }
      yield* telemetry.span(
        streamWrite,
        () => write,
        Effect.void,
        () => outcome(1, "")
      )
      yield* telemetry.spanEach(streamWrite, [1], throws, Effect.succeed([Either.right(1)]), throws)
      assert.deepStrictEqual(started, [write, {}])
    }).pipe(Effect.scoped, Effect.provide(Telemetry.layer), Effect.provide(Logger.minimumLogLevel(LogLevel.None)))
  )
})
