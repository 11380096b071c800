import type { Persisted } from "../../RaftInput.js"
import { maybeCommit } from "./commit.js"
import { configuration, type Draft } from "./draft.js"
import { onOwnVoteDurable } from "./election.js"
import { assertInvariant } from "./invariant.js"
import { becomeFollower } from "./roles.js"

/**
 * What is durable, from the completions of writes.
 *
 * A completion from before a cut that is still on its way vouches for nothing that the cut took: at the same index
 * there may be another entry by now. Completions from before one already heard of say nothing new.
 */
export const onPersisted = (draft: Draft, { heldUp = 0, lastIndex, token }: Persisted): void => {
  const { state } = draft
  assertInvariant(token <= state.issuedToken, "only what was asked for is persisted", {
    id: state.id,
    token,
    issuedToken: state.issuedToken
  })
  if (token <= state.persistedToken) return
  state.persistedToken = token
  const durable = token < state.truncateToken ? Math.min(lastIndex, state.truncatedFrom - 1) : lastIndex
  assertInvariant(durable <= state.lastIndex, "what is durable is in the log", {
    id: state.id,
    token,
    durable,
    lastIndex: state.lastIndex
  })
  state.durableIndex = Math.max(state.durableIndex, durable)
  if (token >= state.watchedToken) {
    state.watchedToken = state.issuedToken
    state.watchedTicks = 0
  }
  onOwnVoteDurable(draft)
  if (state.role !== "leader") return
  maybeCommit(draft)
  // It has written, but was silent for as long as no leader may be. Alone it has nobody to leave the lead to.
  const { voters } = configuration(draft)
  if (heldUp > state.options.electionTicks && voters.length > 1) becomeFollower(draft, undefined)
}

/**
 * Ages the oldest write it watches. When that one completes the newest is watched next, so a write is noticed to be stuck
 * after one to two election time-outs, at the cost of two numbers.
 */
export const tickStorage = (draft: Draft): void => {
  const { state } = draft
  if (state.watchedToken <= state.persistedToken) {
    state.watchedToken = state.issuedToken
    state.watchedTicks = 0
  }
  if (state.watchedToken > state.persistedToken) state.watchedTicks += 1
}

/** A member whose disk hangs must neither lead nor ask to: its heartbeats would freeze the group behind it. */
export const isStalled = (draft: Draft): boolean => draft.state.watchedTicks > draft.state.options.electionTicks
