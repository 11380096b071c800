import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"
import type { Event } from "../../Simulator.js"
import { Checker, payloadOf, Violation } from "./checker.js"
import * as Nodes from "./node.js"

export type StepFunction = typeof RaftCore.step

/** Messages a link holds; the oldest give way. */
const linkMessagesMax = 64

export interface Link {
  readonly from: Nodes.Node
  readonly to: Nodes.Node
  readonly messages: Array<Message>
}

/**
 * The group, its network and its disks. Nothing happens in it but by {@link World.apply}, and nothing that is applied
 * draws on chance: a list of events is a run, and a shorter list is another.
 */
export class World {
  readonly nodes: ReadonlyArray<Nodes.Node>
  readonly links: ReadonlyArray<Link>
  readonly checker: Checker
  private proposals = 0
  private reads = 0
  private requests = 0
  readsServed = 0
  changesCommitted = 0
  transfersDone = 0

  constructor(
    readonly group: Nodes.Group,
    private readonly step: StepFunction
  ) {
    const nodes = [...group.voters, ...group.spares].map(id => Nodes.make(group, id))
    this.nodes = nodes
    this.links = nodes.flatMap(from => nodes.filter(to => to !== from).map(to => ({ from, to, messages: [] })))
    this.checker = new Checker(nodes)
  }

  node(id: string): Nodes.Node {
    const node = this.nodes.find(candidate => candidate.id === id)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  /** Lets an event happen. Returns false, having done nothing, where it cannot: in a shortened run much has no object. */
  apply(event: Event): boolean {
    switch (event._tag) {
      case "Deliver":
      case "Duplicate":
      case "Drop":
        return this.transmit(event)
      case "Crash":
        return this.crash(event)
      case "Restart": {
        const node = this.node(event.node)
        if (node.up) return false
        Nodes.restart(this.group, node)
        return true
      }
      default:
        return this.operate(event)
    }
  }

  private transmit(event: Extract<Event, { readonly _tag: "Deliver" | "Duplicate" | "Drop" }>): boolean {
    const link = this.links.find(({ from, to }) => from.id === event.from && to.id === event.to)
    const message = link?.messages[event.at]
    if (link === undefined || message === undefined) return false
    if (event._tag === "Drop") {
      link.messages.splice(event.at, 1)
      return true
    }
    if (!link.to.up) return false
    if (event._tag === "Deliver") link.messages.splice(event.at, 1)
    if (message._tag === "Removed") link.to.left = true
    this.feed(link.to, { _tag: "Receive", message })
    return true
  }

  private operate(
    event: Extract<Event, { readonly _tag: "Tick" | "Campaign" | "Propose" | "Read" | "Sync" | "Change" | "Transfer" }>
  ): boolean {
    const node = this.node(event.node)
    if (!node.up) return false
    switch (event._tag) {
      case "Tick":
        this.feed(node, RaftCore.tick)
        return true
      case "Campaign":
        this.feed(node, { _tag: "Campaign" })
        return true
      case "Propose": {
        const proposals = Array.from({ length: event.count }, () => {
          this.proposals += 1
          return { id: this.proposals, payload: payloadOf(this.proposals, event.bytes) }
        })
        this.feed(node, { _tag: "Propose", proposals })
        return true
      }
      case "Read":
        this.reads += 1
        node.reads.set(this.reads, this.checker.seenIndex)
        this.feed(node, { _tag: "ReadIndex", id: this.reads })
        return true
      case "Sync":
        return this.sync(node, event.writes)
      case "Change": {
        this.requests += 1
        const change: Membership.Change = { _tag: event.change, member: event.member }
        node.changes.set(this.requests, change)
        this.feed(node, { _tag: "ChangeMembership", id: this.requests, change })
        return true
      }
      case "Transfer":
        this.requests += 1
        node.transfers.set(this.requests, event.target)
        this.feed(node, { _tag: "TransferLeadership", id: this.requests, target: event.target })
        return true
    }
  }

  /** The oldest writes become durable together; what waited for them leaves; the core hears of the newest. */
  private sync(node: Nodes.Node, writes: number): boolean {
    const done = node.writes.splice(0, writes)
    const last = done[done.length - 1]
    if (last === undefined) return false
    for (const { held, persist } of done) {
      this.write(node, persist, persist.entries.length)
      for (const message of held) this.release(node, message)
    }
    this.feed(node, { _tag: "Persisted", token: last.persist.token, lastIndex: last.persist.lastIndex })
    return true
  }

  private write(node: Nodes.Node, persist: RaftCore.Persist, entries: number): void {
    if (persist.truncateFrom !== undefined) this.checker.onCut(node, persist.truncateFrom)
    const before = node.disk.hardState
    Nodes.write(node.disk, persist, entries)
    this.checker.onWritten(node, before)
  }

  private crash(event: Extract<Event, { readonly _tag: "Crash" }>): boolean {
    const node = this.node(event.node)
    if (!node.up) return false
    node.writes.slice(0, event.writes).forEach(({ persist }) => {
      this.write(node, persist, persist.entries.length)
    })
    const torn = node.writes[event.writes]
    if (torn !== undefined && event.torn >= 0) this.write(node, torn.persist, event.torn)
    Nodes.crash(node, event.forgotten)
    return true
  }

  private release(node: Nodes.Node, message: Message): void {
    this.checker.onRelease(node, message)
    const link = this.links.find(({ from, to }) => from === node && to.id === message.to)
    if (link === undefined) throw new Violation("messages go to members", `${node.id} to ${message.to}`)
    link.messages.push(message)
    if (link.messages.length > linkMessagesMax) link.messages.shift()
  }

  private feed(node: Nodes.Node, input: RaftCore.Input): void {
    const before = node.core
    const { outputs, state } = this.step(before, input, node.view)
    node.core = state
    const [first] = outputs
    if (first?._tag === "Persist") this.accept(node, first)
    this.checker.onStep(node, before)
    for (const output of outputs) this.perform(node, output)
  }

  private accept(node: Nodes.Node, persist: RaftCore.Persist): void {
    if (persist.truncateFrom !== undefined) {
      node.log.length = persist.truncateFrom - 1
      node.configurations = Membership.undo(node.configurations, persist.truncateFrom)
    }
    for (const entry of persist.entries) {
      this.checker.onAppended(node, entry, node.log[node.log.length - 1]?.term ?? 0)
      node.log.push(entry)
      if (entry.kind === "configuration") node.configurations = Membership.record(node.configurations, entry)
    }
    node.writes.push({ persist, held: [] })
  }

  private perform(node: Nodes.Node, output: RaftCore.Output): void {
    switch (output._tag) {
      case "Persist":
      case "RoleChanged":
      case "MembershipChanged":
      case "MemberRemoved":
        break
      case "Truncated":
        for (const index of node.proposals.keys()) if (index >= output.fromIndex) node.proposals.delete(index)
        break
      case "Commit":
        this.commit(node, output.index)
        break
      case "Send":
        this.release(node, output.message)
        break
      case "SendAfterPersist": {
        const write = node.writes.find(({ persist }) => persist.token === output.token)
        if (write === undefined) throw new Violation("a message waits for a write under way", `${output.token}`)
        write.held.push(output.message)
        break
      }
      case "ProposalsAppended":
        for (const { id, index, term } of output.proposals) node.proposals.set(index, { id, term })
        break
      case "ProposalsRefused":
        for (const id of output.ids) this.checker.onRefused(id)
        break
      case "ReadReady":
        this.checker.onRead(node, node.reads.get(output.id), output.index)
        node.reads.delete(output.id)
        this.readsServed += 1
        break
      case "ReadRefused":
        if (!node.reads.delete(output.id)) throw new Violation("a read is answered once", `${output.id}`)
        break
      case "ChangeCommitted":
        this.checker.onChangeCommitted(node, node.changes.get(output.id), output.index)
        node.changes.delete(output.id)
        this.changesCommitted += 1
        break
      case "ChangeRefused":
      case "ChangeUnknown":
        if (!node.changes.delete(output.id)) throw new Violation("a change is answered once", `${output.id}`)
        break
      case "TransferEnded":
        if (output.outcome === "transferred") {
          this.checker.onTransferred(node, node.transfers.get(output.id))
          this.transfersDone += 1
        }
        if (!node.transfers.delete(output.id)) throw new Violation("a transfer is answered once", `${output.id}`)
        break
      case "TransferRefused":
        if (!node.transfers.delete(output.id)) throw new Violation("a transfer is answered once", `${output.id}`)
        break
    }
  }

  private commit(node: Nodes.Node, index: number): void {
    this.checker.onApply(node, index)
    for (let at = node.applied + 1; at <= index; at++) {
      const proposal = node.proposals.get(at)
      if (proposal === undefined) continue
      node.proposals.delete(at)
      if (node.log[at - 1]?.term === proposal.term) this.checker.onAcknowledged(node, proposal.id, at)
    }
    node.applied = index
  }
}
