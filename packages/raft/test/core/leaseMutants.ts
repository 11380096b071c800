import { RaftCore, type Simulator } from "@reckon/raft"
import type { StepFunction } from "./mutants.js"

/** Cores with one rule of the lease broken. */

type Lease = RaftCore.State["lease"]

/** Steps, and lets the leader have another lease than the true one as long as it leads. */
const leasing =
  (change: (next: RaftCore.State, before: RaftCore.State, input: RaftCore.Input) => Lease): StepFunction =>
  (state, input, log) => {
    const next = RaftCore.step(state, input, log)
    const leads = state.role === "leader" && next.state.role === "leader" && state.term === next.state.term
    return leads ? { ...next, state: { ...next.state, lease: change(next.state, state, input) } } : next
  }

/** Makes the member forget now and then what it has promised. */
const forgetting =
  (when: (state: RaftCore.State, input: RaftCore.Input) => boolean): StepFunction =>
  (state, input, log) =>
    RaftCore.step(when(state, input) ? { ...state, promise: undefined } : state, input, log)

const told =
  (change: (input: RaftCore.Input) => RaftCore.Input): StepFunction =>
  (state, input, log) =>
    RaftCore.step(state, change(input), log)

/** A lease of this round never ends. */
const forever = { round: 0, at: Number.POSITIVE_INFINITY }

/** Those that chance finds, with what it needs for it. */
export const leaseMutants: Readonly<
  Record<string, { readonly step: StepFunction; readonly faults: Partial<Simulator.Faults>; readonly nodes?: number }>
> = {
  "counts its lease from the answer": {
    step: leasing(({ lease }, _, input) => {
      const answered = input._tag === "Receive" && "round" in input.message ? input.message.round : 0
      if (lease === undefined || answered === 0) return lease
      const { now, rounds } = lease
      return { now, rounds: [{ round: answered, at: now }, ...rounds.filter(({ round }) => round > answered)] }
    }),
    faults: { pause: true, membership: false }
  },
  "takes the time it was held up for one tick": {
    step: told(input => (input._tag === "Tick" || input._tag === "ReadIndex" ? { ...input, elapsed: 1 } : input)),
    faults: { pause: true, membership: false }
  },
  "learns only from its ticks that it was held up": {
    step: told(input => (input._tag === "ReadIndex" ? { ...input, elapsed: 1 } : input)),
    faults: { pause: true, membership: false }
  },
  "keeps the lease of a group of one when others join": {
    step: leasing(({ lease }, before) => {
      if (RaftCore.configuration(before).voters.length === 1) return { now: 0, rounds: [forever] }
      if (lease === undefined || before.lease?.rounds[0] !== forever) return lease
      return { ...lease, rounds: [forever, ...lease.rounds.filter(round => round !== forever)] }
    }),
    // Troubles that keep a group of one from growing are left out.
    faults: {
      membership: true,
      partition: true,
      crash: false,
      haste: false,
      rot: false,
      stall: false,
      spoil: false,
      amnesia: false
    },
    nodes: 1
  }
}

/** Those whose histories are too rare to be left to chance, by what they do. */
export const rareLeaseMutants = {
  keepsInTransfer: leasing((next, before) => next.lease ?? before.lease),
  resumesAfterTransfer: leasing((next, before) =>
    before.transfer !== undefined && next.transfer === undefined ? { now: 0, rounds: [] } : next.lease
  ),
  forgetsAtStart: forgetting(({ promise }) => promise !== undefined && promise.to === undefined),
  campaignsWhenTold: forgetting((_, input) => input._tag === "Campaign")
} satisfies Readonly<Record<string, StepFunction>>
