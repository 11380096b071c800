import type { TransferLeadership } from "../../RaftInput.js"
import type { TransferEnded, TransferRefused } from "../../RaftOutput.js"
import type { Progress } from "../../RaftState.js"
import { configuration, type Draft, send } from "./draft.js"
import * as lease from "./lease.js"

/**
 * Leadership transfer: the leader takes no more proposals, brings the target up to its own log's end, and tells it to
 * ask for an election at once. One at a time. What ends it is the news of the next leader, or time.
 */

export const onTransferLeadership = (draft: Draft, { id, target }: TransferLeadership): void => {
  const { state } = draft
  const reason = refusal(draft, target)
  if (reason !== undefined) {
    draft.outputs.push({ _tag: "TransferRefused", id, reason, leader: state.leader })
    return
  }
  state.transfer = { id, target, ticks: 0 }
  lease.end(draft)
  const progress = state.progress.find(other => other.id === target)
  if (progress !== undefined) proceed(draft, progress)
}

const refusal = (draft: Draft, target: string): TransferRefused["reason"] | undefined => {
  const { state } = draft
  if (state.role !== "leader") return "not_leader"
  if (state.transfer !== undefined) return "transferring"
  if (target === state.id) return "target_leads"
  const { learners, voters } = configuration(draft)
  if (learners.includes(target)) return "target_is_learner"
  return voters.includes(target) ? undefined : "not_a_member"
}

/** Called whenever a follower has answered: the target may have all by now, or may have missed an earlier word of this. */
export const proceed = (draft: Draft, { id, matchIndex }: Progress): void => {
  const { state } = draft
  if (state.transfer?.target !== id || matchIndex < state.lastIndex) return
  send(draft, { _tag: "TimeoutNow", from: state.id, to: id, term: state.term })
}

/** A leader serves again after an election time-out; one that stepped down waits another for the news of who leads. */
export const tickTransfer = (draft: Draft): void => {
  const { state } = draft
  if (state.transfer === undefined) return
  state.transfer = { ...state.transfer, ticks: state.transfer.ticks + 1 }
  const { electionTicks } = state.options
  if (state.role === "leader" && state.transfer.ticks >= electionTicks) end(draft, "gave_up")
  else if (state.transfer.ticks >= 2 * electionTicks) end(draft, "lost")
}

export const end = (draft: Draft, outcome: TransferEnded["outcome"]): void => {
  const { state } = draft
  if (state.transfer === undefined) return
  draft.outputs.push({ _tag: "TransferEnded", id: state.transfer.id, outcome })
  state.transfer = undefined
}
