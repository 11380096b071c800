/**
 * The limits of a member, and its sense of time.
 *
 * @since 0.1.0
 */
import { assertInvariant } from "./internal/core/invariant.js"

/**
 * The limits of a member. All members of a group should have the same.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Ticks without a word from a leader before a member asks for an election; each member waits a fresh random
   * time between this and twice this. A leader that has not heard from a majority for as long steps down, and so does
   * one whose own disk write is outstanding for as long. Ten times `heartbeatTicks` forgives a lost message or two; too
   * short and a pause of the process deposes a healthy leader, too long and a dead one is missed.
   */
  readonly electionTicks: number
  /** Ticks between a leader's heartbeats. Must be smaller than `electionTicks`. */
  readonly heartbeatTicks: number
  /**
   * Bytes of entries in one AppendEntries. A single larger entry still goes, alone. Large values make a slow
   * follower catch up faster and hold up the heartbeats behind them.
   */
  readonly appendBytesMax: number
  /** Entries in one AppendEntries. */
  readonly appendEntriesMax: number
  /** AppendEntries to one follower that may be unanswered at once. One makes replication stop-and-wait. */
  readonly inflightMessagesMax: number
  /** Bytes of entries to one follower that may be unanswered at once; at least one message always may. */
  readonly inflightBytesMax: number
  /**
   * Bytes a leader accepts beyond its commit index before it refuses proposals as `overloaded`. One batch is always
   * accepted when nothing is uncommitted, however large. This bounds the memory of a leader that lost its followers.
   */
  readonly uncommittedBytesMax: number
  /** Reads a leader holds unconfirmed before it refuses them as `overloaded`. */
  readonly pendingReadsMax: number
}

/**
 * Elections after 10 to 20 ticks, a heartbeat each tick, 1 MiB or 1,024 entries a message, 64 messages or 16 MiB in
 * flight to a follower, 64 MiB uncommitted, 10,000 reads.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Options = {
  electionTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1024 * 1024,
  appendEntriesMax: 1024,
  inflightMessagesMax: 64,
  inflightBytesMax: 16 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  pendingReadsMax: 10_000
}

/**
 * Options without a sense are a defect: each is a positive integer, and heartbeats come more often than elections.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Partial<Options> | undefined): Options => {
  const complete = { ...defaults, ...options }
  for (const [name, value] of Object.entries(complete)) {
    assertInvariant(Number.isSafeInteger(value) && value > 0, `${name} is a positive integer`, { [name]: value })
  }
  const { electionTicks, heartbeatTicks } = complete
  assertInvariant(heartbeatTicks < electionTicks, "heartbeats come more often than elections", {
    heartbeatTicks,
    electionTicks
  })
  return complete
}
