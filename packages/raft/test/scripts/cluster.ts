import { LogEntry, Membership, type Message, RaftCore, Snapshot } from "@reckon/raft"
import { show } from "../core/member.js"
import { step } from "./subject.js"

/** What a state machine was given: commands, and where they stood. */
type Machine = ReadonlyArray<{ readonly index: number; readonly command: string }>

/** What a crash cannot take. */
interface Disk {
  hardState: RaftCore.HardState
  base: Snapshot.Base
  entries: ReadonlyArray<LogEntry.LogEntry>
  /** How far the state machine is, and what it was given. */
  applied: number
  machine: Machine
}

/** A write under way, with the messages that wait for it. */
interface Write {
  readonly output: RaftCore.Persist | RaftCore.Install
  readonly held: Array<Message.Message>
}

interface Node {
  readonly id: string
  readonly founders: ReadonlyArray<string>
  readonly disk: Disk
  up: boolean
  seed: number
  core: RaftCore.State
  /** The accepted log, durable or not: what it begins after, and its entries. */
  base: Snapshot.Base
  log: Array<LogEntry.LogEntry>
  writes: Array<Write>
}

export const commandOf = ({ payload }: LogEntry.LogEntry): string => new TextDecoder().decode(payload)

/** A message under way, with both its ends. */
export const showMessage = (message: Message.Message): string => {
  const line = show({ _tag: "Send", message }).replace(`→${message.to}`, ` ${message.from}→${message.to}`)
  return message._tag === "AppendEntries" && message.round > 0 ? `${line} round=${message.round}` : line
}

const isNews = ({ _tag }: RaftCore.Output): boolean =>
  _tag !== "Persist" && _tag !== "Send" && _tag !== "SendAfterPersist"

const isConfiguration = ({ kind }: LogEntry.LogEntry): boolean => kind === "configuration"

const boot = (node: Pick<Node, "id" | "disk" | "seed">, options: Partial<RaftCore.Options>): RaftCore.State => {
  const { applied, base, entries, hardState } = node.disk
  return RaftCore.make({
    id: node.id,
    base,
    configurations: entries.filter(isConfiguration),
    hardState,
    lastIndex: base.index + entries.length,
    lastTerm: entries.at(-1)?.term ?? base.term,
    appliedIndex: applied,
    seed: node.seed,
    options
  })
}

const viewOf = ({ base, log }: Node): RaftCore.LogView => ({
  firstIndex: base.index + 1,
  lastIndex: base.index + log.length,
  term: index => (index === base.index ? base.term : (log[index - base.index - 1]?.term ?? 0)),
  entries: (from, toInclusive, bytesMax) => {
    const found: Array<LogEntry.LogEntry> = []
    let bytes = 0
    for (const entry of log.slice(from - base.index - 1, toInclusive - base.index)) {
      bytes += LogEntry.sizeBytes(entry)
      if (found.length > 0 && bytes > bytesMax) break
      found.push(entry)
    }
    return found
  }
})

const store = (disk: Disk, output: RaftCore.Persist | RaftCore.Install, machine: Machine): void => {
  if (output.hardState !== undefined) disk.hardState = output.hardState
  if (output._tag === "Install") {
    disk.base = output.snapshot
    disk.entries = []
    disk.applied = output.snapshot.index
    disk.machine = machine
  } else {
    const { entries, truncateFrom } = output
    const kept = truncateFrom === undefined ? disk.entries : disk.entries.slice(0, truncateFrom - disk.base.index - 1)
    disk.entries = [...kept, ...entries]
  }
}

/** Rounds of a `stabilise` before it is taken for endless. */
const roundsMax = 100

/**
 * Pure cores, and between them what a driver, a disk and a network would do, each when it is told to. A write stays
 * under way until it is synced, a message until it is delivered, and nothing happens by chance.
 */
export class Cluster {
  private readonly nodes = new Map<string, Node>()
  private messages: Array<Message.Message> = []
  private readonly cuts = new Set<string>()
  /** Snapshots under way, by sender and receiver, and the bytes of all there were, by checksum. */
  private readonly offers = new Map<string, Message.InstallSnapshot>()
  private readonly machines = new Map<string, Machine>()
  /** What happened since it was last taken, one line each. */
  private lines: Array<string> = []
  private brief = false

  constructor(private readonly options: Partial<RaftCore.Options>) {}

  get ids(): ReadonlyArray<string> {
    return [...this.nodes.keys()]
  }

  take(): ReadonlyArray<string> {
    const { lines } = this
    this.lines = []
    return lines
  }

  /** Tells only what members report while `action` runs: no messages, no writes. */
  briefly<A>(action: () => A): A {
    this.brief = true
    const result = action()
    this.brief = false
    return result
  }

  /** Who joins later starts with no founders. */
  add(
    id: string,
    founders: ReadonlyArray<string>,
    init: {
      readonly entries?: ReadonlyArray<LogEntry.LogEntry>
      readonly hardState?: RaftCore.HardState
      readonly applied?: number
    } = {}
  ): void {
    const entries = init.entries ?? []
    const applied = init.applied ?? 0
    const disk = {
      hardState: init.hardState ?? { term: entries.at(-1)?.term ?? 0, votedFor: undefined },
      base: Snapshot.founding(Membership.founding(founders)),
      entries,
      applied,
      machine: entries.slice(0, applied).map(entry => ({ index: entry.index, command: commandOf(entry) }))
    }
    const start = { id, founders, disk, seed: this.nodes.get(id)?.seed ?? this.nodes.size + 1 }
    const core = boot(start, this.options)
    this.nodes.set(id, { ...start, up: true, core, base: disk.base, log: [...entries], writes: [] })
  }

  node(id: string): Node {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`nobody is called "${id}"`)
    return node
  }

  private say(id: string, what: string): void {
    this.lines.push(`${id}   ${what}`)
  }

  /** One step of a member, and the driver's part of it. A defect stops the member. */
  feed(id: string, input: RaftCore.Input): void {
    const node = this.node(id)
    if (!node.up) throw new Error(`${id} is down`)
    let next: RaftCore.Step
    try {
      next = step(node.core, input, viewOf(node))
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== "InvariantViolation") throw cause
      this.say(id, `defect: ${cause.message}`)
      this.crash(id)
      return
    }
    node.core = next.state
    for (const output of next.outputs) {
      if (!this.brief || isNews(output)) this.say(id, this.showOutput(output))
      this.interpret(node, output)
    }
  }

  private showOutput(output: RaftCore.Output): string {
    if (output._tag === "Send") return showMessage(output.message)
    return output._tag === "SendAfterPersist" ? `after#${output.token} ${showMessage(output.message)}` : show(output)
  }

  private interpret(node: Node, output: RaftCore.Output): void {
    switch (output._tag) {
      case "Persist":
        if (output.truncateFrom !== undefined) node.log.length = output.truncateFrom - node.base.index - 1
        node.log.push(...output.entries)
        node.writes.push({ output, held: [] })
        break
      case "Install":
        node.base = output.snapshot
        node.log = []
        node.writes.push({ output, held: [] })
        break
      case "Send":
        this.send(output.message)
        break
      case "SendAfterPersist": {
        const write = node.writes.find(({ output: { token } }) => token === output.token)
        if (write === undefined) this.send(output.message)
        else write.held.push(output.message)
        break
      }
      case "SendSnapshot":
        this.offer(node, output)
        break
      case "Commit":
        this.apply(node, output.index)
        break
      default:
        break
    }
  }

  private apply({ base, disk, log }: Node, index: number): void {
    const given = log
      .slice(Math.max(0, disk.applied - base.index), index - base.index)
      .filter(({ kind }) => kind === "command")
    disk.machine = [...disk.machine, ...given.map(entry => ({ index: entry.index, command: commandOf(entry) }))]
    disk.applied = index
  }

  // ---------------------------------------------------------------------------
  // disk
  // ---------------------------------------------------------------------------

  private write(node: Node, { output }: Write): void {
    const machine = output._tag === "Install" ? this.machines.get(output.snapshot.checksum) : undefined
    store(node.disk, output, machine ?? [])
  }

  /** The oldest writes under way are durable: what waited for them leaves, and one completion says so. */
  sync(id: string, count = Number.POSITIVE_INFINITY): void {
    const node = this.node(id)
    const done = node.writes.slice(0, count)
    const last = done.at(-1)
    if (last === undefined) return
    node.writes = node.writes.slice(done.length)
    for (const write of done) {
      this.write(node, write)
      write.held.forEach(message => this.send(message))
    }
    const { output } = last
    const lastIndex = output._tag === "Install" ? output.snapshot.index : output.lastIndex
    this.feed(id, { _tag: "Persisted", token: output.token, lastIndex })
  }

  /** Of the writes under way the first few reached the disk, though nobody heard of it. */
  crash(id: string, kept = 0, applied?: number): void {
    const node = this.node(id)
    node.up = false
    for (const write of node.writes.slice(0, kept)) this.write(node, write)
    node.writes = []
    if (applied !== undefined) {
      node.disk.applied = applied
      node.disk.machine = node.disk.machine.filter(({ index }) => index <= applied)
    }
    this.messages = this.messages.filter(({ to }) => to !== id)
    for (const link of this.offers.keys()) if (link.split(" ").includes(id)) this.offers.delete(link)
  }

  restart(id: string): void {
    const node = this.node(id)
    if (node.up) throw new Error(`${id} is up`)
    node.up = true
    node.seed += 100
    node.base = node.disk.base
    node.log = [...node.disk.entries]
    node.core = boot(node, this.options)
  }

  private baseAt({ base, log }: Node, index: number): Snapshot.Base {
    const history = Membership.fromLog(base.configuration, log.filter(isConfiguration))
    const term = index === base.index ? base.term : (log[index - base.index - 1]?.term ?? 0)
    return { index, term, configuration: Membership.at(history, index) }
  }

  /** The log loses its beginning, as far as the machine is and no further. */
  compact(id: string, throughIndex: number): void {
    const node = this.node(id)
    const { disk } = node
    if (throughIndex > disk.applied || throughIndex < node.base.index) throw new Error(`${throughIndex} cannot go`)
    const base = this.baseAt(node, throughIndex)
    node.log = node.log.slice(throughIndex - node.base.index)
    disk.entries = disk.entries.slice(throughIndex - disk.base.index)
    disk.base = base
    node.base = base
  }

  // ---------------------------------------------------------------------------
  // snapshots
  // ---------------------------------------------------------------------------

  private offer(node: Node, { term, to }: RaftCore.SendSnapshot): void {
    const { applied, machine } = node.disk
    const base = this.baseAt(node, applied)
    const checksum = `${base.index}/${base.term} of ${node.id}`
    const snapshot = { ...base, machineVersion: 1, checksum }
    this.machines.set(checksum, machine)
    this.offers.set(`${node.id} ${to}`, { _tag: "InstallSnapshot", from: node.id, to, term, snapshot })
  }

  private offerOf(from: string, to: string): Message.InstallSnapshot {
    const offer = this.offers.get(`${from} ${to}`)
    if (offer === undefined) throw new Error(`no snapshot goes from ${from} to ${to}`)
    return offer
  }

  /** The bytes are all there: the receiver's core is told, and stays so however often. */
  carry(from: string, to: string): void {
    const message = this.offerOf(from, to)
    const { index, term } = message.snapshot
    if (!this.brief) this.lines.push(`InstallSnapshot ${from}→${to} term=${message.term} ${index}/${term}`)
    this.feed(to, { _tag: "Receive", message })
  }

  /** The sender hears how it ended. */
  conclude(from: string, to: string, _tag: "SnapshotDelivered" | "SnapshotFailed"): void {
    const { term } = this.offerOf(from, to)
    this.offers.delete(`${from} ${to}`)
    this.feed(from, { _tag, to, term })
  }

  // ---------------------------------------------------------------------------
  // network
  // ---------------------------------------------------------------------------

  private send(message: Message.Message): void {
    const isLost = this.cuts.has(`${message.from} ${message.to}`) || this.nodes.get(message.to)?.up !== true
    if (!isLost) this.messages.push(message)
  }

  /** From now on nothing goes from the one to the other. What is under way already still does. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from} ${to}`)
  }

  heal(): void {
    this.cuts.clear()
  }

  underWay(from?: string, to?: string): ReadonlyArray<Message.Message> {
    return this.messages.filter(
      message => (from === undefined || message.from === from) && (to === undefined || message.to === to)
    )
  }

  /** The message at a place on its link, the oldest being 1. Keeps it on its way where `copy` says so. */
  pick(from: string, to: string, place: number, copy: boolean): Message.Message {
    const message = this.underWay(from, to)[place - 1]
    if (message === undefined) throw new Error(`no message ${place} from ${from} to ${to}`)
    if (!copy) this.messages = this.messages.filter(other => other !== message)
    return message
  }

  deliver(message: Message.Message): void {
    if (!this.brief) this.lines.push(showMessage(message))
    this.feed(message.to, { _tag: "Receive", message })
  }

  /**
   * Syncs every write, and delivers every message and every snapshot among these members, until there is none: in turns,
   * each the oldest message of each link, in the order of the names.
   */
  stabilise(ids: ReadonlyArray<string>): void {
    const links = ids.flatMap(from => ids.map(to => ({ from, to })))
    for (let round = 0; round < roundsMax; round++) {
      const isDone =
        ids.every(id => this.node(id).writes.length === 0) &&
        links.every(({ from, to }) => this.underWay(from, to).length === 0 && !this.offers.has(`${from} ${to}`))
      if (isDone) return
      for (const id of ids) if (this.node(id).up) this.sync(id)
      for (const { from, to } of links) {
        if (this.underWay(from, to).length > 0) this.deliver(this.pick(from, to, 1, false))
        if (this.offers.has(`${from} ${to}`)) {
          this.carry(from, to)
          this.conclude(from, to, "SnapshotDelivered")
        }
      }
    }
    throw new Error(`not stable after ${roundsMax} rounds`)
  }
}
