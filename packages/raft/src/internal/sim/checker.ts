import type { LogEntry } from "../../LogEntry.js"
import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import * as Quorum from "../../Quorum.js"
import type { SendSnapshot, State } from "../../RaftCore.js"
import type { Snapshot } from "../../Snapshot.js"
import * as Machine from "./machine.js"
import type { Disk, Node, Read } from "./node.js"
import * as Snapshots from "./snapshots.js"
import { Violation } from "./violation.js"

interface Committed {
  readonly term: number
  readonly proposal: number
  /** The term of the member that was first to count it as committed. */
  readonly inTerm: number
  /** The state machine after it. */
  readonly machine: Machine.Machine
  /** The configuration in force there. */
  readonly configuration: Membership.Placed
}

/**
 * The group as nobody in it sees it: all that was ever led, voted, appended and committed. Every promise is checked
 * where it could first break, at a cost that does not grow with the run.
 *
 * What it demands is promised as long as a majority of the voters in force have sound disks: the world lets nothing rot
 * beyond that. A member whose disk has rotted counts as one that holds what it acknowledged, since it acknowledged in good
 * faith; it never starts again, and so can neither vote nor deny it.
 *
 * A blind one demands nothing and only counts: then what the clients saw has to tell.
 */
export class Checker {
  /** By term: its leader. */
  readonly leaders = new Map<number, string>()
  /** By term and voter: the vote it was seen to give. */
  private readonly votes = new Map<string, string>()
  /** By index and term: the entry and its predecessor's term. Equal pairs everywhere is log matching, by induction. */
  private readonly entries = new Map<string, { readonly content: string; readonly prevTerm: number | undefined }>()
  private readonly committed: Array<Committed> = []
  private readonly indexOfProposal = new Map<number, number>()
  private readonly refused = new Set<number>()
  /** The newest index whose effect a client has seen, by an answered proposal or a served read. */
  seenIndex = 0
  acknowledged = 0

  constructor(
    private readonly nodes: ReadonlyArray<Node>,
    private readonly founding: Membership.Placed,
    private readonly initial: Machine.Machine,
    private readonly isBlind: boolean
  ) {}

  get commitIndex(): number {
    return this.committed.length
  }

  private demand(condition: boolean, invariant: string, detail: () => string): void {
    if (!condition && !this.isBlind) throw new Violation(invariant, detail())
  }

  /** The member's own numbers after a step. */
  onStep(node: Node, before: State): void {
    if (this.isBlind) return
    const { core } = node
    this.demand(
      core.term >= before.term && core.commitIndex >= before.commitIndex && core.applyIndex >= before.applyIndex,
      "term, commit and applied only grow",
      () =>
        `${node.id} went from ${before.term}/${before.commitIndex}/${before.applyIndex} ` +
        `to ${core.term}/${core.commitIndex}/${core.applyIndex}`
    )
    // what a snapshot stands for was checked with it
    const seen = Math.max(before.commitIndex, node.log.base.index)
    for (let index = seen + 1; index <= core.commitIndex; index++) this.onCommitted(node, index)
    this.onMembership(node, before)
    if (core.role !== "leader") return
    this.onLeader(node, before)
    this.demand(
      core.commitIndex === before.commitIndex || node.log.term(core.commitIndex) === core.term,
      "a leader commits by counting only in its own term",
      () => `${node.id} commits ${core.commitIndex} of term ${node.log.term(core.commitIndex)} in ${core.term}`
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
        progress.matchIndex <= peer.disk.log.lastIndex || (peer.up && peer.core.term > core.term),
        "match ≤ durable",
        () => `${node.id} counts ${progress.matchIndex} of ${peer.id}, which has ${peer.disk.log.lastIndex}`
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
      if (inTerm >= term || at < node.log.base.index) return
      this.demand(
        node.log.term(at + 1) === entryTerm,
        "leader completeness",
        () => `${node.id} leads term ${term} without entry ${at + 1} of term ${entryTerm}, committed in ${inTerm}`
      )
    })
  }

  private onCommitted(node: Node, index: number): void {
    const entry = node.log.at(index)
    if (entry === undefined)
      throw new Violation("committed entries exist", `${node.id} committed ${index} and has none`)
    const proposal = Machine.proposalOf(entry)
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
      ({ disk: { log }, id }) => voters.includes(id) && (log.base.index >= index || log.term(index) === entry.term)
    ).length
    this.demand(
      holders >= Quorum.size(voters.length),
      "committed is durable on a majority",
      () => `${node.id} commits ${index} of term ${entry.term}, durable on ${holders} of ${voters}`
    )
    const last = this.committed[index - 2]
    this.committed.push({
      term: entry.term,
      proposal,
      inTerm: node.core.term,
      machine: Machine.apply(last?.machine ?? this.initial, entry),
      configuration:
        entry.kind === "configuration"
          ? Membership.at(Membership.record([last?.configuration ?? this.founding], entry), index)
          : (last?.configuration ?? this.founding)
    })
    if (proposal === 0) return
    this.demand(!this.refused.has(proposal), "a refused proposal is never committed", () => `proposal ${proposal}`)
    this.demand(
      !this.indexOfProposal.has(proposal),
      "a proposal is committed once",
      () => `proposal ${proposal} at ${this.indexOfProposal.get(proposal)} and ${index}`
    )
    this.indexOfProposal.set(proposal, index)
  }

  onAppended(node: Node, entry: LogEntry, prevTerm: number | undefined): void {
    if (this.isBlind) return
    const key = `${entry.index}.${entry.term}`
    const content = Machine.contentOf(entry)
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

  /** A configuration that its leader makes. One that only names the group's incarnation changes nothing, and opens a term. */
  private onConfiguration(node: Node, entry: LogEntry): void {
    const { configurations, core, id } = node
    const [before] = configurations
    this.demand(
      before.index <= core.commitIndex,
      "one change at a time",
      () => `${id} adds one at ${entry.index} to that of ${before.index}, with ${core.commitIndex} committed`
    )
    const [{ configuration: next }] = Membership.record(configurations, entry)
    const named = { index: entry.index, configuration: { ...before.configuration, incarnation: next.incarnation } }
    this.demand(
      node.log.term(core.commitIndex) === core.term || Membership.isSame(named, { ...named, configuration: next }),
      "no change before a commit of the own term",
      () => `${id} adds one at ${entry.index} in ${core.term}, with ${core.commitIndex} committed`
    )
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
    if (this.isBlind) return
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
    const { log } = node.disk
    this.demand(index <= log.lastIndex, "applied ≤ durable", () => `${node.id} applies ${index} of ${log.lastIndex}`)
    for (let at = node.machine.index + 1; at <= index; at++) {
      this.demand(
        log.term(at) === this.committed[at - 1]?.term,
        "state machine safety",
        () => `${node.id} applies ${at}, of term ${log.term(at)} and committed of ${this.committed[at - 1]?.term}`
      )
    }
  }

  /** The machine after an entry, or as a snapshot brought it: all that is committed up to there, and nothing else. */
  onState({ id, machine }: Node): void {
    const known = this.committed[machine.index - 1]
    this.demand(
      known !== undefined && known.machine.digest === machine.digest,
      "state machine safety",
      () => `${id} has applied something else than what is committed up to ${machine.index}`
    )
    if (machine.output === undefined) return
    this.demand(
      known?.machine.output === machine.output,
      "the machine is deterministic",
      () => `at ${machine.index} ${id} answers ${machine.output}, another answered ${known?.machine.output}`
    )
    const complaint = machine.replica.complaint()
    this.demand(complaint === undefined, "the machine's own invariant", () => `${id} at ${machine.index}: ${complaint}`)
  }

  /** Members that have applied the same are in the same state, however they came to it. */
  onSettled(): void {
    const texts = new Map<number, string>()
    for (const { id, machine, up } of this.nodes) {
      if (!up) continue
      const text = Machine.image(machine)
      const other = texts.get(machine.index) ?? text
      texts.set(machine.index, other)
      this.demand(
        text === other,
        "the machine is deterministic",
        () => `at ${machine.index} ${id} is in the state ${text}, another in ${other}`
      )
    }
  }

  /** A snapshot that a leader is about to send. */
  onOffer(node: Node, { throughIndex, to }: SendSnapshot, snapshot: Snapshot): void {
    this.demand(
      snapshot.index >= throughIndex && throughIndex >= node.log.base.index,
      "a snapshot reaches the log",
      () => `${node.id} offers ${to} one of ${snapshot.index}, its log begins after ${node.log.base.index}`
    )
  }

  /** A snapshot that a member takes in the place of its log. */
  onInstall(node: Node, { configuration, index, term }: Snapshot): void {
    const known = this.committed[index - 1]
    this.demand(
      known !== undefined && known.term === term,
      "a snapshot is of what is committed",
      () => `${node.id} installs ${index} of term ${term}, where the committed one is of term ${known?.term}`
    )
    this.demand(
      known?.configuration.index === configuration.index,
      "a snapshot's configuration is the one in force there",
      () => `${node.id} installs at ${index} that of ${configuration.index}, not of ${known?.configuration.index}`
    )
    this.demand(
      index > node.machine.index,
      "term, commit and applied only grow",
      () => `${node.id} installs ${index} and has applied ${node.machine.index}`
    )
  }

  /** A replacement of the disk's log, about to happen. */
  onReplaced(node: Node, { index }: Snapshot): void {
    this.onCut(node, index + 1)
  }

  /** A cut of the disk, about to happen. */
  onCut(node: Node, from: number): void {
    const { log } = node.disk
    for (let index = from; index <= Math.min(log.lastIndex, this.committed.length); index++) {
      this.demand(
        log.at(index)?.term !== this.committed[index - 1]?.term,
        "committed entries stay",
        () => `${node.id} cuts ${index}`
      )
    }
  }

  /** A snapshot whose bytes a member says it holds. */
  onWhole({ disk, id }: Node, { index, term }: Snapshot): void {
    this.demand(
      Snapshots.hasSound(disk.inbox, { index, term }),
      "a snapshot is taken only as it was sent",
      () => `${id} takes that of ${index}, which has other bytes`
    )
  }

  /** A start, or that a member would not start; `isDamaged` says whether there is a reason for that. */
  onStart(node: Node, started: boolean, isDamaged: boolean): void {
    const { base } = node.disk.log
    if (!started) {
      this.demand(
        isDamaged,
        "a member with a sound disk starts",
        () => `${node.id}, whose log begins after ${base.index}`
      )
      return
    }
    this.demand(
      node.machine.index >= base.index,
      "nothing is applied across a hole",
      () => `${node.id} starts at ${node.machine.index}, its log begins after ${base.index}`
    )
    this.demand(
      node.core.commitIndex <= this.committed.length,
      "a log shows no more to be committed than is",
      () => `${node.id} starts with ${node.core.commitIndex} committed, of ${this.committed.length}`
    )
    if (node.machine.index > 0) this.onState(node)
  }

  onWritten(node: Node, before: Disk["hardState"]): void {
    const { hardState, inbox, log, machine } = node.disk
    const { term, votedFor } = hardState
    this.demand(
      machine.index >= log.base.index || Snapshots.find(inbox, log.base) !== undefined,
      "a log begins where its machine or a snapshot stands",
      () => `that of ${node.id} begins after ${log.base.index}, its machine stands at ${machine.index}`
    )
    this.demand(
      term > before.term || (term === before.term && (before.votedFor === undefined || before.votedFor === votedFor)),
      "term and vote only grow",
      () => `${node.id} replaces ${before.term}/${before.votedFor} by ${term}/${votedFor}`
    )
  }

  /** A message as it leaves: everything it says must be true of the disk. */
  onRelease(node: Node, message: Message | Snapshots.Piece): void {
    const { disk } = node
    this.demand(
      message.term <= disk.hardState.term,
      "a term is durable before it is shown",
      () => `${node.id} shows ${message.term} with ${disk.hardState.term} on disk`
    )
    if (message._tag === "AppendReply" && message.result._tag === "Matched") {
      const { matchIndex } = message.result
      this.demand(
        matchIndex <= disk.log.lastIndex,
        "acknowledged ≤ durable",
        () => `${node.id} acknowledges ${matchIndex} with ${disk.log.lastIndex} on disk`
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

  onRead(node: Node, { floor }: Read, index: number): void {
    this.demand(
      index >= floor,
      "reads are linearizable",
      () => `${node.id} reads at ${index} what began after ${floor} was seen`
    )
    this.seenIndex = Math.max(this.seenIndex, index)
  }
}
