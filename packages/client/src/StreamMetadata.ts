/**
 * What a stream keeps of its events, and what is known of a stream as a whole.
 *
 * Events that a stream no longer keeps are hidden at once from every read, query and condition. Versions and positions go on as if they were there.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { StreamId, Version } from "./Event.js"

/**
 * How much a stream keeps; `null` asks for nothing.
 *
 * - `maxAgeUs`: events no older than this, in microseconds, as reckoned by the clock of the node that reads;
 * - `maxCount`: the last so many events;
 * - `truncateBefore`: no event with a version below this one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StreamMetadata = Schema.Struct({
  maxAgeUs: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  maxCount: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  truncateBefore: Schema.NullOr(Version)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StreamMetadata extends Schema.Schema.Type<typeof StreamMetadata> {}

/**
 * A stream that keeps everything.
 *
 * @since 0.1.0
 * @category constants
 */
export const unlimited: StreamMetadata = { maxAgeUs: null, maxCount: null, truncateBefore: null }

/**
 * - `active`: it has, or can have, events;
 * - `deleted`: its events are hidden; an append creates it anew, with the next version;
 * - `tombstoned`: it is gone for good and takes no event ever again.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StreamState = Schema.Literal("active", "deleted", "tombstoned")

/**
 * @since 0.1.0
 * @category models
 */
export type StreamState = Schema.Schema.Type<typeof StreamState>

/**
 * A stream as a whole.
 *
 * `lastVersion` is that of the last event that was ever appended, -1 where there is none, and `firstVersion` that of the oldest event it keeps, or
 * `lastVersion + 1` where it keeps none. `count` and `bytes` (`Event.byteLength`) are those of the events it keeps; `createdUs` and `updatedUs` the times of the first append
 * since it was created (or created anew) and of the last one, in microseconds since 1970, 0 where there is none. `count` does not see `maxAgeUs`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StreamDetails = Schema.Struct({
  streamId: StreamId,
  state: StreamState,
  firstVersion: Schema.NonNegativeInt,
  lastVersion: Schema.Int,
  count: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt,
  createdUs: Schema.NonNegativeInt,
  updatedUs: Schema.NonNegativeInt,
  metadata: StreamMetadata
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StreamDetails extends Schema.Schema.Type<typeof StreamDetails> {}
