import type { SnapshotDelivered, SnapshotFailed } from "../../RaftInput.js"
import type { Progress } from "../../RaftState.js"
import { type Draft, editProgress, type Mutable } from "./draft.js"
import * as progresses from "./progress.js"
import { replicate } from "./replication.js"

/**
 * The leader's side of a snapshot on its way. What ends it is a match from which the log goes on. The word of whoever
 * carried it is none: after it the member is asked what it has, from the log's beginning on, and so one that is ahead
 * meanwhile is never sent a second.
 */

/** Doublings of the pause after a failure: from one election time-out to eight. */
const doublingsMax = 3

/** The record of the member whose snapshot this is about, while it is under way. */
const underWay = (draft: Draft, { term, to }: SnapshotDelivered | SnapshotFailed): Mutable<Progress> | undefined => {
  const { state } = draft
  if (state.role !== "leader" || term !== state.term) return undefined
  const known = state.progress.find(({ id }) => id === to)
  return known?.phase === "snapshot" && known.snapshotPause === 0 ? editProgress(draft, to) : undefined
}

const askAnew = (draft: Draft, progress: Mutable<Progress>): void => {
  progresses.becomeProbe(progress, draft.log.firstIndex)
  replicate(draft, progress)
}

export const onSnapshotDelivered = (draft: Draft, input: SnapshotDelivered): void => {
  const progress = underWay(draft, input)
  if (progress !== undefined) askAnew(draft, progress)
}

export const onSnapshotFailed = (draft: Draft, input: SnapshotFailed): void => {
  const progress = underWay(draft, input)
  if (progress === undefined) return
  progress.snapshotPause = draft.state.options.electionTicks * 2 ** Math.min(progress.snapshotFailures, doublingsMax)
  progress.snapshotFailures += 1
}

/**
 * Lets the pauses pass. One that was not heard of since the last CheckQuorum was away: its failures say nothing about it
 * when it is back, and it finds a question waiting.
 */
export const tickSnapshots = (draft: Draft, isCheckDue: boolean): void => {
  for (const { active, id, snapshotFailures } of draft.state.progress) {
    if (snapshotFailures === 0) continue
    const progress = editProgress(draft, id)
    if (progress === undefined) continue
    const wasAway = isCheckDue && !active
    if (wasAway) progress.snapshotFailures = 0
    if (progress.snapshotPause === 0) continue
    progress.snapshotPause = wasAway ? 0 : progress.snapshotPause - 1
    if (progress.snapshotPause === 0) askAnew(draft, progress)
  }
}
