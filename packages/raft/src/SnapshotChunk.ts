/**
 * A snapshot on its way to a member: in pieces, each checked by itself, and the whole once more.
 *
 * The sender begins with an empty piece, and is told how much of this snapshot the receiver has; it goes on from there. So a
 * transfer that broke off goes on where it was, also after a restart of the receiver. Snapshots are told apart by index, term
 * and checksum.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Claim } from "./Incarnation.js"
import { Term } from "./LogEntry.js"
import { MemberId } from "./Membership.js"
import { Snapshot } from "./Snapshot.js"

/**
 * Bytes in one piece, at most. While a piece is written the member does nothing else, and heartbeats wait behind it on
 * the wire.
 *
 * @since 0.1.0
 * @category limits
 */
export const bytesMax = 256 * 1024

/** It goes into the name of a file. */
const Checksum = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/))

const isChecksum = Schema.is(Checksum)

/**
 * `size` is that of the whole snapshot in bytes, `offset` where `bytes` belong in it, `checksum` the hexadecimal SHA-256 of `bytes`.
 * `from` leads in `term`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SnapshotChunk = Schema.Struct({
  from: MemberId,
  to: MemberId,
  term: Term,
  ...Claim.fields,
  snapshot: Snapshot.pipe(Schema.filter(({ checksum }) => isChecksum(checksum) || "its checksum is no SHA-256")),
  size: Schema.NonNegativeInt,
  offset: Schema.NonNegativeInt,
  bytes: Schema.Uint8ArrayFromSelf.pipe(
    Schema.filter(bytes => bytes.length <= bytesMax || `a piece has at most ${bytesMax} bytes`)
  ),
  checksum: Checksum
})
  .pipe(
    Schema.filter(({ bytes, offset, size }) =>
      offset + bytes.length <= size ? true : "a piece does not reach beyond the end of its snapshot"
    )
  )
  .annotations({ identifier: "SnapshotChunk" })

/**
 * @since 0.1.0
 * @category models
 */
export interface SnapshotChunk extends Schema.Schema.Type<typeof SnapshotChunk> {}

/**
 * How many bytes of the snapshot, from its beginning on, the receiver holds. All of them: it has checked the whole and its
 * consensus core is told.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Receipt = Schema.Struct({ received: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category models
 */
export interface Receipt extends Schema.Schema.Type<typeof Receipt> {}

/**
 * The member does not take the snapshot, or not now.
 *
 * - `unreachable`: nobody answered;
 * - `foreign`: it is of another incarnation of the group;
 * - `superseded`: a newer one is on its way to it, it knows of a newer term, or its log begins no earlier;
 * - `unreadable`: its program is too old to read it, or its machine takes none;
 * - `damaged`: what arrived is not what was sent. What was kept of the snapshot has been thrown away;
 * - `storage`: its disk does not take it.
 *
 * @since 0.1.0
 * @category errors
 */
export class SnapshotRefused extends Schema.TaggedError<SnapshotRefused>("@reckon/raft/SnapshotRefused")(
  "SnapshotRefused",
  {
    reason: Schema.Literal("unreachable", "foreign", "superseded", "unreadable", "damaged", "storage"),
    detail: Schema.String
  }
) {
  /** All but a program that is too old and a foreign member pass by themselves. */
  get retryable(): boolean {
    return this.reason !== "unreadable" && this.reason !== "foreign"
  }
  override get message() {
    return `the snapshot was not taken (${this.reason}): ${this.detail}`
  }
}
