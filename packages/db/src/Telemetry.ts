/**
 * Telemetry: what a store does, told to whoever wants to know.
 *
 * The store executes events of the catalogue, `TelemetryEvents`; handlers are attached to them and detached by an id, at any time. It is the API of Erlang's
 * `telemetry` and of `reckon_db_telemetry`, with two differences. A handler runs in a fiber of its own, not in the caller's: it can fail, hang or be
 * slow, and the store does not notice. And a handler that fails stays attached.
 *
 * Where nobody listens to an event, executing it costs the look into a table: fields may be given as functions, which are then not called.
 *
 * ```ts
 * const slowAppends = Effect.gen(function* () {
 *   const telemetry = yield* Telemetry
 *   yield* telemetry.attach("slow-appends", [TelemetryEvents.streamWriteStop], ({ measurements, metadata }) =>
 *     measurements.duration > 100_000_000 ? Effect.logWarning(`slow append to ${metadata.stream_id}`) : Effect.void
 *   )
 * })
 * ```
 *
 * `layerMetrics` and `layerTracing` make Effect's metrics and spans of the events; a layer of `@effect/opentelemetry` exports these.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as RcRef from "effect/RcRef"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as handlers from "./internal/telemetry/handler.js"
import * as logger from "./internal/telemetry/logger.js"
import * as metrics from "./internal/telemetry/metrics.js"
import * as spans from "./internal/telemetry/span.js"
import * as TelemetryEvents from "./TelemetryEvents.js"

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * A handler with this id is attached already.
 *
 * @since 0.1.0
 * @category errors
 */
export class HandlerAlreadyExists extends Schema.TaggedError<HandlerAlreadyExists>("@reckon/db/HandlerAlreadyExists")(
  "HandlerAlreadyExists",
  { id: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `a telemetry handler "${this.id}" is attached already`
  }
}

/**
 * No handler with this id is attached.
 *
 * @since 0.1.0
 * @category errors
 */
export class HandlerNotFound extends Schema.TaggedError<HandlerNotFound>("@reckon/db/HandlerNotFound")(
  "HandlerNotFound",
  { id: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `no telemetry handler "${this.id}" is attached`
  }
}

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * A value, or how to get it if it is needed.
 *
 * @since 0.1.0
 * @category models
 */
export type Lazy<A> = A | (() => A)

/**
 * What is called with each event. It may be done when it returns, or return what is still to be done: an effect or a promise.
 *
 * @since 0.1.0
 * @category models
 */
export type Handler<E extends TelemetryEvents.Event, R = never> = (
  emitted: TelemetryEvents.Emitted<E>
) => handlers.Handled<R>

/**
 * How an attached handler does.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandlerInfo {
  readonly id: string
  /** The names of the events that it is attached to. */
  readonly events: ReadonlyArray<string>
  /** Events that wait for it, with the one that it has in hand: 1,025 at most. */
  readonly waiting: number
  /** Events that it did not get because 1,024 were waiting. */
  readonly dropped: number
  /** Events over which it failed. */
  readonly failures: number
}

/**
 * @since 0.1.0
 * @category services
 */
export class Telemetry extends Context.Tag("@reckon/db/Telemetry")<
  Telemetry,
  {
    /**
     * Has the handler called with each of the events from now on, one after the other, in the order in which they were executed. It runs in a fiber of its
     * own, with the environment, the logger and so on of whoever attaches it, until it is detached or the service's scope closes.
     *
     * 1,024 events may wait for it. When there are so many, the event that comes next is dropped, and counted in `list` and in the metric
     * `reckon_db_telemetry_dropped`. Over one event it may take 5 seconds, then it is interrupted (and waited for, where it is not
     * interruptible). That, or any other failure of it, is counted in `list` and
     * in `reckon_db_telemetry_handler_failures` and logged, at most every 10 seconds and with 1,000 characters at most; the handler goes on with
     * the next event. Only one thing about a handler concerns the store: a function that computes for long without a pause, as JavaScript has one thread.
     */
    readonly attach: <E extends TelemetryEvents.Event, R = never>(
      id: string,
      events: ReadonlyArray<E>,
      handler: Handler<E, R>
    ) => Effect.Effect<void, HandlerAlreadyExists, R>
    /** The handler gets no more events, not even those that wait for it. It is interrupted, but not waited for: a handler may detach itself. */
    readonly detach: (id: string) => Effect.Effect<void, HandlerNotFound>
    /** The attached handlers, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<HandlerInfo>>
    /**
     * Attaches the default handler, `reckon_db_logger_handler`, which logs each event at its level, with the fields as annotations, whatever they are.
     * It is attached to the events whose level is at least `minimumLevel`, `Info` if not said: so what happens with each append and read costs nothing.
     * The original logs ten events, its documents say all; `Debug` is all.
     */
    readonly attachDefault: (options?: {
      readonly minimumLevel?: LogLevel.LogLevel
    }) => Effect.Effect<void, HandlerAlreadyExists>
    readonly detachDefault: Effect.Effect<void, HandlerNotFound>
    /**
     * Has the function called with each of the events at the moment it is executed, as long as the scope is open. Nothing is dropped, and the store
     * waits for it: it is for what is short and cannot fail, such as updating a metric. If it does throw, that is logged as with a handler.
     */
    readonly observe: <E extends TelemetryEvents.Event>(
      events: ReadonlyArray<E>,
      observer: (emitted: TelemetryEvents.Emitted<E>) => void
    ) => Effect.Effect<void, never, Scope.Scope>
    /**
     * Tells those who listen that an event happened. Never fails and never waits. `system_time` is filled in. Fields that are given as functions are computed only
     * if somebody listens.
     */
    readonly execute: <E extends TelemetryEvents.Event>(
      event: E,
      measurements: Lazy<TelemetryEvents.Measured<E>>,
      metadata: Lazy<TelemetryEvents.Metadata<E>>
    ) => Effect.Effect<void>
    /** `execute` for code that is no effect. It does not throw. */
    readonly unsafeExecute: <E extends TelemetryEvents.Event>(
      event: E,
      measurements: Lazy<TelemetryEvents.Measured<E>>,
      metadata: Lazy<TelemetryEvents.Metadata<E>>
    ) => void
    /**
     * Runs an operation between its events: `start` with the metadata, then `stop` with what `outcome` makes of the result, or `error`. Both have those of the
     * first metadata that are theirs, and the `duration` in nanoseconds. An interruption is an error as well. The operation's result is not
     * touched. While a `layerTracing` is up, the operation is also a span of Effect's tracer, of the same name and with the same fields as attributes.
     */
    readonly span: <S extends TelemetryEvents.Span, A, E, R>(
      span: S,
      metadata: Lazy<TelemetryEvents.Metadata<S["start"]>>,
      operation: Effect.Effect<A, E, R>,
      outcome: (result: A) => TelemetryEvents.Outcome<S>
    ) => Effect.Effect<A, E, R>
    /**
     * As `span`, for an effect that carries out several operations, each of which succeeds or is refused on its own: the result has as many elements as there are
     * `items`. Each has its three events, all with the times of the whole. For Effect's tracer it is one span; that of a single operation is its own, with its outcome or its
     * refusal.
     */
    readonly spanEach: <S extends TelemetryEvents.Span, Item, A, Refusal, E, R>(
      span: S,
      items: ReadonlyArray<Item>,
      metadata: (item: Item) => TelemetryEvents.Metadata<S["start"]>,
      operation: Effect.Effect<ReadonlyArray<Either.Either<A, Refusal>>, E, R>,
      outcome: (result: A, item: Item) => TelemetryEvents.Outcome<S>
    ) => Effect.Effect<ReadonlyArray<Either.Either<A, Refusal>>, E, R>
    /** Whether anybody listens to the event: for whoever would have to go through a list to execute it. */
    readonly isObserved: (event: TelemetryEvents.Event) => boolean
    /** Makes spans of Effect's tracer, see `span`, as long as the scope is open. */
    readonly trace: Effect.Effect<void, never, Scope.Scope>
    /** Moves Effect's metrics, see `layerMetrics`, as long as the scope is open: once, however many scopes there are. */
    readonly measure: Effect.Effect<void, never, Scope.Scope>
  }
>() {}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

type Values = Readonly<Record<string, unknown>>
type Listener = (emitted: TelemetryEvents.AnyEmitted) => void

const isOneOf =
  <E extends TelemetryEvents.Event>(events: ReadonlySet<TelemetryEvents.Event>) =>
  (emitted: TelemetryEvents.AnyEmitted): emitted is TelemetryEvents.AnyEmitted & TelemetryEvents.Emitted<E> =>
    events.has(emitted.event)

/** The fields, computed if they have to be. */
const fieldsOf = (lazy: unknown): Values => {
  const fields: unknown = Predicate.isFunction(lazy) ? lazy() : lazy
  return Predicate.isRecord(fields) ? fields : {}
}

/**
 * When the scope closes, each handler has one second for what waits for it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Telemetry["Type"], never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const runtime = yield* Effect.runtime<never>()
  const desk: handlers.Desk = { clock, log: line => void Runtime.runFork(runtime, line) }

  // ---------------------------------------------------------------------------
  // who listens
  // ---------------------------------------------------------------------------

  /** Events without a listener are not in it. A list is replaced, never changed: it may be gone through right now. */
  const listeners = new Map<TelemetryEvents.Event, ReadonlyArray<Listener>>()

  const listen = (events: ReadonlySet<TelemetryEvents.Event>, listener: Listener): void => {
    for (const event of events) listeners.set(event, [...(listeners.get(event) ?? []), listener])
  }

  const unlisten = (events: ReadonlySet<TelemetryEvents.Event>, listener: Listener): void => {
    for (const event of events) {
      const left = (listeners.get(event) ?? []).filter(other => other !== listener)
      if (left.length === 0) listeners.delete(event)
      else listeners.set(event, left)
    }
  }

  const attached = new Map<
    string,
    { readonly events: ReadonlySet<TelemetryEvents.Event>; readonly handler: handlers.Handler }
  >()

  let open = true

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      open = false
      listeners.clear()
      return Effect.forEach(attached.values(), ({ handler }) => handler.close, { concurrency: "unbounded" })
    })
  )

  const attach: Telemetry["Type"]["attach"] = <E extends TelemetryEvents.Event, R>(
    id: string,
    wanted: ReadonlyArray<E>,
    handle: Handler<E, R>
  ) =>
    Effect.flatMap(Effect.runtime<R>(), runtime => {
      if (!open) return Effect.interrupt
      if (attached.has(id)) return new HandlerAlreadyExists({ id })
      const events = new Set<TelemetryEvents.Event>(wanted)
      const isWanted = isOneOf<E>(events)
      const handler = handlers.make<R>({
        id,
        handle: emitted => (isWanted(emitted) ? handle(emitted) : undefined),
        runtime,
        desk
      })
      attached.set(id, { events, handler })
      listen(events, handler.offer)
      return Effect.void
    })

  const detach = (id: string): Effect.Effect<void, HandlerNotFound> =>
    Effect.suspend(() => {
      const found = attached.get(id)
      if (found === undefined) return new HandlerNotFound({ id })
      attached.delete(id)
      unlisten(found.events, found.handler.offer)
      return found.handler.stop
    })

  const observing = handlers.failures(desk, "an observer")

  const observe = <E extends TelemetryEvents.Event>(
    wanted: ReadonlyArray<E>,
    observer: (emitted: TelemetryEvents.Emitted<E>) => void
  ): Effect.Effect<void, never, Scope.Scope> =>
    Effect.suspend(() => {
      const events = new Set<TelemetryEvents.Event>(wanted)
      const isWanted = isOneOf<E>(events)
      const listener: Listener = emitted => {
        try {
          if (isWanted(emitted)) observer(emitted)
        } catch (defect) {
          observing.add(Cause.die(defect))
        }
      }
      return Effect.acquireRelease(
        Effect.sync(() => listen(events, listener)),
        () => Effect.sync(() => unlisten(events, listener))
      )
    })

  const measuring = yield* RcRef.make({
    acquire: Effect.forEach(metrics.instruments, ({ event, record }) => observe([event], record), { discard: true })
  })

  // ---------------------------------------------------------------------------
  // events
  // ---------------------------------------------------------------------------

  const emitting = handlers.failures(desk, "an emitter")

  const unsafeExecute = (
    event: TelemetryEvents.Event,
    measurements: Lazy<Readonly<Record<string, number>>>,
    metadata: unknown
  ): void => {
    const called = listeners.get(event)
    if (called === undefined) return
    try {
      const measured = Predicate.isFunction(measurements) ? measurements() : measurements
      const emitted: TelemetryEvents.AnyEmitted = {
        name: event.name,
        event,
        measurements:
          "system_time" in event.measurements
            ? { system_time: Number(clock.unsafeCurrentTimeNanos() / 1_000n), ...measured }
            : measured,
        metadata: fieldsOf(metadata)
      }
      for (const call of called) call(emitted)
    } catch (defect) {
      emitting.add(Cause.die(defect))
    }
  }

  // ---------------------------------------------------------------------------
  // spans
  // ---------------------------------------------------------------------------

  /** How many scopes want spans of Effect's tracer. */
  let tracing = 0

  const computed = (lazy: unknown): Values => {
    try {
      return fieldsOf(lazy)
    } catch (defect) {
      emitting.add(Cause.die(defect))
      return {}
    }
  }

  const isObserved = (event: TelemetryEvents.Event): boolean => listeners.has(event)

  const { span, spanEach } = spans.make({
    clock,
    isTracing: () => tracing > 0,
    isObserved,
    execute: unsafeExecute,
    computed
  })

  return {
    attach,
    detach,
    list: Effect.sync(() =>
      Array.from(attached, ([id, { events, handler }]) => ({
        id,
        events: Array.from(events, event => event.name),
        waiting: handler.waiting(),
        dropped: handler.dropped(),
        failures: handler.failures()
      }))
    ),
    attachDefault: ({ minimumLevel = LogLevel.Info } = {}) => {
      const isLogged = (event: TelemetryEvents.Event): boolean =>
        LogLevel.greaterThanEqual(LogLevel.fromLiteral(event.level), minimumLevel)
      return attach(logger.id, TelemetryEvents.all.filter(isLogged), logger.log)
    },
    detachDefault: detach(logger.id),
    observe,
    execute: (event, measurements, metadata) => Effect.sync(() => unsafeExecute(event, measurements, metadata)),
    unsafeExecute,
    isObserved,
    span,
    spanEach,
    trace: Effect.acquireRelease(
      Effect.sync(() => void tracing++),
      () => Effect.sync(() => void tracing--)
    ),
    measure: RcRef.get(measuring)
  }
})

/**
 * The service of the context, and where it has none a new one, to which nothing is attached.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ambient: Effect.Effect<Telemetry["Type"], never, Scope.Scope> = Effect.flatMap(
  Effect.serviceOption(Telemetry),
  Option.match({ onNone: () => make, onSome: Effect.succeed })
)

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Telemetry> = Layer.scoped(Telemetry, make)

/**
 * Makes metrics of the events: counters, gauges and histograms, tagged with ids of stores and nodes and with words such as `reason`, never with what there
 * are many of. Their names are those of the events: `reckon_db_stream_write_duration`, `reckon_db_stream_write_events`. Durations are in seconds. Nothing is
 * dropped, as they are counted where the events are executed, and nothing is counted twice, however often the layer is built.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMetrics: Layer.Layer<never, never, Telemetry> = Layer.scopedDiscard(
  Effect.flatMap(Telemetry, telemetry => telemetry.measure)
)

/**
 * Makes spans of the operations that `Telemetry.span` runs: `reckon_db.stream.write` and so on. They go to the tracer of whoever runs the operation.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTracing: Layer.Layer<never, never, Telemetry> = Layer.scopedDiscard(
  Effect.flatMap(Telemetry, telemetry => telemetry.trace)
)

/**
 * What the setting `telemetryHandlers` names. `logger`: the default handler, unless it is attached already. `opentelemetry`: what `layerMetrics` and `layerTracing` do; to which
 * collector these go is up to the program, which provides an exporter.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHandlers = (names: ReadonlyArray<"logger" | "opentelemetry">): Layer.Layer<never, never, Telemetry> =>
  // A layer for each call: of one and the same, a graph of layers with two stores would build only the first store's.
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const telemetry = yield* Telemetry
      if (names.includes("logger")) {
        // Whoever attached it first may have wanted other levels.
        yield* Effect.catchTag(telemetry.attachDefault(), "HandlerAlreadyExists", () => Effect.void)
      }
      if (names.includes("opentelemetry")) yield* Effect.zipRight(telemetry.measure, telemetry.trace)
    })
  )
