import type { MemberId } from "../../Membership.js"
import * as Membership from "../../Membership.js"
import type { AppendEntries, AppendReply, Heartbeat, InstallSnapshot, TimeoutNow } from "../../Message.js"
import { noticeOther, setAside } from "./contradiction.js"
import { append, type Draft, firstIndex, install, lastIndexWithin, send, termAt, truncate } from "./draft.js"
import * as lease from "./lease.js"
import { becomeFollower } from "./roles.js"
import * as transfer from "./transfer.js"

/** The follower's side of the log. */

/**
 * A message of the present term can only come from its one leader, whether this member's configuration has heard of it
 * or not. False where it comes from a second one: then it is not to be taken.
 */
export const follow = (draft: Draft, message: AppendEntries | Heartbeat | InstallSnapshot | TimeoutNow): boolean => {
  const { state } = draft
  if (state.leader !== undefined && state.leader !== message.from) {
    noticeOther(draft, message.from)
    return false
  }
  lease.promise(draft, message.from)
  if (state.role === "follower" && state.leader === message.from) {
    state.electionElapsed = 0
    return true
  }
  becomeFollower(draft, message.from)
  if (state.transfer !== undefined) transfer.end(draft, state.transfer.target === message.from ? "transferred" : "lost")
  return true
}

const hear = ({ state }: Draft, commit: number): void => {
  state.heardCommitIndex = Math.max(state.heardCommitIndex, commit)
}

export const onHeartbeat = (draft: Draft, message: Heartbeat): void => {
  const { state } = draft
  if (!follow(draft, message)) return
  hear(draft, message.commit)
  if (state.lastIndex === 0 && message.commit > 0) {
    state.lostTerm = state.term
    reply(draft, message.from, message.round, { _tag: "Lost" })
    return
  }
  if (message.commit <= state.lastIndex) state.commitIndex = Math.max(state.commitIndex, message.commit)
  // what was sent before the leader heard of the loss may arrive late
  else if (state.lostTerm !== state.term) {
    setAside(draft, "forgotten", message.from, message.commit)
    return
  }
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
  if (!follow(draft, message)) return
  hear(draft, message.commit)
  const verified = message.prevIndex + message.entries.length
  if (isForked(draft, message, Math.min(verified, state.commitIndex))) {
    setAside(draft, "forked", message.from, Math.min(verified, state.commitIndex))
    return
  }
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
  if (!accept(draft, message, known)) return
  state.commitIndex = Math.max(state.commitIndex, Math.min(message.commit, verified))
  replyMatched(draft, message.from, message.round, Math.max(verified, message.prevIndex + known))
}

/**
 * Whether the leader has another entry where one is committed here. It would be of another term: so much can be told without reading it. What was cut off the log cannot be
 * compared, nor what the message is not about.
 */
const isForked = (draft: Draft, { entries, prevIndex, prevTerm }: AppendEntries, index: number): boolean => {
  if (index < prevIndex || index < firstIndex(draft) - 1) return false
  const term = index === prevIndex ? prevTerm : entries[index - prevIndex - 1]?.term
  return term !== termAt(draft, index)
}

/**
 * Whether the part of the log up to an index, which would stay, is of another incarnation than the leader's. The first entries of two groups are easily alike in index and
 * term, and one that never heard that its incarnation is settled takes messages of any other.
 */
const isForeign = ({ state }: Draft, { incarnation }: AppendEntries, through: number): boolean => {
  const own = Membership.undo(state.configurations, through + 1)[0].configuration.incarnation
  return own !== undefined && incarnation !== undefined && own !== incarnation
}

/** Skips what is there already, cuts what differs, adds the rest. False where the log is another group's: then nothing is taken. */
const accept = (draft: Draft, message: AppendEntries, known: number): boolean => {
  const { entries } = message
  const { state } = draft
  let at = known
  for (; at < entries.length; at++) {
    const entry = entries[at]
    if (entry === undefined || entry.index > state.lastIndex || termAt(draft, entry.index) !== entry.term) break
  }
  const first = entries[at]
  const agreed = first === undefined ? message.prevIndex + entries.length : first.index - 1
  const kept = Math.max(agreed, state.commitIndex)
  if (isForeign(draft, message, kept)) {
    setAside(draft, "forked", message.from, kept)
    return false
  }
  if (first === undefined) return true
  if (first.index <= state.lastIndex) truncate(draft, first.index)
  append(draft, at === 0 ? entries : entries.slice(at))
  return true
}

/**
 * The snapshot is of a committed prefix of the leader's log. What this member has committed it needs from nobody. Where
 * its log has the snapshot's last entry it has all before it as well, committed as of now: the machine applies them from
 * the log however far it is behind, and the tail stays (Raft §7). Only where the log lacks it, the snapshot is installed.
 */
export const onInstallSnapshot = (draft: Draft, message: InstallSnapshot): void => {
  const { state } = draft
  const { snapshot } = message
  if (!follow(draft, message)) return
  if (snapshot.index > state.commitIndex) {
    const isInLog = snapshot.index <= state.lastIndex && termAt(draft, snapshot.index) === snapshot.term
    if (isInLog) state.commitIndex = snapshot.index
    else install(draft, snapshot)
  }
  replyMatched(draft, message.from, 0, state.commitIndex)
}
