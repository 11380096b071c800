import type * as Context from "effect/Context"
import * as Membership from "../../Membership.js"
import * as RaftCore from "../../RaftCore.js"
import type { RaftLog } from "../../RaftLog.js"
import type { Status } from "../../RaftProtocol.js"
import type { StateMachine } from "../../StateMachine.js"

/** What a member says of itself, for people and for those who watch over it. */
export const statusOf = (member: {
  readonly core: RaftCore.State
  readonly log: Context.Tag.Service<RaftLog>
  readonly machine: Context.Tag.Service<StateMachine>
  readonly openProposals: number
  /** What keeps it out. */
  readonly problem: string | undefined
}): Status => {
  const { core, log, machine, openProposals, problem } = member
  const { learners, voters } = RaftCore.configuration(core)
  const stats = log.stats()
  return {
    member: core.id,
    role: core.role,
    leader: core.leader ?? null,
    term: core.term,
    commitIndex: core.commitIndex,
    appliedIndex: machine.appliedIndex(),
    lastIndex: core.lastIndex,
    firstIndex: log.firstIndex(),
    logBytes: stats.bytesOnDisk,
    lastFlushMillis: stats.lastFlushMillis ?? null,
    voters,
    learners,
    removed: core.removed,
    problem: problem ?? null,
    incarnation: Membership.committed(core.configurations, core.commitIndex).incarnation ?? null,
    openProposals,
    uncommittedBytes: core.uncommittedBytes,
    pendingChange: core.change?.index ?? null,
    transferringTo: core.transfer?.target ?? null,
    machine: machine.version?.() ?? null,
    followers: core.progress.map(({ active, id, inflight, inflightBytes, matchIndex, phase }) => ({
      member: id,
      phase,
      active,
      matchIndex,
      lag: core.lastIndex - matchIndex,
      inflightMessages: inflight.length,
      inflightBytes
    }))
  }
}
