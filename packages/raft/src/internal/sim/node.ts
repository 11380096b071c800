import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"
import type { Workload } from "../../Simulator.js"
import * as Snapshot from "../../Snapshot.js"
import { committedIndexOf } from "../core/incarnation.js"
import type { SnapshotRules } from "../snapshot/rules.js"
import { Log, viewOf } from "./log.js"
import * as Machine from "./machine.js"
import * as Snapshots from "./snapshots.js"

/**
 * What a crash cannot take.
 *
 * What rots changes without a sound. Its checksum tells when it is read: so a member that meets it stops, and does not start again, as the durable log
 * demands. What is written over or deleted is sound again.
 */
export interface Disk {
  hardState: RaftCore.HardState
  readonly log: Log
  /** The state machine, as far as it is stored, and the file before it was last written. */
  machine: Machine.Machine
  olderMachine: Machine.Machine
  readonly inbox: Snapshots.Inbox
  /** What has rotted: entries, by their index, {@link record} and {@link machineFile}. */
  readonly rotten: Set<number>
}

/** The places of what is no entry: the record of term, vote, base and end, and the state machine's own file. */
export const record = 0
export const machineFile = -1

/** A write under way, with the messages that wait for it. */
export interface Write {
  readonly output: RaftCore.Persist | RaftCore.Install
  readonly held: Array<Message>
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
  readonly deliveries: Map<string, Snapshots.Delivery>
  /** The copy of the machine that members are sent. */
  copy: Snapshots.File | undefined
  /** The newest term in which what comes in was sent. */
  arrivingTerm: number | undefined
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

/** Time goes on; how much of it the member's clock shows since its last tick. */
export const pass = (node: Node, time: number): number => {
  const before = node.clock
  node.clock = clockAt(node, time)
  return node.clock - before
}

export interface Group {
  readonly seed: number
  readonly voters: ReadonlyArray<string>
  /** Who may be added. */
  readonly spares: ReadonlyArray<string>
  readonly options: RaftCore.Options
  readonly workload: Workload
  /** Whether disks have checksums. */
  readonly checksums: boolean
  readonly rules: SnapshotRules
}

/** Thrown where a member reads what has rotted. */
export class Damaged extends Error {
  override readonly name = "Damaged"
}

const boot = (group: Group, id: string, { hardState, log, machine }: Disk, incarnation: number): RaftCore.State => {
  const place = [...group.voters, ...group.spares].indexOf(id)
  const configurations = log.placed()
  return RaftCore.make({
    id,
    base: log.base,
    configurations,
    hardState,
    lastIndex: log.lastIndex,
    lastTerm: log.term(log.lastIndex) ?? 0,
    appliedIndex: machine.index,
    committedIndex: committedIndexOf(
      viewOf(
        () => log,
        () => undefined
      ),
      log.base.configuration,
      configurations
    ),
    newIncarnation: `${place}`.padStart(16, "0") + `${incarnation}`.padStart(16, "0"),
    seed: group.seed * 1009 + place * 101 + incarnation,
    options: group.options
  })
}

export const make = (group: Group, id: string): Node => {
  const log = new Log(Snapshot.founding(Membership.founding(group.voters)))
  const machine = Machine.initial(group.workload)
  const disk: Disk = {
    hardState: { term: 0, votedFor: undefined },
    log,
    machine,
    olderMachine: machine,
    inbox: { part: undefined, wholes: [] },
    rotten: new Set()
  }
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
    deliveries: new Map(),
    copy: undefined,
    arrivingTerm: undefined,
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
  if (index > record && disk.log.at(index) === undefined) return false
  disk.rotten.add(index)
  return true
}

const mend = ({ log, rotten }: Disk): void => {
  for (const index of rotten)
    if (index === record || (index > record && log.at(index) === undefined)) rotten.delete(index)
}

const store = (disk: Disk, machine: Machine.Machine): void => {
  if (disk.machine === machine) return
  disk.olderMachine = disk.machine
  disk.machine = machine
  disk.rotten.delete(machineFile)
}

/** Puts a write, or its beginning, on the disk: the hard state, the cut, and so many of its entries. */
export const persist = (disk: Disk, { entries, hardState, truncateFrom }: RaftCore.Persist, count: number): void => {
  if (hardState !== undefined) disk.hardState = hardState
  if (truncateFrom !== undefined) disk.log.cut(truncateFrom)
  mend(disk)
  disk.log.push(entries.slice(0, count))
}

/** The first step of an install: the hard state, and the log's new beginning. */
export const beginAfter = (disk: Disk, { hardState, snapshot }: RaftCore.Install): void => {
  if (hardState !== undefined) disk.hardState = hardState
  disk.log.replace(snapshot)
  mend(disk)
}

/** The second step: the machine, out of the file that was kept. False where that has rotted. */
export const takeKept = (group: Group, disk: Disk, { snapshot }: RaftCore.Install): boolean => {
  if (group.checksums && !Snapshots.hasSound(disk.inbox, snapshot)) return false
  const file = Snapshots.find(disk.inbox, snapshot)
  if (file === undefined) return false
  store(disk, Snapshots.machineOf(group, file))
  Snapshots.discard(disk.inbox, snapshot.index)
  return true
}

/** Of a member that is down the machine's file is gone, or one from before its last change comes back. */
export const loseMachine = ({ workload }: Group, { disk, up }: Node, older: boolean): boolean => {
  if (up) return false
  disk.machine = older ? disk.olderMachine : Machine.initial(workload)
  disk.olderMachine = disk.machine
  disk.rotten.delete(machineFile)
  return true
}

/** Stores the machine, and cuts the log behind it but for so many entries. */
export const compact = (node: Node, kept: number): boolean => {
  const throughIndex = node.machine.index - kept
  const isInstalling = node.writes.some(({ output }) => output._tag === "Install")
  if (isInstalling || throughIndex <= node.log.base.index) return false
  store(node.disk, node.machine)
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
  Snapshots.forget(disk.inbox, forgotten)
  node.writes = []
  node.waiting = []
  node.proposals.clear()
  node.reads.clear()
  node.asked.clear()
  node.changes.clear()
  node.transfers.clear()
  node.deliveries.clear()
  node.copy = undefined
  node.arrivingTerm = undefined
}

/** How a start ended: it goes on with what is there, has put a snapshot in the machine's place first, or refuses. */
export type Start = "started" | "installed" | "refused"

/** Starts a member with what its disk holds, unless something of that has rotted, or there is a hole in it that nothing fills. */
export const restart = (group: Group, node: Node): Start => {
  const { disk } = node
  if (group.checksums && disk.rotten.size > 0) return "refused"
  const spoil = disk.rotten.has(machineFile) ? 1 : 0
  disk.log.spoil(disk.rotten)
  disk.rotten.clear()
  const stored = Machine.restore(group.workload, disk.machine.index, Machine.image(disk.machine))
  disk.machine = { ...stored, digest: (stored.digest ^ spoil) >>> 0 }
  const { base } = disk.log
  const file = Snapshots.kept(group, disk.inbox, base)
  const beginning = group.rules.beginning({
    appliedIndex: disk.machine.index,
    baseIndex: base.index,
    hasSnapshot: file !== undefined
  })
  if (beginning === "refuse") return "refused"
  const isInstalled = beginning === "install" && file !== undefined
  if (isInstalled) store(disk, Snapshots.machineOf(group, file))
  Snapshots.discard(disk.inbox, disk.machine.index)
  const core = boot(group, node.id, disk, node.incarnation + 1)
  node.up = true
  node.incarnation += 1
  node.log = disk.log.copy()
  node.machine = disk.machine
  node.core = core
  node.configurations = node.log.configurations()
  node.left = false
  return isInstalled ? "installed" : "started"
}
