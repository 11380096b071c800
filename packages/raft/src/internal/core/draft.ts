import * as LogEntry from "../../LogEntry.js"
import type { MemberId } from "../../Membership.js"
import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import type { Install, Output, Persist, Step } from "../../RaftOutput.js"
import type { LogView, Progress, State } from "../../RaftState.js"
import type { Snapshot } from "../../Snapshot.js"
import { assertInvariant, broken } from "./invariant.js"

export type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/**
 * The next state while a step builds it. Scalars are written in place; arrays are replaced, never changed, since the
 * previous state still holds them. {@link editProgress} is the one way to a follower's record.
 */
export interface Draft {
  /** As it was before the step. */
  readonly before: State
  readonly state: Mutable<State>
  readonly log: LogView
  /** Everything but what stands first, from Persist or Install to MemberRemoved, which {@link finish} derives. */
  readonly outputs: Array<Output>
  /** The entries this step adds, a contiguous run that ends at `state.lastIndex`. */
  appended: ReadonlyArray<LogEntry.LogEntry>
  truncateFrom: number | undefined
  /** What this step puts in the place of the log. */
  installed: Snapshot | undefined
  /** The token this step's Persist will have, once something needs one. */
  token: number | undefined
}

export const begin = (before: State, log: LogView): Draft => {
  if (before.lastIndex !== log.lastIndex) {
    broken("the log is the one the core accepted", {
      id: before.id,
      term: before.term,
      lastIndex: before.lastIndex,
      logLastIndex: log.lastIndex
    })
  }
  if (log.firstIndex - 1 > before.commitIndex) {
    broken("only what is committed is cut off a log's beginning", {
      id: before.id,
      term: before.term,
      firstIndex: log.firstIndex,
      commitIndex: before.commitIndex
    })
  }
  return {
    before,
    state: { ...before },
    log,
    outputs: [],
    appended: [],
    truncateFrom: undefined,
    installed: undefined,
    token: undefined
  }
}

// -----------------------------------------------------------------------------
// the log as this step sees it
// -----------------------------------------------------------------------------

/** The first entry of the log, as this step leaves it. */
export const firstIndex = ({ installed, log }: Draft): number =>
  installed === undefined ? log.firstIndex : installed.index + 1

/** The term at an index, this step's own entries included. */
export const termAt = (draft: Draft, index: number): number => {
  if (index === draft.state.lastIndex) return draft.state.lastTerm
  const first = draft.appended[0]
  if (first !== undefined && index >= first.index) {
    const entry = draft.appended[index - first.index]
    if (entry !== undefined) return entry.term
  }
  if (index === 0) return 0
  if (index < firstIndex(draft) - 1 || index > draft.state.lastIndex) {
    return broken("the term asked for is in the log", {
      id: draft.state.id,
      index,
      firstIndex: firstIndex(draft),
      lastIndex: draft.state.lastIndex
    })
  }
  return draft.log.term(index)
}

/** Entries from an index on, this step's own included, limited as one AppendEntries is. */
export const entriesFrom = (draft: Draft, from: number): ReadonlyArray<LogEntry.LogEntry> => {
  const { appendBytesMax, appendEntriesMax } = draft.state.options
  const to = Math.min(draft.state.lastIndex, from + appendEntriesMax - 1)
  const firstAppended = draft.appended[0]?.index ?? draft.state.lastIndex + 1
  const found: Array<LogEntry.LogEntry> = []
  let bytes = 0
  if (from < firstAppended) {
    for (const entry of draft.log.entries(from, Math.min(to, firstAppended - 1), appendBytesMax)) {
      found.push(entry)
      bytes += LogEntry.sizeBytes(entry)
    }
    // cut short by its size: this step's entries would leave a gap behind it
    if (from + found.length < Math.min(to + 1, firstAppended)) return found
  }
  for (let index = Math.max(from, firstAppended); index <= to; index++) {
    const entry = draft.appended[index - firstAppended]
    if (entry === undefined) break
    bytes += LogEntry.sizeBytes(entry)
    if (found.length > 0 && bytes > appendBytesMax) break
    found.push(entry)
  }
  return found
}

/** The greatest index up to `index` whose term is at most `term`. Terms never fall along a log, so halving finds it. */
export const lastIndexWithin = (draft: Draft, index: number, term: number): number => {
  let low = Math.min(firstIndex(draft) - 1, index)
  let high = index
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (termAt(draft, middle) <= term) low = middle
    else high = middle - 1
  }
  return low
}

/** The configuration in force. */
export const configuration = (draft: Draft): Membership.Configuration => draft.state.configurations[0].configuration

/** Adds entries at the end of the log, and puts a configuration among them in force. At most once a step. */
export const append = (draft: Draft, entries: ReadonlyArray<LogEntry.LogEntry>): void => {
  const { state } = draft
  const first = entries[0]
  const last = entries[entries.length - 1]
  if (first === undefined || last === undefined) return
  assertInvariant(draft.appended.length === 0, "a step appends once", { id: state.id, index: first.index })
  assertInvariant(first.index === state.lastIndex + 1, "entries follow the log", {
    id: state.id,
    index: first.index,
    lastIndex: state.lastIndex
  })
  assertInvariant(first.term >= state.lastTerm && last.term <= state.term, "terms do not fall along the log", {
    id: state.id,
    entryTerm: first.term,
    lastTerm: state.lastTerm,
    term: state.term
  })
  draft.appended = entries
  state.lastIndex = last.index
  state.lastTerm = last.term
  for (const entry of entries) {
    if (entry.kind === "configuration") state.configurations = Membership.record(state.configurations, entry)
  }
  requirePersist(draft)
}

/**
 * Cuts the log before an index, and with it what counts as durable: what is rewritten there is a different entry. A
 * configuration that goes with it is in force no more.
 */
export const truncate = (draft: Draft, from: number): void => {
  const { state } = draft
  assertInvariant(from > state.commitIndex, "a committed entry is never truncated", {
    id: state.id,
    term: state.term,
    from,
    commitIndex: state.commitIndex
  })
  const lastTerm = termAt(draft, from - 1)
  state.lastIndex = from - 1
  state.lastTerm = lastTerm
  state.durableIndex = Math.min(state.durableIndex, from - 1)
  state.configurations = Membership.undo(state.configurations, from)
  draft.truncateFrom = from
  const pending = state.truncateToken > state.persistedToken
  state.truncatedFrom = pending ? Math.min(state.truncatedFrom, from) : from
  state.truncateToken = requirePersist(draft)
}

/**
 * Puts a snapshot in the place of the log, with the configuration that belongs to it: one from an entry that is gone is in
 * force no more.
 *
 * Nothing is applied until that is durable, for what was to be applied is gone from the log and not yet in the machine.
 * What counts as durable meanwhile is what is applied already, and completions of older writes vouch for no more: they
 * wrote another log.
 */
export const install = (draft: Draft, snapshot: Snapshot): void => {
  const { state } = draft
  assertInvariant(snapshot.index > state.commitIndex, "a snapshot takes back nothing that is committed", {
    id: state.id,
    term: state.term,
    index: snapshot.index,
    commitIndex: state.commitIndex
  })
  assertInvariant(draft.appended.length === 0 && draft.truncateFrom === undefined, "a step installs or appends", {
    id: state.id,
    index: snapshot.index
  })
  draft.installed = snapshot
  state.lastIndex = snapshot.index
  state.lastTerm = snapshot.term
  state.commitIndex = snapshot.index
  state.configurations = [snapshot.configuration]
  state.durableIndex = state.applyIndex
  state.truncatedFrom = state.applyIndex + 1
  state.truncateToken = requirePersist(draft)
}

// -----------------------------------------------------------------------------
// hard state
// -----------------------------------------------------------------------------

/** The token of this step's Persist. */
export const requirePersist = (draft: Draft): number => {
  if (draft.token === undefined) {
    draft.token = draft.state.issuedToken + 1
    draft.state.issuedToken = draft.token
  }
  return draft.token
}

export const enterTerm = (draft: Draft, term: number): void => {
  const { state } = draft
  assertInvariant(term > state.term, "a term only grows", { id: state.id, term: state.term, next: term })
  state.term = term
  state.votedFor = undefined
  state.hardStateToken = requirePersist(draft)
}

export const voteFor = (draft: Draft, candidate: MemberId): void => {
  const { state } = draft
  assertInvariant(state.votedFor === undefined || state.votedFor === candidate, "one vote a term", {
    id: state.id,
    term: state.term,
    votedFor: state.votedFor,
    candidate
  })
  if (state.votedFor === candidate) return
  state.votedFor = candidate
  state.hardStateToken = requirePersist(draft)
}

// -----------------------------------------------------------------------------
// outputs
// -----------------------------------------------------------------------------

/**
 * Sends once everything the message rests on is durable: always the sender's term and vote, and `token` besides.
 * A term that a crash could take back is never shown to anybody.
 */
export const send = (draft: Draft, message: Message, token = 0): void => {
  const needed = Math.max(token, draft.state.hardStateToken)
  draft.outputs.push(
    needed > draft.state.persistedToken
      ? { _tag: "SendAfterPersist", token: needed, message }
      : { _tag: "Send", message }
  )
}

/** A follower's record, to be changed in place: copied from the previous state on its first change in a step. */
export const editProgress = (draft: Draft, id: MemberId): Mutable<Progress> | undefined => {
  const { before, state } = draft
  const at = state.progress.findIndex(progress => progress.id === id)
  const current = state.progress[at]
  if (current === undefined) return undefined
  if (!before.progress.includes(current)) return current
  const copy: Mutable<Progress> = { ...current }
  state.progress = state.progress.map((progress, index) => (index === at ? copy : progress))
  return copy
}

/** Checks what must hold between steps, and puts the outputs in their order. */
export const finish = (draft: Draft): Step => {
  const { before, state } = draft
  const outputs: Array<Output> = []
  if (draft.token !== undefined) outputs.push(write(draft, draft.token))
  if (state.role !== before.role || state.term !== before.term || state.leader !== before.leader) {
    outputs.push({ _tag: "RoleChanged", role: state.role, term: state.term, leader: state.leader })
  }
  const gone = draft.installed === undefined ? draft.truncateFrom : before.applyIndex + 1
  if (gone !== undefined && gone <= before.lastIndex) outputs.push({ _tag: "Truncated", fromIndex: gone })
  const [inForce] = state.configurations
  if (!Membership.isSame(inForce, before.configurations[0])) outputs.push({ _tag: "MembershipChanged", ...inForce })
  state.configurations = Membership.settle(state.configurations, state.commitIndex)
  if (state.configurations !== before.configurations) {
    state.removed ||= Membership.committed(state.configurations, state.commitIndex).removed.includes(state.id)
  }
  const applyIndex = Math.min(state.commitIndex, state.durableIndex)
  if (applyIndex > state.applyIndex) {
    state.applyIndex = applyIndex
    outputs.push({ _tag: "Commit", index: applyIndex })
  }
  if (state.removed && !before.removed) outputs.push({ _tag: "MemberRemoved" })
  check(before, state)
  for (const output of draft.outputs) outputs.push(output)
  return { state, outputs }
}

const write = ({ appended, installed, state, truncateFrom }: Draft, token: number): Persist | Install => {
  const hardState = state.hardStateToken === token ? { term: state.term, votedFor: state.votedFor } : undefined
  return installed === undefined
    ? { _tag: "Persist", token, hardState, truncateFrom, entries: appended, lastIndex: state.lastIndex }
    : { _tag: "Install", token, hardState, snapshot: installed }
}

const check = (before: State, state: State): void => {
  const sound =
    state.term >= before.term &&
    state.commitIndex >= before.commitIndex &&
    state.applyIndex >= before.applyIndex &&
    state.applyIndex <= state.durableIndex &&
    state.commitIndex <= state.lastIndex &&
    state.durableIndex <= state.lastIndex &&
    state.lastTerm <= state.term &&
    state.configurations[0].index <= state.lastIndex &&
    state.persistedToken <= state.issuedToken
  if (!sound) {
    broken("applied ≤ durable, committed ≤ last, and nothing falls", {
      id: state.id,
      term: state.term,
      termBefore: before.term,
      applyIndex: state.applyIndex,
      applyIndexBefore: before.applyIndex,
      durableIndex: state.durableIndex,
      commitIndex: state.commitIndex,
      commitIndexBefore: before.commitIndex,
      lastIndex: state.lastIndex,
      lastTerm: state.lastTerm,
      configurationIndex: state.configurations[0].index,
      persistedToken: state.persistedToken,
      issuedToken: state.issuedToken
    })
  }
  for (const progress of state.progress) {
    if (progress.nextIndex <= progress.matchIndex || progress.matchIndex > state.lastIndex) {
      broken("match < next, match ≤ last", {
        id: state.id,
        term: state.term,
        peer: progress.id,
        matchIndex: progress.matchIndex,
        nextIndex: progress.nextIndex,
        lastIndex: state.lastIndex
      })
    }
  }
}
