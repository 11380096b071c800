import type { MemberId } from "../../Membership.js"
import type { Draft } from "./draft.js"
import * as jitter from "./jitter.js"
import * as lease from "./lease.js"

/** Starts the wait for the next election anew, for a freshly drawn time: members that once tied do not tie again. */
export const resetElectionTimer = (draft: Draft): void => {
  const { state } = draft
  const draw = jitter.electionTimeout(state.seed, state.options.electionTicks)
  state.seed = draw.seed
  state.electionTimeout = draw.ticks
  state.electionElapsed = 0
}

/**
 * Gives up whatever role this member has, within its present term; the vote stays. What only a leader holds ends here:
 * its reads are refused, the outcome of its change is left to others, its counters go back to nothing. A transfer goes
 * on: it ends with the news of who leads instead.
 */
export const becomeFollower = (draft: Draft, leader: MemberId | undefined): void => {
  const { state } = draft
  state.role = "follower"
  state.leader = leader
  state.votes = []
  state.progress = []
  state.uncommitted = []
  state.uncommittedBytes = 0
  state.termStartIndex = 0
  for (const read of state.reads) {
    draft.outputs.push({ _tag: "ReadRefused", id: read.id, reason: "not_leader", leader })
  }
  state.reads = []
  lease.end(draft)
  if (state.change !== undefined) draft.outputs.push({ _tag: "ChangeUnknown", ...state.change })
  state.change = undefined
  resetElectionTimer(draft)
}

/** Whether a leader is alive as far as this member can tell: then nobody needs an election. */
export const leaderIsAlive = (draft: Draft): boolean => {
  const { state } = draft
  return state.role === "leader" || (state.leader !== undefined && state.electionElapsed < state.options.electionTicks)
}
