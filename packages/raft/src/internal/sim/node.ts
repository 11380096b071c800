import * as Membership from "../../Membership.js"
import type { InstallSnapshot, Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"
import * as Snapshot from "../../Snapshot.js"
import { Log, viewOf } from "./log.js"
import * as Machine from "./machine.js"

/** What a crash cannot take. */
export interface Disk {
  hardState: RaftCore.HardState
  readonly log: Log
  /** The state machine, as far as it is stored. */
  machine: Machine.Machine
}

/** A write under way, with the messages that wait for it. */
export interface Write {
  readonly output: RaftCore.Persist | RaftCore.Install
  readonly held: Array<Message>
}

/** A snapshot on its way to another member. */
export interface Offer {
  readonly message: InstallSnapshot
  delivered: boolean
}

/** A member of the simulated group: the core, and the driver's part of the bargain. */
export interface Node {
  readonly id: string
  readonly disk: Disk
  up: boolean
  incarnation: number
  core: RaftCore.State
  /** The accepted log, durable or not. */
  log: Log
  /** The log's view, over whatever `log` holds at the time. */
  readonly view: RaftCore.LogView
  /** In the order of their tokens. */
  writes: Array<Write>
  /** The state machine in memory. */
  machine: Machine.Machine
  /** Proposals this member appended as a leader, by index. */
  readonly proposals: Map<number, { readonly id: number; readonly term: number }>
  /** Reads this member has not answered, with the index they must not fall below. */
  readonly reads: Map<number, number>
  /** Changes of the membership and transfers this member has not answered. */
  readonly changes: Map<number, Membership.Change>
  readonly transfers: Map<number, string>
  /** Snapshots under way, by the member they go to. */
  readonly offers: Map<string, Offer>
  /** The configurations of `log`, the newest first; kept apart from what the core believes. */
  configurations: Membership.History
  /** Whether it has heard since its start that it is a member no more. */
  left: boolean
}

export interface Group {
  readonly seed: number
  readonly voters: ReadonlyArray<string>
  /** Who may be added. */
  readonly spares: ReadonlyArray<string>
  readonly options: RaftCore.Options
}

const boot = (group: Group, id: string, { hardState, log, machine }: Disk, incarnation: number): RaftCore.State =>
  RaftCore.make({
    id,
    base: log.base,
    configurations: log.placed(),
    hardState,
    lastIndex: log.lastIndex,
    lastTerm: log.term(log.lastIndex) ?? 0,
    appliedIndex: machine.index,
    seed: group.seed * 1009 + [...group.voters, ...group.spares].indexOf(id) * 101 + incarnation,
    options: group.options
  })

export const make = (group: Group, id: string): Node => {
  const log = new Log(Snapshot.founding(Membership.founding(group.voters)))
  const disk: Disk = { hardState: { term: 0, votedFor: undefined }, log, machine: Machine.initial }
  const node: Node = {
    id,
    disk,
    up: true,
    incarnation: 0,
    core: boot(group, id, disk, 0),
    log: log.copy(),
    view: viewOf(() => node.log),
    writes: [],
    machine: Machine.initial,
    proposals: new Map(),
    reads: new Map(),
    changes: new Map(),
    transfers: new Map(),
    offers: new Map(),
    configurations: log.configurations(),
    left: false
  }
  return node
}

/** Puts a write, or its beginning, on the disk: the hard state, the cut, and so many of its entries. */
export const persist = (disk: Disk, { entries, hardState, truncateFrom }: RaftCore.Persist, count: number): void => {
  if (hardState !== undefined) disk.hardState = hardState
  if (truncateFrom !== undefined) disk.log.cut(truncateFrom)
  disk.log.push(entries.slice(0, count))
}

/** Puts a snapshot on the disk: the hard state, the log's new beginning and the machine, whole. */
export const install = (disk: Disk, { hardState, snapshot }: RaftCore.Install): void => {
  if (hardState !== undefined) disk.hardState = hardState
  disk.log.replace(snapshot)
  disk.machine = Machine.restore(snapshot)
}

/** The snapshot of the machine as it is now. */
export const snapshotOf = ({ log, machine }: Node): Snapshot.Snapshot => ({
  ...log.baseAt(machine.index),
  machineVersion: 1,
  checksum: `${machine.digest}`
})

/** Stores the machine, and cuts the log behind it but for so many entries. */
export const compact = (node: Node, kept: number): boolean => {
  const throughIndex = node.machine.index - kept
  const isInstalling = node.writes.some(({ output }) => output._tag === "Install")
  if (isInstalling || throughIndex <= node.log.base.index) return false
  node.disk.machine = node.machine
  node.disk.log.compact(throughIndex)
  node.log.compact(throughIndex)
  return true
}

/** Loses what is not on the disk. Of the state machine, `forgotten` of the newest entries it had applied. */
export const crash = (node: Node, forgotten: number): void => {
  const { disk } = node
  node.up = false
  for (let index = disk.machine.index + 1; index <= node.machine.index - forgotten; index++) {
    const entry = disk.log.at(index)
    if (entry !== undefined) disk.machine = Machine.apply(disk.machine, entry)
  }
  node.writes = []
  node.proposals.clear()
  node.reads.clear()
  node.changes.clear()
  node.transfers.clear()
  node.offers.clear()
}

export const restart = (group: Group, node: Node): void => {
  node.up = true
  node.incarnation += 1
  node.log = node.disk.log.copy()
  node.machine = node.disk.machine
  node.core = boot(group, node.id, node.disk, node.incarnation)
  node.configurations = node.log.configurations()
  node.left = false
}
