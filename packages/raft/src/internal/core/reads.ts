import * as Quorum from "../../Quorum.js"
import type { ReadIndex } from "../../RaftInput.js"
import type { PendingRead, State } from "../../RaftState.js"
import { configuration, type Draft } from "./draft.js"
import { broadcastHeartbeat } from "./heartbeat.js"
import * as lease from "./lease.js"

/**
 * Linearizable reads. The index is noted when the read arrives, then a round of messages sent **after** that proves
 * that this leader still led. The other order would serve a stale index.
 *
 * One round is under way at a time, and serves all the reads that arrived before it: those that arrive meanwhile share
 * the next. A round whose messages were lost is overtaken by the next heartbeat. With a lease a read needs no round, but
 * each heartbeat begins one, to renew it.
 */

const unset = -1

/** A leader knows what is committed only once it has committed in its own term. */
export const hasCommittedInTerm = ({ state }: Pick<Draft, "state">): boolean =>
  state.commitIndex >= state.termStartIndex

/** A round of the only voter is answered as soon as it begins, and there is nothing to be noted for it. */
export const readIndexAlone = (state: State): number | undefined => {
  const { voters } = state.configurations[0].configuration
  const leadsAlone = state.role === "leader" && voters.length === 1 && voters[0] === state.id
  return leadsAlone && hasCommittedInTerm({ state }) ? state.commitIndex : undefined
}

export const onReadIndex = (draft: Draft, { elapsed, id }: ReadIndex): void => {
  const { state } = draft
  if (state.role !== "leader") {
    draft.outputs.push({ _tag: "ReadRefused", id, reason: "not_leader", leader: state.leader })
    return
  }
  if (hasCommittedInTerm(draft) && lease.holds(draft, answeredRound(draft), elapsed ?? 1)) {
    draft.outputs.push({ _tag: "ReadReady", id, index: state.commitIndex })
    return
  }
  if (state.reads.length >= state.options.pendingReadsMax) {
    draft.outputs.push({ _tag: "ReadRefused", id, reason: "overloaded", leader: state.leader })
    return
  }
  state.reads = [...state.reads, { id, index: hasCommittedInTerm(draft) ? state.commitIndex : unset, round: unset }]
  if (hasCommittedInTerm(draft) && !roundUnderWay(draft)) beginRound(draft)
}

const roundUnderWay = (draft: Draft): boolean => {
  const first = draft.state.reads[0]
  return first !== undefined && first.round !== unset
}

/** Begins a round where reads wait for one, or a lease does. The messages that follow carry it. */
export const openRound = (draft: Draft): void => {
  const { state } = draft
  const isAwaited = hasCommittedInTerm(draft) && state.reads.some(read => read.round === unset)
  if (!isAwaited && state.lease === undefined) return
  const round = state.round + 1
  state.round = round
  lease.onRound(draft)
  if (!isAwaited) return
  state.reads = state.reads.map(
    (read): PendingRead =>
      read.round === unset ? { id: read.id, index: read.index === unset ? state.commitIndex : read.index, round } : read
  )
}

const beginRound = (draft: Draft): void => {
  openRound(draft)
  broadcastHeartbeat(draft)
  release(draft)
}

/** Called when the leader commits: reads that waited for its first commit may begin. */
export const onCommitAdvanced = (draft: Draft): void => {
  if (draft.state.reads.length > 0 && !roundUnderWay(draft)) beginRound(draft)
}

/** The newest round that a majority has answered. */
const answeredRound = (draft: Draft): number => {
  const { state } = draft
  const acked = configuration(draft).voters.map(voter =>
    voter === state.id ? state.round : (state.progress.find(progress => progress.id === voter)?.ackedRound ?? 0)
  )
  return Quorum.reached(acked)
}

/** Serves the reads whose round a majority has answered, and sends the next round if others wait. */
export const release = (draft: Draft): void => {
  const { state } = draft
  if (!roundUnderWay(draft)) return
  const confirmed = answeredRound(draft)
  const served = state.reads.filter(read => read.round !== unset && read.round <= confirmed)
  if (served.length === 0) return
  // rounds only grow along the list and the unset ones stand at its end, so the served are a prefix
  state.reads = state.reads.slice(served.length)
  for (const read of served) draft.outputs.push({ _tag: "ReadReady", id: read.id, index: read.index })
  if (state.reads.length > 0 && !roundUnderWay(draft)) beginRound(draft)
}
