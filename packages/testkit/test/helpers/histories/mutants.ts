/**
 * Faults that a store could have, put between the callers and one that has none. Each is one that some store had.
 */
import type { NewEvent, RecordedEvent } from "@reckon/client/Event"
import type { Requests } from "@reckon/client/EventStore"
import * as ExpectedVersion from "@reckon/client/ExpectedVersion"
import type { NewSnapshot, Snapshot } from "@reckon/client/Snapshot"
import { NoQuorum, StreamDeleted } from "@reckon/client/StoreError"
import type { Append, Appended, EventPage } from "@reckon/client/StoreRpcs"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { Around, Between } from "./hunt.js"

const fresh = { consistency: "linearizable" } as const

const shown = (page: EventPage, change: (event: RecordedEvent) => RecordedEvent): EventPage => ({
  ...page,
  events: page.events.map(change)
})

/** The streams of a batch are written one after the other. */
export const batchInPart: Between = () => requests => ({
  ...requests,
  AppendBatch: ({ appends: [first, ...others], condition, store }) =>
    Effect.gen(function* () {
      if (first === undefined) return []
      const answers: Array<Appended> = [...(yield* requests.AppendBatch({ store, appends: [first], condition }))]
      for (const append of others) {
        for (const answer of yield* requests.Append({ store, appends: [append] })) answers.push(yield* answer)
      }
      return answers
    })
})

/** A condition is looked at when the append comes in, and the append is written later. */
export const conditionTooEarly: Between = () => requests => ({
  ...requests,
  AppendBatch: request =>
    Effect.gen(function* () {
      const { condition, store } = request
      if (condition === null) return yield* requests.AppendBatch(request)
      const found = yield* requests.Query({
        store,
        query: condition.query,
        from: condition.after + 1,
        count: 1,
        direction: "forward",
        asOf: null,
        ...fresh
      })
      return yield* requests.AppendBatch(found.events.length > 0 ? request : { ...request, condition: null })
    })
})

/** So is the expected version. */
export const expectationTooEarly: Between = () => requests => ({
  ...requests,
  Append: ({ appends, store }) =>
    Effect.flatMap(
      Effect.forEach(appends, append =>
        Effect.map(
          requests.GetVersion({ store, streamId: append.streamId, ...fresh }),
          (version): Append =>
            ExpectedVersion.isMet(append.expectedVersion, version) ? { ...append, expectedVersion: "any" } : append
        )
      ),
      judged => requests.Append({ store, appends: judged })
    )
})

const isAlias = (eventId: string): boolean => eventId.startsWith("ffffffff")
const aliasOf = (eventId: string): string => `ffffffff${eventId.slice(8)}`
const withoutAlias = (event: RecordedEvent): RecordedEvent =>
  isAlias(event.eventId) ? { ...event, eventId: `00000000${event.eventId.slice(8)}` } : event

const readsWithoutAlias = (requests: Requests): Requests => ({
  ...requests,
  Read: request => Effect.map(requests.Read(request), page => shown(page, withoutAlias)),
  ReadAll: request => Effect.map(requests.ReadAll(request), page => shown(page, withoutAlias)),
  Query: request => Effect.map(requests.Query(request), page => shown(page, withoutAlias))
})

/** Only the last few event ids are remembered. */
export const dedupeByWindow: Between = () => {
  const known = new Set<string>()
  let recent: ReadonlyArray<string> = []
  return requests => {
    const forgetful = (append: Append): Append => {
      const rename = (event: NewEvent): NewEvent => {
        const key = `${append.streamId} ${event.eventId}`
        const isForgotten = known.has(key) && !recent.includes(key)
        known.add(key)
        recent = [...recent, key].slice(-6)
        return isForgotten ? { ...event, eventId: aliasOf(event.eventId) } : event
      }
      return { ...append, events: append.events.map(rename) }
    }
    return {
      ...readsWithoutAlias(requests),
      Append: ({ appends, store }) => requests.Append({ store, appends: appends.map(forgetful) }),
      AppendBatch: ({ appends, ...rest }) => requests.AppendBatch({ ...rest, appends: appends.map(forgetful) })
    }
  }
}

/** A node repeats by itself what it does not know the outcome of, under other ids. */
export const repetitionIsNew: Between = () => requests => ({
  ...readsWithoutAlias(requests),
  Append: request =>
    Effect.catchTag(requests.Append(request), "OutcomeUnknown", () =>
      requests.Append({
        ...request,
        appends: request.appends.map(append => ({
          ...append,
          events: append.events.map(event => ({ ...event, eventId: aliasOf(event.eventId) }))
        }))
      })
    )
})

/** The snapshots of a stream outlive it. */
export const deleteKeepsSnapshots: Between = () => {
  const saved = new Map<string, Map<number, NewSnapshot>>()
  const of = (streamId: string): Map<number, NewSnapshot> => {
    const found = saved.get(streamId) ?? new Map<number, NewSnapshot>()
    saved.set(streamId, found)
    return found
  }
  return requests => ({
    ...requests,
    SaveSnapshot: request =>
      Effect.tap(requests.SaveSnapshot(request), () => {
        const kept = of(request.snapshot.streamId).set(request.snapshot.version, request.snapshot)
        const versions = [...kept.keys()].sort((a, b) => b - a)
        for (const version of versions.slice(request.keep ?? versions.length)) kept.delete(version)
      }),
    DeleteSnapshots: request =>
      Effect.tap(requests.DeleteSnapshots(request), () => {
        if (request.version === null) of(request.streamId).clear()
        else of(request.streamId).delete(request.version)
      }),
    LoadSnapshot: request =>
      Effect.catchTag(requests.LoadSnapshot(request), "SnapshotNotFound", error => {
        const kept = of(request.streamId)
        const found = kept.get(request.version ?? Math.max(...kept.keys()))
        return found === undefined ? Effect.fail(error) : Effect.succeed<Snapshot>({ ...found, epochUs: 0 })
      })
  })
}

/** A stream that is created anew begins at version 0 again. */
export const versionsBeginAgain: Between = () => {
  const generations = new Map<string, number>()
  return requests => {
    const nameOf = (streamId: string): string => {
      const generation = generations.get(streamId) ?? 0
      return generation === 0 ? streamId : `${streamId}~${generation}`
    }
    const renamed = (append: Append): Append => ({ ...append, streamId: nameOf(append.streamId) })
    return {
      ...requests,
      Append: ({ appends, store }) => requests.Append({ store, appends: appends.map(renamed) }),
      AppendBatch: ({ appends, ...rest }) => requests.AppendBatch({ ...rest, appends: appends.map(renamed) }),
      DeleteStream: request =>
        Effect.tap(requests.DeleteStream({ ...request, streamId: nameOf(request.streamId) }), () => {
          if (!request.tombstone) generations.set(request.streamId, (generations.get(request.streamId) ?? 0) + 1)
        }),
      GetVersion: request => requests.GetVersion({ ...request, streamId: nameOf(request.streamId) }),
      Read: request =>
        Effect.catchTag(requests.Read({ ...request, streamId: nameOf(request.streamId) }), "StreamNotFound", error =>
          Effect.fail(generations.has(request.streamId) ? new StreamDeleted({ streamId: request.streamId }) : error)
        )
    }
  }
}

/** Every read takes the replica of whatever node it meets as it is. */
export const staleReads: Between = () => requests => ({
  ...requests,
  Read: request => requests.Read({ ...request, consistency: "local" }),
  ReadAll: request => requests.ReadAll({ ...request, consistency: "local" }),
  Query: request => requests.Query({ ...request, consistency: "local" }),
  GetVersion: request => requests.GetVersion({ ...request, consistency: "local" })
})

/** A read of several streams is put together of two looks. */
export const tornReads: Between = () => requests => ({
  ...requests,
  ReadAll: request =>
    Effect.gen(function* () {
      if (request.direction === "backward" || request.count < 3) return yield* requests.ReadAll(request)
      const first = yield* requests.ReadAll({ ...request, count: 2 })
      if (first.isEnd) return first
      const rest = yield* requests.ReadAll({ ...request, from: first.next, count: request.count - 2 })
      return { ...rest, events: [...first.events, ...rest.events] }
    })
})

/** Now and then an append is acknowledged that was never written. */
export const lostAppends: Between = () => {
  let appends = 0
  return requests => ({
    ...requests,
    Append: request =>
      Effect.gen(function* () {
        if (++appends % 9 > 0) return yield* requests.Append(request)
        const { store } = request
        const position = yield* requests.PositionAt({ store, epochUs: Number.MAX_SAFE_INTEGER, ...fresh })
        return yield* Effect.forEach(request.appends, ({ events, streamId }) =>
          Effect.map(requests.GetVersion({ store, streamId, ...fresh }), version =>
            Either.right({
              streamId,
              version: version + events.length,
              position: position + events.length,
              alreadyPresent: 0
            })
          )
        )
      })
  })
}

/** Of what may have happened it is said that it did not, so that it is done once more. */
export const unknownIsNothing: Between = () => {
  let deletes = 0
  return requests => ({
    ...requests,
    DeleteStream: request =>
      Effect.flatMap(requests.DeleteStream(request), () =>
        ++deletes % 3 === 0 ? new NoQuorum({ store: request.store, detail: "the leader went away" }) : Effect.void
      )
  })
}

/** Each node stamps events with a time of its own. */
export const timesDiffer: Between = () => {
  let clients = 0
  return requests => {
    const skew = clients++
    const skewed = (event: RecordedEvent): RecordedEvent => ({ ...event, epochUs: event.epochUs + skew })
    return {
      ...requests,
      Read: request => Effect.map(requests.Read(request), page => shown(page, skewed)),
      ReadAll: request => Effect.map(requests.ReadAll(request), page => shown(page, skewed))
    }
  }
}

/** A time means the events before it, and not those at it. */
export const timesExclude: Between = () => requests => ({
  ...requests,
  PositionAt: request =>
    // The last position there is, which is asked for by the end of time, is still that.
    requests.PositionAt(
      request.epochUs === Number.MAX_SAFE_INTEGER ? request : { ...request, epochUs: request.epochUs - 1 }
    ),
  VersionAt: request => requests.VersionAt({ ...request, epochUs: request.epochUs - 1 })
})

/** Nothing is ever too old. */
export const nothingAges: Between = () => requests => ({
  ...requests,
  SetStreamMetadata: request =>
    requests.SetStreamMetadata({ ...request, metadata: { ...request.metadata, maxAgeUs: null } })
})

/** A stream keeps one event more than it is asked to. */
export const keepsOneMore: Between = () => requests => ({
  ...requests,
  SetStreamMetadata: ({ metadata, ...rest }) =>
    requests.SetStreamMetadata({
      ...rest,
      metadata: { ...metadata, maxCount: metadata.maxCount === null ? null : metadata.maxCount + 1 }
    })
})

/** What commits between history and live is missed. */
export const gapBeforeLive: Around = store => ({
  ...store,
  subscribe: request =>
    Stream.concat(
      Stream.take(store.subscribe(request), 2),
      Stream.suspend(() => store.subscribe({ ...request, from: "current" }))
    )
})

/** A subscription that goes on elsewhere begins with the event that it delivered last. */
export const lastOnceMore: Around = store => ({
  ...store,
  subscribe: request =>
    Stream.suspend(() => {
      let next = request.from
      return Stream.concat(
        Stream.tap(Stream.take(store.subscribe(request), 3), ({ position, version }) =>
          Effect.sync(() => {
            next = request.streamId === null ? position : version
          })
        ),
        Stream.suspend(() => store.subscribe({ ...request, from: next }))
      )
    })
})

/** A subscription ends with its node. */
export const endsWithItsNode: Around = store => ({
  ...store,
  subscribe: request => Stream.interruptAfter(store.subscribe(request), "150 millis")
})

/** A subscription to a stream that was deleted for good waits for what cannot come. */
export const waitsForEver: Around = store => ({
  ...store,
  subscribe: request => Stream.catchTag(store.subscribe(request), "StreamTombstoned", () => Stream.never)
})

/** One node holds half of what the others do. */
export const holdsLess: Around = (store, node) =>
  node !== "n2"
    ? store
    : {
        ...store,
        readAll: options =>
          Effect.map(store.readAll(options), page => ({ ...page, events: page.events.slice(page.events.length >> 1) }))
      }
