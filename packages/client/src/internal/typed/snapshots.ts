/**
 * Snapshots of an aggregate's state. They save reading and are never needed: what goes wrong with one is logged, and the events are read instead.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as EventStore from "../../EventStore.js"
import * as Query from "../../Query.js"
import type { Snapshot } from "../../Snapshot.js"
import { contentTypeJson } from "../payload.js"
import * as Json from "./json.js"

export interface Options<State, I> {
  readonly schema: Schema.Schema<State, I>
  readonly shape: string
  readonly every?: number | undefined
  readonly keep?: number | undefined
}

export interface Taken<out State> {
  readonly state: State
  readonly version: number
}

export interface Snapshots<in out State> {
  /** The latest that can be read here. */
  readonly load: (
    store: EventStore.Service,
    streamId: string,
    consistency: EventStore.ReadConsistency | undefined
  ) => Effect.Effect<Option.Option<Taken<State>>, EventStore.ReadFailure>
  /** Saves one if it is time to: `count` events went into the state since the last one. */
  readonly saveIfDue: (
    store: EventStore.Service,
    streamId: string,
    taken: Taken<State>,
    count: number
  ) => Effect.Effect<void>
}

const shapeField = "shape"

const encoder = new TextEncoder()

const wholeNumber = (name: string, value: number): number => {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} is ${value}, it must be a whole number from 1 on`)
  return value
}

export const make = <State, I>(options: Options<State, I>): Snapshots<State> => {
  const codec = Json.codec(options.schema)
  const every = wholeNumber("snapshot.every", options.every ?? 100)
  const keep = wholeNumber("snapshot.keep", options.keep ?? 2)

  /** Undefined where it was not made for this schema, or cannot be read. */
  const taken = (snapshot: Snapshot): Effect.Effect<Taken<State> | undefined> => {
    const shape = Query.metadataFields(snapshot).get(shapeField)
    const { data, dataContentType, streamId, version } = snapshot
    if (shape !== options.shape || dataContentType !== contentTypeJson) {
      return Effect.as(Effect.logDebug(`the snapshot of "${streamId}" at ${version} is of another shape`), undefined)
    }
    return Either.match(codec.decode(data), {
      onRight: state => Effect.succeed({ state, version }),
      onLeft: fault =>
        Effect.as(
          Effect.logWarning(`the snapshot of "${streamId}" at ${version} cannot be decoded: ${Json.describe(fault)}`),
          undefined
        )
    })
  }

  const load: Snapshots<State>["load"] = (store, streamId, consistency) =>
    Effect.gen(function* () {
      const latest = yield* store.loadSnapshot(streamId, consistency)
      const found = yield* taken(latest)
      if (found !== undefined) return Option.some(found)
      // Old and new programs that run side by side leave their own snapshots among each other's.
      const older = yield* store.listSnapshots(streamId, consistency).pipe(
        Stream.filter(({ version }) => version < latest.version),
        Stream.takeRight(keep - 1),
        Stream.runCollect
      )
      for (const { version } of Chunk.reverse(older)) {
        const found = yield* taken(yield* store.loadSnapshot(streamId, { ...consistency, version }))
        if (found !== undefined) return Option.some(found)
      }
      return Option.none()
    }).pipe(Effect.catchTag("SnapshotNotFound", () => Effect.succeedNone))

  const saveIfDue: Snapshots<State>["saveIfDue"] = (store, streamId, { state, version }, count) =>
    count < every
      ? Effect.void
      : Effect.mapError(codec.encode(state), fault => new Error(Json.describe(fault))).pipe(
          Effect.flatMap(data =>
            store.saveSnapshot(
              {
                streamId,
                version,
                data,
                dataContentType: contentTypeJson,
                metadata: encoder.encode(JSON.stringify({ [shapeField]: options.shape })),
                metadataContentType: contentTypeJson
              },
              { keep }
            )
          ),
          Effect.catchAllCause(cause =>
            Effect.logWarning(`no snapshot of "${streamId}" at ${version} could be saved`, cause)
          )
        )

  return { load, saveIfDue }
}
