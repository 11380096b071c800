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
  /**
   * Bytes of entries to one follower with which its window is full. The message that fills it may go beyond them, by one
   * AppendEntries at most.
   */
  readonly inflightBytesMax: number
  /**
   * Bytes a leader accepts beyond its commit index before it refuses proposals as `overloaded`. One batch is always
   * accepted when nothing is uncommitted, however large. This bounds the memory of a leader that lost its followers.
   */
  readonly uncommittedBytesMax: number
  /** Reads a leader holds unconfirmed before it refuses them as `overloaded`. */
  readonly pendingReadsMax: number
  /**
   * Ticks for which a leader answers reads without asking, from the moment it sent what a majority of the voters has
   * answered; 0 asks anew for each round of reads, and is the default. At most {@link leaseTicksMax}, and more than
   * `heartbeatTicks`, which renew the lease.
   *
   * What it rests on beyond what Raft needs:
   *
   * - The clocks of any two members run at rates that differ by no more than a tenth. A clock that is set, or is wrong, does
   *   no harm; one that runs too slowly at a leader makes it serve what is out of date.
   * - A leader is told the time truly: `elapsed` of its ticks and reads counts the time during which it was held up.
   * - It is switched on at all members, or at none, with the same `electionTicks` and ticks of the same length: one where it
   *   is off forgets, when it starts anew, that a leader counts on it. Stop the group to change it.
   *
   * How long the answer takes from there does not matter: the index is of the moment at which the lease was looked at, and
   * that lies between the question and the answer.
   *
   * A member that has started takes no part in elections for `electionTicks`; a leader that has begun to hand over asks
   * anew for each round until its term ends.
   */
  readonly leaseTicks: number
}

/**
 * Elections after 10 to 20 ticks, a heartbeat each tick, 1 MiB or 1,024 entries a message, 64 messages or 16 MiB in
 * flight to a follower, 64 MiB uncommitted, 10,000 reads, none of them by lease.
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
  pendingReadsMax: 10_000,
  leaseTicks: 0
}

/**
 * The longest lease. Of the `electionTicks` of a voter two may be cut short, the one in which it answered and one that
 * waited behind the message; a tenth of the rest is for clocks that run faster than the leader's.
 *
 * @since 0.1.0
 * @category limits
 */
export const leaseTicksMax = (electionTicks: number): number => Math.floor(((electionTicks - 2) * 9) / 10)

/**
 * Options without a sense are a defect: each is a positive integer (`leaseTicks` may be 0), heartbeats come more often than
 * elections, and a lease ends between the two.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Partial<Options> | undefined): Options => {
  const complete = { ...defaults, ...options }
  for (const [name, value] of Object.entries(complete)) {
    const isOff = name === "leaseTicks" && value === 0
    assertInvariant(isOff || (Number.isSafeInteger(value) && value > 0), `${name} is a positive integer`, {
      [name]: value
    })
  }
  const { electionTicks, heartbeatTicks, leaseTicks } = complete
  assertInvariant(heartbeatTicks < electionTicks, "heartbeats come more often than elections", {
    heartbeatTicks,
    electionTicks
  })
  const isLease = leaseTicks > heartbeatTicks && leaseTicks <= leaseTicksMax(electionTicks)
  assertInvariant(leaseTicks === 0 || isLease, "a lease outlasts heartbeats and ends before elections", {
    heartbeatTicks,
    leaseTicks,
    leaseTicksMax: leaseTicksMax(electionTicks),
    electionTicks
  })
  return complete
}
