/**
 * One store on this node: what its supervised processes share, and what it offers to a gateway.
 *
 * None of it belongs to a process of the tree: it is what outlives their restarts and finds them again by name.
 *
 * @since 0.1.0
 */
import type { NodeStatus } from "@reckon/client/StoreRpcs"
import { Members } from "@reckon/cluster/Members"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as Pool from "@reckon/otp/Pool"
import { ProcessTable } from "@reckon/otp/Process"
import * as ServiceHandle from "@reckon/otp/ServiceHandle"
import type { Compaction } from "@reckon/raft/Compaction"
import * as RaftClient from "@reckon/raft/RaftClient"
import type { RoleChanged } from "@reckon/raft/RaftCore"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as CommitSignal from "./CommitSignal.js"
import * as LeaderTracker from "./LeaderTracker.js"
import type { Service as Engine } from "./StoreEngine.js"
import * as StoreNames from "./StoreNames.js"
import * as StoreReader from "./StoreReader.js"
import * as StoreWriter from "./StoreWriter.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Store {
  readonly id: string
  /** Where its two files lie: the Raft log and the events. */
  readonly dataDir: string
  readonly node: string
  /** The names of all nodes that keep it. */
  readonly voters: ReadonlyArray<string>
  readonly engine: ServiceHandle.ServiceHandle<Engine>
  readonly signal: CommitSignal.CommitSignal
  readonly raft: RaftClient.RaftClient
  /** When its log is cut, and how much of it stays. */
  readonly compaction: Partial<Compaction>
  readonly writers: ReturnType<typeof StoreWriter.pool>
  readonly readers: ReturnType<typeof StoreReader.pool>
  /** Passes a change of role on to those who follow it. */
  readonly onRoleChanged: (change: RoleChanged) => Effect.Effect<void>
  readonly backend: StoreBackend
}

/**
 * How many processes write to and read from a store on one node.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pools {
  /**
   * Writers, 1 to 65,536, each with streams of its own. Default 1: they all feed one log, so more of them buy no speed, and at a
   * follower each part of a request that is split among them is forwarded by itself.
   */
  readonly writers: number
  /** Readers, 1 to 65,536, which take turns. Default 4. */
  readonly readers: number
  /** How long one stays without work before it is stopped until it is needed again. Default 1 minute. */
  readonly idleStop: Duration.DurationInput
}

/**
 * @since 0.1.0
 * @category constants
 */
export const poolsDefaults: Pools = { writers: 1, readers: 4, idleStop: "1 minute" }

/**
 * The store's Raft group. A store has a log of its own, so that no store waits for another's.
 *
 * @since 0.1.0
 * @category names
 */
export const raftGroup = (id: string): string => `store/${id}`

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly id: string
  readonly dataDir: string
  readonly pools?: Partial<Pools> | undefined
  readonly compaction?: Partial<Compaction> | undefined
}) =>
  Effect.gen(function* () {
    const members = yield* Members
    const table = yield* ProcessTable
    const { dataDir, id } = options
    const node = members.self.name
    const engine = yield* ServiceHandle.make<Engine>(`engine of store ${id}`)
    const signal = CommitSignal.make()
    const raft = yield* RaftClient.make({ group: raftGroup(id), self: node, processName: StoreNames.store(id) })

    const pools = { ...poolsDefaults, ...options.pools }
    const writers = StoreWriter.pool({ store: id, raft, size: pools.writers, idleStop: pools.idleStop })
    const readers = StoreReader.pool({ store: id, engine, size: pools.readers, idleStop: pools.idleStop })
    const writing = yield* Pool.named(writers, StoreNames.streamsWriter(id)).bind
    const reading = yield* Pool.named(readers, StoreNames.streamsReader(id)).bind

    const status: Effect.Effect<NodeStatus> = Effect.map(raft.status, member => ({
      node,
      store: id,
      role: member?.role ?? "follower",
      leader: member?.leader ?? null,
      term: member?.term ?? 0,
      commitIndex: member?.commitIndex ?? 0,
      appliedIndex: member?.appliedIndex ?? 0,
      lastPosition: engine.current()?.lastPosition() ?? -1,
      pid: process.pid,
      healthy: member !== null && member.leader !== null
    }))

    const backend: StoreBackend = {
      ...StoreReader.make({ store: id, readers: reading, raft, engine, signal }),
      append: StoreWriter.append(id, writing),
      status
    }
    const store: Store = {
      id,
      dataDir,
      node,
      voters: members.names,
      engine,
      signal,
      raft,
      compaction: options.compaction ?? {},
      writers,
      readers,
      onRoleChanged: LeaderTracker.notify(id, table),
      backend
    }
    return store
  })
