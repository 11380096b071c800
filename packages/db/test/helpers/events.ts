import type { NewEvent, RecordedEvent } from "@reckon/client/Event"
import type * as Query from "@reckon/client/Query"
import type { NewSnapshot } from "@reckon/client/Snapshot"
import type { Append } from "@reckon/client/StoreRpcs"
import { type StreamMetadata, unlimited } from "@reckon/client/StreamMetadata"
import * as fc from "fast-check"
import { type Command, Operation, type Reply, single } from "../../src/Command.js"
import type { Absent, Direction, Entry, Service } from "../../src/StoreEngine.js"

/** The `n`th event id. */
export const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export const event = (n: number, fields: Partial<NewEvent> = {}): NewEvent => ({
  eventId: id(n),
  eventType: "thing-happened",
  data: bytes(`{"n":${n}}`),
  dataContentType: "application/json",
  metadata: null,
  metadataContentType: "application/json",
  tags: [],
  ...fields
})

export const append = (
  streamId: string,
  expectedVersion: Append["expectedVersion"],
  ...events: ReadonlyArray<NewEvent>
): Append => ({ streamId, expectedVersion, events })

/** Appends to several streams that take effect together, or not at all. */
export const batch = (...appends: ReadonlyArray<Append>): Operation => Operation.Append({ appends, condition: null })

export const appendIf = (query: Query.Query, after: number, ...appends: ReadonlyArray<Append>): Operation =>
  Operation.Append({ appends, condition: { query, after, checkedThrough: -1 } })

export const deleteStream = (streamId: string, expectedVersion: Append["expectedVersion"] = "any"): Operation =>
  Operation.DeleteStream({ streamId, expectedVersion, tombstone: false })

export const tombstone = (streamId: string, expectedVersion: Append["expectedVersion"] = "any"): Operation =>
  Operation.DeleteStream({ streamId, expectedVersion, tombstone: true })

export const setMetadata = (streamId: string, metadata: Partial<StreamMetadata>): Operation =>
  Operation.SetStreamMetadata({ streamId, metadata: { ...unlimited, ...metadata } })

export const snapshot = (streamId: string, version: number, fields: Partial<NewSnapshot> = {}): NewSnapshot => ({
  streamId,
  version,
  data: bytes(`{"version":${version}}`),
  dataContentType: "application/json",
  metadata: null,
  metadataContentType: "application/json",
  ...fields
})

export const saveSnapshot = (saved: NewSnapshot, keep: number | null = null): Operation =>
  Operation.SaveSnapshot({ snapshot: saved, keep })

export const deleteSnapshots = (streamId: string, version: number | null = null): Operation =>
  Operation.DeleteSnapshots({ streamId, version })

/** Appends, each on its own. */
export const command = (at: number, ...appends: ReadonlyArray<Append>): Command => ({
  at,
  operations: appends.map(single)
})

/** Entries from `index` on, all of term 1. */
export const entries = (index: number, commands: ReadonlyArray<Command | null>): ReadonlyArray<Entry> =>
  commands.map((command, at) => ({ index: index + at, term: 1, command }))

/** Applies operations as the next entry, of this time, and returns its answers. */
export const applyAt = (engine: Service, at: number, ...operations: ReadonlyArray<Operation>): Reply => {
  const [reply] = engine.apply(entries(engine.appliedIndex() + 1, [{ at, operations }]))
  if (reply === null || reply === undefined) throw new Error("a command was not answered")
  return reply
}

/** The same with appends, each on its own. */
export const applyNext = (engine: Service, ...appends: ReadonlyArray<Append>): Reply =>
  applyAt(engine, 1_000, ...appends.map(single))

export const noLimit = Number.MAX_SAFE_INTEGER

/** A read at time 0, at which no event is too old. */
export const read = (engine: Service, streamId: string, from = 0, count = 1000, direction: Direction = "forward") =>
  engine.readStream({ streamId, from, count, direction, bytesMax: noLimit, nowUs: 0 })

export const readAll = (engine: Service, from = 0, count = 1000, direction: Direction = "forward") =>
  engine.readAll({ from, count, direction, bytesMax: noLimit, asOf: null, nowUs: 0 })

/** The events of a page of a stream that is there. */
export const eventsOf = (page: { readonly events: ReadonlyArray<RecordedEvent> } | Absent) => {
  if (typeof page === "string") throw new Error(`the stream is not there: ${page}`)
  return page.events
}

export const versions = (page: { readonly events: ReadonlyArray<RecordedEvent> } | Absent) =>
  eventsOf(page).map(event => event.version)

// -----------------------------------------------------------------------------
// arbitraries
// -----------------------------------------------------------------------------

/** Text with everything in it that UTF-8 can carry: NUL, astral characters, composed and not. */
export const textArbitrary = fc.oneof(
  fc.fullUnicodeString({ minLength: 1, maxLength: 20 }),
  fc.constantFrom("é", "e\u0301", "注文-1", "🧾", "a\u0000b", "A", "a", " ")
)

const payloadArbitrary = fc.uint8Array({ maxLength: 40 })

const contentTypeArbitrary = fc.constantFrom("application/json", "application/octet-stream", "x")

export const eventArbitrary = (ids: fc.Arbitrary<string>): fc.Arbitrary<NewEvent> =>
  fc.record({
    eventId: ids,
    eventType: textArbitrary,
    data: payloadArbitrary,
    dataContentType: contentTypeArbitrary,
    metadata: fc.option(payloadArbitrary, { nil: null }),
    metadataContentType: contentTypeArbitrary,
    tags: fc.array(textArbitrary, { maxLength: 3 })
  })

/** Mostly one that is met, or a history would hardly get anywhere. */
const expectedArbitrary = fc.oneof(
  { weight: 4, arbitrary: fc.constant("any" as const) },
  { weight: 1, arbitrary: fc.constantFrom("no_stream" as const, "stream_exists" as const) },
  { weight: 1, arbitrary: fc.nat({ max: 6 }) }
)

const orNull = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: null })

/** Often what events of a history are likely to have. */
const likely = <A, B>(value: A, other: fc.Arbitrary<B>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other })

const criterionArbitrary = fc.record({
  field: likely("by", textArbitrary),
  value: likely(
    true,
    fc.oneof(
      textArbitrary,
      fc.constant(""),
      fc.constant(false),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true })
    )
  )
})

const queryArbitrary = (streams: fc.Arbitrary<string>): fc.Arbitrary<Query.Query> =>
  fc.record({
    items: fc.array(
      fc.record({
        types: fc.array(likely("t", textArbitrary), { maxLength: 2 }),
        tags: fc.array(likely("odd", textArbitrary), { maxLength: 1 }),
        metadata: fc.array(criterionArbitrary, { maxLength: 1 }),
        stream: orNull(likely("*", streams))
      }),
      { maxLength: 2 }
    )
  })

const snapshotArbitrary = (streams: fc.Arbitrary<string>): fc.Arbitrary<NewSnapshot> =>
  fc.record({
    streamId: streams,
    version: fc.nat({ max: 8 }),
    data: payloadArbitrary,
    dataContentType: contentTypeArbitrary,
    metadata: orNull(payloadArbitrary),
    metadataContentType: contentTypeArbitrary
  })

/** Operations of all kinds; appends are the most. */
export const operationArbitrary = (options: {
  readonly streams: fc.Arbitrary<string>
  readonly events: fc.Arbitrary<NewEvent>
}): fc.Arbitrary<Operation> => {
  const { events, streams } = options
  const append: fc.Arbitrary<Append> = fc.record({
    streamId: streams,
    expectedVersion: expectedArbitrary,
    events: fc.array(events, { maxLength: 4 })
  })
  const condition = fc.record({
    query: queryArbitrary(streams),
    after: fc.integer({ min: -1, max: 20 }),
    checkedThrough: fc.constant(-1)
  })
  const appends = fc.uniqueArray(append, { selector: ({ streamId }) => streamId, maxLength: 3 })
  const least = fc.integer({ min: 1, max: 4 })
  return fc.oneof(
    { weight: 8, arbitrary: append.map(single) },
    {
      weight: 3,
      arbitrary: fc
        .record({ appends, condition: fc.oneof(condition, fc.constant(null)) })
        .map(fields => Operation.Append(fields))
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ streamId: streams, expectedVersion: expectedArbitrary, tombstone: likely(false, fc.constant(true)) })
        .map(fields => Operation.DeleteStream(fields))
    },
    {
      weight: 2,
      arbitrary: fc
        .record({
          streamId: streams,
          metadata: fc.record({
            maxAgeUs: orNull(fc.integer({ min: 1, max: 40 })),
            maxCount: orNull(least),
            truncateBefore: orNull(fc.oneof(fc.nat({ max: 8 }), fc.constant(Number.MAX_SAFE_INTEGER)))
          })
        })
        .map(fields => Operation.SetStreamMetadata(fields))
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ snapshot: snapshotArbitrary(streams), keep: orNull(least) })
        .map(fields => Operation.SaveSnapshot(fields))
    },
    {
      weight: 1,
      arbitrary: fc
        .record({ streamId: streams, version: orNull(fc.nat({ max: 8 })) })
        .map(fields => Operation.DeleteSnapshots(fields))
    }
  )
}

/** Commands of operations of all kinds, at times that are close together, so that the age of events matters, unless others are given. */
export const commandArbitrary = (options: {
  readonly streams: fc.Arbitrary<string>
  readonly events: fc.Arbitrary<NewEvent>
  readonly times?: fc.Arbitrary<number>
}): fc.Arbitrary<Command> =>
  fc.record({
    at: options.times ?? fc.nat({ max: 100 }),
    operations: fc.array(operationArbitrary(options), { maxLength: 4 })
  })
