import * as Quorum from "../../Quorum.js"
import { configuration, type Draft, editProgress, termAt } from "./draft.js"
import { noticeCommit } from "./heartbeat.js"
import { assertInvariant } from "./invariant.js"
import * as reads from "./reads.js"

/**
 * Commits what a majority holds durably, if it is of the leader's own term: an older entry on a majority can still be
 * overwritten by a later leader, and is committed only by one of the present term on top of it. The leader counts
 * itself like any other voter, with what is durable, and not at all while it is leaving. Who votes is what the newest
 * configuration says, even for the entries before it.
 */
export const maybeCommit = (draft: Draft): void => {
  const { state } = draft
  const durable = configuration(draft).voters.map(voter =>
    voter === state.id ? state.durableIndex : (state.progress.find(progress => progress.id === voter)?.matchIndex ?? 0)
  )
  const index = Quorum.reached(durable)
  // entries from the no-op on, and only they, are of the leader's term
  if (index <= state.commitIndex || index < state.termStartIndex) return
  assertInvariant(termAt(draft, index) === state.term, "a leader commits by counting only in its own term", {
    id: state.id,
    index,
    entryTerm: termAt(draft, index),
    term: state.term
  })
  state.commitIndex = index
  releaseUncommitted(draft)
  for (const { id } of state.progress) {
    const progress = editProgress(draft, id)
    if (progress !== undefined) noticeCommit(draft, progress)
  }
  reads.onCommitAdvanced(draft)
}

/** The byte count is the sum of the batches still beyond the commit index: what went in comes out, whole. */
const releaseUncommitted = (draft: Draft): void => {
  const { state } = draft
  const stay = state.uncommitted.findIndex(batch => batch.lastIndex > state.commitIndex)
  if (stay === 0) return
  state.uncommitted = stay === -1 ? [] : state.uncommitted.slice(stay)
  state.uncommittedBytes = state.uncommitted.reduce((sum, { bytes }) => sum + bytes, 0)
}
