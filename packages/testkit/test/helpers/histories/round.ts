/**
 * One history's place in a store that others have used before it: it has streams, tags and types of its own, and counts positions from its own beginning.
 *
 * So the model, which knows one history only, need not know of the others, and a cluster serves many.
 */
import type { NewEvent, RecordedEvent } from "@reckon/client/Event"
import type * as EventStore from "@reckon/client/EventStore"
import type * as Query from "@reckon/client/Query"
import type { NewSnapshot } from "@reckon/client/Snapshot"
import type { StoreError } from "@reckon/client/StoreError"
import type { EventPage } from "@reckon/client/StoreRpcs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Model from "./model.js"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const idOf = (id: number): string => `00000000-0000-4000-8000-${id.toString(16).padStart(12, "0")}`
const numberOf = (eventId: string): number => Number.parseInt(eventId.slice(-12), 16)

const collect = <A, E>(stream: Stream.Stream<A, E>) => Effect.map(Stream.runCollect(stream), chunk => [...chunk])

/** How long an event is young. No history takes as long before its end. */
export const youth = Duration.minutes(30)
const youthUs = Duration.toMillis(youth) * 1000

/** Told of every event that an answer shows. */
type Show = (events: ReadonlyArray<RecordedEvent>) => void

export interface Round {
  /** The name that a stream of this history has in the store. */
  readonly own: (stream: string) => string
  /** Asks the store, in its own terms, and answers in those of the model. Null: the question makes no sense in a store that others have used. */
  readonly ask: (
    store: EventStore.Service,
    input: Model.Input,
    show: Show
  ) => Effect.Effect<Model.Output, StoreError> | null
  /** The store's last word; null where it has none: nothing was done. Undefined: nobody knows. */
  readonly answerTo: (error: StoreError) => Model.Output | null | undefined
  /** The events of a stream, or all, from a place on. */
  readonly follow: (
    store: EventStore.Service,
    stream: string | null,
    from: number | "current"
  ) => Stream.Stream<RecordedEvent, StoreError>
  /** Those of the streams that were deleted for good, as the store names them. */
  readonly tombstoned: (
    store: EventStore.Service,
    streams: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<string>>
  /** All that there is now to see. */
  readonly visible: (store: EventStore.Service) => Effect.Effect<ReadonlyArray<RecordedEvent>>
  /** All that a node holds of this history, times included. */
  readonly holding: (store: EventStore.Service, streams: ReadonlyArray<string>) => Effect.Effect<string>
}

/** `base`: the position that its first event will have. */
export const make = (number: number, base: number): Round => {
  const own = (name: string): string => `${name}-${number}`
  const local = (name: string): string => name.slice(0, name.lastIndexOf("-"))
  const here = (position: number): number => (position < 0 ? position : position - base)
  const there = (position: number): number => Math.min(base + position, Number.MAX_SAFE_INTEGER)

  // ── there ──

  const eventOf = (fact: Model.Fact): NewEvent => ({
    eventId: idOf(fact.id),
    eventType: own(fact.type),
    data: encoder.encode(`${fact.body}`),
    dataContentType: "text/plain",
    metadata: encoder.encode(JSON.stringify({ [own("even")]: Model.isEven(fact) })),
    metadataContentType: "application/json",
    tags: fact.tags.map(own)
  })

  const snapshotOf = (stream: string, version: number, body: number): NewSnapshot => ({
    streamId: own(stream),
    version,
    data: encoder.encode(`${body}`),
    dataContentType: "text/plain",
    metadata: null,
    metadataContentType: "application/json"
  })

  const queryOf = ({ items }: Query.Query): Query.Query => ({
    items: items.map(({ metadata, stream, tags, types }) => ({
      types: types.map(own),
      tags: tags.map(own),
      metadata: metadata.map(({ field, value }) => ({ field: own(field), value })),
      stream: stream === null ? (types.length + tags.length + metadata.length === 0 ? own("*") : null) : own(stream)
    }))
  })

  const pageOf = ({ count, direction, from }: Model.Page, asOf: number | null) => ({
    count,
    direction,
    from: there(from),
    asOf: asOf === null ? undefined : there(asOf)
  })

  // ── and back ──

  const storedOf = (event: RecordedEvent): Model.Stored => ({
    id: numberOf(event.eventId),
    body: Number(decoder.decode(event.data)),
    type: local(event.eventType),
    tags: event.tags.map(local),
    stream: local(event.streamId),
    version: event.version,
    position: here(event.position)
  })

  const ask: Round["ask"] = (store, input, show) => {
    const page = ({ events, isEnd }: EventPage) => {
      show(events)
      return Model.pageOf(events.map(storedOf), isEnd)
    }
    /** Without what lies before the beginning. */
    const ours = ({ events, isEnd, next }: EventPage) => {
      const found = events.filter(({ position }) => position >= base)
      return page({ events: found, isEnd: isEnd || found.length < events.length || next < base, next })
    }
    switch (input._tag) {
      case "Append": {
        const appends = input.parts.map(({ events, expected, stream }) => ({
          streamId: own(stream),
          expectedVersion: expected,
          events: events.map(eventOf)
        }))
        const { condition } = input
        const options =
          condition === null
            ? undefined
            : { condition: { query: queryOf(condition.query), after: there(condition.after) } }
        const [only] = appends
        const written =
          only === undefined || appends.length > 1
            ? store.appendBatch(appends, options)
            : Effect.map(store.append(only.streamId, only.expectedVersion, only.events, options), one => [one])
        return Effect.map(written, answers =>
          Model.appended(
            answers.map(({ position, streamId, version }) => ({
              stream: local(streamId),
              version,
              position: here(position)
            })),
            answers.reduce((sum, { alreadyPresent }) => sum + alreadyPresent, 0),
            input.parts.reduce((sum, { events }) => sum + events.length, 0)
          )
        )
      }
      case "Delete": {
        const remove = input.tombstone ? store.tombstoneStream : store.deleteStream
        return Effect.as(remove(own(input.stream), { expectedVersion: input.expected }), Model.done)
      }
      case "Limit": {
        const { maxCount, stream, truncateBefore, young } = input
        const limits = { maxCount, truncateBefore, maxAgeUs: young ? youthUs : null }
        return Effect.as(store.setStreamMetadata(own(stream), limits), Model.done)
      }
      case "SaveSnapshot": {
        const { body, keep, stream, version } = input
        return Effect.as(store.saveSnapshot(snapshotOf(stream, version, body), { keep: keep ?? undefined }), Model.done)
      }
      case "DeleteSnapshots":
        return Effect.as(store.deleteSnapshots(own(input.stream), { version: input.version ?? undefined }), Model.done)
      case "Read":
        return Effect.map(store.read(own(input.stream), input.page), page)
      case "ReadAll":
        return Effect.map(store.readAll(pageOf(input.page, input.asOf)), ours)
      case "Query":
        return Effect.map(store.query(queryOf(input.query), pageOf(input.page, input.asOf)), ours)
      case "Version":
        return Effect.map(store.getVersion(own(input.stream)), version => Model.observed(`version ${version}`))
      case "Details":
        return Effect.map(store.streamDetails(own(input.stream)), found =>
          Model.details(
            found.state,
            found.firstVersion,
            found.lastVersion,
            found.count,
            found.metadata.maxCount,
            found.metadata.truncateBefore,
            found.metadata.maxAgeUs === youthUs
          )
        )
      case "HasEvents":
        return base > 0 ? null : Effect.map(store.hasEvents(), has => Model.observed(`hasEvents ${has}`))
      case "Streams":
        return Effect.map(collect(store.listStreams({ pattern: own("*") })), streams =>
          Model.listed(streams.map(({ streamId, version }) => ({ streamId: local(streamId), version })))
        )
      case "LoadSnapshot":
        return Effect.map(
          store.loadSnapshot(own(input.stream), { version: input.version ?? undefined }),
          ({ data, version }) => Model.observed(`snapshot ${version} ${decoder.decode(data)}`)
        )
      case "Snapshots":
        return Effect.map(collect(store.listSnapshots(own(input.stream))), all =>
          Model.observed(`snapshots ${all.map(({ version }) => version).join(" ")}`)
        )
      case "Age":
        return null
    }
  }

  const answerTo: Round["answerTo"] = error => {
    switch (error._tag) {
      case "OutcomeUnknown":
        return undefined
      case "NoQuorum":
      case "Overloaded":
      case "Unreachable":
        return null
      case "WrongExpectedVersion":
        return Model.refused(error._tag, local(error.streamId), error.expected, error.actual)
      case "EventIdConflict":
        return Model.refused(error._tag, local(error.streamId), numberOf(error.eventId), error.version)
      case "AppendConditionFailed":
        return Model.refused(error._tag, error.after - base, here(error.position))
      case "SnapshotNotFound":
        return Model.refused(error._tag, local(error.streamId), error.version)
      case "SnapshotOutOfRange":
        return Model.refused(error._tag, local(error.streamId), error.version, error.least, error.most)
      case "StreamNotFound":
      case "StreamDeleted":
      case "StreamTombstoned":
        return Model.refused(error._tag, local(error.streamId))
      default:
        // Nothing that a script asks for is too large, or makes no sense: no order will explain this one.
        return Model.refused(error._tag, error.message)
    }
  }

  const follow: Round["follow"] = (store, stream, from) =>
    stream === null
      ? store
          .subscribe({ streamId: null, from: from === "current" ? from : there(from) })
          .pipe(Stream.filter(({ streamId }) => streamId.endsWith(own(""))))
      : store.subscribe({ streamId: own(stream), from })

  const tombstoned: Round["tombstoned"] = (store, streams) =>
    Effect.filter(streams.map(own), streamId =>
      store.streamDetails(streamId).pipe(
        Effect.map(({ state }) => state === "tombstoned"),
        // Nobody ever wrote to it.
        Effect.catchTag("StreamNotFound", () => Effect.succeed(false)),
        Effect.orDie
      )
    )

  const visible: Round["visible"] = store =>
    Effect.orDie(Effect.map(store.readAll({ from: base }), ({ events }) => events))

  const holding: Round["holding"] = (store, streams) =>
    Effect.gen(function* () {
      const local = { consistency: "local" } as const
      const lines = [
        yield* store.readAll({ ...local, from: base }),
        yield* collect(store.listStreams({ ...local, pattern: own("*") }))
      ]
      const details = yield* Effect.forEach(streams, stream => Effect.option(store.streamDetails(own(stream), local)))
      return JSON.stringify([...lines, ...details], (_, value) =>
        value instanceof Uint8Array ? decoder.decode(value) : value
      )
    }).pipe(Effect.orDie)

  return { own, ask, answerTo, follow, tombstoned, visible, holding }
}
