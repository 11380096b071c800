import type { LogEntry } from "../../LogEntry.js"
import * as LogEntries from "../../LogEntry.js"
import * as Membership from "../../Membership.js"
import type { Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"

/** What a crash cannot take. */
export interface Disk {
  hardState: RaftCore.HardState
  entries: Array<LogEntry>
  /** How far the state machine's own storage is. */
  applied: number
}

/** A write under way, with the messages that wait for it. */
export interface Write {
  readonly persist: RaftCore.Persist
  readonly held: Array<Message>
}

/** A member of the simulated group: the core, and the driver's part of the bargain. */
export interface Node {
  readonly id: string
  readonly disk: Disk
  up: boolean
  incarnation: number
  core: RaftCore.State
  /** The accepted log, durable or not. */
  log: Array<LogEntry>
  /** The log's view, over whatever `log` holds at the time. */
  readonly view: RaftCore.LogView
  /** In the order of their tokens. */
  writes: Array<Write>
  /** How far the state machine is in memory. */
  applied: number
  /** Proposals this member appended as a leader, by index. */
  readonly proposals: Map<number, { readonly id: number; readonly term: number }>
  /** Reads this member has not answered, with the index they must not fall below. */
  readonly reads: Map<number, number>
  /** Changes of the membership and transfers this member has not answered. */
  readonly changes: Map<number, Membership.Change>
  readonly transfers: Map<number, string>
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

const configurationsOf = (group: Group, entries: ReadonlyArray<LogEntry>): Membership.History =>
  Membership.fromLog(
    { index: 0, configuration: Membership.founding(group.voters) },
    entries.filter(({ kind }) => kind === "configuration")
  )

const boot = (group: Group, id: string, disk: Disk, incarnation: number): RaftCore.State =>
  RaftCore.make({
    id,
    configurations: configurationsOf(group, disk.entries),
    hardState: disk.hardState,
    lastIndex: disk.entries.length,
    lastTerm: disk.entries[disk.entries.length - 1]?.term ?? 0,
    appliedIndex: disk.applied,
    seed: group.seed * 1009 + [...group.voters, ...group.spares].indexOf(id) * 101 + incarnation,
    options: group.options
  })

export const make = (group: Group, id: string): Node => {
  const disk: Disk = { hardState: { term: 0, votedFor: undefined }, entries: [], applied: 0 }
  const node: Node = {
    id,
    disk,
    up: true,
    incarnation: 0,
    core: boot(group, id, disk, 0),
    log: [],
    view: {
      firstIndex: 1,
      get lastIndex() {
        return node.log.length
      },
      term: index => node.log[index - 1]?.term ?? 0,
      entries: (from, toInclusive, bytesMax) => {
        const found: Array<LogEntry> = []
        let bytes = 0
        for (const entry of node.log.slice(from - 1, toInclusive)) {
          bytes += LogEntries.sizeBytes(entry)
          if (found.length > 0 && bytes > bytesMax) break
          found.push(entry)
        }
        return found
      }
    },
    writes: [],
    applied: 0,
    proposals: new Map(),
    reads: new Map(),
    changes: new Map(),
    transfers: new Map(),
    configurations: configurationsOf(group, []),
    left: false
  }
  return node
}

/** Puts a write, or its beginning, on the disk: the hard state, the cut, and so many of its entries. */
export const write = (disk: Disk, persist: RaftCore.Persist, entries: number): void => {
  if (persist.hardState !== undefined) disk.hardState = persist.hardState
  if (persist.truncateFrom !== undefined) disk.entries.length = persist.truncateFrom - 1
  disk.entries.push(...persist.entries.slice(0, entries))
}

/** Loses what is not on the disk. Of the state machine, `forgotten` of the newest entries it had applied. */
export const crash = (node: Node, forgotten: number): void => {
  node.up = false
  node.disk.applied = Math.max(node.disk.applied, node.applied - forgotten)
  node.writes = []
  node.proposals.clear()
  node.reads.clear()
  node.changes.clear()
  node.transfers.clear()
}

export const restart = (group: Group, node: Node): void => {
  node.up = true
  node.incarnation += 1
  node.log = [...node.disk.entries]
  node.applied = node.disk.applied
  node.core = boot(group, node.id, node.disk, node.incarnation)
  node.configurations = configurationsOf(group, node.log)
  node.left = false
}
