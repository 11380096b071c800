import { byteLength, type NewEvent, type RecordedEvent } from "@reckon/client/Event"
import * as Query from "@reckon/client/Query"
import type { NewSnapshot, Snapshot } from "@reckon/client/Snapshot"
import {
  AppendConditionFailed,
  EventIdConflict,
  SnapshotOutOfRange,
  StreamDeleted,
  StreamNotFound,
  StreamTombstoned,
  WrongExpectedVersion
} from "@reckon/client/StoreError"
import type { Append, AppendCondition, Appended } from "@reckon/client/StoreRpcs"
import { type StreamDetails, type StreamMetadata, unlimited } from "@reckon/client/StreamMetadata"
import * as Either from "effect/Either"
import type { Command, Operation, Reply } from "../../src/Command.js"
import type { Absent, ReadAll } from "../../src/StoreEngine.js"

type Answer = Reply[number]

/** Everything a stream ever had: its events lie at the places of their versions. */
interface Stream {
  readonly name: string
  readonly events: Array<RecordedEvent>
  /** The versions it hides for good. */
  readonly hidden: Set<number>
  readonly snapshots: Map<number, Snapshot>
  state: StreamDetails["state"]
  /** How many events it had when it was last created. */
  born: number
  metadata: StreamMetadata
}

/** The store as plain lists, slow and without any index: what an engine is compared with. */
export class Model {
  /** Every event that was ever written, by position. */
  readonly all: Array<RecordedEvent> = []
  readonly #streams = new Map<string, Stream>()

  apply({ at, operations }: Command): Reply {
    return operations.map(operation => this.#apply(operation, Math.max(at, this.all.at(-1)?.epochUs ?? 0)))
  }

  #apply(operation: Operation, now: number): Answer {
    switch (operation._tag) {
      case "Append":
        return this.#append(operation.appends, operation.condition, now)
      case "DeleteStream":
        return this.#delete(operation.streamId, operation.expectedVersion, operation.tombstone)
      case "SetStreamMetadata":
        return this.#setMetadata(operation.streamId, operation.metadata, now)
      case "SaveSnapshot":
        return this.#saveSnapshot(operation.snapshot, operation.keep, now)
      case "DeleteSnapshots":
        return this.#deleteSnapshots(operation.streamId, operation.version)
    }
  }

  // ---------------------------------------------------------------------------
  // what there is
  // ---------------------------------------------------------------------------

  /** Of a stream that was not deleted and has had an event since it was created. */
  #existing(name: string): Stream | undefined {
    const stream = this.#streams.get(name)
    return stream?.state === "active" && stream.events.length > stream.born ? stream : undefined
  }

  /** Why a stream is not there, or its name if it is. */
  absent(name: string): Absent | null {
    const state = this.#streams.get(name)?.state ?? "active"
    if (state !== "active") return state
    return this.#existing(name) === undefined ? "not_found" : null
  }

  getVersion(name: string): number {
    const events = this.#existing(name)?.events ?? []
    return events.length - 1
  }

  isVisible({ epochUs, streamId, version }: RecordedEvent, now: number): boolean {
    const stream = this.#streams.get(streamId)
    const maxAgeUs = stream?.metadata.maxAgeUs ?? Number.POSITIVE_INFINITY
    return stream?.hidden.has(version) === false && epochUs >= now - maxAgeUs
  }

  /** The events that can be read at a time, by position. */
  visible(now: number): ReadonlyArray<RecordedEvent> {
    return this.all.filter(event => this.isVisible(event, now))
  }

  names(): ReadonlyArray<string> {
    return [...this.#streams.keys()]
      .filter(name => this.#existing(name) !== undefined)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  details(streamId: string): StreamDetails | null {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return null
    const kept = stream.events.filter(({ version }) => !stream.hidden.has(version))
    return {
      streamId,
      state: stream.state,
      firstVersion: kept[0]?.version ?? stream.events.length,
      lastVersion: stream.events.length - 1,
      count: kept.length,
      bytes: kept.reduce((sum, event) => sum + byteLength(event), 0),
      createdUs: stream.events[stream.born]?.epochUs ?? 0,
      updatedUs: stream.events.at(-1)?.epochUs ?? 0,
      metadata: stream.metadata
    }
  }

  /** By rising version. */
  snapshots(name: string): ReadonlyArray<Snapshot> {
    const snapshots = this.#streams.get(name)?.snapshots.values() ?? []
    return [...snapshots].sort((a, b) => a.version - b.version)
  }

  // ---------------------------------------------------------------------------
  // appending
  // ---------------------------------------------------------------------------

  #append(appends: ReadonlyArray<Append>, condition: AppendCondition | null, now: number): Answer {
    const fresh: Array<{ readonly streamId: string; readonly event: NewEvent }> = []
    for (const { events, streamId } of appends) {
      const known: Array<NewEvent> = [...(this.#streams.get(streamId)?.events ?? [])]
      for (const event of events) {
        const version = known.findIndex(other => other.eventId === event.eventId)
        const twin = known[version]
        if (twin === undefined) {
          known.push(event)
          fresh.push({ streamId, event })
        } else if (!sameContent(twin, event)) {
          return Either.left(new EventIdConflict({ streamId, eventId: event.eventId, version }))
        }
      }
    }
    const given = appends.reduce((sum, { events }) => sum + events.length, 0)
    if (given === 0 || fresh.length > 0) {
      const objection = this.#objection(appends, condition, now)
      if (objection !== null) return Either.left(objection)
    }
    for (const { event, streamId } of fresh) this.#write(streamId, event, now)
    return Either.right(
      appends.map(({ events, streamId }): Appended => {
        const added = fresh.filter(one => one.streamId === streamId).length
        const recorded = this.#streams.get(streamId)?.events
        const last =
          events.length === 0
            ? this.#existing(streamId)?.events.at(-1)
            : recorded?.find(({ eventId }) => eventId === events.at(-1)?.eventId)
        return {
          streamId,
          version: last?.version ?? -1,
          position: last?.position ?? -1,
          alreadyPresent: events.length - added
        }
      })
    )
  }

  #objection(appends: ReadonlyArray<Append>, condition: AppendCondition | null, now: number) {
    for (const { expectedVersion: expected, streamId } of appends) {
      if (this.absent(streamId) === "tombstoned") return new StreamTombstoned({ streamId })
      const actual = this.getVersion(streamId)
      if (!isMet(expected, actual)) return new WrongExpectedVersion({ streamId, expected, actual })
    }
    if (condition === null) return null
    const matches = Query.matcher(condition.query)
    const found = this.visible(now).find(event => event.position > condition.after && matches(event))
    return found === undefined ? null : new AppendConditionFailed({ after: condition.after, position: found.position })
  }

  #write(streamId: string, event: NewEvent, now: number): void {
    const stream = this.#made(streamId)
    if (stream.state === "deleted") stream.born = stream.events.length
    stream.state = "active"
    const recorded = { ...event, streamId, version: stream.events.length, position: this.all.length, epochUs: now }
    stream.events.push(recorded)
    this.all.push(recorded)
    this.#trim(stream)
  }

  #made(name: string): Stream {
    const stream: Stream = this.#streams.get(name) ?? {
      name,
      events: [],
      hidden: new Set(),
      snapshots: new Map(),
      state: "active",
      born: 0,
      metadata: unlimited
    }
    this.#streams.set(name, stream)
    return stream
  }

  // ---------------------------------------------------------------------------
  // streams
  // ---------------------------------------------------------------------------

  #hide({ events, hidden }: Stream, isHidden: (event: RecordedEvent) => boolean): void {
    for (const event of events) if (isHidden(event)) hidden.add(event.version)
  }

  #trim(stream: Stream): void {
    const { maxCount, truncateBefore } = stream.metadata
    const keptBefore = stream.events.length - (maxCount ?? stream.events.length)
    this.#hide(stream, ({ version }) => version < keptBefore || version < (truncateBefore ?? 0))
  }

  #delete(streamId: string, expected: Append["expectedVersion"], tombstone: boolean): Answer {
    const stream = this.#streams.get(streamId)
    if (stream?.state === "tombstoned" && !tombstone) return Either.left(new StreamTombstoned({ streamId }))
    const actual = (stream?.events.length ?? 0) - 1
    if (!isMet(expected, actual)) return Either.left(new WrongExpectedVersion({ streamId, expected, actual }))
    if (!tombstone && this.#existing(streamId) === undefined) return Either.right([])
    const gone = this.#made(streamId)
    gone.state = tombstone ? "tombstoned" : "deleted"
    gone.metadata = { ...gone.metadata, truncateBefore: null }
    gone.snapshots.clear()
    this.#hide(gone, () => true)
    return Either.right([])
  }

  #setMetadata(streamId: string, metadata: StreamMetadata, now: number): Answer {
    if (this.absent(streamId) === "tombstoned") return Either.left(new StreamTombstoned({ streamId }))
    const stream = this.#made(streamId)
    this.#hide(stream, event => !this.isVisible(event, now))
    const { truncateBefore } = metadata
    const reached = truncateBefore === null ? null : Math.min(truncateBefore, stream.events.length)
    stream.metadata = { ...metadata, truncateBefore: reached }
    this.#trim(stream)
    return Either.right([])
  }

  // ---------------------------------------------------------------------------
  // snapshots
  // ---------------------------------------------------------------------------

  #saveSnapshot(snapshot: NewSnapshot, keep: number | null, epochUs: number): Answer {
    const { streamId, version } = snapshot
    const absent = this.absent(streamId)
    const stream = this.#existing(streamId)
    if (absent === "deleted") return Either.left(new StreamDeleted({ streamId }))
    if (absent === "tombstoned") return Either.left(new StreamTombstoned({ streamId }))
    if (stream === undefined) return Either.left(new StreamNotFound({ streamId }))
    const range = { least: stream.born, most: stream.events.length - 1 }
    if (version < range.least || version > range.most) {
      return Either.left(new SnapshotOutOfRange({ streamId, version, ...range }))
    }
    stream.snapshots.set(version, { ...snapshot, epochUs })
    const versions = [...stream.snapshots.keys()].sort((a, b) => b - a)
    for (const old of versions.slice(keep ?? versions.length)) stream.snapshots.delete(old)
    return Either.right([])
  }

  #deleteSnapshots(streamId: string, version: number | null): Answer {
    const snapshots = this.#streams.get(streamId)?.snapshots
    if (version === null) snapshots?.clear()
    else snapshots?.delete(version)
    return Either.right([])
  }
}

const isMet = (expected: Append["expectedVersion"], actual: number): boolean =>
  expected === "any" ||
  (expected === "no_stream" && actual === -1) ||
  (expected === "stream_exists" && actual >= 0) ||
  expected === actual

const content = ({ data, dataContentType, eventType, metadata, metadataContentType, tags }: NewEvent) =>
  JSON.stringify([[...data], dataContentType, eventType, metadata && [...metadata], metadataContentType, tags])

const sameContent = (a: NewEvent, b: NewEvent): boolean => content(a) === content(b)

/** The page that a read should return of `events`, which stand in order and are numbered by `place`; `last` is the place of the last one there ever was. */
export const pageOf = (
  events: ReadonlyArray<RecordedEvent>,
  place: (event: RecordedEvent) => number,
  last: number,
  { bytesMax, count, direction, from }: Pick<ReadAll, "bytesMax" | "count" | "direction" | "from">
) => {
  const isForward = direction === "forward"
  const ahead = isForward
    ? events.filter(event => place(event) >= from)
    : events.filter(event => place(event) <= from).reverse()
  const page: Array<RecordedEvent> = []
  let sum = 0
  for (const event of ahead.slice(0, count)) {
    sum += byteLength(event)
    if (page.length > 0 && sum > bytesMax) break
    page.push(event)
  }
  const following = ahead[page.length]
  if (following !== undefined) return { events: page, isEnd: false, next: place(following) }
  return { events: page, isEnd: true, next: isForward ? Math.max(from, last + 1) : -1 }
}
