/** A member that is alone: its name and its first election. */
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Membership from "@reckon/raft/Membership"
import type { RaftLog } from "@reckon/raft/RaftLog"
import type { RaftTransport } from "@reckon/raft/RaftTransport"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

type Log = Context.Tag.Service<RaftLog>
type Transport = Context.Tag.Service<RaftTransport>

/** The configuration in force, as far as the log has one. */
const configurationOf = (log: Log): Membership.Configuration => {
  const beginning = log.base().configuration ?? { index: 0, configuration: Membership.founding([]) }
  return Membership.fromLog(beginning, log.configurations())[0].configuration
}

/** Everybody that the group ever had, as far as the log says: one that is gone stands in the newest configuration as removed. */
const everybody = (configuration: Membership.Configuration): ReadonlyArray<string> => [
  ...Membership.members(configuration),
  ...configuration.removed
]

/** Whether nobody else ever was in the group, as far as its log says. */
export const isSole = (log: Log): boolean => everybody(configurationOf(log)).length <= 1

/**
 * Why a log cannot go on with these voters, if it cannot. A group that has had one member ever goes on alone whomever its node is told of: it would serve its clients a store of its own beside
 * that of the others. And one member of several, alone, is never heard of by anybody.
 */
export const misfit = (log: Log, voters: ReadonlyArray<string>): string | undefined => {
  const configuration = configurationOf(log)
  const [only, ...others] = everybody(configuration)
  if (only === undefined) return undefined
  if (voters.length > 1 && others.length === 0) {
    return `the folder is that of a store on one node alone, and this node is one of ${voters.join(", ")}: start it without the others, or give it an empty folder`
  }
  const members = Membership.members(configuration)
  if (voters.length === 1 && members.length > 1) {
    return `the folder is that of a store that ${members.join(", ")} keep together, and this node was started alone: name the others when it is started, or give it an empty folder`
  }
  return undefined
}

/**
 * Why a folder that does not say whose it is cannot be this member's, if it cannot: its group never had one of that name. As its member it would have written its name there with its first start, when its log said
 * nothing of the group.
 */
export const stranger = (log: Log, self: string): string | undefined => {
  const configuration = configurationOf(log)
  const known = everybody(configuration)
  return known.length <= 1 || known.includes(self)
    ? undefined
    : `the folder is that of a store that ${Membership.members(configuration).join(", ")} keep together, and this node is "${self}": start it under one of their names, of which each is that of one node`
}

/**
 * What is not as it looks where the node was told of others than its log has, if anything: the log's are the group. Who is only named to the nodes waits for ever, and who is
 * not named to this one is heard here only when it introduces itself.
 */
export const unlike = (log: Log, voters: ReadonlyArray<string>): string | undefined => {
  const members = Membership.members(configurationOf(log))
  const outside = voters.filter(name => !members.includes(name))
  const unnamed = members.filter(name => !voters.includes(name))
  if (members.length === 0 || (outside.length === 0 && unnamed.length === 0)) return undefined
  const consequences = [
    ...(outside.length === 0 ? [] : [`${outside.join(", ")} ${outside.length === 1 ? "takes" : "take"} no part`]),
    ...(unnamed.length === 0
      ? []
      : [
          `${unnamed.join(", ")}, of whom this node was not told, ${unnamed.length === 1 ? "is" : "are"} heard once ${unnamed.length === 1 ? "it introduces itself" : "they introduce themselves"}`
        ])
  ]
  return `${members.join(", ")}, by its log, and who else is named to a node does not join them: ${consequences.join(", and ")}`
}

/**
 * Lets the node go by another name than it had when the log was last written, as where a folder is embedded at first and a node's own later. A group that has had
 * one member ever has nobody else who could vote or have been promised anything under the old name.
 */
export const takeName = (log: Log, self: string): void => {
  const configuration = configurationOf(log)
  const [only, ...others] = everybody(configuration)
  if (only === undefined || only === self || others.length > 0) return
  const index = log.lastIndex() + 1
  const term = log.hardState().term + 1
  const renamed = LogEntry.configuration(index, term, { ...configuration, voters: [self] })
  log.stage({ hardState: { term, votedFor: self }, entries: [renamed] })
  log.flush()
}

/** Whom the word to lead comes from. No member has an empty name. */
const nobody = ""

/**
 * A transport that tells a member to lead as soon as it listens, in the words of a leader that hands over. Others wait for an election time-out, lest they depose a
 * leader that lives: where there is nobody else there is nothing to wait for, and a store is in service as soon as it is open.
 */
export const leadingAtOnce = (transport: Transport, self: string, log: () => Log | undefined): Transport => ({
  ...transport,
  listen: (group, receiver) =>
    Effect.zipRight(
      transport.listen(group, receiver),
      Effect.sync(() => {
        const opened = log()
        if (opened === undefined || !everybody(configurationOf(opened)).every(name => name === self)) return
        const { term } = opened.hardState()
        receiver.receive([{ _tag: "TimeoutNow", from: nobody, to: self, term, ...receiver.claim() }])
      })
    )
})
