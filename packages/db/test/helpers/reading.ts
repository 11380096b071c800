import type { NewEvent, RecordedEvent } from "@reckon/client/Event"
import * as Query from "@reckon/client/Query"
import type { EventPage } from "@reckon/client/StoreRpcs"
import { type StreamMetadata, unlimited } from "@reckon/client/StreamMetadata"
import * as fc from "fast-check"
import { Operation, single } from "../../src/Command.js"
import type { Direction, ReadAll, Service } from "../../src/StoreEngine.js"

/** The `n`th event, with metadata in JSON where there are any. */
export const event = (
  n: number,
  { json, ...fields }: Partial<NewEvent> & { readonly json?: unknown } = {}
): NewEvent => ({
  eventId: `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`,
  eventType: "Happened",
  data: new Uint8Array([n & 0xff]),
  dataContentType: "application/json",
  metadata: json === undefined ? null : new Uint8Array(Buffer.from(JSON.stringify(json))),
  metadataContentType: "application/json",
  tags: [],
  ...fields
})

export const append = (streamId: string, ...events: ReadonlyArray<NewEvent>): Operation =>
  single({ streamId, expectedVersion: "any", events })

export const limit = (streamId: string, metadata: Partial<StreamMetadata>): Operation =>
  Operation.SetStreamMetadata({ streamId, metadata: { ...unlimited, ...metadata } })

export const remove = (streamId: string, tombstone = false): Operation =>
  Operation.DeleteStream({ streamId, expectedVersion: "any", tombstone })

/** Applies the operations at a time, as the next entry. */
export const applyAt = (engine: Service, at: number, ...operations: ReadonlyArray<Operation>) =>
  engine.apply([{ index: engine.appliedIndex() + 1, term: 1, command: { at, operations } }])

/** A page of everything, unless said otherwise. */
export const wholly = (options: Partial<ReadAll> = {}): ReadAll => ({
  from: options.direction === "backward" ? Number.MAX_SAFE_INTEGER : 0,
  count: 1000,
  direction: "forward",
  bytesMax: Number.MAX_SAFE_INTEGER,
  asOf: null,
  nowUs: 0,
  ...options
})

/** All pages, each from the place that the one before it names. */
export const pages = (first: number, read: (from: number) => EventPage): ReadonlyArray<EventPage> => {
  const all: Array<EventPage> = []
  for (let from = first; ; ) {
    const page = read(from)
    all.push(page)
    if (page.isEnd) return all
    if (page.next === from) throw new Error(`a page from ${from} goes on from there`)
    from = page.next
  }
}

export const positions = (page: Pick<EventPage, "events">) => page.events.map(({ position }) => position)

// -----------------------------------------------------------------------------
// the oracle
// -----------------------------------------------------------------------------

/** The store as an array in which each event that a stream gave up is marked: what the engine's reads are compared with. */
export class History {
  readonly all: Array<RecordedEvent> = []
  readonly #hidden = new Set<RecordedEvent>()
  readonly #tombstoned = new Set<string>()
  readonly #metadata = new Map<string, StreamMetadata>()

  apply(at: number, operation: Operation): void {
    const epochUs = Math.max(at, this.all.at(-1)?.epochUs ?? 0)
    if (operation._tag === "Append") {
      for (const { events, streamId } of operation.appends) {
        if (this.#tombstoned.has(streamId)) continue
        for (const event of events) {
          const place = { version: this.#of(streamId).length, position: this.all.length, epochUs }
          this.all.push({ ...event, streamId, ...place })
        }
        this.#keepLast(streamId)
      }
    } else if (operation._tag === "DeleteStream") {
      this.#hide(operation.streamId, () => true)
      if (operation.tombstone) this.#tombstoned.add(operation.streamId)
    } else if (operation._tag === "SetStreamMetadata") {
      const { metadata, streamId } = operation
      if (this.#tombstoned.has(streamId)) return
      this.#hide(streamId, event => this.#isTooOld(event, epochUs))
      this.#metadata.set(streamId, metadata)
      this.#hide(streamId, event => event.version < (metadata.truncateBefore ?? 0))
      this.#keepLast(streamId)
    }
  }

  /** What a read at this time may return. */
  visible(nowUs: number): ReadonlyArray<RecordedEvent> {
    return this.all.filter(event => !this.#hidden.has(event) && !this.#isTooOld(event, nowUs))
  }

  matching(query: Query.Query, { asOf, nowUs }: Pick<ReadAll, "asOf" | "nowUs">): ReadonlyArray<RecordedEvent> {
    return this.visible(nowUs)
      .filter(Query.matcher(query))
      .filter(({ position }) => asOf === null || position <= asOf)
  }

  #of(streamId: string): ReadonlyArray<RecordedEvent> {
    return this.all.filter(event => event.streamId === streamId)
  }

  #hide(streamId: string, isHidden: (event: RecordedEvent) => boolean): void {
    for (const event of this.#of(streamId)) if (isHidden(event)) this.#hidden.add(event)
  }

  #keepLast(streamId: string): void {
    const { maxCount } = this.#metadata.get(streamId) ?? unlimited
    const length = this.#of(streamId).length
    if (maxCount !== null) this.#hide(streamId, event => event.version < length - maxCount)
  }

  #isTooOld({ epochUs, streamId }: RecordedEvent, nowUs: number): boolean {
    const { maxAgeUs } = this.#metadata.get(streamId) ?? unlimited
    return maxAgeUs !== null && nowUs - epochUs > maxAgeUs
  }
}

// -----------------------------------------------------------------------------
// arbitraries
// -----------------------------------------------------------------------------

const streamNames = ["order-1", "order-2", "order-10", "invoice-é", "🧾-1", "order", "*"]
const types = ["Placed", "Paid", "Shipped"]
const tags = ["a", "b", "c", "é"]
const values = [1, "1", true, "x"]

const newEvent = fc.record({
  eventType: fc.constantFrom(...types),
  tags: fc.array(fc.constantFrom(...tags), { maxLength: 3 }),
  metadataContentType: fc.constantFrom("application/json", "application/json", "text/plain"),
  json: fc.option(fc.dictionary(fc.constantFrom("m", "n"), fc.constantFrom(...values)), { nil: undefined })
})

const anyStream = fc.constantFrom(...streamNames)

const intention = fc.oneof(
  { weight: 16, arbitrary: fc.tuple(anyStream, fc.array(newEvent, { minLength: 1, maxLength: 8 })) },
  { weight: 1, arbitrary: fc.tuple(anyStream, fc.nat({ max: 3 })).map(([streamId, n]) => remove(streamId, n === 0)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        anyStream,
        fc.record({
          maxAgeUs: fc.option(fc.integer({ min: 1, max: 40 })),
          maxCount: fc.option(fc.integer({ min: 1, max: 5 })),
          truncateBefore: fc.option(fc.nat({ max: 8 }))
        })
      )
      .map(([streamId, metadata]) => limit(streamId, metadata))
  }
)

/** More events than those that a search looks at one by one rather than at names. */
const many = append("behind", ...Array.from({ length: 150 }, (_, n) => event(1000 + n, { tags: ["a"] })))

/** Operations with their times, which may also go back, and an event id for each event. Of two histories one ends in very many events. */
export const historyArbitrary: fc.Arbitrary<ReadonlyArray<{ readonly at: number; readonly operation: Operation }>> = fc
  .tuple(
    fc.array(fc.record({ pause: fc.integer({ min: -3, max: 10 }), intention }), { minLength: 5, maxLength: 40 }),
    fc.boolean()
  )
  .map(([steps, isLong]) => {
    let at = 100
    let n = 0
    const history = steps.map(({ intention, pause }) => {
      at += pause
      const operation = Array.isArray(intention)
        ? append(intention[0], ...intention[1].map(fields => event(n++, fields)))
        : intention
      return { at, operation }
    })
    return isLong ? [...history, { at, operation: many }] : history
  })

const criteria = fc.record(
  {
    types: fc.array(fc.constantFrom(...types, ...types, "Unknown"), { maxLength: 3 }),
    tags: fc.array(fc.constantFrom(...tags, ...tags, "unknown"), { maxLength: 2 }),
    metadata: fc.array(fc.record({ field: fc.constantFrom("m", "n"), value: fc.constantFrom(...values) }), {
      maxLength: 1
    }),
    stream: fc.option(fc.constantFrom(...streamNames, "order-?", "order*", "*-1", "none-*", "none"))
  },
  { requiredKeys: [] }
)

export const queryArbitrary: fc.Arbitrary<Query.Query> = fc
  .array(criteria, { maxLength: 4 })
  .map(items => Query.make(...items))

export const directionArbitrary = fc.constantFrom<Direction>("forward", "backward")
