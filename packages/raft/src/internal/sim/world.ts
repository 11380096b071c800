import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"
import type { Event } from "../../Simulator.js"
import { Checker } from "./checker.js"
import { Clients, type Request } from "./clients.js"
import * as Damage from "./damage.js"
import * as Links from "./link.js"
import * as Machine from "./machine.js"
import * as Nodes from "./node.js"
import * as Snapshots from "./snapshots.js"
import { Tally } from "./tally.js"
import { Violation } from "./violation.js"

export type StepFunction = typeof RaftCore.step

/** What a member that is up is asked to do. */
type AskedOfCore = "Tick" | "Campaign" | "Propose" | "Read" | "Change" | "Transfer" | "Call" | "Retry"
type Asked = AskedOfCore | "Sync" | "Compact" | "SnapshotEnd"

/**
 * The group, its network, its disks and its clients. Nothing happens in it but by {@link World.apply}, and nothing that is
 * applied draws on chance: a list of events is a run, and a shorter list is another.
 */
export class World {
  readonly nodes: ReadonlyArray<Nodes.Node>
  readonly links: ReadonlyArray<Links.Link>
  readonly checker: Checker
  readonly clients: Clients
  readonly tally = new Tally()
  /** Proposals and attempts of clients are numbered together: a number is one or the other. */
  private proposals = 0
  private reads = 0
  private requests = 0
  private questions = 0
  /** In ticks of a true clock. */
  time = 0

  constructor(
    readonly group: Nodes.Group,
    private readonly step: StepFunction,
    private readonly historiesOnly: boolean,
    private readonly onTransition: (input: RaftCore.Input, next: RaftCore.Step) => void = () => {},
    private readonly onRestart: (id: string) => void = () => {}
  ) {
    const nodes = [...group.voters, ...group.spares].map(id => Nodes.make(group, id))
    this.nodes = nodes
    this.links = Links.between(nodes)
    this.clients = new Clients(group.workload)
    this.checker = new Checker(
      nodes,
      { index: 0, configuration: Membership.founding(group.voters) },
      Machine.initial(group.workload),
      historiesOnly
    )
  }

  node(id: string): Nodes.Node {
    const node = this.nodes.find(candidate => candidate.id === id)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  /**
   * Lets an event happen. Returns false, having done nothing, where it cannot: in a shortened run much has no object.
   *
   * A member that meets with rot stops. So does one with a defect, where only the clients are to tell of it.
   */
  apply(event: Event): boolean {
    try {
      return this.happen(event)
    } catch (cause) {
      const id = "node" in event ? event.node : "to" in event ? event.to : undefined
      const isDamage = cause instanceof Nodes.Damaged
      if (id === undefined || !(isDamage || this.historiesOnly)) throw cause
      if (isDamage) this.tally.damageNoticed += 1
      Nodes.crash(this.node(id), 0)
      return true
    }
  }

  private happen(event: Event): boolean {
    switch (event._tag) {
      case "Deliver":
      case "Duplicate":
      case "Drop":
      case "Spoil":
        return this.transmit(event)
      case "Crash":
        return this.crash(event)
      case "FailSync":
        // nobody knows what a failed sync has written: the member stops, and begins with what is there
        return this.crash(event) && this.restart(this.node(event.node))
      case "Restart":
        return this.restart(this.node(event.node))
      case "Rot":
        return this.isBearable(this.node(event.node)) && Nodes.rot(this.node(event.node), event.index)
      case "RotSnapshot":
        return this.isBearable(this.node(event.node)) && Snapshots.rot(this.node(event.node), event.file, event.at)
      case "LoseMachine":
        return (
          this.isBearable(this.node(event.node)) && Nodes.loseMachine(this.group, this.node(event.node), event.older)
        )
      case "Abandon":
        return this.clients.abandon(event.client)
      default:
        return this.operate(event)
    }
  }

  private restart(node: Nodes.Node): boolean {
    if (node.up) return false
    const isDamaged = Damage.isDamaged(node)
    const start = Nodes.restart(this.group, node)
    this.checker.onStart(node, start !== "refused", isDamaged)
    if (start === "refused") this.tally.damageNoticed += 1
    else this.onRestart(node.id)
    if (start === "installed") this.tally.installsEnded += 1
    return start !== "refused"
  }

  private isBearable(node: Nodes.Node): boolean {
    return Damage.isBearable(this.nodes, node)
  }

  private transmit(event: Extract<Event, { readonly _tag: "Deliver" | "Duplicate" | "Drop" | "Spoil" }>): boolean {
    const link = this.links.find(({ from, to }) => from.id === event.from && to.id === event.to)
    const sent = link?.messages[event.at]
    if (link === undefined || sent === undefined) return false
    if (event._tag === "Drop") {
      link.messages.splice(event.at, 1)
      return true
    }
    const message = event._tag === "Spoil" ? Links.spoilt(sent) : sent
    if (!link.to.up || message === undefined) return false
    if (event._tag !== "Duplicate") link.messages.splice(event.at, 1)
    this.receive(link.to, message)
    return true
  }

  private receive(node: Nodes.Node, message: Links.Packet): void {
    switch (message._tag) {
      case "AskIndex":
      case "TellIndex":
        this.forwarded(node, message)
        break
      case "Piece":
        this.takePiece(node, message)
        break
      case "Receipt":
        this.onReceipt(node, message)
        break
      default:
        if (message._tag === "Removed") node.left = true
        this.feed(node, { _tag: "Receive", message })
    }
  }

  private takePiece(node: Nodes.Node, piece: Snapshots.Piece): void {
    const { from: to, question, size, snapshot, term, to: from } = piece
    const taken = Snapshots.take(this.group, node, piece)
    if (taken === "damaged") this.tally.snapshotsRefused += 1
    if (taken === size) {
      this.checker.onWhole(node, snapshot)
      this.feed(node, { _tag: "Receive", message: { _tag: "InstallSnapshot", from: to, to: from, term, snapshot } })
    }
    this.send(node, { _tag: "Receipt", from, to, question, taken })
  }

  private onReceipt(node: Nodes.Node, receipt: Snapshots.Receipt): void {
    const delivery = Snapshots.onReceipt(this.group, node, receipt)
    // who leads no more sends nothing in its old name
    if (delivery !== undefined && node.core.role === "leader" && node.core.term === delivery.term) {
      this.sendPiece(node, delivery)
    }
  }

  private sendPiece(node: Nodes.Node, delivery: Snapshots.Delivery): void {
    this.questions += 1
    delivery.question = this.questions
    this.release(node, Snapshots.pieceOf(node.id, delivery))
  }

  private operate(event: Extract<Event, { readonly _tag: Asked }>): boolean {
    const node = this.node(event.node)
    if (!node.up) return false
    switch (event._tag) {
      case "Tick":
        if (event.at !== undefined) this.time = Math.max(this.time, event.at)
        this.feed(node, { _tag: "Tick", elapsed: event.at === undefined ? undefined : Nodes.pass(node, this.time) })
        return true
      case "Campaign":
        this.feed(node, { _tag: "Campaign" })
        return true
      case "Propose": {
        const proposals = Array.from({ length: event.count }, () => {
          this.proposals += 1
          return { id: this.proposals, payload: Machine.payloadOf(this.proposals, event.bytes) }
        })
        this.feed(node, { _tag: "Propose", proposals })
        return true
      }
      case "Read":
        this.readIndex(node, undefined, node.id)
        return true
      case "Call":
        return this.clients.call(event.client, event.input) && this.ask(node, event.client)
      case "Retry":
        return this.ask(node, event.client)
      case "Sync":
        return this.sync(node, event.writes, event.heldUp)
      case "Change": {
        const change: Membership.Change = { _tag: event.change, member: event.member }
        if (!Damage.isPrudent(this.nodes, change)) return false
        this.requests += 1
        node.changes.set(this.requests, change)
        this.feed(node, { _tag: "ChangeMembership", id: this.requests, change })
        return true
      }
      case "Transfer":
        this.requests += 1
        node.transfers.set(this.requests, event.target)
        this.feed(node, { _tag: "TransferLeadership", id: this.requests, target: event.target })
        return true
      case "Compact":
        if (!Nodes.compact(node, event.kept)) return false
        this.checker.onWritten(node, node.disk.hardState)
        return true
      case "SnapshotEnd": {
        const delivery = node.deliveries.get(event.to)
        if (delivery === undefined) return false
        node.deliveries.delete(event.to)
        const { state, term, to } = delivery
        this.feed(node, { _tag: state === "delivered" ? "SnapshotDelivered" : "SnapshotFailed", to, term })
        return true
      }
    }
  }

  /** A client's operation, through whichever member. One that does not lead sends a read on, and refuses the rest. */
  private ask(node: Nodes.Node, client: string): boolean {
    this.proposals += 1
    const request = this.clients.ask(client, this.proposals)
    if (request === undefined) return false
    if (request.isRead) this.askToRead(node, request)
    else {
      const { attempt: id, input } = request
      this.feed(node, { _tag: "Propose", proposals: [{ id, payload: Machine.payloadOfInput(id, input) }] })
    }
    return true
  }

  private askToRead(node: Nodes.Node, { attempt }: Request): void {
    const { leader, role } = node.core
    if (role === "leader") this.readIndex(node, attempt, node.id)
    else if (leader === undefined) this.clients.refuse(attempt)
    else {
      node.asked.add(attempt)
      this.send(node, { _tag: "AskIndex", from: node.id, to: leader, attempt, index: undefined })
    }
  }

  private readIndex(node: Nodes.Node, attempt: number | undefined, through: string): void {
    this.reads += 1
    node.reads.set(this.reads, { floor: this.checker.seenIndex, attempt, through })
    const elapsed = Nodes.clockAt(node, this.time) - node.clock + 1
    this.feed(node, { _tag: "ReadIndex", id: this.reads, elapsed })
  }

  private forwarded(node: Nodes.Node, { _tag, attempt, from, index }: Links.ForwardedRead): void {
    if (_tag === "AskIndex") this.readIndex(node, attempt, from)
    else if (node.asked.delete(attempt)) this.onIndex(node, attempt, index)
  }

  /** The member that a client's read came through learns what it has to wait for, or that it was refused. */
  private onIndex(node: Nodes.Node, attempt: number, index: number | undefined): void {
    if (index === undefined) this.clients.refuse(attempt)
    else {
      node.waiting.push({ attempt, index })
      this.answerReads(node)
    }
  }

  private answerReads(node: Nodes.Node): void {
    if (node.waiting.length === 0) return
    const { index: applied, replica } = node.machine
    for (const { attempt, index } of node.waiting) {
      const input = index <= applied ? this.clients.inputOf(attempt) : undefined
      if (input !== undefined) this.clients.answer(attempt, replica.apply(input).output)
    }
    node.waiting = node.waiting.filter(({ index }) => index > applied)
  }

  private endRead(node: Nodes.Node, id: number, index: number | undefined): void {
    const read = node.reads.get(id)
    if (read === undefined) throw new Violation("a read is answered once", `${node.id}, ${id}`)
    node.reads.delete(id)
    if (index !== undefined) {
      this.checker.onRead(node, read, index)
      this.tally.readsServed += 1
    }
    const { attempt, through } = read
    if (attempt === undefined) return
    if (through === node.id) this.onIndex(node, attempt, index)
    else this.send(node, { _tag: "TellIndex", from: node.id, to: through, attempt, index })
  }

  /** The oldest writes become durable together; what waited for them leaves; the core hears of the newest. */
  private sync(node: Nodes.Node, writes: number, heldUp?: number): boolean {
    const done = node.writes.splice(0, writes)
    const last = done[done.length - 1]
    if (last === undefined) return false
    for (const { held, output } of done) {
      const isDone = this.write(node, output)
      if (!isDone) throw new Nodes.Damaged(`${node.id} installs a snapshot that has rotted`)
      if (output._tag === "Install") this.installed(node)
      for (const message of held) this.release(node, message)
    }
    const { output } = last
    const lastIndex = output._tag === "Install" ? output.snapshot.index : output.lastIndex
    this.feed(node, { _tag: "Persisted", token: output.token, lastIndex, heldUp })
    return true
  }

  /**
   * All of a write, or so many of its entries; of an install one step, or both. False where the second cannot be done.
   */
  private write(node: Nodes.Node, output: Nodes.Write["output"], parts = Number.POSITIVE_INFINITY): boolean {
    const { disk } = node
    const before = disk.hardState
    let isDone = true
    if (output._tag === "Install") {
      this.checker.onReplaced(node, output.snapshot)
      Nodes.beginAfter(disk, output)
      this.checker.onWritten(node, before)
      isDone = parts > 0 && Nodes.takeKept(this.group, disk, output)
    } else {
      if (output.truncateFrom !== undefined) this.checker.onCut(node, output.truncateFrom)
      Nodes.persist(disk, output, parts)
    }
    this.checker.onWritten(node, before)
    return isDone
  }

  private installed(node: Nodes.Node): void {
    node.machine = node.disk.machine
    this.checker.onState(node)
    this.tally.snapshotsInstalled += 1
    this.answerReads(node)
  }

  private crash(event: Extract<Event, { readonly _tag: "Crash" | "FailSync" }>): boolean {
    const node = this.node(event.node)
    if (!node.up) return false
    for (const { output } of node.writes.slice(0, event.writes)) this.write(node, output)
    const torn = node.writes[event.writes]?.output
    if (torn !== undefined && event.torn >= 0) this.write(node, torn, event.torn)
    Nodes.crash(node, event.forgotten)
    return true
  }

  private release(node: Nodes.Node, message: Message | Snapshots.Piece): void {
    this.checker.onRelease(node, message)
    this.send(node, message)
  }

  private send(node: Nodes.Node, packet: Links.Packet): void {
    const link = this.links.find(({ from, to }) => from === node && to.id === packet.to)
    if (link === undefined) throw new Violation("messages go to members", `${node.id} to ${packet.to}`)
    Links.put(link, packet)
  }

  private feed(node: Nodes.Node, input: RaftCore.Input): void {
    const before = node.core
    const next = this.step(before, input, node.view)
    const { outputs, state } = next
    node.core = state
    this.onTransition(input, next)
    const [first] = outputs
    if (first?._tag === "Persist") this.accept(node, first)
    if (first?._tag === "Install") this.acceptSnapshot(node, first)
    this.checker.onStep(node, before)
    for (const output of outputs) this.perform(node, output)
  }

  private accept(node: Nodes.Node, persist: RaftCore.Persist): void {
    if (persist.truncateFrom !== undefined) {
      node.log.cut(persist.truncateFrom)
      node.configurations = Membership.undo(node.configurations, persist.truncateFrom)
    }
    for (const entry of persist.entries) {
      this.checker.onAppended(node, entry, node.log.term(entry.index - 1))
      node.log.push([entry])
      if (entry.kind === "configuration") node.configurations = Membership.record(node.configurations, entry)
    }
    node.writes.push({ output: persist, held: [] })
  }

  private acceptSnapshot(node: Nodes.Node, install: RaftCore.Install): void {
    this.checker.onInstall(node, install.snapshot)
    node.log.replace(install.snapshot)
    node.configurations = [install.snapshot.configuration]
    node.writes.push({ output: install, held: [] })
  }

  private perform(node: Nodes.Node, output: RaftCore.Output): void {
    switch (output._tag) {
      case "Persist":
      case "Install":
      case "RoleChanged":
      case "MembershipChanged":
      case "MemberRemoved":
        break
      case "Contradicted":
        throw new Violation(
          "nobody's word contradicts another's",
          `${node.id} to ${output.member}: ${output.how} at ${output.index}`
        )
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
        const write = node.writes.find(under => under.output.token === output.token)
        if (write === undefined) throw new Violation("a message waits for a write under way", `${output.token}`)
        write.held.push(output.message)
        break
      }
      case "SendSnapshot": {
        const { term, throughIndex, to } = output
        const file = Snapshots.copyOf(node, throughIndex)
        this.checker.onOffer(node, output, file.snapshot)
        const delivery = Snapshots.deliver(to, term, file)
        node.deliveries.set(to, delivery)
        this.sendPiece(node, delivery)
        break
      }
      case "ProposalsAppended":
        for (const { id, index, term } of output.proposals) node.proposals.set(index, { id, term })
        break
      case "ProposalsRefused":
        for (const id of output.ids) {
          this.checker.onRefused(id)
          this.clients.refuse(id)
        }
        break
      case "ReadReady":
        this.endRead(node, output.id, output.index)
        break
      case "ReadRefused":
        this.endRead(node, output.id, undefined)
        break
      case "ChangeCommitted":
        this.checker.onChangeCommitted(node, node.changes.get(output.id), output.index)
        node.changes.delete(output.id)
        this.tally.changesCommitted += 1
        break
      case "ChangeRefused":
      case "ChangeUnknown":
        if (!node.changes.delete(output.id)) throw new Violation("a change is answered once", `${output.id}`)
        break
      case "TransferEnded":
        if (output.outcome === "transferred") {
          this.checker.onTransferred(node, node.transfers.get(output.id))
          this.tally.transfers += 1
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
    for (let at = node.machine.index + 1; at <= index; at++) {
      const entry = node.log.at(at)
      if (entry === undefined) throw new Violation("what is applied is in the log", `${node.id} applies ${at}`)
      if (Nodes.isDamaged(this.group, node, at)) throw new Nodes.Damaged(`${node.id} applies ${at}, which has rotted`)
      node.machine = Machine.apply(node.machine, entry)
      this.checker.onState(node)
      const proposal = node.proposals.get(at)
      if (proposal === undefined) continue
      node.proposals.delete(at)
      if (entry.term !== proposal.term) continue
      this.checker.onAcknowledged(node, proposal.id, at)
      if (node.machine.output !== undefined) this.clients.answer(proposal.id, node.machine.output)
    }
    this.answerReads(node)
  }
}
