/**
 * What happens to a member: the inputs of the core.
 *
 * @since 0.1.0
 */
import type * as Membership from "./Membership.js"
import type { MemberId } from "./Membership.js"
import type { InstallSnapshot, Message } from "./Message.js"

/**
 * A unit of time has passed. A member that was held up is told so once, whatever the time: it has heard nobody, because it
 * did not listen.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Tick {
  readonly _tag: "Tick"
  /**
   * How many units it really is since the last, in whole ones as a clock shows them: 1 where absent. It ages a lease and
   * nothing else, see `leaseTicks`.
   */
  readonly elapsed?: number | undefined
}

/**
 * A peer's message has arrived. An `InstallSnapshot` is fed once the snapshot's bytes are all here and their checksum is
 * right, in a format that the machine can read.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Receive {
  readonly _tag: "Receive"
  readonly message: Message | InstallSnapshot
}

/**
 * A batch of commands to replicate. It is accepted whole, as consecutive entries in one `Persist`, or refused whole.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Propose {
  readonly _tag: "Propose"
  readonly proposals: ReadonlyArray<{ readonly id: number; readonly payload: Uint8Array }>
}

/**
 * The `Persist` or `Install` with this token, and every earlier one, is synced. Repeats its `lastIndex`, which for an
 * `Install` is the snapshot's index. One completion may stand for many writes: report the newest.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Persisted {
  readonly _tag: "Persisted"
  readonly token: number
  readonly lastIndex: number
  /**
   * For how many units, in whole ones, nothing else was done because of the write; 0 where absent. Where writing holds everything up, ticks cannot tell that a
   * disk hangs.
   */
  readonly heldUp?: number | undefined
}

/**
 * A linearizable read asks for the index it has to wait for.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface ReadIndex {
  readonly _tag: "ReadIndex"
  readonly id: number
  /**
   * How many units have begun since the last {@link Tick} was fed: 1 where absent. A member that was held up may come to a
   * read before it comes to the tick that would tell it.
   */
  readonly elapsed?: number | undefined
}

/**
 * Ask for an election now. Still a pre-vote: a healthy leader is not deposed by it.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface Campaign {
  readonly _tag: "Campaign"
}

/**
 * Change who belongs to the group. Answered once: `ChangeCommitted`, `ChangeRefused` or `ChangeUnknown`.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface ChangeMembership {
  readonly _tag: "ChangeMembership"
  readonly id: number
  readonly change: Membership.Change
}

/**
 * Hand the leadership over. Answered once, after two election time-outs at the latest: `TransferRefused` or
 * `TransferEnded`.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface TransferLeadership {
  readonly _tag: "TransferLeadership"
  readonly id: number
  readonly target: MemberId
}

/**
 * The end of a `SendSnapshot`, whose term it repeats: the member holds all of it, and its core is fed the
 * `InstallSnapshot` before anything that is sent from now on. Its answer may be lost, so the leader asks what it has.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface SnapshotDelivered {
  readonly _tag: "SnapshotDelivered"
  readonly to: MemberId
  readonly term: number
}

/**
 * The other end of a `SendSnapshot`, whose term it repeats: it was broken off, or the member would not have it. The
 * leader waits before it asks what the member has, longer after each failure.
 *
 * @since 0.1.0
 * @category inputs
 */
export interface SnapshotFailed {
  readonly _tag: "SnapshotFailed"
  readonly to: MemberId
  readonly term: number
}

/**
 * @since 0.1.0
 * @category inputs
 */
export type Input =
  | Tick
  | Receive
  | Propose
  | Persisted
  | ReadIndex
  | Campaign
  | ChangeMembership
  | TransferLeadership
  | SnapshotDelivered
  | SnapshotFailed

/**
 * The input for a unit of time.
 *
 * @since 0.1.0
 * @category inputs
 */
export const tick: Input = { _tag: "Tick" }
