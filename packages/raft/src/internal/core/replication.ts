import * as LogEntry from "../../LogEntry.js"
import type { AppendReply, HeartbeatReply } from "../../Message.js"
import type { Progress } from "../../RaftState.js"
import { maybeCommit } from "./commit.js"
import { setAside } from "./contradiction.js"
import { type Draft, editProgress, entriesFrom, lastIndexWithin, type Mutable, send, termAt } from "./draft.js"
import { noticeCommit } from "./heartbeat.js"
import { assertInvariant } from "./invariant.js"
import * as progresses from "./progress.js"
import * as reads from "./reads.js"
import * as transfer from "./transfer.js"

/** The leader's side of the log. */

/**
 * Where what comes next for a follower is gone from the log, has a snapshot sent to it, and nothing more until then. Not
 * even the term before is known there, and a question with a made-up one would be answered. Says whether it was so.
 */
const resortToSnapshot = (draft: Draft, progress: Mutable<Progress>): boolean => {
  const { log, state } = draft
  if (progress.nextIndex >= log.firstIndex) return false
  progresses.becomeSnapshot(progress)
  draft.outputs.push({
    _tag: "SendSnapshot",
    to: progress.id,
    term: state.term,
    throughIndex: log.firstIndex - 1
  })
  return true
}

/** One AppendEntries from `nextIndex` on. */
const sendAppend = (draft: Draft, progress: Mutable<Progress>, entries: ReadonlyArray<LogEntry.LogEntry>): void => {
  const { state } = draft
  const prevIndex = progress.nextIndex - 1
  progress.sentCommit = Math.max(progress.sentCommit, Math.min(state.commitIndex, prevIndex + entries.length))
  send(draft, {
    _tag: "AppendEntries",
    from: state.id,
    to: progress.id,
    term: state.term,
    prevIndex,
    prevTerm: termAt(draft, prevIndex),
    entries,
    commit: state.commitIndex,
    round: state.round
  })
}

/**
 * Messages of entries from before this step that it sends a follower. One that is far behind would have a whole window read
 * from the disk at once, while all the others wait; so its window fills by two messages for each that it answers.
 */
const catchUpMessagesMax = 2

/**
 * Sends a follower what it may have now: one question while probing, else as many messages as the window takes, where they
 * are of what is new.
 */
export const replicate = (draft: Draft, progress: Mutable<Progress>): void => {
  const { options } = draft.state
  if (progress.phase === "snapshot") return
  if (progress.phase === "probe") {
    if (progress.paused || resortToSnapshot(draft, progress)) return
    sendAppend(draft, progress, entriesFrom(draft, progress.nextIndex))
    progress.paused = true
    return
  }
  let older = 0
  while (progress.nextIndex <= draft.state.lastIndex && !progresses.isWindowFull(progress, options)) {
    if (resortToSnapshot(draft, progress)) return
    if (progress.nextIndex <= draft.log.lastIndex) older += 1
    if (older > catchUpMessagesMax) return
    const entries = entriesFrom(draft, progress.nextIndex)
    const last = entries[entries.length - 1]
    assertInvariant(last !== undefined, "an entry up to the last one can be read", {
      id: draft.state.id,
      nextIndex: progress.nextIndex,
      lastIndex: draft.state.lastIndex
    })
    sendAppend(draft, progress, entries)
    progresses.addInflight(progress, { lastIndex: last.index, bytes: LogEntry.totalBytes(entries) })
    // on the assumption that it arrives; a refusal or a heartbeat's answer corrects it
    progress.nextIndex = last.index + 1
  }
}

export const broadcastAppend = (draft: Draft): void => {
  for (const { id } of draft.state.progress) {
    const progress = editProgress(draft, id)
    if (progress !== undefined) replicate(draft, progress)
  }
}

/** The record of who answers, if it is one that this member asks. An answer to a round that was never asked is to somebody else's question. */
const answering = (draft: Draft, { from, round }: AppendReply | HeartbeatReply): Mutable<Progress> | undefined =>
  round <= draft.state.round ? editProgress(draft, from) : undefined

/** Whatever answer arrived, its sender follows, and did when this round was sent. */
const noteAnswer = (progress: Mutable<Progress>, round: number): void => {
  progress.active = true
  progress.ackedRound = Math.max(progress.ackedRound, round)
}

export const onAppendReply = (draft: Draft, message: AppendReply): void => {
  const { state } = draft
  const progress = answering(draft, message)
  if (progress === undefined) return
  noteAnswer(progress, message.round)
  switch (message.result._tag) {
    case "Matched":
      if (message.result.matchIndex > state.lastIndex) {
        // a follower holds more than it was sent only where it has committed it
        setAside(draft, "behind", message.from, message.result.matchIndex)
        return
      }
      onMatched(draft, progress, message.result.matchIndex)
      break
    case "Conflict":
      onConflict(draft, progress, message.result)
      break
    case "Lost":
      onLost(draft, progress)
      break
  }
  transfer.proceed(draft, progress)
  if (state.reads.length > 0) reads.release(draft)
}

const onMatched = (draft: Draft, progress: Mutable<Progress>, matchIndex: number): void => {
  const advanced = matchIndex > progress.matchIndex
  if (advanced) {
    progress.matchIndex = matchIndex
    progress.nextIndex = Math.max(progress.nextIndex, matchIndex + 1)
  }
  const isAnswer =
    progress.phase === "snapshot"
      ? // wherever it came from: the log goes on from there, or it is still too little
        matchIndex >= draft.log.firstIndex - 1
      : // one from before the present probe says nothing about the question asked
        progress.phase === "probe" && matchIndex === progress.matchIndex
  if (isAnswer) {
    progresses.becomeReplicate(progress)
  } else {
    progresses.releaseInflight(progress, matchIndex)
  }
  if (advanced) maybeCommit(draft)
  replicate(draft, progress)
  noticeCommit(draft, progress)
}

/**
 * A refusal. Old and overtaken ones are told by the question they repeat and change nothing; a true one sets
 * `nextIndex` to the first place where the logs may still part, a whole term at a time.
 */
const onConflict = (
  draft: Draft,
  progress: Mutable<Progress>,
  conflict: { readonly prevIndex: number; readonly hintIndex: number; readonly hintTerm: number }
): void => {
  if (progress.phase === "snapshot") return
  if (progress.phase === "replicate") {
    if (conflict.prevIndex <= progress.matchIndex) return
    progresses.becomeProbe(progress, progress.matchIndex + 1)
  } else {
    if (conflict.prevIndex !== progress.nextIndex - 1) return
    const known = Math.min(conflict.hintIndex, draft.state.lastIndex)
    const agreeing = lastIndexWithin(draft, known, conflict.hintTerm)
    progresses.becomeProbe(progress, Math.min(conflict.prevIndex, agreeing + 1))
  }
  replicate(draft, progress)
}

/** The follower came back with an empty disk: nothing that it had counts any more, and all is sent anew. An old answer costs one question. */
const onLost = (draft: Draft, progress: Mutable<Progress>): void => {
  if (progress.phase === "snapshot") return
  progresses.forget(progress)
  replicate(draft, progress)
}

/**
 * Says that the follower lives, never what it holds. If it is not known to hold everything that was sent before the heartbeat, a message may
 * have been lost: ask anew, with an empty one, whose refusal then shows the gap. What was sent after it can only be on its way.
 */
export const onHeartbeatReply = (draft: Draft, message: HeartbeatReply): void => {
  const { state } = draft
  const progress = answering(draft, message)
  if (progress === undefined) return
  noteAnswer(progress, message.round)
  if (progress.phase === "probe") {
    progress.paused = false
    replicate(draft, progress)
  } else if (progress.phase === "replicate" && progress.matchIndex < state.lastIndex) {
    const mayBeLost = progress.inflight.length > 0 && progress.matchIndex < progress.heartbeatIndex
    if (mayBeLost && !resortToSnapshot(draft, progress)) sendAppend(draft, progress, [])
    replicate(draft, progress)
  }
  transfer.proceed(draft, progress)
  if (state.reads.length > 0) reads.release(draft)
}
