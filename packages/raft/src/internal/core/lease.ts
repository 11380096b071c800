import type { MemberId } from "../../Membership.js"
import type { Draft } from "./draft.js"

/**
 * Reads by lease, for groups that have switched them on: while nobody else can have been elected, a leader may answer
 * without asking.
 *
 * It takes two. Whoever follows a leader's message promises with it to vote for nobody else, nor to ask for votes, for
 * `electionTicks` from then on. That is more than CheckQuorum asks, which forgets the leader where a member restarts, comes
 * to a later term or is told to campaign; so the promise stands by itself, and a member that starts makes it to a leader
 * it cannot know. The leader counts its lease from the **beginning** of the newest round that a majority has answered: the
 * promises were made after it, whenever the answers arrive.
 */

// -----------------------------------------------------------------------------
// the voter
// -----------------------------------------------------------------------------

export const promise = (draft: Draft, leader: MemberId): void => {
  const { state } = draft
  const { electionTicks, leaseTicks } = state.options
  if (leaseTicks > 0) state.promise = { to: leader, ticks: electionTicks }
}

/** A member that was held up keeps its promise for longer than it has to. */
export const tickPromise = ({ state }: Draft): void => {
  if (state.promise === undefined) return
  const { ticks, to } = state.promise
  state.promise = ticks > 1 ? { to, ticks: ticks - 1 } : undefined
}

/** Whether somebody else's lease may rest on this member. The leader that asks itself has none. */
export const isPromised = ({ state }: Draft, candidate: MemberId): boolean =>
  state.promise !== undefined && state.promise.to !== candidate

// -----------------------------------------------------------------------------
// the leader
// -----------------------------------------------------------------------------

export const begin = ({ state }: Draft): void => {
  state.lease = state.options.leaseTicks > 0 ? { now: 0, rounds: [] } : undefined
}

/**
 * No lease in this leadership any more. It ends with the role, and where a transfer begins: from then on the target may be
 * elected whatever the others have promised, and how late the word of it arrives, nobody knows. Giving the transfer up
 * does not call that word back.
 */
export const end = ({ state }: Draft): void => {
  state.lease = undefined
}

/** Answers to what was sent under another configuration count no more. */
export const renew = ({ state }: Draft): void => {
  if (state.lease !== undefined) state.lease = { ...state.lease, rounds: [] }
}

export const tickLease = ({ state }: Draft, elapsed: number): void => {
  if (state.lease !== undefined) state.lease = { ...state.lease, now: state.lease.now + elapsed }
}

/** A round has begun. The first of a tick stands for all that follow in it. */
export const onRound = ({ state }: Draft): void => {
  if (state.lease === undefined) return
  const { now, rounds } = state.lease
  if (rounds.at(-1)?.at === now) return
  const fresh = rounds.filter(({ at }) => now - at < state.options.leaseTicks)
  state.lease = { now, rounds: [...fresh, { round: state.round, at: now }] }
}

/** Whether a lease from the round that a majority has answered still runs, so many ticks after the last one. */
export const holds = ({ state }: Draft, answered: number, elapsed: number): boolean => {
  if (state.lease === undefined) return false
  const { now, rounds } = state.lease
  const begun = rounds.findLast(({ round }) => round <= answered)
  return begun !== undefined && now + elapsed - begun.at <= state.options.leaseTicks
}
