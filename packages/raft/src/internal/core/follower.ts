import type { MemberId } from "../../Membership.js"
import type { AppendEntries, AppendReply, Heartbeat, InstallSnapshot, TimeoutNow } from "../../Message.js"
import { append, type Draft, install, lastIndexWithin, send, termAt, truncate } from "./draft.js"
import { assertInvariant } from "./invariant.js"
import * as lease from "./lease.js"
import { becomeFollower } from "./roles.js"
import * as transfer from "./transfer.js"

/** The follower's side of the log. */

/**
 * A message of the present term can only come from its one leader, whether this member's configuration has heard of it
 * or not.
 */
export const follow = (draft: Draft, message: AppendEntries | Heartbeat | InstallSnapshot | TimeoutNow): void => {
  const { state } = draft
  assertInvariant(state.role !== "leader", "one leader a term", { id: state.id, term: state.term, other: message.from })
  assertInvariant(state.leader === undefined || state.leader === message.from, "one leader a term", {
    id: state.id,
    term: state.term,
    leader: state.leader,
    other: message.from
  })
  lease.promise(draft, message.from)
  if (state.role === "follower" && state.leader === message.from) {
    state.electionElapsed = 0
    return
  }
  becomeFollower(draft, message.from)
  if (state.transfer !== undefined) transfer.end(draft, state.transfer.target === message.from ? "transferred" : "lost")
}

const hear = ({ state }: Draft, commit: number): void => {
  state.heardCommitIndex = Math.max(state.heardCommitIndex, commit)
}

export const onHeartbeat = (draft: Draft, message: Heartbeat): void => {
  const { state } = draft
  follow(draft, message)
  hear(draft, message.commit)
  if (state.lastIndex === 0 && message.commit > 0) {
    reply(draft, message.from, message.round, { _tag: "Lost" })
    return
  }
  assertInvariant(message.commit <= state.lastIndex, "a heartbeat commits only what this member acknowledged", {
    id: state.id,
    term: state.term,
    commit: message.commit,
    lastIndex: state.lastIndex
  })
  state.commitIndex = Math.max(state.commitIndex, message.commit)
  send(draft, { _tag: "HeartbeatReply", from: state.id, to: message.from, term: state.term, round: message.round })
}

const reply = (draft: Draft, to: MemberId, round: number, result: AppendReply["result"], token?: number): void =>
  send(draft, { _tag: "AppendReply", from: draft.state.id, to, term: draft.state.term, round, result }, token)

/** A match beyond what is durable waits for the newest write, and with it for all that it covers. */
const replyMatched = (draft: Draft, to: MemberId, round: number, matchIndex: number): void => {
  const token = matchIndex > draft.state.durableIndex ? draft.state.issuedToken : 0
  reply(draft, to, round, { _tag: "Matched", matchIndex }, token)
}

export const onAppendEntries = (draft: Draft, message: AppendEntries): void => {
  const { state } = draft
  follow(draft, message)
  hear(draft, message.commit)
  const verified = message.prevIndex + message.entries.length
  // what is committed here is in this leader's log as well, and so needs no comparing (nor may it still be there to compare)
  const known = message.prevIndex < state.commitIndex ? state.commitIndex - message.prevIndex : 0
  if (known === 0) {
    const { prevIndex, prevTerm } = message
    if (prevIndex > state.lastIndex || termAt(draft, prevIndex) !== prevTerm) {
      const hintIndex = lastIndexWithin(draft, Math.min(prevIndex, state.lastIndex), prevTerm)
      const hintTerm = termAt(draft, hintIndex)
      reply(draft, message.from, message.round, { _tag: "Conflict", prevIndex, hintIndex, hintTerm })
      return
    }
  }
  accept(draft, message, known)
  state.commitIndex = Math.max(state.commitIndex, Math.min(message.commit, verified))
  replyMatched(draft, message.from, message.round, Math.max(verified, message.prevIndex + known))
}

/** Skips what is there already, cuts what differs, adds the rest. */
const accept = (draft: Draft, message: AppendEntries, known: number): void => {
  const { entries } = message
  const { state } = draft
  let at = known
  for (; at < entries.length; at++) {
    const entry = entries[at]
    if (entry === undefined || entry.index > state.lastIndex || termAt(draft, entry.index) !== entry.term) break
  }
  const first = entries[at]
  if (first === undefined) return
  if (first.index <= state.lastIndex) truncate(draft, first.index)
  append(draft, at === 0 ? entries : entries.slice(at))
}

/**
 * The snapshot is of a committed prefix of the leader's log. What this member has committed it needs from nobody. Where
 * its log has the snapshot's last entry it has all before it as well, committed as of now: the machine applies them from
 * the log however far it is behind, and the tail stays (Raft §7). Only where the log lacks it, the snapshot is installed.
 */
export const onInstallSnapshot = (draft: Draft, message: InstallSnapshot): void => {
  const { state } = draft
  const { snapshot } = message
  follow(draft, message)
  if (snapshot.index > state.commitIndex) {
    const isInLog = snapshot.index <= state.lastIndex && termAt(draft, snapshot.index) === snapshot.term
    if (isInLog) state.commitIndex = snapshot.index
    else install(draft, snapshot)
  }
  replyMatched(draft, message.from, 0, state.commitIndex)
}
