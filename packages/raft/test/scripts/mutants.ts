import { type Message, Quorum, RaftCore } from "@reckon/raft"
import { commitUpTo, mapMessages, receive, type StepFunction, under } from "../core/mutants.js"

/** Cores with one rule broken, beyond those of the unit tests: the boxes that the scripts show and no other mutant breaks. */

/** Steps, and then makes the state another. */
const andThen =
  (
    change: (next: RaftCore.State, before: RaftCore.State, input: RaftCore.Input) => Partial<RaftCore.State>
  ): StepFunction =>
  (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    return { ...next, state: { ...next.state, ...change(next.state, state, input) } }
  }

const without =
  (isLost: (output: RaftCore.Output, input: RaftCore.Input) => boolean): StepFunction =>
  (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    return { ...next, outputs: next.outputs.filter(output => !isLost(output, input)) }
  }

const received = (input: RaftCore.Input, tag: Message.Message["_tag"]): boolean =>
  input._tag === "Receive" && input.message._tag === tag

const votersOf = (state: RaftCore.State): ReadonlyArray<string> => RaftCore.configuration(state).voters

/** The first voter that has not answered yet. */
const silent = (state: RaftCore.State): string | undefined =>
  votersOf(state).find(voter => !state.votes.some(({ id }) => id === voter))

/** Takes the grant of one more voter than there was, where this one does not win by itself. */
const withOneMore = (next: RaftCore.Step, log: RaftCore.LogView): RaftCore.Step => {
  const { state } = next
  const granted = state.votes.filter(vote => vote.granted).length
  const other = silent(state)
  if (state.role !== "candidate" || granted * 2 !== votersOf(state).length || other === undefined) return next
  const message = { from: other, to: state.id, term: state.term, askedTerm: state.term, granted: true }
  const won = RaftCore.step(state, { _tag: "Receive", message: { _tag: "VoteReply", ...message } }, log)
  return { state: won.state, outputs: [...next.outputs, ...won.outputs] }
}

/** Where half of the voters are, the leader with what is durable there. */
const reachedByHalf = (state: RaftCore.State): number => {
  const voters = votersOf(state)
  const held = voters.map(id =>
    id === state.id ? state.durableIndex : (state.progress.find(other => other.id === id)?.matchIndex ?? 0)
  )
  return Quorum.reached(voters.length % 2 === 0 ? [...held, state.lastIndex] : held)
}

const votes: Readonly<Record<string, StepFunction>> = {
  "counts the answers to an older vote (§4.1)": receive((message, state) =>
    message._tag === "VoteReply" && message.askedTerm < state.term ? { ...message, askedTerm: state.term } : message
  ),
  "counts the copy of an answer (§4.1)": receive((message, state) => {
    const isCopy = "granted" in message && state.votes.some(({ id }) => id === message.from)
    return isCopy ? { ...message, from: silent(state) ?? message.from } : message
  }),
  "is elected by half of an even group (§4.1)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    return received(input, "VoteReply") || input._tag === "Persisted" ? withOneMore(next, log) : next
  },
  "commits by half of an even group (§4.1)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (next.state.role !== "leader") return next
    const index = reachedByHalf(next.state)
    return index < next.state.termStartIndex ? next : commitUpTo(next, index)
  },
  "votes though it hears its leader (§4.1)": receive(message =>
    message._tag === "RequestVote" ? { ...message, transfer: true } : message
  ),
  "waits as long as everybody for the next election (§4.1)": andThen(({ options }) => ({
    electionTimeout: options.electionTicks
  }))
}

const disruption: Readonly<Record<string, StepFunction>> = {
  "helps to elect one who may lack what its own lost disk had (§4.6)": under(
    "heardCommitIndex",
    () => true,
    state => state.commitIndex
  ),
  "takes up the term of who asks for a pre-vote (§4.2)": (state, input, log) => {
    if (input._tag !== "Receive" || input.message._tag !== "PreVote") return RaftCore.step(state, input, log)
    const { from, term, to } = input.message
    const news: Message.Message = { _tag: "VoteReply", from, to, term, askedTerm: 0, granted: false }
    const first = RaftCore.step(state, { _tag: "Receive", message: news }, log)
    const second = RaftCore.step(first.state, input, log)
    return { state: second.state, outputs: [...first.outputs, ...second.outputs] }
  },
  "grants pre-votes without a look at the log (§4.2)": receive((message, state) =>
    message._tag === "PreVote" ? { ...message, lastIndex: state.lastIndex, lastTerm: state.lastTerm } : message
  ),
  "refuses the pre-vote of its own leader (§4.2)": under(
    "leader",
    input => received(input, "PreVote"),
    ({ id, leader }) => (leader === undefined ? undefined : id)
  ),
  "answers for its own next term, whatever was asked (§4.2)": mapMessages((message, state) =>
    message._tag === "PreVoteReply" ? { ...message, askedTerm: state.term + 1 } : message
  ),
  "keeps its old leader while it asks for a pre-vote (§4.2)": andThen((next, before) =>
    next.role === "pre_candidate" && before.role === "follower" ? { leader: before.leader } : {}
  ),
  "keeps the answers to the last pre-vote (§4.2)": andThen((next, before, input) =>
    next.role === "pre_candidate" && before.role === "pre_candidate" && input._tag !== "Receive"
      ? { votes: before.votes }
      : {}
  ),
  "stands without a pre-vote (§4.2)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (next.state.role !== "pre_candidate" || input._tag === "Receive") return next
    let { state: asking } = next
    let outputs: ReadonlyArray<RaftCore.Output> = []
    for (let from = silent(asking); from !== undefined && asking.role === "pre_candidate"; from = silent(asking)) {
      const { id: to, term } = asking
      const message = { from, to, term, askedTerm: term + 1, granted: true }
      const step = RaftCore.step(asking, { _tag: "Receive", message: { _tag: "PreVoteReply", ...message } }, log)
      asking = step.state
      outputs = step.outputs
    }
    return { state: asking, outputs }
  },
  "leads on though it hears no majority (§4.2)": under(
    "progress",
    input => input._tag === "Tick",
    ({ progress }) => progress.map(other => ({ ...other, active: true }))
  ),
  "leads on though its disk hangs (§4.2)": under(
    "watchedTicks",
    () => true,
    () => 0
  )
}

const replication: Readonly<Record<string, StepFunction>> = {
  "goes back by any refusal (§4.3)": andThen((next, _, input) =>
    input._tag === "Receive" && input.message._tag === "AppendReply" && input.message.result._tag === "Conflict"
      ? {
          progress: next.progress.map(other =>
            other.id === input.message.from ? { ...other, phase: "probe" as const, nextIndex: 1 } : other
          )
        }
      : {}
  ),
  "never gives the window back (§4.3)": andThen((next, before) => ({
    progress: next.progress.map(other => {
      const held = before.progress.find(({ id }) => id === other.id)
      return held !== undefined && held.inflight.length > other.inflight.length
        ? { ...other, inflight: held.inflight, inflightBytes: held.inflightBytes }
        : other
    })
  })),
  "never asks for what a full window lost (§4.3)": without(
    (output, input) =>
      received(input, "HeartbeatReply") &&
      (output._tag === "Send" || output._tag === "SendAfterPersist") &&
      output.message._tag === "AppendEntries"
  ),
  "never gives the uncommitted bytes back (§4.3)": andThen((next, before) => ({
    uncommittedBytes: Math.max(next.uncommittedBytes, before.uncommittedBytes)
  })),
  "applies what is committed before it is durable (§4.3)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    const { applyIndex, commitIndex } = next.state
    if (commitIndex <= applyIndex) return next
    const outputs: ReadonlyArray<RaftCore.Output> = [...next.outputs, { _tag: "Commit", index: commitIndex }]
    return { state: { ...next.state, applyIndex: commitIndex }, outputs }
  },
  "takes for durable what was durable before a cut (§4.3)": andThen((next, before) => ({
    durableIndex:
      next.truncateToken > before.truncateToken ? Math.min(before.durableIndex, next.lastIndex) : next.durableIndex
  })),
  "follows its leader's commit index downwards (§4.3)": andThen((next, _, input) =>
    input._tag === "Receive" && input.message._tag === "Heartbeat" && input.message.term === next.term
      ? { commitIndex: Math.min(next.commitIndex, input.message.commit) }
      : {}
  )
}

const others: Readonly<Record<string, StepFunction>> = {
  "stands as a learner when it is told to (§4.4)": (state, input, log) => {
    if (!received(input, "TimeoutNow")) return RaftCore.step(state, input, log)
    const [newest, ...older] = state.configurations
    const { learners, removed, voters } = newest.configuration
    if (!learners.includes(state.id)) return RaftCore.step(state, input, log)
    const configuration = { voters: [...voters, state.id], learners: [], removed }
    const next = RaftCore.step({ ...state, configurations: [{ ...newest, configuration }, ...older] }, input, log)
    return { ...next, state: { ...next.state, configurations: state.configurations } }
  },
  "lets a read share the round that is under way (§4.5)": andThen((next, before, input) =>
    input._tag === "ReadIndex" && before.reads.some(({ round }) => round > 0)
      ? { reads: next.reads.map(read => (read.round > 0 ? read : { ...read, round: before.round })) }
      : {}
  ),
  "serves reads before it has committed in its term (§4.5)": under(
    "termStartIndex",
    input => input._tag === "ReadIndex",
    ({ commitIndex, termStartIndex }) => Math.min(termStartIndex, commitIndex)
  ),
  "never gives a transfer up (§4.8)": andThen(({ transfer }) => ({
    transfer: transfer === undefined ? undefined : { ...transfer, ticks: 0 }
  })),
  "takes proposals while it hands over (§4.8)": under(
    "transfer",
    input => input._tag === "Propose",
    () => undefined
  ),
  "goes on when it was shown that it lost what it acknowledged (§4.6)": under(
    "contradiction",
    () => true,
    () => undefined
  ),
  "loses proposals without a word (§4.8)": without(({ _tag }) => _tag === "ProposalsRefused" || _tag === "Truncated")
}

export const scriptMutants: Readonly<Record<string, StepFunction>> = {
  ...votes,
  ...disruption,
  ...replication,
  ...others
}
