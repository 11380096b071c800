import { type Message, RaftCore, type Simulator } from "@reckon/raft"
import type { StepFunction } from "./mutants.js"

/** Cores with one rule of snapshots broken, most as some implementation once shipped it. */

const installOf = ({ outputs }: RaftCore.Step): RaftCore.Install | undefined =>
  outputs.find(output => output._tag === "Install")

/** A step, with something else made of it where it installs a snapshot. */
const onInstall =
  (change: (next: RaftCore.Step, install: RaftCore.Install, before: RaftCore.State) => RaftCore.Step): StepFunction =>
  (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    const install = installOf(next)
    return install === undefined ? next : change(next, install, state)
  }

const withState = (next: RaftCore.Step, changed: Partial<RaftCore.State>): RaftCore.Step => ({
  ...next,
  state: { ...next.state, ...changed }
})

/** The snapshot that arrives, if one does and it is of the member's term. */
const arriving = (state: RaftCore.State, input: RaftCore.Input): Message.InstallSnapshot | undefined =>
  input._tag === "Receive" && input.message._tag === "InstallSnapshot" && input.message.term >= state.term
    ? input.message
    : undefined

const ignore =
  (tag: RaftCore.Input["_tag"]): StepFunction =>
  (state, input, log) =>
    input._tag === tag ? { state, outputs: [] } : RaftCore.step(state, input, log)

export const snapshotMutants: Readonly<Record<string, StepFunction>> = {
  "keeps its own membership when it installs a snapshot (§4.4: openraft#1808, openraft#1809)": onInstall(
    (next, _, { configurations }) => withState(next, { configurations })
  ),
  "acknowledges a snapshot before it is durable (§4.6)": onInstall(next => ({
    ...next,
    outputs: next.outputs.map(output =>
      output._tag === "SendAfterPersist" ? { _tag: "Send", message: output.message } : output
    )
  })),
  "counts a snapshot as applied before it is durable (§4.6: etcd#13766)": onInstall(
    (next, { snapshot: { index } }) => ({
      state: { ...next.state, durableIndex: index, applyIndex: index },
      outputs: [...next.outputs, { _tag: "Commit", index }]
    })
  ),
  "lets a completion from before a snapshot vouch for what the snapshot replaced (§4.3)": (state, input, log) => {
    const isInstalling = state.truncateToken > state.persistedToken && state.truncatedFrom === state.applyIndex + 1
    return RaftCore.step(
      isInstalling && input._tag === "Persisted" ? { ...state, truncateToken: 0 } : state,
      input,
      log
    )
  },
  "installs what is older than its own state (§4.7)": (state, input, log) => {
    const message = arriving(state, input)
    if (message === undefined || message.snapshot.index > state.commitIndex) return RaftCore.step(state, input, log)
    const { index } = message.snapshot
    const behind = Math.min(state.applyIndex, index - 1)
    const forgetful = { ...state, commitIndex: index - 1, applyIndex: behind, durableIndex: behind, lastTerm: 0 }
    return RaftCore.step(forgetful, input, {
      firstIndex: 1,
      lastIndex: log.lastIndex,
      term: () => 0,
      entries: log.entries
    })
  },
  "keeps the tail of another history behind a snapshot (Raft §7)": (state, input, log) => {
    const message = arriving(state, input)
    if (message === undefined) return RaftCore.step(state, input, log)
    const { snapshot } = message
    const isBeyond = snapshot.index <= state.commitIndex || snapshot.index > state.lastIndex
    const term = isBeyond ? snapshot.term : log.term(snapshot.index)
    return RaftCore.step(state, { _tag: "Receive", message: { ...message, snapshot: { ...snapshot, term } } }, log)
  },
  "takes the snapshot's index for that of its membership (§4.4: matrixone#24920, matrixone#24966)": onInstall(
    (next, { snapshot: { configuration, index } }) => withState(next, { configurations: [{ ...configuration, index }] })
  ),
  "continues after a snapshot as if its last entry were of the leader's term (§4.7: ra 919a6484)": onInstall(next =>
    withState(next, { lastTerm: next.state.term })
  ),
  "sends a snapshot again to one that has it (§4.7: ra 51f9810e)": (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    if (state.role !== "leader" || next.state.role !== "leader") return next
    const ended = state.progress.find(
      ({ id, phase }) =>
        phase === "snapshot" && next.state.progress.some(other => other.id === id && other.phase === "replicate")
    )
    if (ended === undefined) return next
    const progress = next.state.progress.map(other => (other.id === ended.id ? ended : other))
    const again = { to: ended.id, term: state.term, throughIndex: log.firstIndex - 1 }
    return {
      state: { ...next.state, progress },
      outputs: [...next.outputs, { _tag: "SendSnapshot", ...again }]
    }
  },
  "waits for ever for one whose snapshot failed (§4.7)": ignore("SnapshotFailed"),
  "does not ask one whose answer to a snapshot was lost (§4.3: etcd/raft 5e2260f)": ignore("SnapshotDelivered"),
  "asks with a made-up term where its log begins (§4.3: etcd/raft 76f1249)": (state, input, log) =>
    RaftCore.step(state, input, {
      firstIndex: 1,
      lastIndex: log.lastIndex,
      term: index => (index < log.firstIndex - 1 ? 0 : log.term(index)),
      entries: (from, to, bytesMax) =>
        to < log.firstIndex ? [] : log.entries(Math.max(from, log.firstIndex), to, bytesMax)
    })
}

/** Everything is believed where this is looked at. */
const trusting = (...unchecked: ReadonlyArray<string>): Partial<Simulator.SnapshotRules> => ({
  isSound: (checked, expected, found) => unchecked.includes(checked) || expected === found
})

/** Members that deal with a snapshot's bytes, or with the machine's file, by a broken rule, and the troubles that show it. */
export const snapshotRuleMutants: Readonly<Record<string, Omit<Simulator.RunOptions, "seed">>> = {
  "installs a snapshot without looking at the checksum of the whole (§4.6: etcd#14098)": {
    snapshotRules: trusting("whole"),
    faults: { compaction: true, rot: true }
  },
  "installs a snapshot that was changed on its way": {
    snapshotRules: trusting("piece", "whole"),
    faults: { compaction: true, spoil: true }
  },
  "trusts a snapshot that an earlier life of the process kept (§4.7: ra#589)": {
    snapshotRules: trusting("kept"),
    faults: { compaction: true, rot: true, crash: true, tear: true, stall: true, duplicate: 0.2 }
  },
  "sends a copy again that arrived damaged": {
    snapshotRules: trusting("copy"),
    faults: { compaction: true, rot: true, loss: 0.3 }
  },
  "starts with a machine from before its log (§4.7: dragonboat#369)": {
    snapshotRules: { beginning: () => "go_on" },
    faults: { compaction: true, crash: true, amnesia: true }
  },
  "forgets an install that a crash cut between log and machine (§4.6)": {
    snapshotRules: { beginning: ({ appliedIndex, baseIndex }) => (appliedIndex >= baseIndex ? "go_on" : "refuse") },
    faults: { compaction: true, crash: true, tear: true }
  }
}
