/**
 * A store that is an array, with the contract's rules written down as plainly as they can be. Everything is looked for by going through everything.
 */
import type { Event, StoreRpcs } from "@reckon/client"
import {
  StoreError as Errors,
  ExpectedVersion,
  Query,
  type Snapshot,
  StreamMetadata,
  StreamPattern
} from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as StoreError from "../../src/StoreError.js"

const equalBytes = (left: Uint8Array | null, right: Uint8Array | null): boolean =>
  left === right || (left !== null && right !== null && Buffer.compare(left, right) === 0)

const sameContent = (left: Event.NewEvent, right: Event.NewEvent): boolean =>
  left.eventType === right.eventType &&
  equalBytes(left.data, right.data) &&
  equalBytes(left.metadata, right.metadata) &&
  left.tags.join("\n") === right.tags.join("\n")

/** What a stream has besides its events. */
interface Shape {
  state: StreamMetadata.StreamState
  /** The oldest version that is kept. */
  first: number
  /** The version at which it began when it was last created. */
  born: number
  metadata: StreamMetadata.StreamMetadata
  snapshots: ReadonlyArray<Snapshot.Snapshot>
}

export class MemoryStore {
  /** By position. */
  readonly all: Array<Event.RecordedEvent> = []
  /** By version, hidden events included. */
  readonly streams = new Map<string, Array<Event.RecordedEvent>>()
  readonly shapes = new Map<string, Shape>()
  /** The time of what is written next; left alone, each event is a microsecond later than the one before. */
  nowUs: number | undefined
  private readonly waiters = new Set<() => void>()

  constructor(readonly name: string = "default") {}

  private shapeOf(streamId: string): Shape {
    const shape = this.shapes.get(streamId)
    if (shape !== undefined) return shape
    const fresh: Shape = { state: "active", first: 0, born: 0, metadata: StreamMetadata.unlimited, snapshots: [] }
    this.shapes.set(streamId, fresh)
    return fresh
  }

  private lastOf(streamId: string): number {
    return (this.streams.get(streamId)?.length ?? 0) - 1
  }

  versionOf(streamId: string): number {
    return this.shapeOf(streamId).state === "active" ? this.lastOf(streamId) : -1
  }

  isVisible(event: Event.RecordedEvent): boolean {
    const shape = this.shapeOf(event.streamId)
    return shape.state === "active" && event.version >= shape.first
  }

  /** Why there is nothing to read. */
  absence(streamId: string): StoreError.StreamError | undefined {
    const { state } = this.shapeOf(streamId)
    if (state === "deleted") return new Errors.StreamDeleted({ streamId })
    if (state === "tombstoned") return new Errors.StreamTombstoned({ streamId })
    return this.lastOf(streamId) < 0 ? new Errors.StreamNotFound({ streamId }) : undefined
  }

  // ── writing ──

  append(append: StoreRpcs.Append): Either.Either<StoreRpcs.Appended, StoreError.AppendError> {
    return Either.map(this.appendBatch([append], null), ([only]) => {
      if (only === undefined) throw new Error("one append has one answer")
      return only
    })
  }

  appendBatch(
    appends: ReadonlyArray<StoreRpcs.Append>,
    condition: StoreRpcs.AppendCondition | null
  ): Either.Either<ReadonlyArray<StoreRpcs.Appended>, StoreError.AppendError> {
    const knownOf = ({ events, streamId }: StoreRpcs.Append) =>
      events.map(event => (this.streams.get(streamId) ?? []).find(({ eventId }) => eventId === event.eventId))
    for (const append of appends) {
      for (const [index, known] of knownOf(append).entries()) {
        const event = append.events[index]
        if (known === undefined || event === undefined || sameContent(known, event)) continue
        const { eventId, streamId, version } = known
        return Either.left(new Errors.EventIdConflict({ streamId, eventId, version }))
      }
    }
    const events = appends.flatMap(knownOf)
    if (events.length === 0 || events.includes(undefined)) {
      for (const { expectedVersion: expected, streamId } of appends) {
        if (this.shapeOf(streamId).state === "tombstoned") return Either.left(new Errors.StreamTombstoned({ streamId }))
        const actual = this.versionOf(streamId)
        if (!ExpectedVersion.isMet(expected, actual)) {
          return Either.left(new Errors.WrongExpectedVersion({ streamId, expected, actual }))
        }
      }
      const { after, query } = condition ?? { after: -1, query: Query.none }
      const breaking = this.all.find(
        event => event.position > after && this.isVisible(event) && Query.matcher(query)(event)
      )
      if (breaking !== undefined) {
        return Either.left(new Errors.AppendConditionFailed({ after, position: breaking.position }))
      }
    }
    const answers = appends.map(append => this.write(append))
    for (const wake of this.waiters) wake()
    return Either.right(answers)
  }

  private write({ events, streamId }: StoreRpcs.Append): StoreRpcs.Appended {
    const stream = this.streams.get(streamId) ?? []
    const shape = this.shapeOf(streamId)
    let last = stream.at(-1)
    let alreadyPresent = 0
    for (const event of events) {
      const known = stream.find(({ eventId }) => eventId === event.eventId)
      if (known !== undefined) {
        alreadyPresent++
        last = known
        continue
      }
      if (shape.state === "deleted") {
        shape.state = "active"
        shape.born = stream.length
      }
      const position = this.all.length
      const epochUs = Math.max(this.nowUs ?? position, this.all.at(-1)?.epochUs ?? 0)
      last = { ...event, streamId, version: stream.length, position, epochUs }
      stream.push(last)
      this.streams.set(streamId, stream)
      this.all.push(last)
    }
    return { streamId, version: last?.version ?? -1, position: last?.position ?? -1, alreadyPresent }
  }

  deleteStream(request: {
    readonly streamId: string
    readonly expectedVersion: ExpectedVersion.ExpectedVersion
    readonly tombstone: boolean
  }): Either.Either<void, StoreError.WrongExpectedVersion | StoreError.StreamTombstoned> {
    const { expectedVersion: expected, streamId, tombstone } = request
    const shape = this.shapeOf(streamId)
    if (shape.state === "tombstoned") {
      return tombstone ? Either.void : Either.left(new Errors.StreamTombstoned({ streamId }))
    }
    const last = this.lastOf(streamId)
    if (!ExpectedVersion.isMet(expected, last)) {
      return Either.left(new Errors.WrongExpectedVersion({ streamId, expected, actual: this.versionOf(streamId) }))
    }
    if (last >= 0) shape.state = "deleted"
    if (tombstone) shape.state = "tombstoned"
    shape.first = last + 1
    shape.snapshots = []
    return Either.void
  }

  setMetadata(
    streamId: string,
    metadata: StreamMetadata.StreamMetadata
  ): Either.Either<void, StoreError.StreamTombstoned> {
    const shape = this.shapeOf(streamId)
    if (shape.state === "tombstoned") return Either.left(new Errors.StreamTombstoned({ streamId }))
    const last = this.lastOf(streamId)
    const { maxCount, truncateBefore } = metadata
    shape.metadata = metadata
    shape.first = Math.max(shape.first, Math.min(truncateBefore ?? 0, last + 1), last + 1 - (maxCount ?? Infinity))
    return Either.void
  }

  saveSnapshot(
    snapshot: Snapshot.NewSnapshot,
    keep: number | null
  ): Either.Either<void, StoreError.StreamError | StoreError.SnapshotOutOfRange> {
    const { streamId, version } = snapshot
    const shape = this.shapeOf(streamId)
    const absence = this.absence(streamId)
    if (absence !== undefined) return Either.left(absence)
    const range = { least: shape.born, most: this.lastOf(streamId) }
    if (version < range.least || version > range.most) {
      return Either.left(new Errors.SnapshotOutOfRange({ streamId, version, ...range }))
    }
    shape.snapshots = [
      ...shape.snapshots.filter(other => other.version !== version),
      { ...snapshot, epochUs: this.nowUs ?? 0 }
    ]
      .sort((left, right) => left.version - right.version)
      .slice(-(keep ?? Infinity))
    return Either.void
  }

  deleteSnapshots(streamId: string, version: number | null): void {
    const shape = this.shapeOf(streamId)
    shape.snapshots = shape.snapshots.filter(other => version !== null && other.version !== version)
  }

  // ── reading ──

  snapshotsOf(streamId: string): ReadonlyArray<Snapshot.Snapshot> {
    return this.shapeOf(streamId).snapshots
  }

  namesOf(pattern: string | null): ReadonlyArray<string> {
    const matches = pattern === null ? () => true : StreamPattern.matcher(pattern)
    return [...this.streams.keys()].filter(name => this.versionOf(name) >= 0 && matches(name)).sort()
  }

  detailsOf(streamId: string): StreamMetadata.StreamDetails | undefined {
    const shape = this.shapeOf(streamId)
    const events = this.streams.get(streamId) ?? []
    if (events.length === 0 && shape.state === "active") return undefined
    const kept = events.filter(event => this.isVisible(event))
    return {
      streamId,
      state: shape.state,
      firstVersion: shape.first,
      lastVersion: events.length - 1,
      count: kept.length,
      bytes: kept.reduce((sum, { data }) => sum + data.length, 0),
      createdUs: events[shape.born]?.epochUs ?? 0,
      updatedUs: events.at(-1)?.epochUs ?? 0,
      metadata: shape.metadata
    }
  }

  /** Ends when there is an event at or behind `from`. */
  arrival(list: () => ReadonlyArray<unknown>, from: number): Effect.Effect<void> {
    return Effect.async<void>(resume => {
      const wake = () => {
        if (list().length <= from) return
        this.waiters.delete(wake)
        resume(Effect.void)
      }
      this.waiters.add(wake)
      wake()
      return Effect.sync(() => this.waiters.delete(wake))
    })
  }
}
