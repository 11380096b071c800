import * as Either from "effect/Either"
import * as LogEntry from "../../LogEntry.js"
import type { MemberId } from "../../Membership.js"
import * as Membership from "../../Membership.js"
import type { ChangeMembership } from "../../RaftInput.js"
import type { Untimely } from "../../RaftOutput.js"
import { maybeCommit } from "./commit.js"
import { append, configuration, type Draft, editProgress, send } from "./draft.js"
import * as lease from "./lease.js"
import * as progresses from "./progress.js"
import * as reads from "./reads.js"
import { broadcastAppend } from "./replication.js"
import { becomeFollower } from "./roles.js"

/** The leader's side of the membership. */

/** What stands in the way of any change just now, be it asked for or the leader's own. */
const untimely = (draft: Draft): Untimely | undefined => {
  const { state } = draft
  if (state.role !== "leader") return "not_leader"
  if (state.transfer !== undefined) return "transferring"
  if (!reads.hasCommittedInTerm(draft)) return "no_commit_in_term"
  return state.configurations[0].index > state.commitIndex ? "change_pending" : undefined
}

export const onChangeMembership = (draft: Draft, { change, id }: ChangeMembership): void => {
  const { state } = draft
  const early = untimely(draft)
  const next = early === undefined ? Membership.change(configuration(draft), change) : Either.left(early)
  if (Either.isLeft(next)) {
    draft.outputs.push({ _tag: "ChangeRefused", id, reason: next.left, leader: state.leader })
    return
  }
  appendConfiguration(draft, next.right)
  state.change = { id, index: state.lastIndex }
}

/**
 * In force from here on, for the leader first of all. One that no longer belongs is sent nothing more; where a voter
 * goes, those that stay may be the majority that an entry or a read still waited for. A group that has no incarnation
 * yet, because this was in the way when its leader was elected, gets one with it.
 */
const appendConfiguration = (draft: Draft, changed: Membership.Configuration): void => {
  const { state } = draft
  const { lastIndex, newIncarnation } = state
  const next = changed.incarnation === undefined ? { ...changed, incarnation: newIncarnation } : changed
  append(draft, [LogEntry.configuration(lastIndex + 1, state.term, next)])
  state.progress = progresses.forMembers(next, state.id, state.progress, lastIndex)
  lease.renew(draft)
  broadcastAppend(draft)
  maybeCommit(draft)
  reads.release(draft)
}

/** What follows for a leader from whatever the step brought: a change is committed, it has left, a learner keeps up. */
export const settleMembership = (draft: Draft): void => {
  const { before, state } = draft
  if (state.role !== "leader") return
  const [{ index }] = state.configurations
  if (index > before.commitIndex && index <= state.commitIndex) {
    if (state.change !== undefined) draft.outputs.push({ _tag: "ChangeCommitted", ...state.change })
    state.change = undefined
    dismiss(draft)
  }
  if (index <= state.commitIndex && !configuration(draft).voters.includes(state.id)) becomeFollower(draft, undefined)
  else promoteOne(draft)
}

/** Tells the one just removed. It may be lost; then a voter learns it when it asks for an election. */
const dismiss = (draft: Draft): void => {
  const { state } = draft
  const [newest, before] = state.configurations
  if (before === undefined) return
  for (const member of newest.configuration.removed) {
    if (member !== state.id && !before.configuration.removed.includes(member)) sendRemoved(draft, member)
  }
}

/** Whether a member's removal is known here to be final. */
export const isRemoved = (draft: Draft, member: MemberId): boolean =>
  Membership.committed(draft.state.configurations, draft.state.commitIndex).removed.includes(member)

export const sendRemoved = (draft: Draft, member: MemberId): void =>
  send(draft, { _tag: "Removed", from: draft.state.id, to: member, term: draft.state.term })

/**
 * Makes a voter of the first learner that keeps up and was heard of lately. A round that ends otherwise is followed by
 * the next.
 */
const promoteOne = (draft: Draft): void => {
  const { state } = draft
  if (configuration(draft).learners.length === 0) return
  for (const { active, catchUp, id, matchIndex } of state.progress) {
    if (catchUp === undefined || matchIndex < catchUp.lastIndex) continue
    const keepsUp = active && catchUp.ticks <= state.options.electionTicks
    if (keepsUp && draft.appended.length === 0 && untimely(draft) === undefined) {
      appendConfiguration(draft, Membership.promote(configuration(draft), id))
      return
    }
    if (catchUp.ticks === 0 && catchUp.lastIndex === state.lastIndex) continue
    const progress = editProgress(draft, id)
    if (progress !== undefined) progress.catchUp = { lastIndex: state.lastIndex, ticks: 0 }
  }
}

export const tickCatchUp = (draft: Draft): void => {
  if (configuration(draft).learners.length === 0) return
  for (const { catchUp, id } of draft.state.progress) {
    if (catchUp === undefined) continue
    const progress = editProgress(draft, id)
    if (progress !== undefined) progress.catchUp = { ...catchUp, ticks: catchUp.ticks + 1 }
  }
}
