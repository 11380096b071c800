/** A store that tells what it does: whoever carries it out knows nothing of that. */
import type { RecordedEvent } from "@reckon/client/Event"
import type { Service } from "@reckon/client/EventStore"
import * as Snapshot from "@reckon/client/Snapshot"
import type { Append, Appended, EventPage } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { Telemetry } from "../../Telemetry.js"
import * as TelemetryEvents from "../../TelemetryEvents.js"

const nanosSince = (clock: Clock.Clock, begun: bigint): number => Number(clock.unsafeCurrentTimeNanos() - begun)

const written = (append: Append, { alreadyPresent }: Appended): number => append.events.length - alreadyPresent

const eventCount = ({ events }: EventPage) => ({ event_count: events.length })

// -----------------------------------------------------------------------------
// requests
// -----------------------------------------------------------------------------

/**
 * A backend that executes the events of its requests, whoever makes them. To a request of which nobody wants to hear it adds one look at who listens, whatever
 * the number of its events.
 *
 * `lastVersion` is that of the last event that a stream ever had, -1 where it had none, as far as this node knows.
 */
export const backend = (options: {
  readonly store: string
  readonly telemetry: Telemetry["Type"]
  readonly backend: StoreBackend
  readonly lastVersion: (streamId: string) => number
}): Effect.Effect<StoreBackend> =>
  Effect.map(Effect.clock, clock => {
    const { backend, lastVersion, store: store_id, telemetry } = options

    /** Has the event of an operation executed that has but one, when it has succeeded. */
    const timed = <A, E>(
      event: TelemetryEvents.Event,
      operation: Effect.Effect<A, E>,
      execute: (result: A, duration: number) => void
    ): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        if (!telemetry.isObserved(event)) return operation
        const begun = clock.unsafeCurrentTimeNanos()
        return Effect.tap(operation, result => Effect.sync(() => execute(result, nanosSince(clock, begun))))
      })

    /** All of a write that its start event says besides the stream. */
    const writeOf = ({ events, expectedVersion, streamId }: Append) => ({
      store_id,
      stream_id: streamId,
      event_count: events.length,
      expected_version: expectedVersion
    })

    const wroteOf = (appended: Appended, append: Append) => ({
      event_count: written(append, appended),
      new_version: appended.version
    })

    const pageOf = ({
      count,
      direction,
      from
    }: Pick<Parameters<StoreBackend["readAll"]>[0], "count" | "direction" | "from">) => ({
      store_id,
      start_position: from,
      count,
      direction
    })

    return {
      ...backend,

      // ── writes ──

      append: appends =>
        telemetry.spanEach(TelemetryEvents.streamWrite, appends, writeOf, backend.append(appends), wroteOf),
      appendBatch: request =>
        telemetry.span(
          TelemetryEvents.batchWrite,
          () => ({
            store_id,
            stream_count: request.appends.length,
            event_count: request.appends.reduce((sum, { events }) => sum + events.length, 0)
          }),
          Effect.tapErrorTag(backend.appendBatch(request), "AppendConditionFailed", ({ position }) =>
            telemetry.execute(TelemetryEvents.appendConditionFailed, { position }, { store_id })
          ),
          answers => ({
            event_count: answers.reduce((sum, answer, at) => {
              const append = request.appends[at]
              return append === undefined ? sum : sum + written(append, answer)
            }, 0),
            position: answers.reduce((last, { position }) => Math.max(last, position), -1)
          })
        ),
      deleteStream: request => {
        const event = request.tombstone ? TelemetryEvents.streamTombstoned : TelemetryEvents.streamDeleted
        const stream_id = request.streamId
        return Effect.zipLeft(
          backend.deleteStream(request),
          telemetry.execute(event, {}, () => ({ store_id, stream_id, version: lastVersion(stream_id) }))
        )
      },

      // ── snapshots ──

      saveSnapshot: request =>
        timed(TelemetryEvents.snapshotCreated, backend.saveSnapshot(request), (_, duration) => {
          const { streamId: stream_id, version } = request.snapshot
          const measured = { duration, size_bytes: Snapshot.byteLength(request.snapshot) }
          telemetry.unsafeExecute(TelemetryEvents.snapshotCreated, measured, { store_id, stream_id, version })
        }),
      loadSnapshot: request =>
        timed(TelemetryEvents.snapshotRead, backend.loadSnapshot(request), (snapshot, duration) => {
          const { streamId: stream_id, version } = snapshot
          const measured = { duration, size_bytes: Snapshot.byteLength(snapshot) }
          telemetry.unsafeExecute(TelemetryEvents.snapshotRead, measured, { store_id, stream_id, version })
        }),
      deleteSnapshots: request => {
        const { streamId: stream_id, version } = request
        const metadata = () => ({ store_id, stream_id, version })
        return Effect.zipLeft(
          backend.deleteSnapshots(request),
          telemetry.execute(TelemetryEvents.snapshotDeleted, {}, metadata)
        )
      },

      // ── reads ──

      read: request =>
        telemetry.span(
          TelemetryEvents.streamRead,
          () => ({
            store_id,
            stream_id: request.streamId,
            start_version: request.from,
            count: request.count,
            direction: request.direction
          }),
          backend.read(request),
          eventCount
        ),
      readAll: request =>
        telemetry.span(TelemetryEvents.queryRead, () => pageOf(request), backend.readAll(request), eventCount),
      query: request =>
        telemetry.span(TelemetryEvents.queryRead, () => pageOf(request), backend.query(request), eventCount),

      // ── times ──

      versionAt: request =>
        timed(TelemetryEvents.temporalVersionAt, backend.versionAt(request), (version, duration) => {
          const metadata = { store_id, stream_id: request.streamId, timestamp: request.epochUs, version }
          telemetry.unsafeExecute(TelemetryEvents.temporalVersionAt, { duration }, metadata)
        }),
      positionAt: request =>
        timed(TelemetryEvents.temporalPositionAt, backend.positionAt(request), (position, duration) => {
          const metadata = { store_id, timestamp: request.epochUs, position }
          telemetry.unsafeExecute(TelemetryEvents.temporalPositionAt, { duration }, metadata)
        })
    }
  })

// -----------------------------------------------------------------------------
// what is made of several requests
// -----------------------------------------------------------------------------

/** A service that executes the events of its reads at times and between them, which a backend sees as requests that have nothing to do with each other. */
export const service = (service: Service, telemetry: Telemetry["Type"]): Service => {
  const store_id = service.store

  /** A stream that fails, or whose reader is interrupted, has no event. */
  const counted = <E>(
    event: TelemetryEvents.Event,
    events: Stream.Stream<RecordedEvent, E>,
    execute: (measured: { readonly duration: number; readonly event_count: number }) => void
  ): Stream.Stream<RecordedEvent, E> =>
    Stream.suspend(() => {
      if (!telemetry.isObserved(event)) return events
      return Stream.unwrap(
        Effect.map(Effect.clock, clock => {
          const begun = clock.unsafeCurrentTimeNanos()
          let event_count = 0
          return events.pipe(
            Stream.mapChunks(chunk => {
              event_count += chunk.length
              return chunk
            }),
            Stream.ensuringWith(exit =>
              Effect.sync(() => {
                if (Exit.isSuccess(exit)) execute({ duration: nanosSince(clock, begun), event_count })
              })
            )
          )
        })
      )
    })

  return {
    ...service,
    readUntil: (streamId, epochUs, options) =>
      counted(TelemetryEvents.temporalReadUntil, service.readUntil(streamId, epochUs, options), measured => {
        const metadata = { store_id, stream_id: streamId, timestamp: epochUs }
        telemetry.unsafeExecute(TelemetryEvents.temporalReadUntil, measured, metadata)
      }),
    readRange: (streamId, fromUs, toUs, options) =>
      counted(TelemetryEvents.temporalReadRange, service.readRange(streamId, fromUs, toUs, options), measured => {
        const metadata = { store_id, stream_id: streamId, timestamp: { from: fromUs, to: toUs } }
        telemetry.unsafeExecute(TelemetryEvents.temporalReadRange, measured, metadata)
      })
  }
}
