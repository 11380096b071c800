import { LogEntry, Membership, type Message, RaftCore, Snapshot } from "@reckon/raft"
import * as Option from "effect/Option"

/** One line an output: what a test expects reads like a trace. */
export const show = (output: RaftCore.Output): string => {
  switch (output._tag) {
    case "Persist": {
      const parts = [`Persist#${output.token}`]
      if (output.hardState !== undefined)
        parts.push(`term=${output.hardState.term} vote=${output.hardState.votedFor ?? "-"}`)
      if (output.truncateFrom !== undefined) parts.push(`cut=${output.truncateFrom}`)
      if (output.entries.length > 0) parts.push(output.entries.map(showEntry).join(" "))
      return parts.join(" ")
    }
    case "Install": {
      const { configuration, index, term } = output.snapshot
      const hardState = output.hardState
      const voted = hardState === undefined ? "" : ` term=${hardState.term} vote=${hardState.votedFor ?? "-"}`
      return `Install#${output.token}${voted} ${index}/${term}(${showConfiguration(configuration.configuration)} @${configuration.index})`
    }
    case "RoleChanged":
      return `Role ${output.role} term=${output.term} leader=${output.leader ?? "-"}`
    case "Truncated":
      return `Truncated from=${output.fromIndex}`
    case "MembershipChanged":
      return `Members ${showConfiguration(output.configuration)} @${output.index}`
    case "Commit":
      return `Commit ${output.index}`
    case "MemberRemoved":
      return "MemberRemoved"
    case "Contradicted":
      return `Contradicted ${output.how} by ${output.member} at ${output.index}, last ${output.lastIndex}`
    case "Send":
      return showMessage(output.message)
    case "SendAfterPersist":
      return `after#${output.token} ${showMessage(output.message)}`
    case "SendSnapshot":
      return `SendSnapshot→${output.to} term=${output.term} through=${output.throughIndex}`
    case "ProposalsAppended":
      return `Appended ${output.proposals.map(({ id, index, term }) => `${id}@${index}/${term}`).join(" ")}`
    case "ProposalsRefused":
      return `Refused ${output.ids.join(" ")} ${output.reason} leader=${output.leader ?? "-"}`
    case "ReadReady":
      return `ReadReady ${output.id}@${output.index}`
    case "ReadRefused":
      return `ReadRefused ${output.id} ${output.reason} leader=${output.leader ?? "-"}`
    case "ChangeCommitted":
      return `ChangeCommitted ${output.id}@${output.index}`
    case "ChangeRefused":
      return `ChangeRefused ${output.id} ${output.reason} leader=${output.leader ?? "-"}`
    case "ChangeUnknown":
      return `ChangeUnknown ${output.id}@${output.index}`
    case "TransferRefused":
      return `TransferRefused ${output.id} ${output.reason} leader=${output.leader ?? "-"}`
    case "TransferEnded":
      return `TransferEnded ${output.id} ${output.outcome}`
  }
}

/** Voters, then learners, then removed, then how the incarnation begins: `a b +c -d #1234`. */
const showConfiguration = ({ incarnation, learners, removed, voters }: Membership.Configuration): string =>
  [
    ...voters,
    ...learners.map(id => `+${id}`),
    ...removed.map(id => `-${id}`),
    ...(incarnation === undefined ? [] : [`#${incarnation.slice(0, 4)}`])
  ].join(" ")

const showEntry = ({ index, kind, payload, term }: LogEntry.LogEntry): string =>
  kind === "configuration"
    ? `${index}/${term}(${Option.match(Membership.decode(payload), { onNone: () => "?", onSome: showConfiguration })})`
    : `${index}/${term}`

const showMessage = (message: Message.Message): string => {
  const head = `${message._tag}→${message.to} term=${message.term}`
  switch (message._tag) {
    case "PreVote":
      return `${head} asked=${message.askedTerm} last=${message.lastIndex}/${message.lastTerm}`
    case "RequestVote":
      return `${head} asked=${message.askedTerm} last=${message.lastIndex}/${message.lastTerm}${message.transfer ? " transfer" : ""}`
    case "PreVoteReply":
    case "VoteReply":
      return `${head} asked=${message.askedTerm} ${message.granted ? "granted" : "refused"}`
    case "AppendEntries": {
      const entries = message.entries.map(showEntry).join(" ")
      return `${head} prev=${message.prevIndex}/${message.prevTerm} [${entries}] commit=${message.commit}`
    }
    case "AppendReply":
      if (message.result._tag === "Lost") return `${head} lost`
      return message.result._tag === "Matched"
        ? `${head} match=${message.result.matchIndex}`
        : `${head} conflict=${message.result.prevIndex} hint=${message.result.hintIndex}/${message.result.hintTerm}`
    case "Heartbeat":
      return `${head} commit=${message.commit} round=${message.round}`
    case "HeartbeatReply":
      return `${head} round=${message.round}`
    case "Removed":
    case "TimeoutNow":
      return head
  }
}

/** A log of entries with these terms, from index 1 on. */
export const logOf = (...terms: ReadonlyArray<number>): ReadonlyArray<LogEntry.LogEntry> =>
  terms.map((term, at) => LogEntry.command(at + 1, term, new Uint8Array([at])))

/** A member under test: what a driver does for a core, and nothing else. Everybody it talks to is played by the test. */
export class Member {
  state: RaftCore.State
  /** What the log begins after, and what it has. */
  base: Snapshot.Base
  log: Array<LogEntry.LogEntry>
  private written: { readonly token: number; readonly lastIndex: number } | undefined

  constructor(
    init: {
      readonly voters?: ReadonlyArray<string>
      readonly term?: number
      readonly votedFor?: string
      readonly terms?: ReadonlyArray<number>
      /** The log, where entries of some terms are not enough. */
      readonly log?: ReadonlyArray<LogEntry.LogEntry>
      /** What the log begins after, where that is a snapshot. */
      readonly base?: Snapshot.Base
      readonly applied?: number
      readonly committed?: number
      readonly newIncarnation?: string
      readonly options?: Partial<RaftCore.Options>
      readonly seed?: number
    } = {}
  ) {
    this.base = init.base ?? Snapshot.founding(Membership.founding(init.voters ?? ["a", "b", "c"]))
    this.log = [...(init.log ?? logOf(...(init.terms ?? [])))]
    const lastTerm = this.log.at(-1)?.term ?? this.base.term
    this.state = RaftCore.make({
      id: "a",
      base: this.base,
      configurations: this.log.filter(({ kind }) => kind === "configuration"),
      hardState: { term: init.term ?? lastTerm, votedFor: init.votedFor },
      lastIndex: this.base.index + this.log.length,
      lastTerm,
      appliedIndex: init.applied ?? this.base.index,
      committedIndex: init.committed,
      newIncarnation: init.newIncarnation,
      seed: init.seed ?? 1,
      options: init.options
    })
  }

  readonly view = (): RaftCore.LogView => ({
    firstIndex: this.base.index + 1,
    lastIndex: this.base.index + this.log.length,
    term: index => {
      if (index === this.base.index) return this.base.term
      const entry = this.log[index - this.base.index - 1]
      if (entry === undefined) throw new Error(`asked for the term of ${index}`)
      return entry.term
    },
    entries: (from, to, bytesMax) => {
      if (from <= this.base.index) throw new Error(`asked for the entry ${from}`)
      const found: Array<LogEntry.LogEntry> = []
      let bytes = 0
      for (const entry of this.log.slice(from - this.base.index - 1, to - this.base.index)) {
        bytes += LogEntry.sizeBytes(entry)
        if (found.length > 0 && bytes > bytesMax) break
        found.push(entry)
      }
      return found
    }
  })

  raw(input: RaftCore.Input): ReadonlyArray<RaftCore.Output> {
    const { outputs, state } = RaftCore.step(this.state, input, this.view())
    this.state = state
    for (const output of outputs) {
      if (output._tag === "Persist") {
        if (output.truncateFrom !== undefined) this.log.length = output.truncateFrom - this.base.index - 1
        this.log.push(...output.entries)
        this.written = output
      } else if (output._tag === "Install") {
        this.base = output.snapshot
        this.log = []
        this.written = { token: output.token, lastIndex: output.snapshot.index }
      }
    }
    return outputs
  }

  /** The log loses its beginning, up to here. */
  compact(throughIndex: number): this {
    const configuration = Membership.at(
      Membership.fromLog(
        this.base.configuration,
        this.log.filter(({ kind }) => kind === "configuration")
      ),
      throughIndex
    )
    const base = { index: throughIndex, term: this.view().term(throughIndex), configuration }
    this.log = this.log.slice(throughIndex - this.base.index)
    this.base = base
    return this
  }

  feed(input: RaftCore.Input): ReadonlyArray<string> {
    return this.raw(input).map(show)
  }

  receive(message: Message.Message | Message.InstallSnapshot): ReadonlyArray<string> {
    return this.feed({ _tag: "Receive", message })
  }

  propose(...ids: ReadonlyArray<number>): ReadonlyArray<string> {
    return this.feed({ _tag: "Propose", proposals: ids.map(id => ({ id, payload: new Uint8Array([id]) })) })
  }

  change(id: number, _tag: Membership.Change["_tag"], member: string): ReadonlyArray<string> {
    return this.feed({ _tag: "ChangeMembership", id, change: { _tag, member } })
  }

  transfer(id: number, target: string): ReadonlyArray<string> {
    return this.feed({ _tag: "TransferLeadership", id, target })
  }

  get configuration(): string {
    return showConfiguration(RaftCore.configuration(this.state))
  }

  get others(): ReadonlyArray<string> {
    return RaftCore.configuration(this.state).voters.filter(voter => voter !== "a")
  }

  read(id: number): ReadonlyArray<string> {
    return this.feed({ _tag: "ReadIndex", id })
  }

  ticks(count: number): ReadonlyArray<string> {
    return Array.from({ length: count }, () => this.feed(RaftCore.tick)).flat()
  }

  /** Time until the member asks for an election. */
  timeOut(): ReadonlyArray<string> {
    return this.ticks(this.state.electionTimeout - this.state.electionElapsed)
  }

  persisted(token: number, lastIndex: number, heldUp?: number): ReadonlyArray<string> {
    return this.feed({ _tag: "Persisted", token, lastIndex, heldUp })
  }

  /** All that was written is synced. */
  sync(): ReadonlyArray<string> {
    if (this.written === undefined || this.written.token === this.state.persistedToken) return []
    return this.persisted(this.written.token, this.written.lastIndex)
  }

  /** Makes this member the leader of the next term, its no-op durable and, with `committed`, committed. */
  lead(committed = true): this {
    this.feed({ _tag: "Campaign" })
    const { others } = this
    for (const from of others) this.receive(preVoteReply(from, this.state.term, this.state.term + 1))
    this.sync()
    for (const from of others) this.receive(voteReply(from, this.state.term, this.state.term))
    this.sync()
    if (committed) {
      for (const from of others) this.receive(matched(from, this.state.term, this.state.lastIndex))
      this.receive(heartbeatReply("b", this.state.term, 0))
    }
    return this
  }
}

const to = "a"

export const preVote = (
  from: string,
  term: number,
  askedTerm: number,
  last: readonly [number, number]
): Message.Message => ({
  _tag: "PreVote",
  from,
  to,
  term,
  askedTerm,
  lastIndex: last[0],
  lastTerm: last[1]
})

export const requestVote = (
  from: string,
  term: number,
  last: readonly [number, number],
  transfer = false
): Message.Message => ({
  _tag: "RequestVote",
  from,
  to,
  term,
  askedTerm: term,
  lastIndex: last[0],
  lastTerm: last[1],
  transfer
})

export const preVoteReply = (from: string, term: number, askedTerm: number, granted = true): Message.Message => ({
  _tag: "PreVoteReply",
  from,
  to,
  term,
  askedTerm,
  granted
})

export const voteReply = (from: string, term: number, askedTerm: number, granted = true): Message.Message => ({
  _tag: "VoteReply",
  from,
  to,
  term,
  askedTerm,
  granted
})

export const appendEntries = (
  from: string,
  term: number,
  prev: readonly [number, number],
  terms: ReadonlyArray<number>,
  commit = 0,
  round = 0
): Message.Message => ({
  _tag: "AppendEntries",
  from,
  to,
  term,
  prevIndex: prev[0],
  prevTerm: prev[1],
  entries: terms.map((entryTerm, at) => LogEntry.command(prev[0] + 1 + at, entryTerm, new Uint8Array([at]))),
  commit,
  round
})

export const matched = (from: string, term: number, matchIndex: number, round = 0): Message.Message => ({
  _tag: "AppendReply",
  from,
  to,
  term,
  round,
  result: { _tag: "Matched", matchIndex }
})

export const conflict = (
  from: string,
  term: number,
  prevIndex: number,
  hint: readonly [number, number]
): Message.Message => ({
  _tag: "AppendReply",
  from,
  to,
  term,
  round: 0,
  result: { _tag: "Conflict", prevIndex, hintIndex: hint[0], hintTerm: hint[1] }
})

export const heartbeat = (from: string, term: number, commit = 0, round = 0): Message.Message => ({
  _tag: "Heartbeat",
  from,
  to,
  term,
  commit,
  round
})

export const heartbeatReply = (from: string, term: number, round: number): Message.Message => ({
  _tag: "HeartbeatReply",
  from,
  to,
  term,
  round
})

/** Entries as a leader sends them, whatever they are. */
export const sendEntries = (
  from: string,
  term: number,
  prev: readonly [number, number],
  entries: ReadonlyArray<LogEntry.LogEntry>,
  commit = 0
): Message.Message => ({
  _tag: "AppendEntries",
  from,
  to,
  term,
  prevIndex: prev[0],
  prevTerm: prev[1],
  entries,
  commit,
  round: 0
})

/** The snapshot of a log that ends with this index and term, with a configuration and the index of its own. */
export const snapshotAt = (
  index: number,
  term: number,
  configuration: Membership.Placed = { index: 0, configuration: Membership.founding(["a", "b", "c"]) }
): Snapshot.Snapshot => ({ index, term, configuration, machineVersion: 1, checksum: `${index}/${term}` })

export const installSnapshot = (from: string, term: number, snapshot: Snapshot.Snapshot): Message.InstallSnapshot => ({
  _tag: "InstallSnapshot",
  from,
  to,
  term,
  snapshot
})

export const timeoutNow = (from: string, term: number): Message.Message => ({ _tag: "TimeoutNow", from, to, term })

export const removedMessage = (from: string, term: number): Message.Message => ({ _tag: "Removed", from, to, term })
