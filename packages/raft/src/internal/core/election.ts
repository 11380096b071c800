import type { MemberId } from "../../Membership.js"
import * as Membership from "../../Membership.js"
import type { PreVote, PreVoteReply, RequestVote, VoteReply } from "../../Message.js"
import * as Quorum from "../../Quorum.js"
import { append, configuration, type Draft, enterTerm, requirePersist, send, voteFor } from "./draft.js"
import { opening } from "./incarnation.js"
import { assertInvariant } from "./invariant.js"
import * as lease from "./lease.js"
import { isRemoved, sendRemoved } from "./membership.js"
import * as progresses from "./progress.js"
import { broadcastAppend } from "./replication.js"
import { becomeFollower, leaderIsAlive, resetElectionTimer } from "./roles.js"

/** Elections: a pre-vote in the old term, then a vote in a new one. */

// -----------------------------------------------------------------------------
// asking
// -----------------------------------------------------------------------------

/** Who only learns, has left or was set aside asks for no election: it would disturb those that decide, and could not be followed. */
const mayLead = ({ state }: Draft): boolean =>
  !state.removed &&
  state.contradiction === undefined &&
  Membership.mayLead(state.configurations, state.commitIndex, state.id)

/**
 * Whether a log that ends there can have all that this member has heard to be committed; any other gets no vote, not even its own. Among members that keep their logs it would not be
 * elected anyway. But one that lost its disk, and has not yet been sent everything again, must not help a leader to office who lacks what it had acknowledged.
 */
const hasAllHeardOf = ({ state }: Draft, lastIndex: number): boolean => lastIndex >= state.heardCommitIndex

const countOwn = (draft: Draft): void => count(draft, draft.state.id, hasAllHeardOf(draft, draft.state.lastIndex))

/** Asks all other voters whether this member could win the next term. The old leader is forgotten: it has been silent. */
export const campaign = (draft: Draft): void => {
  const { state } = draft
  if (state.role === "leader" || !mayLead(draft) || lease.isPromised(draft, state.id)) return
  state.role = "pre_candidate"
  state.leader = undefined
  state.votes = []
  countOwn(draft)
  resetElectionTimer(draft)
  if (standing(draft) === "won") becomeCandidate(draft, false)
  else ask(draft, "PreVote", state.term + 1, false)
}

/** The leader hands over: it need not be asked first whether anybody wants an election. */
export const onTimeoutNow = (draft: Draft): void => {
  if (mayLead(draft)) becomeCandidate(draft, true)
}

const becomeCandidate = (draft: Draft, transfer: boolean): void => {
  const { state } = draft
  enterTerm(draft, state.term + 1)
  state.role = "candidate"
  state.leader = undefined
  // the vote for itself counts when it is durable, as anybody's does: see onOwnVoteDurable
  voteFor(draft, state.id)
  state.votes = []
  resetElectionTimer(draft)
  ask(draft, "RequestVote", state.term, transfer)
}

const ask = (draft: Draft, _tag: "PreVote" | "RequestVote", askedTerm: number, transfer: boolean): void => {
  const { id, lastIndex, lastTerm, term } = draft.state
  // a vote is asked on the strength of the log's end, so that must outlive a crash as the vote itself must
  const token = _tag === "RequestVote" ? requirePersist(draft) : 0
  for (const to of configuration(draft).voters) {
    if (to === id) continue
    const ballot = { from: id, to, term, askedTerm, lastIndex, lastTerm }
    send(draft, _tag === "PreVote" ? { _tag, ...ballot } : { _tag, ...ballot, transfer }, token)
  }
}

/** The first answer of a voter stands; later ones are copies of it. One that is leaving has no vote, not even its own. */
const count = (draft: Draft, id: MemberId, granted: boolean): void => {
  const { state } = draft
  if (!configuration(draft).voters.includes(id) || state.votes.some(vote => vote.id === id)) return
  state.votes = [...state.votes, { id, granted }]
}

const standing = (draft: Draft): Quorum.Outcome => {
  const { votes } = draft.state
  const granted = votes.filter(vote => vote.granted).length
  return Quorum.outcome(configuration(draft).voters.length, granted, votes.length - granted)
}

/** Counts only the answers to the question this member is asking now. */
export const onPreVoteReply = (draft: Draft, message: PreVoteReply): void => {
  const { state } = draft
  if (state.role !== "pre_candidate" || message.askedTerm !== state.term + 1) return
  count(draft, message.from, message.granted)
  const outcome = standing(draft)
  if (outcome === "won") becomeCandidate(draft, false)
  else if (outcome === "lost") becomeFollower(draft, undefined)
}

export const onVoteReply = (draft: Draft, message: VoteReply): void => {
  const { state } = draft
  if (state.role !== "candidate" || message.askedTerm !== state.term) return
  count(draft, message.from, message.granted)
  settle(draft)
}

/** Called when the hard state became durable: a candidate's vote for itself is cast. */
export const onOwnVoteDurable = (draft: Draft): void => {
  const { state } = draft
  if (state.role !== "candidate" || state.hardStateToken > state.persistedToken) return
  countOwn(draft)
  settle(draft)
}

const settle = (draft: Draft): void => {
  const outcome = standing(draft)
  if (outcome === "won") becomeLeader(draft)
  else if (outcome === "lost") becomeFollower(draft, undefined)
}

/** Until what opens its term is committed the leader knows neither what is committed nor what it may serve. */
const becomeLeader = (draft: Draft): void => {
  const { state } = draft
  assertInvariant(state.role === "candidate" && state.votedFor === state.id, "only a candidate is elected", {
    id: state.id,
    term: state.term,
    role: state.role,
    votedFor: state.votedFor
  })
  state.role = "leader"
  state.leader = state.id
  state.votes = []
  resetElectionTimer(draft)
  state.heartbeatElapsed = 0
  lease.begin(draft)
  state.termStartIndex = state.lastIndex + 1
  state.progress = progresses.forMembers(configuration(draft), state.id, [], state.lastIndex)
  append(draft, [opening(draft)])
  broadcastAppend(draft)
}

// -----------------------------------------------------------------------------
// answering
// -----------------------------------------------------------------------------

const isUpToDate = (draft: Draft, { lastIndex, lastTerm }: PreVote | RequestVote): boolean => {
  const { state } = draft
  const isNoOlder = lastTerm > state.lastTerm || (lastTerm === state.lastTerm && lastIndex >= state.lastIndex)
  return isNoOlder && hasAllHeardOf(draft, lastIndex)
}

/** A member that hears its leader wants no other, unless it is the leader itself that asks: then it no longer leads. */
export const refusesElections = (draft: Draft, candidate: MemberId): boolean =>
  leaderIsAlive(draft) && draft.state.leader !== candidate

/**
 * Changes nothing, whatever the answer: neither term nor vote nor timer. Whoever is not in this member's configuration
 * is answered as well: it may have been added by an entry that is still on its way here. Only one that is known to be
 * removed is told so instead.
 */
export const onPreVote = (draft: Draft, message: PreVote): void => {
  const { state } = draft
  if (isRemoved(draft, message.from)) {
    sendRemoved(draft, message.from)
    return
  }
  const isWanted = !refusesElections(draft, message.from) && !lease.isPromised(draft, message.from)
  const granted = message.askedTerm > state.term && isWanted && isUpToDate(draft, message)
  const { askedTerm, from } = message
  send(draft, { _tag: "PreVoteReply", from: state.id, to: from, term: state.term, askedTerm, granted })
}

export const refuseVote = (draft: Draft, message: RequestVote): void => {
  const { state } = draft
  const { askedTerm, from } = message
  send(draft, { _tag: "VoteReply", from: state.id, to: from, term: state.term, askedTerm, granted: false })
}

/** Called in the term that is asked about. */
export const onRequestVote = (draft: Draft, message: RequestVote): void => {
  const { state } = draft
  const free = state.votedFor === undefined && state.leader === undefined
  if (!(free || state.votedFor === message.from) || !isUpToDate(draft, message)) {
    refuseVote(draft, message)
    return
  }
  voteFor(draft, message.from)
  resetElectionTimer(draft)
  const { askedTerm, from } = message
  send(draft, { _tag: "VoteReply", from: state.id, to: from, term: state.term, askedTerm, granted: true })
}
