/**
 * An `EventStore` that is an array, with the contract's rules about versions, event ids, conditions, deletion and snapshots, for tests of what lives on the contract. Each request lets other
 * fibers run first, so that those that race do. It can be told how the next appends fail.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { NewEvent, RecordedEvent } from "../../src/Event.js"
import { type AppendFailure, EventStore, type Service } from "../../src/EventStore.js"
import * as ExpectedVersion from "../../src/ExpectedVersion.js"
import * as Query from "../../src/Query.js"
import type { NewSnapshot } from "../../src/Snapshot.js"
import * as StoreError from "../../src/StoreError.js"
import type { Append, AppendCondition, Appended } from "../../src/StoreRpcs.js"

/** What becomes of an append: it fails, before or after it took effect. */
export type Fault = { readonly error: AppendFailure; readonly written: boolean }

interface StreamRecord {
  readonly events: Array<RecordedEvent>
  firstVersion: number
  state: "active" | "deleted" | "tombstoned"
}

const contentOf = ({ data, dataContentType, eventType, metadata, tags }: NewEvent) =>
  JSON.stringify([eventType, dataContentType, [...data], metadata === null ? null : [...metadata], tags])

export class Memory {
  readonly all: Array<RecordedEvent> = []
  readonly streams = new Map<string, StreamRecord>()
  snapshots: Array<NewSnapshot> = []
  /** The requests so far, such as `append order-1` or `readStream order-1 from 3`. */
  readonly requests: Array<string> = []
  /** One of them for each append to come. */
  faults: Array<Fault | undefined> = []
  /** Runs once, before the next append is looked at. */
  beforeAppend: Effect.Effect<unknown, unknown, EventStore> | undefined
  snapshotFault: StoreError.Overloaded | undefined

  private stream(streamId: string): StreamRecord {
    const known = this.streams.get(streamId)
    if (known !== undefined) return known
    const created: StreamRecord = { events: [], firstVersion: 0, state: "active" }
    this.streams.set(streamId, created)
    return created
  }

  private isVisible(event: RecordedEvent): boolean {
    const stream = this.stream(event.streamId)
    return stream.state === "active" && event.version >= stream.firstVersion
  }

  visible(query: Query.Query = Query.all): ReadonlyArray<RecordedEvent> {
    const matches = Query.matcher(query)
    return this.all.filter(event => this.isVisible(event) && matches(event))
  }

  versionOf(streamId: string): number {
    const stream = this.stream(streamId)
    return stream.state === "active" ? stream.events.length - 1 : -1
  }

  deleteStream(streamId: string): void {
    this.stream(streamId).state = "deleted"
    this.snapshots = this.snapshots.filter(snapshot => snapshot.streamId !== streamId)
  }

  tombstone(streamId: string): void {
    this.stream(streamId).state = "tombstoned"
  }

  truncateBefore(streamId: string, version: number): void {
    this.stream(streamId).firstVersion = version
  }

  private appendAll(
    appends: ReadonlyArray<Append>,
    condition: AppendCondition | undefined
  ): Effect.Effect<ReadonlyArray<Appended>, AppendFailure> {
    const fresh = new Map<string, ReadonlyArray<NewEvent>>()
    for (const { events, streamId } of appends) {
      const stream = this.stream(streamId)
      if (stream.state === "tombstoned") return new StoreError.StreamTombstoned({ streamId })
      for (const event of events) {
        const twin = stream.events.find(({ eventId }) => eventId === event.eventId)
        if (twin !== undefined && contentOf(twin) !== contentOf(event)) {
          return new StoreError.EventIdConflict({ streamId, eventId: event.eventId, version: twin.version })
        }
      }
      fresh.set(
        streamId,
        events.filter(event => stream.events.every(({ eventId }) => eventId !== event.eventId))
      )
    }
    if ([...fresh.values()].some(events => events.length > 0)) {
      for (const { expectedVersion: expected, streamId } of appends) {
        const actual = this.versionOf(streamId)
        if (!ExpectedVersion.isMet(expected, actual)) {
          return new StoreError.WrongExpectedVersion({ streamId, expected, actual })
        }
      }
      const broken = condition && this.visible(condition.query).find(({ position }) => position > condition.after)
      if (condition !== undefined && broken !== undefined) {
        return new StoreError.AppendConditionFailed({ after: condition.after, position: broken.position })
      }
    }
    return Effect.succeed(
      appends.map(({ events, streamId }) => {
        const stream = this.stream(streamId)
        const added = fresh.get(streamId) ?? []
        if (stream.state === "deleted" && added.length > 0) {
          stream.state = "active"
          stream.firstVersion = stream.events.length
        }
        for (const event of added) {
          const at = this.all.length
          const recorded = { ...event, streamId, version: stream.events.length, position: at, epochUs: at }
          stream.events.push(recorded)
          this.all.push(recorded)
        }
        const last = stream.events.find(({ eventId }) => eventId === events.at(-1)?.eventId) ?? stream.events.at(-1)
        return {
          streamId,
          version: last?.version ?? -1,
          position: last?.position ?? -1,
          alreadyPresent: events.length - added.length
        }
      })
    )
  }

  private request(text: string): Effect.Effect<void> {
    this.requests.push(text)
    return Effect.yieldNow()
  }

  readonly service: Service = (() => {
    const other = Effect.dieMessage("this store knows only what the tests ask of it")
    const append = (appends: ReadonlyArray<Append>, condition: AppendCondition | undefined) =>
      Effect.gen(this, function* () {
        yield* this.request(`append ${appends.map(({ streamId }) => streamId).join(" ")}`)
        const before = this.beforeAppend
        this.beforeAppend = undefined
        if (before !== undefined) yield* Effect.orDie(Effect.provideService(before, EventStore, this.service))
        const fault = this.faults.shift()
        if (fault !== undefined && !fault.written) return yield* Effect.fail(fault.error)
        const answer = yield* this.appendAll(appends, condition)
        return fault === undefined ? answer : yield* Effect.fail(fault.error)
      })
    const streamOf = (streamId: string, from: number) =>
      Effect.gen(this, function* () {
        yield* this.request(`read ${streamId} from ${from}`)
        const stream = this.streams.get(streamId)
        if (stream?.state === "deleted") return yield* new StoreError.StreamDeleted({ streamId })
        if (stream?.state === "tombstoned") return yield* new StoreError.StreamTombstoned({ streamId })
        if (stream === undefined || stream.events.length === 0)
          return yield* new StoreError.StreamNotFound({ streamId })
        return stream.events.filter(event => event.version >= from && this.isVisible(event))
      })
    const snapshotsOf = (streamId: string) =>
      this.snapshots.filter(snapshot => snapshot.streamId === streamId).sort((a, b) => a.version - b.version)

    return {
      store: "memory",
      append: (streamId, expectedVersion, events, options) =>
        Effect.flatMap(append([{ streamId, expectedVersion, events }], options?.condition), ([one]) =>
          one === undefined ? other : Effect.succeed(one)
        ),
      appendBatch: (appends, options) => append(appends, options?.condition),
      appendAll: () => other,
      read: (streamId, options) =>
        Effect.map(streamOf(streamId, options?.from ?? 0), events => {
          const page = events.slice(0, options?.count ?? 1000)
          return { events: page, isEnd: page.length === events.length, next: (page.at(-1)?.version ?? -1) + 1 }
        }),
      // In small pieces, as pages of a long stream are.
      readStream: (streamId, options) =>
        Stream.rechunk(Stream.fromIterableEffect(streamOf(streamId, options?.from ?? 0)), 2),
      readAll: () => other,
      readAllStream: () => other,
      query: () => other,
      queryStream: (query, options = {}) =>
        Stream.fromIterableEffect(
          Effect.map(this.request("query"), () => {
            const { count, direction, from } = options
            const found = this.visible(query)
            const ahead =
              direction === "backward"
                ? found.filter(({ position }) => position <= (from ?? position)).toReversed()
                : found.filter(({ position }) => position >= (from ?? 0))
            return ahead.slice(0, count)
          })
        ),
      getVersion: streamId => Effect.sync(() => this.versionOf(streamId)),
      exists: () => other,
      hasEvents: () => other,
      listStreams: () => other,
      streamDetails: () => other,
      deleteStream: streamId => Effect.sync(() => this.deleteStream(streamId)),
      tombstoneStream: streamId => Effect.sync(() => this.tombstone(streamId)),
      setStreamMetadata: () => other,
      saveSnapshot: (snapshot, options) =>
        Effect.gen(this, function* () {
          yield* this.request(`snapshot ${snapshot.streamId} at ${snapshot.version}`)
          if (this.snapshotFault !== undefined) return yield* this.snapshotFault
          const others = this.snapshots.filter(
            ({ streamId, version }) => streamId !== snapshot.streamId || version !== snapshot.version
          )
          this.snapshots = [...others, snapshot]
          const gone = new Set(snapshotsOf(snapshot.streamId).slice(0, -(options?.keep ?? this.snapshots.length)))
          this.snapshots = this.snapshots.filter(kept => !gone.has(kept))
        }),
      loadSnapshot: (streamId, options) =>
        Effect.suspend(() => {
          const version = options?.version ?? null
          const found = snapshotsOf(streamId).filter(snapshot => version === null || snapshot.version === version)
          const latest = found.at(-1)
          return latest === undefined
            ? new StoreError.SnapshotNotFound({ streamId, version })
            : Effect.succeed({ ...latest, epochUs: 0 })
        }),
      hasSnapshot: (streamId, options) =>
        Effect.sync(() => snapshotsOf(streamId).some(({ version }) => version === (options?.version ?? version))),
      listSnapshots: streamId =>
        Stream.suspend(() =>
          Stream.fromIterable(
            snapshotsOf(streamId).map(({ data, version }) => ({ streamId, version, epochUs: 0, bytes: data.length }))
          )
        ),
      deleteSnapshots: () => other,
      versionAt: () => other,
      positionAt: () => other,
      readUntil: () => Stream.fromEffect(other),
      readRange: () => Stream.fromEffect(other),
      queryRange: () => Stream.fromEffect(other),
      subscribe: () => Stream.fromEffect(other)
    }
  })()

  readonly layer: Layer.Layer<EventStore> = Layer.sync(EventStore, () => this.service)
}

/** Runs the test with a store of its own. */
export const withStore =
  <A, E>(test: (memory: Memory) => Effect.Effect<A, E, EventStore>): (() => Effect.Effect<A, E>) =>
  () =>
    Effect.suspend(() => {
      const memory = new Memory()
      return Effect.provideService(test(memory), EventStore, memory.service)
    })
