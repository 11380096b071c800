import type { Progress } from "../../RaftState.js"
import { type Draft, editProgress, type Mutable, send } from "./draft.js"

/**
 * Tells a follower that its leader lives, how far the log is committed, and the present read round. The commit index goes
 * no further than what the follower is known to hold: beyond it the follower may have entries of its own.
 */
const sendHeartbeat = (draft: Draft, progress: Mutable<Progress>): void => {
  const { state } = draft
  const commit = Math.min(progress.matchIndex, state.commitIndex)
  progress.sentCommit = Math.max(progress.sentCommit, commit)
  progress.heartbeatIndex = progress.nextIndex - 1
  send(draft, { _tag: "Heartbeat", from: state.id, to: progress.id, term: state.term, commit, round: state.round })
}

export const broadcastHeartbeat = (draft: Draft): void => {
  draft.state.heartbeatElapsed = 0
  for (const { id } of draft.state.progress) {
    const progress = editProgress(draft, id)
    if (progress !== undefined) sendHeartbeat(draft, progress)
  }
}

/**
 * Brings the news of a commit to a follower that waits for nothing else. One with messages under way hears of it with the
 * next, or when the last of them is answered.
 */
export const noticeCommit = (draft: Draft, progress: Mutable<Progress>): void => {
  const known = Math.min(progress.matchIndex, draft.state.commitIndex)
  if (progress.phase === "replicate" && progress.inflight.length === 0 && progress.sentCommit < known) {
    sendHeartbeat(draft, progress)
  }
}
