import type { AppendEntries, AppendReply, Heartbeat, TimeoutNow } from "../../Message.js"
import { append, type Draft, lastIndexWithin, send, termAt, truncate } from "./draft.js"
import { assertInvariant } from "./invariant.js"
import { becomeFollower } from "./roles.js"
import * as transfer from "./transfer.js"

/** The follower's side of the log. */

/**
 * A message of the present term can only come from its one leader, whether this member's configuration has heard of it
 * or not.
 */
export const follow = (draft: Draft, message: AppendEntries | Heartbeat | TimeoutNow): void => {
  const { state } = draft
  assertInvariant(state.role !== "leader", "one leader a term", { id: state.id, term: state.term, other: message.from })
  assertInvariant(state.leader === undefined || state.leader === message.from, "one leader a term", {
    id: state.id,
    term: state.term,
    leader: state.leader,
    other: message.from
  })
  if (state.role === "follower" && state.leader === message.from) {
    state.electionElapsed = 0
    return
  }
  becomeFollower(draft, message.from)
  if (state.transfer !== undefined) transfer.end(draft, state.transfer.target === message.from ? "transferred" : "lost")
}

export const onHeartbeat = (draft: Draft, message: Heartbeat): void => {
  const { state } = draft
  follow(draft, message)
  assertInvariant(message.commit <= state.lastIndex, "a heartbeat commits only what this member acknowledged", {
    id: state.id,
    term: state.term,
    commit: message.commit,
    lastIndex: state.lastIndex
  })
  state.commitIndex = Math.max(state.commitIndex, message.commit)
  send(draft, { _tag: "HeartbeatReply", from: state.id, to: message.from, term: state.term, round: message.round })
}

const reply = (draft: Draft, message: AppendEntries, result: AppendReply["result"], token?: number): void =>
  send(
    draft,
    {
      _tag: "AppendReply",
      from: draft.state.id,
      to: message.from,
      term: draft.state.term,
      round: message.round,
      result
    },
    token
  )

export const onAppendEntries = (draft: Draft, message: AppendEntries): void => {
  const { state } = draft
  follow(draft, message)
  const verified = message.prevIndex + message.entries.length
  // what is committed here is in this leader's log as well, and so needs no comparing (nor may it still be there to compare)
  const known = message.prevIndex < state.commitIndex ? state.commitIndex - message.prevIndex : 0
  if (known === 0) {
    const { prevIndex, prevTerm } = message
    if (prevIndex > state.lastIndex || termAt(draft, prevIndex) !== prevTerm) {
      const hintIndex = lastIndexWithin(draft, Math.min(prevIndex, state.lastIndex), prevTerm)
      reply(draft, message, { _tag: "Conflict", prevIndex, hintIndex, hintTerm: termAt(draft, hintIndex) })
      return
    }
  }
  accept(draft, message, known)
  const matchIndex = Math.max(verified, message.prevIndex + known)
  state.commitIndex = Math.max(state.commitIndex, Math.min(message.commit, verified))
  // a match beyond what is durable waits for the newest write, and with it for all that it covers
  const token = matchIndex > state.durableIndex ? state.issuedToken : 0
  reply(draft, message, { _tag: "Matched", matchIndex }, token)
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
