/**
 * Snapshots: what a program made of a stream's events up to a version, kept beside the stream so that it need not be made again.
 *
 * A snapshot belongs to the stream as it was when it was saved: deleting the stream deletes its snapshots, and one that is created anew under the same name never
 * sees them.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ContentType, StreamId, Version } from "./Event.js"
import * as Payload from "./internal/payload.js"
import type { InvalidRequest } from "./StoreError.js"

const fields = {
  streamId: StreamId,
  /** The version of the last event that went into it. */
  version: Version,
  data: Schema.Uint8ArrayFromSelf,
  dataContentType: ContentType,
  /** `null` where it has none. */
  metadata: Schema.NullOr(Schema.Uint8ArrayFromSelf),
  metadataContentType: ContentType
}

/**
 * A snapshot to be saved. Its bytes are opaque to the store, see {@link json}.
 *
 * @since 0.1.0
 * @category schemas
 */
export const NewSnapshot = Schema.Struct(fields)

/**
 * @since 0.1.0
 * @category models
 */
export interface NewSnapshot extends Schema.Schema.Type<typeof NewSnapshot> {}

/**
 * A snapshot as the store holds it. `epochUs` is the time of its commit in microseconds since 1970 (UTC).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Snapshot = Schema.Struct({ ...fields, epochUs: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category models
 */
export interface Snapshot extends Schema.Schema.Type<typeof Snapshot> {}

/**
 * A snapshot without its contents. `bytes` are those of data and metadata.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SnapshotInfo = Schema.Struct({
  streamId: StreamId,
  version: Version,
  epochUs: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt
})

/**
 * @since 0.1.0
 * @category models
 */
export interface SnapshotInfo extends Schema.Schema.Type<typeof SnapshotInfo> {}

/**
 * The bytes of a snapshot that count towards the size limit of a request.
 *
 * @since 0.1.0
 * @category sizes
 */
export const byteLength = ({ data, metadata }: NewSnapshot): number => data.length + (metadata?.length ?? 0)

/**
 * Builds a snapshot with JSON contents.
 *
 * @since 0.1.0
 * @category constructors
 */
export const json = (options: {
  readonly streamId: string
  readonly version: number
  readonly data: unknown
  readonly metadata?: unknown
}): Effect.Effect<NewSnapshot, InvalidRequest> =>
  Payload.json(options, { streamId: options.streamId, version: options.version })

/**
 * The snapshot's `data` as a JSON value.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeData = (snapshot: NewSnapshot): Effect.Effect<unknown, InvalidRequest> =>
  Payload.decodeData(snapshot)

/**
 * The snapshot's `metadata` as a JSON value; `null` where it has none.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeMetadata = (snapshot: NewSnapshot): Effect.Effect<unknown, InvalidRequest> =>
  Payload.decodeMetadata(snapshot)
