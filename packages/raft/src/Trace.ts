/**
 * A transition of a member as one line of text, for failure reports and for comparing two runs.
 *
 * A line has three parts, input, state after it and outputs in their order, with ` | ` between them:
 *
 * ```
 * n1 Receive AppendEntries n2>n1 t3 prev=4/2 entries=5..6 commit=4 round=7 | follower t3 vote=n2 leader=n2 log=6/3
 * durable=4 commit=4 applied=4 voters=n1,n2,n3 | Persist token=5 entries=5..6; after 5: AppendReply n1>n2 t3 round=7 Matched matchIndex=6
 * ```
 *
 * (in one line). A place in the log is `index/term`, a run of entries `first..last`, a message `from>to tTERM`, nobody and nothing `-`. A leader adds
 * what it knows of each other member: `n2:replicate match=6 next=9 inflight=2`. A life of a member begins with the input `Restart`. The same transition always gives the same line, and no line has a line
 * break; a later release may add fields at the end of a part.
 *
 * @since 0.1.0
 */
import type { LogEntry } from "./LogEntry.js"
import type * as Membership from "./Membership.js"
import type { InstallSnapshot, Message } from "./Message.js"
import type { Input, Output, Progress, State, Step } from "./RaftCore.js"
import * as RaftCore from "./RaftCore.js"
import type { Base } from "./Snapshot.js"

const separator = " | "

const list = (values: ReadonlyArray<string | number>): string => (values.length === 0 ? "-" : values.join(","))

/** The fields with a plain value, in the order in which they stand; one without a value is left out. */
const scalars = (fields: object): ReadonlyArray<string> =>
  Object.entries(fields).flatMap(([name, value]: [string, unknown]) => {
    if (name === "_tag") return []
    return typeof value === "number" || typeof value === "string" || typeof value === "boolean"
      ? [`${name}=${value}`]
      : []
  })

const words = (...parts: ReadonlyArray<string | undefined>): string =>
  parts.filter(part => part !== undefined && part !== "").join(" ")

const place = (index: number, term: number): string => `${index}/${term}`

const run = (entries: ReadonlyArray<LogEntry>): string => {
  const first = entries[0]
  const last = entries[entries.length - 1]
  return first === undefined || last === undefined ? "-" : `${first.index}..${last.index}`
}

const membership = ({ learners, removed, voters }: Membership.Configuration): string =>
  words(
    `voters=${list(voters)}`,
    learners.length === 0 ? undefined : `learners=${list(learners)}`,
    removed.length === 0 ? undefined : `removed=${list(removed)}`
  )

const base = ({ configuration, index, term }: Base): string =>
  words(`at=${place(index, term)}`, `configuration=${configuration.index}`)

// -----------------------------------------------------------------------------
// messages
// -----------------------------------------------------------------------------

const about = (message: Message | InstallSnapshot): string => {
  switch (message._tag) {
    case "AppendEntries": {
      const { commit, entries, prevIndex, prevTerm, round } = message
      return `prev=${place(prevIndex, prevTerm)} entries=${run(entries)} commit=${commit} round=${round}`
    }
    case "AppendReply":
      return words(`round=${message.round}`, message.result._tag, ...scalars(message.result))
    case "InstallSnapshot":
      return base(message.snapshot)
    default: {
      const { _tag, from, incarnation, isTentative, term, to, ...rest } = message
      return words(...scalars(rest))
    }
  }
}

/**
 * A message: its name, `from>to`, the sender's term and what it says.
 *
 * @since 0.1.0
 * @category rendering
 */
export const message = (sent: Message | InstallSnapshot): string =>
  words(sent._tag, `${sent.from}>${sent.to}`, `t${sent.term}`, about(sent))

// -----------------------------------------------------------------------------
// inputs, states, outputs
// -----------------------------------------------------------------------------

/**
 * What happened to a member.
 *
 * @since 0.1.0
 * @category rendering
 */
export const input = (happened: Input): string => {
  switch (happened._tag) {
    case "Receive":
      return `Receive ${message(happened.message)}`
    case "Propose":
      return `Propose ids=${list(happened.proposals.map(({ id }) => id))}`
    case "ChangeMembership":
      return `ChangeMembership id=${happened.id} ${happened.change._tag} ${happened.change.member}`
    default:
      return words(happened._tag, ...scalars(happened))
  }
}

const progress = ({ id, inflight, matchIndex, nextIndex, phase }: Progress): string =>
  `${id}:${phase} match=${matchIndex} next=${nextIndex} inflight=${inflight.length}`

/**
 * A member's state, as far as it says where the member stands.
 *
 * @since 0.1.0
 * @category rendering
 */
export const state = (after: State): string =>
  words(
    after.role,
    `t${after.term}`,
    `vote=${after.votedFor ?? "-"}`,
    `leader=${after.leader ?? "-"}`,
    `log=${place(after.lastIndex, after.lastTerm)}`,
    `durable=${after.durableIndex}`,
    `commit=${after.commitIndex}`,
    `applied=${after.applyIndex}`,
    membership(RaftCore.configuration(after)),
    ...after.progress.map(progress)
  )

/**
 * What a member wants done.
 *
 * @since 0.1.0
 * @category rendering
 */
export const output = (wanted: Output): string => {
  switch (wanted._tag) {
    case "Persist": {
      const { entries, hardState, token, truncateFrom } = wanted
      return words(
        `Persist token=${token}`,
        hardState && `t${hardState.term} vote=${hardState.votedFor ?? "-"}`,
        truncateFrom === undefined ? undefined : `cut=${truncateFrom}`,
        entries.length === 0 ? undefined : `entries=${run(entries)}`
      )
    }
    case "Install": {
      const { hardState, snapshot, token } = wanted
      return words(
        `Install token=${token}`,
        hardState && `t${hardState.term} vote=${hardState.votedFor ?? "-"}`,
        base(snapshot)
      )
    }
    case "Send":
      return message(wanted.message)
    case "SendAfterPersist":
      return `after ${wanted.token}: ${message(wanted.message)}`
    case "MembershipChanged":
      return `MembershipChanged index=${wanted.index} ${membership(wanted.configuration)}`
    case "ProposalsAppended":
      return `ProposalsAppended ${list(wanted.proposals.map(({ id, index, term }) => `${id}@${place(index, term)}`))}`
    case "ProposalsRefused":
      return words(
        `ProposalsRefused ids=${list(wanted.ids)}`,
        `reason=${wanted.reason}`,
        `leader=${wanted.leader ?? "-"}`
      )
    default:
      return words(wanted._tag, ...scalars(wanted))
  }
}

/**
 * A member that begins, or begins anew, with what its disk has: the `Restart` of raft.tla. The first line of each of its lives.
 *
 * @since 0.1.0
 * @category rendering
 */
export const restart = (begun: State): string => [`${begun.id} Restart`, state(begun), "-"].join(separator)

/**
 * A transition: what happened, and what {@link RaftCore.step} made of it.
 *
 * @since 0.1.0
 * @category rendering
 */
export const line = (happened: Input, next: Step): string =>
  [
    `${next.state.id} ${input(happened)}`,
    state(next.state),
    next.outputs.length === 0 ? "-" : next.outputs.map(output).join("; ")
  ].join(separator)
