import { LogEntry, type Message, RaftCore } from "@reckon/raft"

/** One line an output: what a test expects reads like a trace. */
export const show = (output: RaftCore.Output): string => {
  switch (output._tag) {
    case "Persist": {
      const parts = [`Persist#${output.token}`]
      if (output.hardState !== undefined)
        parts.push(`term=${output.hardState.term} vote=${output.hardState.votedFor ?? "-"}`)
      if (output.truncateFrom !== undefined) parts.push(`cut=${output.truncateFrom}`)
      if (output.entries.length > 0) parts.push(output.entries.map(entry => `${entry.index}/${entry.term}`).join(" "))
      return parts.join(" ")
    }
    case "RoleChanged":
      return `Role ${output.role} term=${output.term} leader=${output.leader ?? "-"}`
    case "Truncated":
      return `Truncated from=${output.fromIndex}`
    case "Commit":
      return `Commit ${output.index}`
    case "Send":
      return showMessage(output.message)
    case "SendAfterPersist":
      return `after#${output.token} ${showMessage(output.message)}`
    case "ProposalsAppended":
      return `Appended ${output.proposals.map(({ id, index, term }) => `${id}@${index}/${term}`).join(" ")}`
    case "ProposalsRefused":
      return `Refused ${output.ids.join(" ")} ${output.reason} leader=${output.leader ?? "-"}`
    case "ReadReady":
      return `ReadReady ${output.id}@${output.index}`
    case "ReadRefused":
      return `ReadRefused ${output.id} ${output.reason} leader=${output.leader ?? "-"}`
  }
}

const showMessage = (message: Message.Message): string => {
  const head = `${message._tag}→${message.to} term=${message.term}`
  switch (message._tag) {
    case "PreVote":
    case "RequestVote":
      return `${head} asked=${message.askedTerm} last=${message.lastIndex}/${message.lastTerm}`
    case "PreVoteReply":
    case "VoteReply":
      return `${head} asked=${message.askedTerm} ${message.granted ? "granted" : "refused"}`
    case "AppendEntries": {
      const entries = message.entries.map(({ index, term }) => `${index}/${term}`).join(" ")
      return `${head} prev=${message.prevIndex}/${message.prevTerm} [${entries}] commit=${message.commit}`
    }
    case "AppendReply":
      return message.result._tag === "Matched"
        ? `${head} match=${message.result.matchIndex}`
        : `${head} conflict=${message.result.prevIndex} hint=${message.result.hintIndex}/${message.result.hintTerm}`
    case "Heartbeat":
      return `${head} commit=${message.commit} round=${message.round}`
    case "HeartbeatReply":
      return `${head} round=${message.round}`
  }
}

/** A log of entries with these terms, from index 1 on. */
export const logOf = (...terms: ReadonlyArray<number>): ReadonlyArray<LogEntry.LogEntry> =>
  terms.map((term, at) => LogEntry.command(at + 1, term, new Uint8Array([at])))

/** A member under test: what a driver does for a core, and nothing else. Everybody it talks to is played by the test. */
export class Member {
  state: RaftCore.State
  log: Array<LogEntry.LogEntry>
  private written: RaftCore.Persist | undefined

  constructor(
    init: {
      readonly voters?: ReadonlyArray<string>
      readonly term?: number
      readonly votedFor?: string
      readonly terms?: ReadonlyArray<number>
      readonly applied?: number
      readonly options?: Partial<RaftCore.Options>
      readonly seed?: number
    } = {}
  ) {
    this.log = [...logOf(...(init.terms ?? []))]
    this.state = RaftCore.make({
      id: "a",
      voters: init.voters ?? ["a", "b", "c"],
      hardState: { term: init.term ?? init.terms?.at(-1) ?? 0, votedFor: init.votedFor },
      lastIndex: this.log.length,
      lastTerm: this.log.at(-1)?.term ?? 0,
      appliedIndex: init.applied ?? 0,
      seed: init.seed ?? 1,
      options: init.options
    })
  }

  private readonly view = (): RaftCore.LogView => ({
    firstIndex: 1,
    lastIndex: this.log.length,
    term: index => this.log[index - 1]?.term ?? 0,
    entries: (from, to, bytesMax) => {
      const found: Array<LogEntry.LogEntry> = []
      let bytes = 0
      for (const entry of this.log.slice(from - 1, to)) {
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
      if (output._tag !== "Persist") continue
      if (output.truncateFrom !== undefined) this.log.length = output.truncateFrom - 1
      this.log.push(...output.entries)
      this.written = output
    }
    return outputs
  }

  feed(input: RaftCore.Input): ReadonlyArray<string> {
    return this.raw(input).map(show)
  }

  receive(message: Message.Message): ReadonlyArray<string> {
    return this.feed({ _tag: "Receive", message })
  }

  propose(...ids: ReadonlyArray<number>): ReadonlyArray<string> {
    return this.feed({ _tag: "Propose", proposals: ids.map(id => ({ id, payload: new Uint8Array([id]) })) })
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

  persisted(token: number, lastIndex: number): ReadonlyArray<string> {
    return this.feed({ _tag: "Persisted", token, lastIndex })
  }

  /** All that was written is synced. */
  sync(): ReadonlyArray<string> {
    if (this.written === undefined || this.written.token === this.state.persistedToken) return []
    return this.persisted(this.written.token, this.written.lastIndex)
  }

  /** Makes this member the leader of the next term, its no-op durable and, with `committed`, committed. */
  lead(committed = true): this {
    this.feed({ _tag: "Campaign" })
    const others = this.state.voters.filter(voter => voter !== "a")
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

export const requestVote = (from: string, term: number, last: readonly [number, number]): Message.Message => ({
  _tag: "RequestVote",
  from,
  to,
  term,
  askedTerm: term,
  lastIndex: last[0],
  lastTerm: last[1]
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
