import * as Membership from "../../Membership.js"
import type { InstallSnapshot, Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"
import type { Workload } from "../../Simulator.js"
import * as Snapshot from "../../Snapshot.js"
import { Log, viewOf } from "./log.js"
import * as Machine from "./machine.js"

/**
 * What a crash cannot take.
 *
 * What rots changes without a sound. Its checksum tells when it is read: so a member that meets it stops, and does not start again, as the durable log
 * demands. What is written over or deleted is sound again.
 */
export interface Disk {
  hardState: RaftCore.HardState
  readonly log: Log
  /** The state machine, as far as it is stored. */
  machine: Machine.Machine
  /** What has rotted: entries, by their index, and {@link record}. */
  readonly rotten: Set<number>
}

/** The place of what is no entry: the record of term, vote, base and end. */
export const record = 0

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

/** A read that a leader was asked for. */
export interface Read {
  /** The index it must not fall below. */
  readonly floor: number
  /** The client's attempt that it serves, and the member that it came through. */
  readonly attempt: number | undefined
  readonly through: string
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
  /** Reads this member has not answered as the leader. */
  readonly reads: Map<number, Read>
  /** Changes of the membership and transfers this member has not answered. */
  readonly changes: Map<number, Membership.Change>
  readonly transfers: Map<number, string>
  /** Reads of clients that this member, at the time no leader, has sent on. */
  readonly asked: Set<number>
  /** Reads of clients that wait until an index is applied here. */
  waiting: Array<{ readonly attempt: number; readonly index: number }>
  /** Snapshots under way, by the member they go to. */
  readonly offers: Map<string, Offer>
  /** The configurations of `log`, the newest first; kept apart from what the core believes. */
  configurations: Membership.History
  /** Whether it has heard since its start that it is a member no more. */
  left: boolean
  /** How much slower than a true one its clock runs, and what that showed at its last tick. */
  readonly slowness: number
  clock: number
}

/** What a member's clock shows, in whole ticks. */
export const clockAt = ({ slowness }: Node, time: number): number => Math.floor(time * (1 - slowness))

export interface Group {
  readonly seed: number
  readonly voters: ReadonlyArray<string>
  /** Who may be added. */
  readonly spares: ReadonlyArray<string>
  readonly options: RaftCore.Options
  readonly workload: Workload
  /** Whether disks have checksums. */
  readonly checksums: boolean
}

/** Thrown where a member reads what has rotted. */
export class Damaged extends Error {
  override readonly name = "Damaged"
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
  const machine = Machine.initial(group.workload)
  const disk: Disk = { hardState: { term: 0, votedFor: undefined }, log, machine, rotten: new Set() }
  const node: Node = {
    id,
    disk,
    up: true,
    incarnation: 0,
    core: boot(group, id, disk, 0),
    log: log.copy(),
    view: viewOf(
      () => node.log,
      index => {
        if (isDamaged(group, node, index)) throw new Damaged(`${id} reads ${index}, which has rotted`)
      }
    ),
    writes: [],
    machine,
    proposals: new Map(),
    reads: new Map(),
    changes: new Map(),
    transfers: new Map(),
    asked: new Set(),
    waiting: [],
    offers: new Map(),
    configurations: log.configurations(),
    left: false,
    // the slowest and the fastest are as far apart as a lease forgives
    slowness: (Math.max(0, group.voters.indexOf(id)) % 3) * 0.05,
    clock: 0
  }
  return node
}

/** Whether a checksum tells that this has rotted. */
export const isDamaged = ({ checksums }: Group, { disk }: Node, index: number): boolean =>
  checksums && disk.rotten.has(index)

/** Changes what the disk has, if it has it. */
export const rot = ({ disk }: Node, index: number): boolean => {
  if (index !== record && disk.log.at(index) === undefined) return false
  disk.rotten.add(index)
  return true
}

const mend = ({ log, rotten }: Disk): void => {
  for (const index of rotten) if (index === record || log.at(index) === undefined) rotten.delete(index)
}

/** Puts a write, or its beginning, on the disk: the hard state, the cut, and so many of its entries. */
export const persist = (disk: Disk, { entries, hardState, truncateFrom }: RaftCore.Persist, count: number): void => {
  if (hardState !== undefined) disk.hardState = hardState
  if (truncateFrom !== undefined) disk.log.cut(truncateFrom)
  mend(disk)
  disk.log.push(entries.slice(0, count))
}

/** Puts a snapshot on the disk: the hard state, the log's new beginning and the machine, whole. */
export const install = ({ workload }: Group, disk: Disk, { hardState, snapshot }: RaftCore.Install): void => {
  if (hardState !== undefined) disk.hardState = hardState
  disk.log.replace(snapshot)
  disk.machine = Machine.restore(workload, snapshot.index, snapshot.checksum)
  mend(disk)
}

/** The snapshot of the machine as it is now; the whole of it takes the place of the checksum. */
export const snapshotOf = ({ log, machine }: Node): Snapshot.Snapshot => ({
  ...log.baseAt(machine.index),
  machineVersion: 1,
  checksum: Machine.image(machine)
})

/** Stores the machine, and cuts the log behind it but for so many entries. */
export const compact = (node: Node, kept: number): boolean => {
  const throughIndex = node.machine.index - kept
  const isInstalling = node.writes.some(({ output }) => output._tag === "Install")
  if (isInstalling || throughIndex <= node.log.base.index) return false
  node.disk.machine = node.machine
  node.disk.log.compact(throughIndex)
  node.log.compact(throughIndex)
  mend(node.disk)
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
  node.waiting = []
  node.proposals.clear()
  node.reads.clear()
  node.asked.clear()
  node.changes.clear()
  node.transfers.clear()
  node.offers.clear()
}

/** Starts a member with what its disk holds. False where it refuses: something of that has rotted. */
export const restart = (group: Group, node: Node): boolean => {
  const { disk } = node
  if (group.checksums && disk.rotten.size > 0) return false
  disk.log.spoil(disk.rotten)
  disk.rotten.clear()
  disk.machine = Machine.restore(group.workload, disk.machine.index, Machine.image(disk.machine))
  const core = boot(group, node.id, disk, node.incarnation + 1)
  node.up = true
  node.incarnation += 1
  node.log = disk.log.copy()
  node.machine = disk.machine
  node.core = core
  node.configurations = node.log.configurations()
  node.left = false
  return true
}
