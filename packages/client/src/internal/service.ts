/**
 * A store's service, made of its requests: the same for a store across a network and one in this process.
 */
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../Event.js"
import type { AppendFailure, PageOptions, ReadConsistency, ReadFailure, Service, TimeOptions } from "../EventStore.js"
import type { Limits } from "../Limits.js"
import { OutcomeUnknown, type StreamError } from "../StoreError.js"
import { type Append, type Appended, pageEventsMax } from "../StoreRpcs.js"
import type { Attempts } from "./attempts.js"
import * as Calls from "./calls.js"
import * as Pages from "./pages.js"
import * as Subscription from "./subscription.js"

/** How appends without a condition leave. */
export interface Appends {
  readonly append: (append: Append) => Effect.Effect<Appended, AppendFailure>
  readonly appendAll: Service["appendAll"]
}

const versionOf = (event: RecordedEvent): number => event.version
const positionOf = (event: RecordedEvent): number => event.position

const consistencyOf = (options: ReadConsistency | undefined) => ({
  consistency: options?.consistency ?? "linearizable"
})

/** The request for one page, its gaps filled. */
const pageOf = (options: PageOptions | undefined) => {
  const direction = options?.direction ?? "forward"
  return {
    from: options?.from ?? Pages.start(direction),
    count: options?.count ?? pageEventsMax,
    direction,
    ...consistencyOf(options)
  }
}

/** The places from `first` to `last` in the direction that is asked for. */
const between = (first: number, last: number, options: TimeOptions | undefined): Pages.Span => ({
  direction: options?.direction,
  count: options?.limit,
  ...(options?.direction === "backward" ? { from: last, to: first } : { from: first, to: last })
})

/**
 * The places behind the last one before `fromUs`, up to the last one at `toUs`, as long as there are any.
 *
 * The end is asked for first: what commits between the two questions then lies behind the end, or before the beginning as well. Where `local` reads put them to two nodes, the
 * beginning may come from one that is behind: so the events' own times count too.
 */
const during = Effect.fnUntraced(function* <E>(
  fromUs: number,
  toUs: number,
  options: TimeOptions | undefined,
  placeAt: (epochUs: number) => Effect.Effect<number, E>
) {
  if (fromUs > toUs) return null
  const last = yield* placeAt(toUs)
  const before = yield* placeAt(fromUs - 1)
  return before >= last ? null : { ...between(before + 1, last, options), sinceUs: fromUs, asOf: last }
})

export const make = (options: {
  readonly store: string
  readonly limits: Limits
  readonly attempts: Attempts
  readonly appends: Appends
}): Service => {
  const { appends, attempts, store } = options
  const calls = Calls.make(attempts, options.limits)

  // ── appending ──

  const appendBatch: Service["appendBatch"] = (appends, options) =>
    calls.AppendBatch({ store, appends, condition: options?.condition ?? null })

  const append: Service["append"] = (streamId, expectedVersion, events, options) => {
    const one: Append = { streamId, expectedVersion, events }
    if (options?.condition === undefined) return appends.append(one)
    return Effect.flatMap(appendBatch([one], options), ([appended]) =>
      appended === undefined
        ? new OutcomeUnknown({ detail: "the node's answer leaves the append out" })
        : Effect.succeed(appended)
    )
  }

  // ── events ──

  const streamEvents = (
    streamId: string,
    span: Effect.Effect<Pages.Span | null, ReadFailure | StreamError>,
    options: ReadConsistency | undefined
  ) => Pages.events(span, versionOf, page => calls.Read({ store, streamId, ...page, ...consistencyOf(options) }))

  const queryEvents = (
    query: Parameters<Service["query"]>[0],
    span: Effect.Effect<(Pages.Span & { readonly asOf?: number | undefined }) | null, ReadFailure>,
    options: ReadConsistency | undefined
  ) =>
    Pages.events(span, positionOf, (page, { asOf = null }) =>
      calls.Query({ store, query, ...page, asOf, ...consistencyOf(options) })
    )

  // ── time ──

  const versionAt: Service["versionAt"] = (streamId, epochUs, options) =>
    calls.VersionAt({ store, streamId, epochUs, ...consistencyOf(options) })

  const positionAt: Service["positionAt"] = (epochUs, options) =>
    calls.PositionAt({ store, epochUs, ...consistencyOf(options) })

  // ── streams ──

  const getVersion: Service["getVersion"] = (streamId, options) =>
    calls.GetVersion({ store, streamId, ...consistencyOf(options) })

  const remove =
    (tombstone: boolean): Service["deleteStream"] =>
    (streamId, options) =>
      calls.DeleteStream({ store, streamId, expectedVersion: options?.expectedVersion ?? "any", tombstone })

  return {
    store,
    append,
    appendAll: appends.appendAll,
    appendBatch,

    read: (streamId, options) => calls.Read({ store, streamId, ...pageOf(options) }),
    readStream: (streamId, options) => streamEvents(streamId, Effect.succeed(options ?? {}), options),
    readAll: options => calls.ReadAll({ store, ...pageOf(options), asOf: options?.asOf ?? null }),
    readAllStream: options =>
      Pages.events(Effect.succeed(options ?? {}), positionOf, page =>
        calls.ReadAll({ store, ...page, asOf: options?.asOf ?? null, ...consistencyOf(options) })
      ),
    query: (query, options) => calls.Query({ store, query, ...pageOf(options), asOf: options?.asOf ?? null }),
    queryStream: (query, options) => queryEvents(query, Effect.succeed(options ?? {}), options),

    getVersion,
    exists: (streamId, options) => Effect.map(getVersion(streamId, options), version => version >= 0),
    hasEvents: options => calls.HasEvents({ store, ...consistencyOf(options) }),
    listStreams: options =>
      Pages.all(
        options?.after ?? null,
        after =>
          calls.ListStreams({
            store,
            pattern: options?.pattern ?? null,
            after,
            count: pageEventsMax,
            ...consistencyOf(options)
          }),
        page => page.streams,
        page => (page.isEnd ? null : page.next)
      ),
    streamDetails: (streamId, options) => calls.StreamDetails({ store, streamId, ...consistencyOf(options) }),
    deleteStream: remove(false),
    tombstoneStream: remove(true),
    setStreamMetadata: (streamId, { maxAgeUs, maxCount, truncateBefore }) =>
      calls.SetStreamMetadata({
        store,
        streamId,
        metadata: { maxAgeUs: maxAgeUs ?? null, maxCount: maxCount ?? null, truncateBefore: truncateBefore ?? null }
      }),

    saveSnapshot: (snapshot, options) => calls.SaveSnapshot({ store, snapshot, keep: options?.keep ?? null }),
    loadSnapshot: (streamId, options) =>
      calls.LoadSnapshot({ store, streamId, version: options?.version ?? null, ...consistencyOf(options) }),
    hasSnapshot: (streamId, options) => {
      const version = options?.version
      return Effect.map(
        calls.ListSnapshots({ store, streamId, from: version ?? 0, count: 1, ...consistencyOf(options) }),
        ({ snapshots: [first] }) => first !== undefined && (version === undefined || first.version === version)
      )
    },
    listSnapshots: (streamId, options) =>
      Pages.all(
        0,
        from => calls.ListSnapshots({ store, streamId, from, count: pageEventsMax, ...consistencyOf(options) }),
        page => page.snapshots,
        ({ isEnd, snapshots }) => {
          const last = snapshots.at(-1)
          return isEnd || last === undefined ? null : last.version + 1
        }
      ),
    deleteSnapshots: (streamId, options) =>
      calls.DeleteSnapshots({ store, streamId, version: options?.version ?? null }),

    versionAt,
    positionAt,
    readUntil: (streamId, epochUs, options) =>
      streamEvents(
        streamId,
        Effect.map(versionAt(streamId, epochUs, options), last => (last < 0 ? null : between(0, last, options))),
        options
      ),
    readRange: (streamId, fromUs, toUs, options) =>
      streamEvents(
        streamId,
        during(fromUs, toUs, options, at => versionAt(streamId, at, options)),
        options
      ),
    queryRange: (query, fromUs, toUs, options) =>
      queryEvents(
        query,
        during(fromUs, toUs, options, at => positionAt(at, options)),
        options
      ),

    subscribe: Subscription.make({ attempts, calls, store })
  }
}
