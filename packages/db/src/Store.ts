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
import * as RaftClient from "@reckon/raft/RaftClient"
import type { Status } from "@reckon/raft/RaftProtocol"
import * as Effect from "effect/Effect"
import * as CommitSignal from "./CommitSignal.js"
import * as ConditionCheck from "./internal/processes/conditionCheck.js"
import * as Observed from "./internal/processes/observed.js"
import { inFolder, inMemory, type Storage } from "./internal/processes/storage.js"
import * as Unserved from "./internal/processes/unserved.js"
import * as LeaderTracker from "./LeaderTracker.js"
import type { StoreConfig } from "./StoreConfig.js"
import type { Service as Engine } from "./StoreEngine.js"
import * as StoreNames from "./StoreNames.js"
import * as StoreReader from "./StoreReader.js"
import * as StoreWriter from "./StoreWriter.js"
import * as Telemetry from "./Telemetry.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Store {
  readonly id: string
  readonly config: StoreConfig
  readonly storage: Storage
  readonly node: string
  /** The names of the nodes that found it, if it is not there yet; none where this one joins. Who its members are says its log. */
  readonly voters: ReadonlyArray<string>
  readonly engine: ServiceHandle.ServiceHandle<Engine>
  readonly signal: CommitSignal.CommitSignal
  readonly raft: RaftClient.RaftClient
  /** Where this node leads: has a member lead that lacks the least, if there is one that does without delay. */
  readonly handOver: Effect.Effect<void>
  readonly writers: ReturnType<typeof StoreWriter.pool>
  readonly readers: ReturnType<typeof StoreReader.pool>
  /** Who leads it, as its member here sees it. */
  readonly leadership: LeaderTracker.Watch
  /** Where its events are executed. */
  readonly telemetry: Telemetry.Telemetry["Type"]
  readonly backend: StoreBackend
}

/**
 * The store's Raft group. A store has a log of its own, so that no store waits for another's.
 *
 * @since 0.1.0
 * @category names
 */
export const raftGroup = (id: string): string => `store/${id}`

/** To take over needs a vote and no waiting: whoever has not by then is waited for in vain. */
const handOverMillis = 1_000

/**
 * A store that is not in service yet: its processes are started with the tree that is given it. `memory`: it keeps nothing on disk, and its folder is not made. It tells the `Telemetry` of the
 * context, if there is one, what it does. With the scope it is stopped, for good: who asks it for something then is told that it is not there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  config: StoreConfig,
  options: { readonly memory?: boolean | undefined; readonly joins?: boolean | undefined } = {}
) =>
  Effect.gen(function* () {
    const members = yield* Members
    const table = yield* ProcessTable
    const telemetry = yield* Telemetry.ambient
    const { id } = config
    const node = members.self.name
    const told = config.mode === "single" ? [node] : members.names
    const voters = options.joins === true && config.mode === "cluster" ? [] : told
    const { dataDir, readThread, traceBytesMax } = config
    const storage =
      options.memory === true
        ? yield* inMemory
        : inFolder({ place: dataDir, member: node, voters: told, readThread, traceBytesMax })
    const engine = yield* ServiceHandle.make<Engine>(`engine of store ${id}`)
    const signal = CommitSignal.make()
    const leadership = LeaderTracker.watch({ store: id, node, telemetry, table, onLost: signal.wakeAll })
    const isLed = () => leadership.current().leader !== null
    const raft = yield* RaftClient.make({ group: raftGroup(id), self: node, processName: StoreNames.store(id) })

    const handOver = Effect.flatMap(raft.status, member => {
      const [next] = (member?.followers ?? [])
        .filter(({ active, member: name, phase }) => active && phase === "replicate" && member?.voters.includes(name))
        .sort((one, other) => one.lag - other.lag)
      return next === undefined ? Effect.void : raft.transferLeadership(next.member)
    }).pipe(
      Effect.timeout(handOverMillis),
      Effect.catchAll(({ message }) =>
        Effect.logInfo(`store ${id}: nobody was found to lead it in the place of ${node}: ${message}`)
      )
    )

    const writers = StoreWriter.pool({
      store: id,
      raft,
      size: config.writerPoolSize,
      idleStop: config.writerIdleTimeout
    })
    const readers = StoreReader.pool({
      store: id,
      engine,
      size: config.readerPoolSize,
      idleStop: config.readerIdleTimeout
    })
    const writing = yield* Pool.named(writers, StoreNames.streamsWriter(id)).bind
    const reading = yield* Pool.named(readers, StoreNames.streamsReader(id)).bind

    const problemOf = (member: Status | null): string | null => {
      if (member === null) return null
      if (member.problem !== null) return member.problem
      if (member.voters.length === 0) return `${node} waits to be added: reckon member add ${node}`
      return member.leader === null ? (members.misplaced() ?? null) : null
    }

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
      healthy: member !== null && member.leader !== null,
      problem: problemOf(member)
    }))

    const reader = StoreReader.make({ store: id, readers: reading, raft, engine, signal, isLed })
    const check = ConditionCheck.make({ engine, query: reader.query })
    let isStopped = false
    // Those who wait for what commits next are to find out that nothing will.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isStopped = true
        signal.wakeAll()
      })
    )
    const backend: StoreBackend = Unserved.backend({
      store: id,
      backend: { ...reader, ...StoreWriter.make({ store: id, writers: writing, check }), status },
      isStopped: () => isStopped,
      problem: raft.problem
    })
    const lastVersion = (streamId: string): number => engine.current()?.streamDetails(streamId)?.lastVersion ?? -1
    const store: Store = {
      id,
      config,
      storage,
      node,
      voters,
      engine,
      signal,
      raft,
      handOver,
      writers,
      readers,
      leadership,
      telemetry,
      backend: yield* Observed.backend({ store: id, telemetry, backend, lastVersion })
    }
    return store
  })
