/** What a telemetry event is. `TelemetryEvents` passes this on and lists the events. */
import type * as LogLevel from "effect/LogLevel"
import type * as Schema from "effect/Schema"
import type { Simplify } from "effect/Types"

/**
 * What a measurement counts. `ns`, `us`, `ms`: a duration. `epoch_us`: microseconds since 1970, as the events of a store have them. `count`: how many.
 * `number`: a version, a position, a term.
 */
export type Unit = "ns" | "us" | "ms" | "epoch_us" | "bytes" | "count" | "ratio" | "number"

/** The measurements of an event, each with its unit. All values are numbers. */
export interface Measurements {
  readonly [field: string]: Unit
}

/** One kind of telemetry event. It is told from others by identity, so that no two modules can mean different things by one name. */
export interface Event<
  out Name extends string = string,
  out M extends Measurements = Measurements,
  out Fields extends Schema.Struct.Fields = Schema.Struct.Fields
> {
  /** The segments with dots between them: `reckon_db.stream.write.stop`. */
  readonly name: Name
  /** The name as the original writes it: `[reckon_db, stream, write, stop]`. */
  readonly segments: ReadonlyArray<string>
  /** At which level the default handler logs it. */
  readonly level: LogLevel.Literal
  readonly measurements: M
  readonly metadata: Fields
}

/** The measurements that whoever emits an event gives. `system_time` is not among them: it is taken at emission. */
export type Measured<E extends Event> = [Exclude<keyof E["measurements"], "system_time">] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [Field in Exclude<keyof E["measurements"], "system_time">]: number }

/** The metadata of an event. */
export type Metadata<E extends Event> = Simplify<Schema.Struct.Type<E["metadata"]>>

/** An event as a handler gets it; `name` tells which one of several it is. */
export type Emitted<E extends Event> = E extends unknown
  ? {
      readonly name: E["name"]
      readonly event: E
      readonly measurements: { readonly [Field in keyof E["measurements"]]: number }
      readonly metadata: Metadata<E>
    }
  : never

/** An emitted event of whatever kind. */
export interface AnyEmitted {
  readonly name: string
  readonly event: Event
  readonly measurements: Readonly<Record<string, number>>
  readonly metadata: Readonly<Record<string, unknown>>
}

/** The three events of an operation: one before it, and one of two after it. */
export interface Span<Start extends Event = Event, Stop extends Event = Event, Failure extends Event = Event> {
  /** What the three names have in common. */
  readonly name: string
  readonly start: Start
  readonly stop: Stop
  readonly error: Failure
}

/** What of a stop event is known only at the end: all but the duration and the metadata that the start event had. */
export type Outcome<S extends Span> = {
  readonly [Field in Exclude<keyof S["stop"]["measurements"], "duration">]: number
} & Omit<Metadata<S["stop"]>, keyof S["start"]["metadata"]>

export const make = <
  const Name extends string,
  const M extends Measurements,
  const Fields extends Schema.Struct.Fields
>(
  name: Name,
  level: LogLevel.Literal,
  measurements: M,
  metadata: Fields
): Event<`reckon_db.${Name}`, M, Fields> => {
  const full = `reckon_db.${name}` as const
  return { name: full, segments: full.split("."), level, measurements, metadata }
}

export const span = <Start extends Event, Stop extends Event, Failure extends Event>(
  start: Start,
  stop: Stop,
  error: Failure
): Span<Start, Stop, Failure> => ({ name: start.segments.slice(0, -1).join("."), start, stop, error })
