/**
 * The `StoreEngine` on an SQLite file, with prepared statements and without any layer between: it is the hot path of every append and read.
 *
 * The file is used by one engine at a time. It is consistent after any crash, and may then stand at an earlier applied index, from which the
 * Raft log replays: commits are not synced here, see `StoreEngine.Service.checkpoint`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Catalog from "./internal/sqlite/catalog.js"
import * as Database from "./internal/sqlite/database.js"
import { assertInvariant } from "./internal/sqlite/invariant.js"
import * as Reader from "./internal/sqlite/reader.js"
import * as Writer from "./internal/sqlite/writer.js"
import { type Service, StoreEngine } from "./StoreEngine.js"

/**
 * The file cannot be used as a store. Nothing in it was changed.
 *
 * - `damaged`: it is a store, and what it says cannot be true, or SQLite finds its pages broken;
 * - `foreign`: it is something else;
 * - `newer`: a later release wrote it;
 * - `in_use`: another engine or process has it open;
 * - `inaccessible`: it cannot be opened, read or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreFileRefused extends Schema.TaggedError<StoreFileRefused>("@reckon/db/StoreFileRefused")(
  "StoreFileRefused",
  {
    filename: Schema.String,
    reason: Schema.Literal("damaged", "foreign", "newer", "in_use", "inaccessible"),
    detail: Schema.String
  }
) {
  /** Only a file in use can be free a moment later. */
  get retryable(): boolean {
    return this.reason === "in_use"
  }
  override get message() {
    return `${this.filename} cannot be used as a store (${this.reason}): ${this.detail}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The path of the file, made if it does not exist (its folder must), or `:memory:`. */
  readonly filename: string
}

const fromConnection = (db: Database.Connection): Service => {
  const catalog = Catalog.make(db)
  const writer = Writer.make(db, catalog)
  const reader = Reader.make(db, catalog)
  const checkpointWal = db.prepare<[], [number, number, number]>("PRAGMA wal_checkpoint(PASSIVE)").raw()

  return {
    appliedIndex: () => writer.head().appliedIndex,
    appliedTerm: () => writer.head().appliedTerm,
    apply: writer.apply,

    checkpoint: () => {
      const [busy, framesInWal, framesCopied] = checkpointWal.get() ?? [1, 0, 0]
      // Nobody else has the file, so nobody can hold a checkpoint up. In memory there is no WAL, and both numbers are -1.
      assertInvariant(busy === 0 && framesInWal === framesCopied, "a checkpoint copies the whole WAL", {
        busy,
        framesInWal,
        framesCopied
      })
      return writer.head().appliedIndex
    },

    readStream: reader.readStream,
    readAll: options => reader.readAll({ ...options, lastPosition: writer.head().lastPosition }),
    getVersion: streamId => catalog.stream(streamId)?.version ?? -1,
    listStreams: reader.listStreams,
    lastPosition: () => writer.head().lastPosition,
    streamCount: () => writer.head().streamCount,
    eventCount: () => writer.head().eventCount
  }
}

const open = (filename: string) =>
  Effect.try({
    try: () => Database.open(filename, fromConnection),
    catch: cause => cause
  }).pipe(
    Effect.catchAll(cause =>
      cause instanceof Database.Refused
        ? Effect.fail(new StoreFileRefused({ filename, reason: cause.reason, detail: cause.message }))
        : Effect.die(cause)
    )
  )

/**
 * Opens the file, or makes it, and closes it with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Service, StoreFileRefused, Scope.Scope> =>
  Effect.acquireRelease(open(options.filename), ({ db }) => Effect.sync(() => db.close())).pipe(
    Effect.map(({ value }) => value)
  )

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<StoreEngine, StoreFileRefused> =>
  Layer.scoped(StoreEngine, make(options))

/**
 * An engine that forgets everything when its scope closes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<StoreEngine> = layer({ filename: ":memory:" }).pipe(Layer.orDie)
