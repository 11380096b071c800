/**
 * The contract's requests, answered by a store in memory. What would be the node's behaviour around it, refusing, dying, being slow, is put in by `before` and `after`.
 */
import type { Event, EventStore } from "@reckon/client"
import { StoreError as Errors, Query, StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as StoreError from "../../src/StoreError.js"
import type { MemoryStore } from "./memoryStore.js"

export interface Hooks {
  /** Runs before a request is looked at; failing refuses it. */
  before: (tag: string) => Effect.Effect<void, StoreError.RequestError>
  /** Runs after a write took effect and before it is answered. */
  after: (tag: string) => Effect.Effect<void, StoreError.RequestError>
  /** The tags of all requests, in the order of arrival. */
  readonly tags: Array<string>
  /** The appends of each Append request. */
  readonly requests: Array<ReadonlyArray<StoreRpcs.Append>>
}

export const hooks = (): Hooks => ({ before: () => Effect.void, after: () => Effect.void, tags: [], requests: [] })

export interface Bounds {
  /** A subscription ends by itself behind so many batches. */
  readonly batchesMax?: number
  /** Items a page carries at most. Default: as many as are asked for. */
  readonly pageMax?: number | undefined
  /** Rows a page looks at before it ends, with what it has found by then. Default: all. */
  readonly rowsMax?: number | undefined
}

interface PageRequest {
  readonly from: number
  readonly count: number
  readonly direction: "forward" | "backward"
}

const page = (
  list: ReadonlyArray<Event.RecordedEvent>,
  keep: (event: Event.RecordedEvent) => boolean,
  { count, direction, from }: PageRequest,
  { pageMax = Infinity, rowsMax = Infinity }: Bounds
): StoreRpcs.EventPage => {
  const step = direction === "forward" ? 1 : -1
  const events: Array<Event.RecordedEvent> = []
  let at = direction === "forward" ? Math.max(0, from) : Math.min(from, list.length - 1)
  for (let rows = 0; rows < rowsMax && events.length < Math.min(count, pageMax); rows++) {
    const event = list[at]
    if (event === undefined) break
    if (keep(event)) events.push(event)
    at += step
  }
  return { events, isEnd: list[at] === undefined, next: at }
}

export const make = (
  store: MemoryStore,
  hooks: Hooks,
  bounds: Bounds = {}
): EventStore.Requests & { readonly Subscribe: EventStore.Subscribe } => {
  const { batchesMax = Number.MAX_SAFE_INTEGER, pageMax = Infinity } = bounds

  const enter = (tag: string, name: string) =>
    Effect.suspend(() => {
      hooks.tags.push(tag)
      return name === store.name ? hooks.before(tag) : new Errors.StoreNotFound({ store: name })
    })

  const read =
    <P extends { readonly store: string }, A, E>(tag: string, answer: (request: P) => Effect.Effect<A, E>) =>
    (request: P) =>
      Effect.zipRight(
        enter(tag, request.store),
        Effect.suspend(() => answer(request))
      )

  /** What comes of it is known before `after`, which may keep it from being told. */
  const write =
    <P extends { readonly store: string }, A, E>(tag: string, answer: (request: P) => Either.Either<A, E>) =>
    (request: P) =>
      Effect.gen(function* () {
        yield* enter(tag, request.store)
        const outcome = answer(request)
        yield* hooks.after(tag)
        return yield* outcome
      })

  const ofStream = <A>(streamId: string, answer: () => A): Effect.Effect<A, StoreError.StreamError> =>
    Effect.suspend(() => {
      const absence = store.absence(streamId)
      return absence === undefined ? Effect.succeed(answer()) : Effect.fail(absence)
    })

  const readAll = (request: PageRequest & { readonly asOf: number | null }, query: Query.Query) =>
    Effect.sync(() =>
      page(
        store.all.filter(event => event.position <= (request.asOf ?? Infinity)),
        event => store.isVisible(event) && Query.matcher(query)(event),
        request,
        bounds
      )
    )

  return {
    Append: ({ appends, store: name }) =>
      Effect.gen(function* () {
        hooks.requests.push(appends)
        yield* enter("Append", name)
        const answers = appends.map(append => store.append(append))
        yield* hooks.after("Append")
        return answers
      }),
    AppendBatch: write("AppendBatch", ({ appends, condition }) => store.appendBatch(appends, condition)),
    DeleteStream: write("DeleteStream", request => store.deleteStream(request)),
    SetStreamMetadata: write("SetStreamMetadata", ({ metadata, streamId }) => store.setMetadata(streamId, metadata)),
    SaveSnapshot: write("SaveSnapshot", ({ keep, snapshot }) => store.saveSnapshot(snapshot, keep)),
    DeleteSnapshots: ({ store: name, streamId, version }) =>
      Effect.zipRight(
        enter("DeleteSnapshots", name),
        Effect.suspend(() => {
          store.deleteSnapshots(streamId, version)
          return hooks.after("DeleteSnapshots")
        })
      ),
    Read: read("Read", request =>
      ofStream(request.streamId, () =>
        page(store.streams.get(request.streamId) ?? [], event => store.isVisible(event), request, bounds)
      )
    ),
    ReadAll: read("ReadAll", request => readAll(request, Query.all)),
    Query: read("Query", request => readAll(request, request.query)),
    VersionAt: read("VersionAt", ({ epochUs, streamId }) =>
      ofStream(
        streamId,
        () =>
          store.all.findLast(event => event.streamId === streamId && event.epochUs <= epochUs && store.isVisible(event))
            ?.version ?? -1
      )
    ),
    PositionAt: read("PositionAt", ({ epochUs }) =>
      Effect.sync(() => store.all.findLast(event => event.epochUs <= epochUs)?.position ?? -1)
    ),
    GetVersion: read("GetVersion", ({ streamId }) => Effect.sync(() => store.versionOf(streamId))),
    StreamDetails: read("StreamDetails", ({ streamId }) =>
      Effect.suspend(() => {
        const details = store.detailsOf(streamId)
        return details === undefined ? new Errors.StreamNotFound({ streamId }) : Effect.succeed(details)
      })
    ),
    HasEvents: read("HasEvents", () => Effect.sync(() => store.all.some(event => store.isVisible(event)))),
    ListStreams: read("ListStreams", ({ after, count, pattern }) =>
      Effect.sync(() => {
        const { rowsMax = Infinity } = bounds
        const behind = store.namesOf(null).filter(name => after === null || name > after)
        const looked = behind.slice(0, Math.min(rowsMax, count, pageMax))
        const names = store.namesOf(pattern).filter(name => looked.includes(name))
        return {
          streams: names.map(streamId => ({ streamId, version: store.versionOf(streamId) })),
          isEnd: looked.length === behind.length,
          next: looked.at(-1) ?? after
        }
      })
    ),
    LoadSnapshot: read("LoadSnapshot", ({ streamId, version }) =>
      Effect.suspend(() => {
        const found = store.snapshotsOf(streamId).findLast(other => version === null || other.version === version)
        return found === undefined ? new Errors.SnapshotNotFound({ streamId, version }) : Effect.succeed(found)
      })
    ),
    ListSnapshots: read("ListSnapshots", ({ count, from, streamId }) =>
      Effect.sync(() => {
        const behind = store.snapshotsOf(streamId).filter(({ version }) => version >= from)
        const snapshots = behind.slice(0, Math.min(count, pageMax))
        return {
          snapshots: snapshots.map(({ data, epochUs, metadata, version }) => ({
            streamId,
            version,
            epochUs,
            bytes: data.length + (metadata?.length ?? 0)
          })),
          isEnd: snapshots.length === behind.length
        }
      })
    ),
    Subscribe: ({ from, store: name, streamId }) =>
      Stream.unwrap(
        Effect.map(enter("Subscribe", name), () => {
          const list = () => (streamId === null ? store.all : (store.streams.get(streamId) ?? []))
          const start = from === "origin" ? 0 : from === "current" ? list().length : from
          return Stream.unfoldEffect(start, at =>
            Effect.map(store.arrival(list, at), () => {
              const batch = list().slice(at, at + Math.min(pageMax, StoreRpcs.pageEventsMax))
              return Option.some([batch.filter(event => store.isVisible(event)), at + batch.length] as const)
            })
          ).pipe(Stream.take(batchesMax))
        })
      )
  }
}
