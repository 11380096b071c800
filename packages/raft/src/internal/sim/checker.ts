import type { LogEntry } from "../../LogEntry.js"
import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import * as Quorum from "../../Quorum.js"
import type { State } from "../../RaftCore.js"
import type { Disk, Node } from "./node.js"

/** A promise of Raft that a run broke. */
export class Violation extends Error {
  override readonly name = "Violation"
  constructor(
    readonly invariant: string,
    readonly detail: string
  ) {
    super(`${invariant}: ${detail}`)
  }
}

interface Committed {
  readonly term: number
  readonly proposal: number
  /** The term of the member that was first to count it as committed. */
  readonly inTerm: number
}

/** The proposal an entry carries; 0 for one that carries none. */
const proposalOf = (entry: LogEntry): number =>
  entry.kind !== "command" || entry.payload.length < 4
    ? 0
    : new DataView(entry.payload.buffer, entry.payload.byteOffset).getUint32(0)

/** What tells an entry from another. */
const contentOf = (entry: LogEntry): string =>
  entry.kind === "configuration" ? decoder.decode(entry.payload) : `${proposalOf(entry)}`

const decoder = new TextDecoder()

export const payloadOf = (proposal: number, bytes: number): Uint8Array => {
  const payload = new Uint8Array(Math.max(4, bytes))
  new DataView(payload.buffer).setUint32(0, proposal)
  return payload
}

/**
 * The group as nobody in it sees it: all that was ever led, voted, appended and committed. Every promise is checked
 * where it could first break, at a cost that does not grow with the run.
 */
export class Checker {
  /** By term: its leader. */
  readonly leaders = new Map<number, string>()
  /** By term and voter: the vote it was seen to give. */
  private readonly votes = new Map<string, string>()
  /** By index and term: the entry and its predecessor's term. Equal pairs everywhere is log matching, by induction. */
  private readonly entries = new Map<string, { readonly content: string; readonly prevTerm: number }>()
  private readonly committed: Array<Committed> = []
  private readonly indexOfProposal = new Map<number, number>()
  private readonly refused = new Set<number>()
  /** The newest index whose effect a client has seen, by an answered proposal or a served read. */
  seenIndex = 0
  acknowledged = 0

  constructor(private readonly nodes: ReadonlyArray<Node>) {}

  get commitIndex(): number {
    return this.committed.length
  }

  private demand(condition: boolean, invariant: string, detail: () => string): void {
    if (!condition) throw new Violation(invariant, detail())
  }

  /** The member's own numbers after a step. */
  onStep(node: Node, before: State): void {
    const { core } = node
    this.demand(
      core.term >= before.term && core.commitIndex >= before.commitIndex && core.applyIndex >= before.applyIndex,
      "term, commit and applied only grow",
      () =>
        `${node.id} went from ${before.term}/${before.commitIndex}/${before.applyIndex} ` +
        `to ${core.term}/${core.commitIndex}/${core.applyIndex}`
    )
    for (let index = before.commitIndex + 1; index <= core.commitIndex; index++) this.onCommitted(node, index)
    this.onMembership(node, before)
    if (core.role !== "leader") return
    this.onLeader(node, before)
    this.demand(
      core.commitIndex === before.commitIndex || node.log[core.commitIndex - 1]?.term === core.term,
      "a leader commits by counting only in its own term",
      () => `${node.id} commits ${core.commitIndex} of term ${node.log[core.commitIndex - 1]?.term} in ${core.term}`
    )
    for (const progress of core.progress) {
      this.demand(
        progress.nextIndex > progress.matchIndex,
        "next > match",
        () => `${node.id} has match ${progress.matchIndex} and next ${progress.nextIndex} for ${progress.id}`
      )
      const peer = this.nodes.find(({ id }) => id === progress.id)
      // a peer in a later term may have been cut back by that term's leader since
      if (peer === undefined || peer.disk.hardState.term > core.term) continue
      this.demand(
        progress.matchIndex <= peer.disk.entries.length || (peer.up && peer.core.term > core.term),
        "match ≤ durable",
        () => `${node.id} counts ${progress.matchIndex} of ${peer.id}, which has ${peer.disk.entries.length}`
      )
    }
  }

  /** What a member believes of the membership, against its log. */
  private onMembership(node: Node, before: State): void {
    const { configurations, core, id } = node
    const [newest] = configurations
    this.demand(
      core.configurations[0].index === newest.index,
      "the newest configuration of the log is in force",
      () => `${id} goes by that of ${core.configurations[0].index}, its log has one at ${newest.index}`
    )
    node.configurations = Membership.settle(configurations, core.commitIndex)
    node.left ||= Membership.committed(node.configurations, core.commitIndex).removed.includes(id)
    if (core.role === "follower") return
    this.demand(!node.left, "who has left asks for nothing", () => `${id} is a ${core.role} in ${core.term}`)
    this.demand(
      core.role === before.role || Membership.mayLead(configurations, before.commitIndex, id),
      "only voters lead",
      () => `${id} becomes a ${core.role} under ${Membership.members(newest.configuration)}`
    )
  }

  private onLeader(node: Node, before: State): void {
    const { term } = node.core
    const known = this.leaders.get(term)
    this.demand(
      known === undefined || known === node.id,
      "one leader a term",
      () => `${known} and ${node.id} in ${term}`
    )
    if (before.role === "leader" && before.term === term) return
    this.leaders.set(term, node.id)
    this.committed.forEach(({ inTerm, term: entryTerm }, at) => {
      if (inTerm >= term) return
      this.demand(
        node.log[at]?.term === entryTerm,
        "leader completeness",
        () => `${node.id} leads term ${term} without entry ${at + 1} of term ${entryTerm}, committed in ${inTerm}`
      )
    })
  }

  private onCommitted(node: Node, index: number): void {
    const entry = node.log[index - 1]
    if (entry === undefined)
      throw new Violation("committed entries exist", `${node.id} committed ${index} and has none`)
    const proposal = proposalOf(entry)
    const known = this.committed[index - 1]
    if (known !== undefined) {
      this.demand(
        known.term === entry.term && known.proposal === proposal,
        "state machine safety",
        () => `${node.id} commits ${index} of term ${entry.term}, where one of term ${known.term} was committed`
      )
      return
    }
    this.demand(
      index === this.committed.length + 1,
      "commits are dense",
      () => `${node.id} commits ${index} after ${this.committed.length}`
    )
    const { voters } = node.configurations[0].configuration
    const holders = this.nodes.filter(
      ({ disk, id }) => voters.includes(id) && disk.entries[index - 1]?.term === entry.term
    ).length
    this.demand(
      holders >= Quorum.size(voters.length),
      "committed is durable on a majority",
      () => `${node.id} commits ${index} of term ${entry.term}, durable on ${holders} of ${voters}`
    )
    this.committed.push({ term: entry.term, proposal, inTerm: node.core.term })
    if (proposal === 0) return
    this.demand(!this.refused.has(proposal), "a refused proposal is never committed", () => `proposal ${proposal}`)
    this.demand(
      !this.indexOfProposal.has(proposal),
      "a proposal is committed once",
      () => `proposal ${proposal} at ${this.indexOfProposal.get(proposal)} and ${index}`
    )
    this.indexOfProposal.set(proposal, index)
  }

  onAppended(node: Node, entry: LogEntry, prevTerm: number): void {
    const key = `${entry.index}.${entry.term}`
    const content = contentOf(entry)
    const known = this.entries.get(key)
    if (known === undefined) {
      this.entries.set(key, { content, prevTerm })
      if (entry.kind === "configuration") this.onConfiguration(node, entry)
      return
    }
    this.demand(
      known.content === content && known.prevTerm === prevTerm,
      "log matching",
      () => `${node.id} has another entry ${entry.index} of term ${entry.term}`
    )
  }

  /** A configuration that its leader makes. */
  private onConfiguration(node: Node, entry: LogEntry): void {
    const { configurations, core, id } = node
    const [before] = configurations
    this.demand(
      before.index <= core.commitIndex,
      "one change at a time",
      () => `${id} adds one at ${entry.index} to that of ${before.index}, with ${core.commitIndex} committed`
    )
    this.demand(
      node.log[core.commitIndex - 1]?.term === core.term,
      "no change before a commit of the own term",
      () => `${id} adds one at ${entry.index} in ${core.term}, with ${core.commitIndex} committed`
    )
    const [{ configuration: next }] = Membership.record(configurations, entry)
    const { removed, voters } = before.configuration
    const differing =
      voters.filter(voter => !next.voters.includes(voter)).length +
      next.voters.filter(voter => !voters.includes(voter)).length
    this.demand(differing <= 1, "one voter at a time", () => `${voters} become ${next.voters}`)
    this.demand(
      removed.every(member => next.removed.includes(member)),
      "no name is used again",
      () => `of ${removed} only ${next.removed} remain removed`
    )
  }

  onChangeCommitted(node: Node, change: Membership.Change | undefined, index: number): void {
    if (change === undefined) throw new Violation("a change is answered once", `${node.id} at ${index}`)
    const placed = node.configurations.find(configuration => configuration.index === index)?.configuration
    this.demand(
      index <= this.commitIndex &&
        placed !== undefined &&
        (change._tag === "Add" ? Membership.members(placed) : placed.removed).includes(change.member),
      "a committed change is in its configuration",
      () => `${node.id} reports ${change._tag} ${change.member} at ${index}`
    )
  }

  onTransferred(node: Node, target: string | undefined): void {
    const { term } = node.core
    this.demand(
      target !== undefined && this.leaders.get(term) === target,
      "a transferred leadership is led",
      () => `${node.id} reports ${target} in ${term}, which ${this.leaders.get(term)} leads`
    )
  }

  onApply(node: Node, index: number): void {
    this.demand(
      index <= node.disk.entries.length,
      "applied ≤ durable",
      () => `${node.id} applies ${index} of ${node.disk.entries.length}`
    )
    for (let at = node.applied + 1; at <= index; at++) {
      const entry = node.disk.entries[at - 1]
      const known = this.committed[at - 1]
      this.demand(
        entry !== undefined && known !== undefined && known.term === entry.term && known.proposal === proposalOf(entry),
        "state machine safety",
        () => `${node.id} applies ${at} of term ${entry?.term}, where the committed one is of term ${known?.term}`
      )
    }
  }

  /** A cut of the disk, about to happen. */
  onCut(node: Node, from: number): void {
    for (let index = from; index <= Math.min(node.disk.entries.length, this.committed.length); index++) {
      this.demand(
        node.disk.entries[index - 1]?.term !== this.committed[index - 1]?.term,
        "committed entries stay",
        () => `${node.id} cuts ${index}`
      )
    }
  }

  onWritten(node: Node, before: Disk["hardState"]): void {
    const { term, votedFor } = node.disk.hardState
    this.demand(
      term > before.term || (term === before.term && (before.votedFor === undefined || before.votedFor === votedFor)),
      "term and vote only grow",
      () => `${node.id} replaces ${before.term}/${before.votedFor} by ${term}/${votedFor}`
    )
  }

  /** A message as it leaves: everything it says must be true of the disk. */
  onRelease(node: Node, message: Message): void {
    const { disk } = node
    this.demand(
      message.term <= disk.hardState.term,
      "a term is durable before it is shown",
      () => `${node.id} shows ${message.term} with ${disk.hardState.term} on disk`
    )
    if (message._tag === "AppendReply" && message.result._tag === "Matched") {
      const { matchIndex } = message.result
      this.demand(
        matchIndex <= disk.entries.length,
        "acknowledged ≤ durable",
        () => `${node.id} acknowledges ${matchIndex} with ${disk.entries.length} on disk`
      )
    }
    if (message._tag === "RequestVote") this.onVote(node, message.askedTerm, node.id)
    if (message._tag === "VoteReply" && message.granted) this.onVote(node, message.askedTerm, message.to)
  }

  private onVote(node: Node, term: number, candidate: string): void {
    const { hardState } = node.disk
    this.demand(
      hardState.term > term || (hardState.term === term && hardState.votedFor === candidate),
      "a vote is durable before it is given",
      () => `${node.id} votes ${term}/${candidate} with ${hardState.term}/${hardState.votedFor} on disk`
    )
    const key = `${term}.${node.id}`
    const known = this.votes.get(key)
    this.demand(
      known === undefined || known === candidate,
      "one vote a term",
      () => `${node.id} votes for ${known} and ${candidate} in ${term}`
    )
    this.votes.set(key, candidate)
  }

  onRefused(proposal: number): void {
    this.demand(
      !this.indexOfProposal.has(proposal),
      "a refused proposal is never committed",
      () => `proposal ${proposal}, at ${this.indexOfProposal.get(proposal)}`
    )
    this.refused.add(proposal)
  }

  onAcknowledged(node: Node, proposal: number, index: number): void {
    this.demand(
      this.committed[index - 1]?.proposal === proposal,
      "acknowledged proposals stay",
      () => `${node.id} acknowledges proposal ${proposal} at ${index}, where ${this.committed[index - 1]?.proposal} is`
    )
    this.acknowledged += 1
    this.seenIndex = Math.max(this.seenIndex, index)
  }

  onRead(node: Node, floor: number | undefined, index: number): void {
    if (floor === undefined) throw new Violation("a read is answered once", `${node.id} at ${index}`)
    this.demand(
      index >= floor,
      "reads are linearizable",
      () => `${node.id} reads at ${index} what began after ${floor} was seen`
    )
    this.seenIndex = Math.max(this.seenIndex, index)
  }
}
