import { type Message, Quorum, RaftCore } from "@reckon/raft"

/** Cores with one rule broken, each as some implementation once shipped it. */

export type StepFunction = typeof RaftCore.step

const mapOutputs =
  (change: (output: RaftCore.Output, state: RaftCore.State) => RaftCore.Output): StepFunction =>
  (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    return { state: next.state, outputs: next.outputs.map(output => change(output, next.state)) }
  }

export const mapMessages = (
  change: (message: Message.Message, state: RaftCore.State) => Message.Message
): StepFunction =>
  mapOutputs((output, state) =>
    output._tag === "Send" || output._tag === "SendAfterPersist"
      ? { ...output, message: change(output.message, state) }
      : output
  )

const sendEarly = (tag: Message.Message["_tag"]): StepFunction =>
  mapOutputs(output =>
    output._tag === "SendAfterPersist" && output.message._tag === tag
      ? { _tag: "Send", message: output.message }
      : output
  )

/** Steps with another state than the true one, and puts back what was changed in it where the step left it alone. */
export const under =
  <K extends keyof RaftCore.State>(
    field: K,
    applies: (input: RaftCore.Input) => boolean,
    change: (state: RaftCore.State) => RaftCore.State[K]
  ): StepFunction =>
  (state, input, log) => {
    if (!applies(input)) return RaftCore.step(state, input, log)
    const changed = change(state)
    const next = RaftCore.step({ ...state, [field]: changed }, input, log)
    return next.state[field] === changed ? { ...next, state: { ...next.state, [field]: state[field] } } : next
  }

export const receive =
  (change: (message: Message.Message, state: RaftCore.State) => Message.Message): StepFunction =>
  (state, input, log) =>
    RaftCore.step(
      state,
      input._tag === "Receive" && input.message._tag !== "InstallSnapshot"
        ? { _tag: "Receive", message: change(input.message, state) }
        : input,
      log
    )

export const commitUpTo = (next: RaftCore.Step, commitIndex: number): RaftCore.Step => {
  if (commitIndex <= next.state.commitIndex) return next
  const applyIndex = Math.max(next.state.applyIndex, Math.min(commitIndex, next.state.durableIndex))
  const outputs: Array<RaftCore.Output> = [...next.outputs]
  if (applyIndex > next.state.applyIndex) outputs.push({ _tag: "Commit", index: applyIndex })
  return { state: { ...next.state, commitIndex, applyIndex }, outputs }
}

/** The indices the voters are known to hold durably, as the leader sees it. */
const matches = (state: RaftCore.State, own: number): ReadonlyArray<number> => {
  const { voters } = RaftCore.configuration(state)
  const others = state.progress.filter(({ id }) => voters.includes(id)).map(({ matchIndex }) => matchIndex)
  return voters.includes(state.id) ? [own, ...others] : others
}

export const mutants: Readonly<Record<string, StepFunction>> = {
  "commits an entry of an older term by counting (§4.3)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (next.state.role !== "leader") return next
    return commitUpTo(next, Quorum.reached(matches(next.state, next.state.durableIndex)))
  },
  "counts its own entries before they are durable (§4.6)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (next.state.role !== "leader") return next
    const index = Quorum.reached(matches(next.state, next.state.lastIndex))
    return index < next.state.termStartIndex ? next : commitUpTo(next, index)
  },
  "acknowledges entries before they are durable (§4.1)": sendEarly("AppendReply"),
  "votes before the vote is durable (§4.1)": sendEarly("VoteReply"),
  "asks for votes before its own is durable (§4.1)": sendEarly("RequestVote"),
  "stores the term without the vote (§4.1)": mapOutputs(output =>
    output._tag === "Persist" && output.hardState !== undefined
      ? { ...output, hardState: { ...output.hardState, votedFor: undefined } }
      : output
  ),
  "forgets its vote when it steps down in a term (§4.1)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    const steppedDown = state.role !== "follower" && next.state.role === "follower" && next.state.term === state.term
    return steppedDown ? { ...next, state: { ...next.state, votedFor: undefined } } : next
  },
  "votes for shorter logs (§4.2)": receive((message, state) =>
    message._tag === "RequestVote" || message._tag === "PreVote"
      ? { ...message, lastIndex: Math.max(message.lastIndex, state.lastIndex), lastTerm: state.lastTerm }
      : message
  ),
  "takes a heartbeat's answer for a match (§4.3)": receive((message, state) =>
    message._tag === "HeartbeatReply" && message.term === state.term && state.role === "leader"
      ? { ...message, _tag: "AppendReply", result: { _tag: "Matched", matchIndex: state.lastIndex } }
      : message
  ),
  "sends its whole commit index in heartbeats (§4.3)": mapMessages((message, state) =>
    message._tag === "Heartbeat" ? { ...message, commit: state.commitIndex } : message
  ),
  "commits beyond what the leader verified (§4.3)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (input._tag !== "Receive" || input.message._tag !== "AppendEntries") return next
    if (next.state.leader !== input.message.from) return next
    return commitUpTo(next, Math.min(input.message.commit, next.state.lastIndex))
  },
  "lets a late completion confirm what was rewritten since (§4.3)": (state, input, log) =>
    RaftCore.step(input._tag === "Persisted" ? { ...state, truncateToken: 0 } : state, input, log),
  "serves reads without asking whether it still leads (§4.5)": (state, input, log) => {
    if (input._tag !== "ReadIndex" || state.role !== "leader") return RaftCore.step(state, input, log)
    return { state, outputs: [{ _tag: "ReadReady", id: input.id, index: state.commitIndex }] }
  },
  "takes any answer for a confirmation of the newest read (§4.5)": receive((message, state) =>
    message._tag === "HeartbeatReply" || message._tag === "AppendReply" ? { ...message, round: state.round } : message
  )
}
