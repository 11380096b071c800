/**
 * A small Raft by itself, to hold the lines of a {@link Trace} against: whether each is a step that the algorithm allows, by what the line shows and what all
 * lines before it said.
 *
 * It knows the actions of the specification (D. Ongaro, `raft.tla`): Timeout, RequestVote, BecomeLeader, ClientRequest, AppendEntries, AdvanceCommitIndex,
 * UpdateTerm and Restart, and beyond it the install of a snapshot and changes by one voter. It shares nothing with {@link RaftCore}: it sees text.
 *
 * The lines of a group's members have to come in an order in which they happened. It remembers one line a member, and the votes and leaders of terms that a
 * member may still be in.
 *
 * @since 0.1.0
 */

/**
 * Why a line is refused: the rule, and how it is broken.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refusal {
  readonly rule: string
  readonly detail: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TraceCheck {
  /** The next line; `undefined` where it is allowed. After one that is not, what follows says little. */
  readonly line: (line: string) => Refusal | undefined
  /**
   * A member began anew, with what its disk has: its next line is taken as it is, but for what it has promised. A line with the input `Restart` says so by itself.
   */
  readonly restarted: (member: string) => void
}

/** What a line shows of a member. */
interface Seen {
  readonly id: string
  readonly input: string
  readonly role: string
  readonly term: number
  readonly vote: string | undefined
  readonly lastIndex: number
  readonly durable: number
  readonly commit: number
  readonly applied: number
  readonly voters: ReadonlyArray<string>
  /** As a leader: what others are known to hold. */
  readonly matches: ReadonlyMap<string, number>
  readonly outputs: ReadonlyArray<string>
}

/** A vote that leaves when a write is durable. */
interface HeldVote {
  readonly token: number
  readonly term: number
  readonly candidate: string
}

/** A term and the vote in it, as the disk has them or is to have them with a write. */
interface HardState {
  readonly token: number
  readonly term: number
  readonly vote: string | undefined
}

interface Member {
  seen: Seen | undefined
  /** As a leader: where its term began. */
  termStart: number
  held: ReadonlyArray<HeldVote>
  /** What is on its way to the disk, in order, and what is known to be there. The last outlives its process. */
  written: ReadonlyArray<HardState>
  kept: HardState | undefined
}

const statePattern =
  /^(follower|pre_candidate|candidate|leader) t(\d+) vote=(\S+) leader=\S+ log=(\d+)\/\d+ durable=(\d+) commit=(\d+) applied=(\d+) voters=(\S+)(.*)$/

const read = (line: string): Seen | undefined => {
  const [happened = "", state = "", outputs = ""] = line.split(" | ")
  const space = happened.indexOf(" ")
  const found = statePattern.exec(state)
  if (space < 1 || found === null) return undefined
  const [, role = "", term, vote, last, durable, commit, applied, voters = "", rest = ""] = found
  const matches = Array.from(rest.matchAll(/ (\S+):(?:probe|replicate|snapshot) match=(\d+)/g))
  return {
    id: happened.slice(0, space),
    input: happened.slice(space + 1),
    role,
    term: Number(term),
    vote: vote === "-" ? undefined : vote,
    lastIndex: Number(last),
    durable: Number(durable),
    commit: Number(commit),
    applied: Number(applied),
    voters: voters === "-" ? [] : voters.split(","),
    matches: new Map(matches.map(([, id = "", match]) => [id, Number(match)])),
    outputs: outputs === "-" ? [] : outputs.split("; ")
  }
}

const numberIn = (text: string, pattern: RegExp): number | undefined => {
  const found = pattern.exec(text)
  return found === null ? undefined : Number(found[1])
}

const isMajority = (count: number, voters: ReadonlyArray<string>): boolean => count > voters.length / 2

/**
 * For one group, from its beginning on or from anywhere in its life.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): TraceCheck => {
  const members = new Map<string, Member>()
  /** By term: who led it, and what each member voted. */
  const leaders = new Map<number, string>()
  const votes = new Map<number, Map<string, string>>()

  const memberOf = (id: string): Member => {
    const known = members.get(id) ?? { seen: undefined, termStart: 0, held: [], written: [], kept: undefined }
    members.set(id, known)
    return known
  }

  /** Terms that no member can come back to are forgotten. */
  const forget = (): void => {
    const oldest = Math.min(...Array.from(members.values(), ({ seen }) => seen?.term ?? 0))
    for (const term of leaders.keys()) if (term < oldest) leaders.delete(term)
    for (const term of votes.keys()) if (term < oldest) votes.delete(term)
  }

  const vote = (voter: string, term: number, candidate: string): Refusal | undefined => {
    const given = votes.get(term) ?? new Map<string, string>()
    votes.set(term, given)
    const before = given.get(voter)
    if (before === undefined) given.set(voter, candidate)
    return before === undefined || before === candidate
      ? undefined
      : {
          rule: "one vote a term (§5.2)",
          detail: `${voter} votes for ${candidate} in ${term}, and has voted for ${before}`
        }
  }

  // ---------------------------------------------------------------------------
  // the actions
  // ---------------------------------------------------------------------------

  /** UpdateTerm, and the vote within a term. */
  const checkTerm = (before: Seen, { id, term, vote: candidate }: Seen): Refusal | undefined => {
    if (term < before.term)
      return { rule: "terms only grow (§5.1)", detail: `${id} goes from ${before.term} to ${term}` }
    const isKept = term > before.term || before.vote === undefined || before.vote === candidate
    return isKept
      ? undefined
      : {
          rule: "one vote a term (§5.2)",
          detail: `${id} changes its vote in ${term} from ${before.vote} to ${candidate ?? "nobody"}`
        }
  }

  /** Timeout and BecomeLeader. */
  const checkRole = (before: Seen, after: Seen): Refusal | undefined => {
    const { id, role, term } = after
    if (role === "candidate" && (before.role !== "candidate" || before.term !== term)) {
      return after.vote === id && term === before.term + 1
        ? undefined
        : {
            rule: "a candidate enters the next term and votes for itself (§5.2)",
            detail: `${id} stands in ${term}, comes from ${before.term} and votes for ${after.vote ?? "nobody"}`
          }
    }
    if (role !== "leader" || (before.role === "leader" && before.term === term)) return undefined
    if (before.role !== "candidate" || before.term !== term) {
      return {
        rule: "only a candidate becomes leader (§5.2)",
        detail: `${id}, a ${before.role} in ${before.term}, leads ${term}`
      }
    }
    return checkElected(after)
  }

  const checkElected = ({ id, term, voters }: Seen): Refusal | undefined => {
    const other = leaders.get(term)
    if (other !== undefined) {
      return { rule: "one leader a term (§5.2)", detail: `${id} becomes leader of ${term}, which ${other} has led` }
    }
    const given = voters.filter(voter => voter === id || votes.get(term)?.get(voter) === id)
    return isMajority(given.length, voters)
      ? undefined
      : {
          rule: "a leader has the votes of a majority (§5.2)",
          detail: `${id} leads ${term} with those of ${given} of ${voters}`
        }
  }

  /** ClientRequest, AppendEntries and the install of a snapshot: what they may do to the log. */
  const checkLog = (before: Seen, after: Seen): Refusal | undefined => {
    const { id, outputs } = after
    const written = outputs.find(output => output.startsWith("Persist ") || output.startsWith("Install ")) ?? ""
    const cut = numberIn(written, / cut=(\d+)/)
    if (cut !== undefined && cut <= before.commit) {
      return { rule: "what is committed stays (§5.4)", detail: `${id} cuts ${cut}, with ${before.commit} committed` }
    }
    if (cut !== undefined && before.role === "leader" && after.role === "leader") {
      return { rule: "a leader only appends (§5.3)", detail: `${id} cuts its log at ${cut}` }
    }
    const installed = written.startsWith("Install ") ? numberIn(written, / at=(\d+)/) : undefined
    if (installed !== undefined && installed <= before.commit) {
      return {
        rule: "what is committed stays (§7)",
        detail: `${id} installs ${installed}, with ${before.commit} committed`
      }
    }
    const isShorter = after.lastIndex < before.lastIndex && cut === undefined && installed === undefined
    return isShorter
      ? {
          rule: "a log gets shorter only by a cut (§5.3)",
          detail: `${id} goes from ${before.lastIndex} to ${after.lastIndex}`
        }
      : undefined
  }

  /** AdvanceCommitIndex, at the leader by counting and at others by its word. */
  const checkCommit = (before: Seen, after: Seen): Refusal | undefined => {
    const { commit, id } = after
    if (commit < before.commit) {
      return { rule: "the commit index only grows (§5.3)", detail: `${id} goes from ${before.commit} to ${commit}` }
    }
    if (commit === before.commit) return undefined
    return before.role === "leader" && before.term === after.term ? checkCounted(before, after) : checkTold(after)
  }

  /** By the voters before the step or after it: the one that changes them may be the one that commits. */
  const checkCounted = (before: Seen, after: Seen): Refusal | undefined => {
    const { commit, durable, id, matches, role, term, voters } = after
    const { termStart } = memberOf(id)
    if (commit < termStart) {
      return {
        rule: "a leader commits by counting only in its own term (§5.4.2)",
        detail: `${id} commits ${commit}, its term ${term} begins at ${termStart}`
      }
    }
    // one that has just removed itself counts no more
    if (role !== "leader") return undefined
    const holdersAmong = (counted: ReadonlyArray<string>) =>
      counted.filter(voter => (voter === id ? durable : (matches.get(voter) ?? 0)) >= commit)
    return [before.voters, voters].some(counted => isMajority(holdersAmong(counted).length, counted))
      ? undefined
      : {
          rule: "committed is on a majority (§5.3)",
          detail: `${id} commits ${commit}, which ${holdersAmong(voters)} of ${voters} hold`
        }
  }

  const checkTold = ({ commit, id, input }: Seen): Refusal | undefined => {
    const told = /^Receive (?:AppendEntries|Heartbeat) /.test(input)
      ? numberIn(input, / commit=(\d+)/)
      : input.startsWith("Receive InstallSnapshot ")
        ? numberIn(input, / at=(\d+)/)
        : undefined
    return told !== undefined && commit <= told
      ? undefined
      : { rule: "a follower commits what its leader says (§5.3)", detail: `${id} commits ${commit} on "${input}"` }
  }

  /** Changes of the membership, where a leader makes them. */
  const checkVoters = (before: Seen, { commit, id, role, voters }: Seen): Refusal | undefined => {
    if (before.role !== "leader" || role !== "leader") return undefined
    const changed =
      voters.filter(voter => !before.voters.includes(voter)).length +
      before.voters.filter(voter => !voters.includes(voter)).length
    if (changed === 0) return undefined
    if (changed > 1)
      return { rule: "one voter at a time (thesis §4.1)", detail: `${id} makes ${voters} of ${before.voters}` }
    const { termStart } = memberOf(id)
    // the step that commits may make the next change at once
    return commit >= termStart
      ? undefined
      : {
          rule: "no change before a commit of the own term (thesis §4.1)",
          detail: `${id} makes ${voters} of ${before.voters}`
        }
  }

  const checkNumbers = ({ applied, commit, durable, id, lastIndex }: Seen): Refusal | undefined =>
    applied <= commit && applied <= durable && durable <= lastIndex && commit <= lastIndex
      ? undefined
      : {
          rule: "applied ≤ committed, durable ≤ the log's end",
          detail: `${id} has applied ${applied}, committed ${commit}, durable ${durable} of ${lastIndex}`
        }

  /** Restart: what its disk has known for sure it still knows. */
  const checkRestart = ({ kept }: Member, { id, term, vote }: Seen): Refusal | undefined => {
    const isForgotten =
      kept !== undefined && (term < kept.term || (term === kept.term && kept.vote !== undefined && vote !== kept.vote))
    return isForgotten
      ? {
          rule: "a restart forgets neither term nor vote (figure 2)",
          detail: `${id} comes back in ${term} with a vote for ${vote ?? "nobody"}, had ${kept.term} and ${kept.vote ?? "nobody"} on its disk`
        }
      : undefined
  }

  const keepHardState = (member: Member, durable: number, outputs: ReadonlyArray<string>): void => {
    const written = [...member.written, ...outputs.flatMap(output => hardStateIn(output))]
    member.kept = written.findLast(({ token }) => token <= durable) ?? member.kept
    member.written = written.filter(({ token }) => token > durable)
  }

  /** RequestVote, both sides of it: a vote counts when its write is durable. */
  const checkVotes = (member: Member, durable: number, { id, input, outputs }: Seen): Refusal | undefined => {
    const held = [...member.held, ...outputs.flatMap(output => voteIn(output))]
    member.held = held.filter(({ token }) => token > durable)
    for (const { candidate, term, token } of held) {
      const refusal = token <= durable ? vote(id, term, candidate) : undefined
      if (refusal !== undefined) return refusal
    }
    const received = /^Receive VoteReply (\S+)>(\S+) t\d+ askedTerm=(\d+) granted=true/.exec(input)
    if (received === null) return undefined
    const [, voter = "", candidate = "", term] = received
    return vote(voter, Number(term), candidate)
  }

  const restarted = (id: string): void =>
    void members.set(id, { seen: undefined, termStart: 0, held: [], written: [], kept: memberOf(id).kept })

  const line: TraceCheck["line"] = text => {
    const after = read(text)
    if (after === undefined) return { rule: "a line of a trace can be read", detail: text }
    if (after.input === "Restart") restarted(after.id)
    const member = memberOf(after.id)
    const before = member.seen
    const durable = after.input.startsWith("Persisted ") ? (numberIn(after.input, / token=(\d+)/) ?? 0) : 0
    const voted = checkVotes(member, durable, after)
    const refusal =
      before === undefined
        ? checkRestart(member, after)
        : (checkTerm(before, after) ??
          checkRole(before, after) ??
          checkLog(before, after) ??
          checkCommit(before, after) ??
          checkVoters(before, after))
    if (after.role === "leader" && (before?.role !== "leader" || before.term !== after.term)) {
      leaders.set(after.term, after.id)
      member.termStart = after.lastIndex
    }
    member.seen = after
    keepHardState(member, durable, after.outputs)
    if (before?.term !== after.term) forget()
    return voted ?? refusal ?? checkNumbers(after)
  }

  return { line, restarted }
}

const hardStateIn = (output: string): ReadonlyArray<HardState> => {
  const found = /^(?:Persist|Install) token=(\d+) t(\d+) vote=(\S+)/.exec(output)
  if (found === null) return []
  const [, token, term, vote] = found
  return [{ token: Number(token), term: Number(term), vote: vote === "-" ? undefined : vote }]
}

/** A vote in an output: given to another, or to itself by asking for those of the others. */
const voteIn = (output: string): ReadonlyArray<HeldVote> => {
  const given = /^(?:after (\d+): )?VoteReply \S+>(\S+) t\d+ askedTerm=(\d+) granted=true/.exec(output)
  const asked = /^(?:after (\d+): )?RequestVote (\S+)>\S+ t\d+ askedTerm=(\d+)/.exec(output)
  const found = given ?? asked
  if (found === null) return []
  return [{ token: Number(found[1] ?? 0), candidate: found[2] ?? "", term: Number(found[3]) }]
}
