import type { InstallSnapshot, Message } from "../../Message.js"
import * as Quorum from "../../Quorum.js"
import type { Input } from "../../RaftInput.js"
import type { Step } from "../../RaftOutput.js"
import type { LogView, State } from "../../RaftState.js"
import { begin, configuration, type Draft, editProgress, enterTerm, finish, send } from "./draft.js"
import * as election from "./election.js"
import * as follower from "./follower.js"
import { broadcastHeartbeat } from "./heartbeat.js"
import * as lease from "./lease.js"
import * as membership from "./membership.js"
import { onPropose } from "./proposals.js"
import * as reads from "./reads.js"
import * as replication from "./replication.js"
import { becomeFollower } from "./roles.js"
import * as snapshots from "./snapshots.js"
import * as storage from "./storage.js"
import * as transfer from "./transfer.js"

export const step = (state: State, input: Input, log: LogView): Step => {
  const draft = begin(state, log)
  switch (input._tag) {
    case "Tick":
      onTick(draft, input.elapsed ?? 1)
      break
    case "Receive":
      onReceive(draft, input.message)
      break
    case "Propose":
      onPropose(draft, input)
      break
    case "Persisted":
      storage.onPersisted(draft, input)
      break
    case "ReadIndex":
      reads.onReadIndex(draft, input)
      break
    case "Campaign":
      election.campaign(draft)
      break
    case "ChangeMembership":
      membership.onChangeMembership(draft, input)
      break
    case "TransferLeadership":
      transfer.onTransferLeadership(draft, input)
      break
    case "SnapshotDelivered":
      snapshots.onSnapshotDelivered(draft, input)
      break
    case "SnapshotFailed":
      snapshots.onSnapshotFailed(draft, input)
      break
  }
  membership.settleMembership(draft)
  return finish(draft)
}

// -----------------------------------------------------------------------------
// time
// -----------------------------------------------------------------------------

const onTick = (draft: Draft, elapsed: number): void => {
  const { state } = draft
  lease.tickPromise(draft)
  lease.tickLease(draft, elapsed)
  storage.tickStorage(draft)
  transfer.tickTransfer(draft)
  state.electionElapsed += 1
  if (state.role === "leader") onLeaderTick(draft)
  else if (state.electionElapsed >= state.electionTimeout && !storage.isStalled(draft)) election.campaign(draft)
}

const onLeaderTick = (draft: Draft): void => {
  const { state } = draft
  const isCheckDue = state.electionElapsed >= state.options.electionTicks
  snapshots.tickSnapshots(draft, isCheckDue)
  if (storage.isStalled(draft) || (isCheckDue && !hearsMajority(draft))) {
    becomeFollower(draft, undefined)
    return
  }
  if (isCheckDue) state.electionElapsed = 0
  membership.tickCatchUp(draft)
  state.heartbeatElapsed += 1
  if (state.heartbeatElapsed < state.options.heartbeatTicks) return
  reads.openRound(draft)
  broadcastHeartbeat(draft)
}

/**
 * CheckQuorum: whether a majority of the voters spoke since the last check, itself included if it is one. Starts the
 * next.
 */
const hearsMajority = (draft: Draft): boolean => {
  const { state } = draft
  const { voters } = configuration(draft)
  let heard = voters.includes(state.id) ? 1 : 0
  for (const { active, id } of state.progress) {
    if (!active) continue
    if (voters.includes(id)) heard += 1
    const progress = editProgress(draft, id)
    if (progress !== undefined) progress.active = false
  }
  return heard >= Quorum.size(voters.length)
}

// -----------------------------------------------------------------------------
// messages
// -----------------------------------------------------------------------------

/** What only the leader of its term says. */
type LeaderMessage = Extract<Message, { readonly _tag: "AppendEntries" | "Heartbeat" | "TimeoutNow" }> | InstallSnapshot

const onReceive = (draft: Draft, message: Message | InstallSnapshot): void => {
  const { state } = draft
  // not for this member, or its own: a wrong address book, never a reason to act
  if (message.to !== state.id || message.from === state.id) return
  if (state.contradiction !== undefined) return
  switch (message._tag) {
    case "PreVote":
      election.onPreVote(draft, message)
      break
    case "RequestVote":
      onRequestVote(draft, message)
      break
    case "PreVoteReply":
    case "VoteReply":
      if (isStrangerToLeader(draft, message.from)) break
      // these name the term they answer for, so they count even from a member of an older term
      if (message.term > state.term) adopt(draft, message.term)
      else if (message._tag === "PreVoteReply") election.onPreVoteReply(draft, message)
      else election.onVoteReply(draft, message)
      break
    case "AppendEntries":
    case "Heartbeat":
    case "InstallSnapshot":
    case "TimeoutNow":
      // where a lost majority comes back to a group that went on without it, its leader leads nobody here
      if (membership.isRemoved(draft, message.from)) {
        membership.sendRemoved(draft, message.from)
        break
      }
      if (message.term > state.term) adopt(draft, message.term)
      if (message.term < state.term) answerDeposed(draft, message)
      else onLeaderMessage(draft, message)
      break
    case "AppendReply":
    case "HeartbeatReply":
      if (isStrangerToLeader(draft, message.from)) break
      if (message.term > state.term) adopt(draft, message.term)
      else if (message.term < state.term || state.role !== "leader") break
      else if (message._tag === "AppendReply") replication.onAppendReply(draft, message)
      else replication.onHeartbeatReply(draft, message)
      break
    case "Removed":
      state.removed = true
      if (state.role !== "follower") becomeFollower(draft, undefined)
      break
  }
}

/** What one that left still answers, to whatever question, is no reason for a leader to step down. */
const isStrangerToLeader = ({ state }: Draft, from: string): boolean =>
  state.role === "leader" && !state.progress.some(({ id }) => id === from)

const onLeaderMessage = (draft: Draft, message: LeaderMessage): void => {
  switch (message._tag) {
    case "AppendEntries":
      follower.onAppendEntries(draft, message)
      break
    case "Heartbeat":
      follower.onHeartbeat(draft, message)
      break
    case "InstallSnapshot":
      follower.onInstallSnapshot(draft, message)
      break
    case "TimeoutNow":
      // a disk that hangs could not carry a leader
      if (follower.follow(draft, message) && !storage.isStalled(draft)) election.onTimeoutNow(draft)
      break
  }
}

/** Somebody is in a later term: this member enters it too, and leads nothing any more. */
const adopt = (draft: Draft, term: number): void => {
  enterTerm(draft, term)
  becomeFollower(draft, undefined)
}

const onRequestVote = (draft: Draft, message: Extract<Message, { readonly _tag: "RequestVote" }>): void => {
  const { state } = draft
  if (membership.isRemoved(draft, message.from)) {
    membership.sendRemoved(draft, message.from)
    return
  }
  // a vote asked for behind the back of a living leader does not even change the term; one it sent forward itself is
  // another matter
  const isBehindItsBack =
    lease.isPromised(draft, message.from) ||
    (message.askedTerm > state.term && election.refusesElections(draft, message.from))
  if (message.askedTerm < state.term || (isBehindItsBack && !message.transfer)) {
    election.refuseVote(draft, message)
    return
  }
  if (message.askedTerm > state.term) adopt(draft, message.askedTerm)
  election.onRequestVote(draft, message)
}

/**
 * A leader of the past learns the present term from the answer and steps down; silence would leave it to CheckQuorum.
 * The answer confirms no round: it bears the new term, and whoever leads that one never asked.
 */
const answerDeposed = (draft: Draft, message: LeaderMessage): void =>
  send(draft, { _tag: "HeartbeatReply", from: draft.state.id, to: message.from, term: draft.state.term, round: 0 })
