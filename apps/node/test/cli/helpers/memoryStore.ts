/**
 * A store in memory for the gateway of the tests.
 */
import {
  Event,
  ExpectedVersion,
  Query,
  type Snapshot,
  StoreError,
  type StoreRpcs,
  StreamMetadata
} from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

const equalBytes = (left: Uint8Array | null, right: Uint8Array | null): boolean =>
  left === right || (left !== null && right !== null && Buffer.compare(left, right) === 0)

const sameContent = (left: Event.NewEvent, right: Event.NewEvent): boolean =>
  left.eventType === right.eventType &&
  equalBytes(left.data, right.data) &&
  equalBytes(left.metadata, right.metadata) &&
  left.tags.join("\n") === right.tags.join("\n")

/** A store in memory, with the contract's rules about versions and event ids. */
export class MemoryStore {
  readonly all: Array<Event.RecordedEvent> = []
  readonly streams = new Map<string, Array<Event.RecordedEvent>>()
  /** The streams that are hidden, and whether for good. */
  readonly removed = new Map<string, "deleted" | "tombstoned">()
  readonly metadata = new Map<string, StreamMetadata.StreamMetadata>()
  /** By rising version. */
  readonly snapshots = new Map<string, ReadonlyArray<Snapshot.Snapshot>>()
  private readonly waiters = new Set<() => void>()

  constructor(readonly name: string = "default") {}

  versionOf(streamId: string): number {
    return (this.streams.get(streamId)?.length ?? 0) - 1
  }

  append(append: StoreRpcs.Append): Either.Either<StoreRpcs.Appended, StoreError.AppendError> {
    const { events, expectedVersion, streamId } = append
    if (this.removed.get(streamId) === "tombstoned") return Either.left(new StoreError.StreamTombstoned({ streamId }))
    const stream = this.streams.get(streamId) ?? []
    const present: Array<Event.RecordedEvent> = []
    for (const event of events) {
      const known = stream.find(recorded => recorded.eventId === event.eventId)
      if (known === undefined) continue
      if (!sameContent(known, event)) {
        return Either.left(new StoreError.EventIdConflict({ streamId, eventId: event.eventId, version: known.version }))
      }
      present.push(known)
    }
    const fresh = events.filter(event => !present.some(known => known.eventId === event.eventId))
    if (fresh.length > 0 && !ExpectedVersion.isMet(expectedVersion, stream.length - 1)) {
      return Either.left(
        new StoreError.WrongExpectedVersion({ streamId, expected: expectedVersion, actual: stream.length - 1 })
      )
    }
    for (const event of fresh) {
      const recorded = {
        ...event,
        streamId,
        version: stream.length,
        position: this.all.length,
        epochUs: this.all.length
      }
      stream.push(recorded)
      this.all.push(recorded)
    }
    if (fresh.length > 0) {
      this.streams.set(streamId, stream)
      this.removed.delete(streamId)
    }
    for (const wake of this.waiters) wake()
    const last = fresh.length > 0 ? stream.at(-1) : (present.at(-1) ?? stream.at(-1))
    return Either.right({
      streamId,
      version: last?.version ?? -1,
      position: last?.position ?? -1,
      alreadyPresent: present.length
    })
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

  conditionHolds(condition: StoreRpcs.AppendCondition | null): Effect.Effect<void, StoreError.AppendConditionFailed> {
    if (condition === null) return Effect.void
    const { after, query } = condition
    const broken = this.matching(query, null).find(event => event.position > after)
    return broken === undefined
      ? Effect.void
      : new StoreError.AppendConditionFailed({ after, position: broken.position })
  }

  matching(query: Query.Query, asOf: number | null): ReadonlyArray<Event.RecordedEvent> {
    const matches = Query.matcher(query)
    return this.all.filter(event => matches(event) && (asOf === null || event.position <= asOf))
  }

  /** The events of a stream that can be read. */
  readable(streamId: string): Effect.Effect<ReadonlyArray<Event.RecordedEvent>, StoreError.StreamError> {
    const removed = this.removed.get(streamId)
    if (removed === "deleted") return new StoreError.StreamDeleted({ streamId })
    if (removed === "tombstoned") return new StoreError.StreamTombstoned({ streamId })
    const stream = this.streams.get(streamId)
    return stream === undefined ? new StoreError.StreamNotFound({ streamId }) : Effect.succeed(stream)
  }

  remove(
    streamId: string,
    expected: ExpectedVersion.ExpectedVersion,
    tombstone: boolean
  ): Effect.Effect<void, StoreError.WrongExpectedVersion | StoreError.StreamTombstoned> {
    if (this.removed.get(streamId) === "tombstoned") return new StoreError.StreamTombstoned({ streamId })
    const actual = this.versionOf(streamId)
    if (!ExpectedVersion.isMet(expected, actual)) {
      return new StoreError.WrongExpectedVersion({ streamId, expected, actual })
    }
    this.removed.set(streamId, tombstone ? "tombstoned" : "deleted")
    return Effect.void
  }

  details(streamId: string): Effect.Effect<StreamMetadata.StreamDetails, StoreError.StreamNotFound> {
    const events = this.streams.get(streamId)
    if (events === undefined) return new StoreError.StreamNotFound({ streamId })
    const removed = this.removed.get(streamId)
    const kept = removed === undefined ? events : []
    return Effect.succeed({
      streamId,
      state: removed ?? "active",
      firstVersion: events.length - kept.length,
      lastVersion: events.length - 1,
      count: kept.length,
      bytes: kept.reduce((sum, event) => sum + Event.byteLength(event), 0),
      createdUs: events[0]?.epochUs ?? 0,
      updatedUs: events.at(-1)?.epochUs ?? 0,
      metadata: this.metadata.get(streamId) ?? StreamMetadata.unlimited
    })
  }

  snapshotsOf(streamId: string): ReadonlyArray<Snapshot.Snapshot> {
    return this.snapshots.get(streamId) ?? []
  }
}

/** A page of events that are in order, each at its place: its version or its position. */
export const page = (
  events: ReadonlyArray<Event.RecordedEvent>,
  request: { readonly from: number; readonly count: number; readonly direction: "forward" | "backward" },
  pageMax: number,
  placeOf: (event: Event.RecordedEvent) => number
): StoreRpcs.EventPage => {
  const forward = request.direction === "forward"
  const rest = forward
    ? events.filter(event => placeOf(event) >= request.from)
    : events.filter(event => placeOf(event) <= request.from).reverse()
  const taken = rest.slice(0, Math.min(request.count, pageMax))
  const last = taken.at(-1)
  const next = last === undefined ? request.from : placeOf(last) + (forward ? 1 : -1)
  return { events: taken, isEnd: taken.length === rest.length, next }
}
