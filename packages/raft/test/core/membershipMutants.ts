import { Membership, type Message, Quorum, RaftCore } from "@reckon/raft"
import { commitUpTo, receive, type StepFunction, under } from "./mutants.js"

/** Cores with one rule of the membership or of leadership transfer broken, each as some implementation once shipped it. */

const asksForChange = (input: RaftCore.Input): boolean => input._tag === "ChangeMembership"

const always = (): boolean => true

const asIf = (
  { configurations }: RaftCore.State,
  change: (configuration: Membership.Configuration) => Membership.Configuration
): Membership.History => {
  const [newest, ...older] = configurations
  return [{ index: newest.index, configuration: change(newest.configuration) }, ...older]
}

/** Commits what so many as a majority of `voters` hold, whoever they are, the leader with what is durable there. */
const commitBy =
  (counted: (state: RaftCore.State) => ReadonlyArray<string>): StepFunction =>
  (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (next.state.role !== "leader") return next
    const held = counted(next.state).map(id =>
      id === next.state.id
        ? next.state.durableIndex
        : (next.state.progress.find(progress => progress.id === id)?.matchIndex ?? 0)
    )
    const index = Quorum.reached(held)
    return index < next.state.termStartIndex ? next : commitUpTo(next, index)
  }

const drop =
  (isDropped: (message: Message.Message | Message.InstallSnapshot, state: RaftCore.State) => boolean): StepFunction =>
  (state, input, log) =>
    input._tag === "Receive" && isDropped(input.message, state)
      ? { state, outputs: [] }
      : RaftCore.step(state, input, log)

export const membershipMutants: Readonly<Record<string, StepFunction>> = {
  "changes the membership before it has committed in its term (§4.4)": under("termStartIndex", asksForChange, state =>
    Math.min(state.termStartIndex, state.commitIndex)
  ),
  "takes a second change while one is pending (§4.4)": under("configurations", asksForChange, state => [
    { index: Math.min(state.configurations[0].index, state.commitIndex), configuration: RaftCore.configuration(state) }
  ]),
  "gives a removed name again (§4.4)": under("configurations", asksForChange, state =>
    asIf(state, configuration => ({ ...configuration, removed: [] }))
  ),
  "forgets at its start what was appended and not yet committed (§4.4)": (state, input, log) => {
    const settled = state.configurations.at(-1)
    return state.issuedToken === 0 && settled !== undefined
      ? RaftCore.step({ ...state, configurations: [settled] }, input, log)
      : RaftCore.step(state, input, log)
  },
  "keeps a configuration that was cut off (§4.4)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    const cut = next.outputs.some(output => output._tag === "Truncated")
    const kept = cut && state.configurations[0].index > next.state.configurations[0].index
    return kept ? { ...next, state: { ...next.state, configurations: state.configurations } } : next
  },
  "goes by a configuration only once it is committed, without the guards that needs (§4.4)": commitBy(
    ({ configurations }) => (configurations.at(-1) ?? configurations[0]).configuration.voters
  ),
  "counts learners among the majority (§4.4)": commitBy(state => {
    const { voters } = RaftCore.configuration(state)
    const best = [...state.progress].sort((a, b) => b.matchIndex - a.matchIndex).map(({ id }) => id)
    return [...new Set([...voters.filter(id => id === state.id), ...best])].slice(0, voters.length)
  }),
  "counts itself while it is leaving (§4.4)": commitBy(state => {
    const { voters } = RaftCore.configuration(state)
    return voters.includes(state.id) ? voters : [state.id, ...voters.slice(1)]
  }),
  "asks for elections as a learner (§4.4)": under(
    "configurations",
    input => input._tag === "Tick" || input._tag === "Campaign",
    state =>
      asIf(state, configuration =>
        configuration.learners.includes(state.id) ? Membership.promote(configuration, state.id) : configuration
      )
  ),
  "refuses its vote where its own configuration gives it none (§4.4)": drop(
    (message, state) =>
      (message._tag === "RequestVote" || message._tag === "PreVote") &&
      !RaftCore.configuration(state).voters.includes(state.id)
  ),
  "refuses votes to members it has not heard of (§4.4)": drop(
    (message, state) =>
      (message._tag === "RequestVote" || message._tag === "PreVote") &&
      !RaftCore.configuration(state).voters.includes(message.from)
  ),
  "asks for no election any more once its removal is appended (§4.4)": under(
    "removed",
    input => input._tag === "Tick",
    state => state.removed || !RaftCore.configuration(state).voters.includes(state.id)
  ),
  "goes on asking for elections when it was told that it is removed (§4.2)": under("removed", always, () => false),
  "does not tell the removed (§4.2)": drop(message => message._tag === "Removed"),
  "never makes a voter of a learner (§4.4)": (state, input, log) =>
    RaftCore.step(
      {
        ...state,
        progress: state.progress.map(progress =>
          progress.catchUp === undefined
            ? progress
            : { ...progress, catchUp: { ...progress.catchUp, ticks: state.options.electionTicks + 1 } }
        )
      },
      input,
      log
    ),
  "refuses votes for its leader's sake when the leader hands over (§4.2)": receive(message =>
    message._tag === "RequestVote" ? { ...message, transfer: false } : message
  ),
  "asks for a pre-vote when the leader hands over (§4.8)": (state, input, log) =>
    RaftCore.step(
      state,
      input._tag === "Receive" && input.message._tag === "TimeoutNow" ? { _tag: "Campaign" } : input,
      log
    )
}
