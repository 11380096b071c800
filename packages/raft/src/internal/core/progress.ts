import type { MemberId } from "../../Membership.js"
import * as Membership from "../../Membership.js"
import type { Options } from "../../RaftOptions.js"
import type { Inflight, Progress } from "../../RaftState.js"
import type { Mutable } from "./draft.js"

/** What a leader assumes of a member it has not heard of: nothing but that its log may end where the leader's does. */
const make = (id: MemberId, lastIndex: number): Progress => ({
  id,
  phase: "probe",
  matchIndex: 0,
  nextIndex: lastIndex + 1,
  paused: false,
  inflight: [],
  inflightBytes: 0,
  snapshotFailures: 0,
  snapshotPause: 0,
  active: false,
  ackedRound: 0,
  sentCommit: 0,
  heartbeatIndex: 0,
  catchUp: undefined
})

/**
 * One record for each other member of a configuration: what was known of it is kept, and a learner begins its first
 * round.
 */
export const forMembers = (
  configuration: Membership.Configuration,
  self: MemberId,
  known: ReadonlyArray<Progress>,
  lastIndex: number
): ReadonlyArray<Progress> =>
  Membership.members(configuration)
    .filter(id => id !== self)
    .map(id => {
      const progress = known.find(other => other.id === id) ?? make(id, lastIndex)
      const isLearner = configuration.learners.includes(id)
      if (isLearner === (progress.catchUp !== undefined)) return progress
      return { ...progress, catchUp: isLearner ? { lastIndex, ticks: 0 } : undefined }
    })

const clearInflight = (progress: Mutable<Progress>): void => {
  progress.inflight = []
  progress.inflightBytes = 0
}

/** Asks one question at a time from `nextIndex` on. Never at or below what is known to match. */
export const becomeProbe = (progress: Mutable<Progress>, nextIndex: number): void => {
  progress.phase = "probe"
  progress.nextIndex = Math.max(nextIndex, progress.matchIndex + 1)
  progress.paused = false
  clearInflight(progress)
}

/** The follower has nothing any more of what it had. */
export const forget = (progress: Mutable<Progress>): void => {
  progress.matchIndex = 0
  progress.sentCommit = 0
  becomeProbe(progress, 1)
}

export const becomeReplicate = (progress: Mutable<Progress>): void => {
  progress.phase = "replicate"
  progress.nextIndex = progress.matchIndex + 1
  progress.paused = false
  progress.snapshotFailures = 0
  progress.snapshotPause = 0
  clearInflight(progress)
}

/** The entries it needs are gone from the leader's log. */
export const becomeSnapshot = (progress: Mutable<Progress>): void => {
  progress.phase = "snapshot"
  progress.paused = true
  progress.snapshotPause = 0
  clearInflight(progress)
}

export const isWindowFull = (progress: Progress, options: Options): boolean =>
  progress.inflight.length >= options.inflightMessagesMax || progress.inflightBytes >= options.inflightBytesMax

export const addInflight = (progress: Mutable<Progress>, inflight: Inflight): void => {
  progress.inflight = [...progress.inflight, inflight]
  progress.inflightBytes += inflight.bytes
}

/** Forgets the messages answered by a match: the windows' bytes are the sum of what stays, so they cannot leak. */
export const releaseInflight = (progress: Mutable<Progress>, matchIndex: number): void => {
  const stay = progress.inflight.findIndex(({ lastIndex }) => lastIndex > matchIndex)
  if (stay === 0) return
  progress.inflight = stay === -1 ? [] : progress.inflight.slice(stay)
  progress.inflightBytes = progress.inflight.reduce((sum, { bytes }) => sum + bytes, 0)
}
