/**
 * Consensus as a function: a state and an input in, a state and a list of outputs out.
 *
 * There is no clock, no chance, no disk and no socket in here. Time is a {@link Tick}, chance is a seed in the state,
 * the disk is a {@link Persist} that comes back as {@link Persisted}, and the network is a {@link Send}.
 * Whoever drives the core owes it six things:
 *
 * 1. One writer. Every input of a group goes through one queue, heartbeats and storage completions included, and the
 *    outputs of a step are taken in order before the next step begins.
 * 2. A {@link Persist} enters the accepted log at once (the next step's {@link LogView} shows it) and reaches
 *    the disk in the order of the tokens. {@link Persisted} says which token, and so all before it, is synced.
 * 3. A {@link SendAfterPersist} leaves when its token is durable, and is forgotten if the process dies before.
 * 4. A {@link Send} may be lost, delayed, doubled or overtaken. So may everything else on the way to a peer.
 * 5. A restart makes a new state from what is durable, see {@link make}, with a fresh seed.
 * 6. Between steps the log may lose its beginning, as far as the state machine has durably applied it. A member that
 *    still needs it is sent a snapshot, see {@link SendSnapshot}, and puts it in the place of its log and its machine, see
 *    {@link Install}.
 *
 * Who belongs to the group is part of the log, and in force from the moment it is appended: see {@link Membership}.
 *
 * PreVote and CheckQuorum are always on. Neither is safe company without the other: PreVote alone lets a partial
 * partition flap between leaders, CheckQuorum alone lets a returning member depose a healthy one.
 *
 * @since 0.1.0
 */
import type { Incarnation } from "./Incarnation.js"
import { assertInvariant } from "./internal/core/invariant.js"
import * as jitter from "./internal/core/jitter.js"
import * as reads from "./internal/core/reads.js"
import * as core from "./internal/core/step.js"
import type { MemberId } from "./Membership.js"
import * as Membership from "./Membership.js"
import type { Input } from "./RaftInput.js"
import type { Options } from "./RaftOptions.js"
import * as RaftOptions from "./RaftOptions.js"
import type { Step } from "./RaftOutput.js"
import type { HardState, LogView, State } from "./RaftState.js"
import type * as Snapshot from "./Snapshot.js"

/** @since 0.1.0 */
export * from "./RaftInput.js"
/** @since 0.1.0 */
export { defaults, type Options } from "./RaftOptions.js"
/** @since 0.1.0 */
export type * from "./RaftOutput.js"
/** @since 0.1.0 */
export type * from "./RaftState.js"

/**
 * The configuration in force.
 *
 * @since 0.1.0
 * @category getters
 */
export const configuration = (state: State): Membership.Configuration => state.configurations[0].configuration

/**
 * The index that a linearizable read must have seen, asked of nobody: where a member leads and is the only voter, nobody can be elected without it. Undefined where it takes a
 * `ReadIndex` to know.
 *
 * @since 0.1.0
 * @category getters
 */
export const readIndexAlone = (state: State): number | undefined => reads.readIndexAlone(state)

/**
 * A member as it starts or restarts: a follower that knows of no leader, with what its disk holds.
 *
 * `base` is what the durable log begins after: {@link Snapshot.founding} until it was cut or replaced. `configurations` are
 * all of their kind that it has, to its end: a member that forgot one it had appended could leave the group without a
 * majority that agrees who belongs to it. `lastIndex` and `lastTerm` are its end, or the base where it is empty.
 * `appliedIndex` is how far the state machine durably is: applied entries were committed, so it is where the commit index
 * starts, unless more is known to be committed. A machine from before the base could never catch up, and is a defect. `seed` must differ between members and
 * restarts, or they ask for elections in lock-step; `newIncarnation` from all that were ever drawn. Without it the member names no group.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (init: {
  readonly id: MemberId
  readonly base: Snapshot.Base
  readonly configurations: Iterable<{ readonly index: number; readonly payload: Uint8Array }>
  readonly hardState: HardState
  readonly lastIndex: number
  readonly lastTerm: number
  readonly appliedIndex: number
  readonly committedIndex?: number | undefined
  readonly newIncarnation?: Incarnation | undefined
  readonly seed: number
  readonly options?: Partial<Options> | undefined
}): State => {
  const options = RaftOptions.make(init.options)
  const { appliedIndex, base, lastIndex } = init
  const configurations = Membership.fromLog(base.configuration, init.configurations)
  assertInvariant(base.configuration.index <= base.index, "the base's configuration is in force there", {
    id: init.id,
    configurationIndex: base.configuration.index,
    baseIndex: base.index
  })
  assertInvariant(configurations[0].index <= lastIndex, "configurations are in the log", {
    id: init.id,
    configurationIndex: configurations[0].index,
    lastIndex
  })
  assertInvariant(base.index <= appliedIndex, "the log has all that is not applied", {
    id: init.id,
    baseIndex: base.index,
    appliedIndex
  })
  const commitIndex = Math.max(appliedIndex, init.committedIndex ?? 0)
  assertInvariant(commitIndex <= lastIndex, "applied entries are in the log", {
    id: init.id,
    appliedIndex,
    commitIndex,
    lastIndex
  })
  assertInvariant(init.lastTerm <= init.hardState.term, "the log is not of a later term than the member", {
    id: init.id,
    lastTerm: init.lastTerm,
    term: init.hardState.term
  })
  const draw = jitter.electionTimeout(jitter.scramble(init.seed), options.electionTicks)
  return {
    id: init.id,
    options,
    newIncarnation: init.newIncarnation,
    configurations: Membership.settle(configurations, commitIndex),
    removed: Membership.committed(configurations, commitIndex).removed.includes(init.id),
    contradiction: undefined,
    role: "follower",
    term: init.hardState.term,
    votedFor: init.hardState.votedFor,
    leader: undefined,
    lastIndex,
    lastTerm: init.lastTerm,
    commitIndex,
    heardCommitIndex: commitIndex,
    lostTerm: 0,
    applyIndex: appliedIndex,
    durableIndex: lastIndex,
    issuedToken: 0,
    persistedToken: 0,
    hardStateToken: 0,
    truncateToken: 0,
    truncatedFrom: 0,
    watchedToken: 0,
    watchedTicks: 0,
    electionElapsed: 0,
    electionTimeout: draw.ticks,
    heartbeatElapsed: 0,
    seed: draw.seed,
    votes: [],
    progress: [],
    termStartIndex: 0,
    uncommitted: [],
    uncommittedBytes: 0,
    round: 0,
    reads: [],
    lease: undefined,
    promise: options.leaseTicks > 0 ? { to: undefined, ticks: options.electionTicks } : undefined,
    change: undefined,
    transfer: undefined
  }
}

/**
 * The next state and what to do about it. Pure: the same arguments give the same answer, and none of them is changed.
 * Throws a defect, with the numbers in it, when an invariant is broken; a member that throws must not go on.
 *
 * @since 0.1.0
 * @category stepping
 */
export const step = (state: State, input: Input, log: LogView): Step => core.step(state, input, log)
