/**
 * When a member cuts its log, and how much of it stays.
 *
 * What is cut is applied, and durably so. A tail stays for members that are a little behind; whoever needs more gets a snapshot.
 * So a log holds at most what has come in since the last cut, the tail, and what a snapshot under way needs behind it. A machine
 * that makes no snapshots keeps its whole log.
 *
 * @since 0.1.0
 */

/**
 * The limits count what is applied and still in the log.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compaction {
  /** Entries at which the log is cut. */
  readonly entriesMax: number
  /** Bytes at which the log is cut. */
  readonly bytesMax: number
  /** Entries that stay. */
  readonly tailEntries: number
  /** Fewer stay where together they would have more bytes than this. */
  readonly tailBytes: number
}

/**
 * Cuts at 65,536 entries or 256 MiB, and leaves 8,192 entries or 64 MiB: a cut makes the machine's file durable, which takes
 * a sync, so it is not done often.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Compaction = {
  entriesMax: 65_536,
  bytesMax: 256 * 1024 * 1024,
  tailEntries: 8_192,
  tailBytes: 64 * 1024 * 1024
}
