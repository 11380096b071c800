/** What is written: the same events, in the same order, for everybody who is measured. */
import { randomUUID } from "node:crypto"

const streamsMax = 10_000
/** Of one stream, in one append, while the store is loaded. */
export const chunkEvents = 10
export const pageEvents = 100
const tagCount = 20
const typeCount = 10

/** As an application has it before a store's own encoding. About 300 bytes as JSON. */
export interface NewEvent {
  readonly id: string
  readonly type: string
  readonly tag: string
  readonly data: { readonly stream: string; readonly number: number; readonly note: string }
}

/** Events for one stream. `version` is that of its last event so far, -1 where it has none. */
export interface Append {
  readonly stream: string
  readonly version: number
  readonly events: ReadonlyArray<NewEvent>
}

/** How many events, in how many streams. Each stream has as many as the others: 100 or more. */
export interface Plan {
  readonly events: number
  readonly streams: number
  /** A pass gives each stream one chunk, so that the events of a stream lie far apart, as they do where streams live long. */
  readonly passes: number
}

export const plan = (events: number): Plan => {
  const streams = Math.min(streamsMax, Math.floor(events / pageEvents))
  const passes = Math.floor(events / (streams * chunkEvents))
  return { events: passes * streams * chunkEvents, streams, passes }
}

export const streamName = (at: number): string => `order-${at}`
export const typeName = (at: number): string => `OrderLineChanged${at % typeCount}`
export const tagName = (at: number): string => `region:${at % tagCount}`

const note = "x".repeat(240)

/** Types and tags go round, each with its own step, so that a part of every page of events has them. */
export const makeEvent = (stream: number, number: number): NewEvent => ({
  id: randomUUID(),
  type: typeName(stream + number),
  tag: tagName(stream * 7 + number),
  data: { stream: streamName(stream), number, note }
})

/** Events `version + 1` and following of a stream. */
export const makeAppend = (stream: number, version: number, count: number): Append => ({
  stream: streamName(stream),
  version,
  events: Array.from({ length: count }, (_, at) => makeEvent(stream, version + 1 + at))
})

/** One pass of the loading, in requests of at most so many appends, each to another stream. */
export const passAppends = (
  plan: Plan,
  pass: number,
  requestAppends: number
): ReadonlyArray<() => ReadonlyArray<Append>> =>
  Array.from({ length: Math.ceil(plan.streams / requestAppends) }, (_, request) => () => {
    const first = request * requestAppends
    const length = Math.min(requestAppends, plan.streams - first)
    return Array.from({ length }, (_, at) => makeAppend(first + at, pass * chunkEvents - 1, chunkEvents))
  })

/** Where a page of events with one tag begins that lies so deep, from 0 to 1, and is full all the same. */
export const depthPosition = (plan: Plan, depth: number): number =>
  Math.floor(depth * (plan.events - 2 * pageEvents * tagCount))
