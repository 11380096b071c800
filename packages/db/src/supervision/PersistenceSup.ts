/**
 * `persistence_sup`: the store itself, as a member of its Raft group, and the streams' writers and readers.
 *
 * @since 0.1.0
 */
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Raft from "@reckon/raft/Raft"
import type { RaftLog } from "@reckon/raft/RaftLog"
import * as RaftOptions from "@reckon/raft/RaftOptions"
import { RaftTransport } from "@reckon/raft/RaftTransport"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { leadingAtOnce, takeName } from "../internal/processes/soleMember.js"
import { raftGroup, type Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import * as StoreStateMachine from "../StoreStateMachine.js"
import { streamsSup } from "./StreamsSup.js"

/**
 * The longest lease there can be, where reads are by lease. A store that is on one node alone asks nobody anyway, and with a lease would wait after each start until none
 * that came before it can run.
 */
const leaseTicks = ({ config }: Store): number =>
  config.leaseReads && config.mode === "cluster" ? RaftOptions.leaseTicksMax(RaftOptions.defaults.electionTicks) : 0

/** The store's member of its Raft group. */
const member = (store: Store) =>
  Effect.gen(function* () {
    const transport = yield* RaftTransport
    let opened: Context.Tag.Service<RaftLog> | undefined
    const alone = store.voters.length === 1
    const open = Effect.gen(function* () {
      const { engine, log, trace } = yield* store.storage.open
      yield* store.engine.provide(engine)
      opened = log
      if (alone) takeName(log, store.node)
      return { log, machine: StoreStateMachine.make(engine, store.signal), trace }
    })
    return yield* Raft.startLink({
      group: raftGroup(store.id),
      self: store.node,
      voters: store.voters,
      processName: StoreNames.store(store.id),
      open,
      passing: error => (store.storage.mayPass(error) ? error.message : undefined),
      onRoleChanged: store.leadership.onRoleChanged,
      compaction: store.config.log,
      limits: { leaseTicks: leaseTicks(store) }
    }).pipe(
      Effect.provideService(RaftTransport, alone ? leadingAtOnce(transport, store.node, () => opened) : transport)
    )
  })

/**
 * @since 0.1.0
 * @category supervisors
 */
export const persistenceSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.persistenceSup(store.id), {
    name: StoreNames.persistenceSup(store.id),
    strategy: "one_for_one",
    intensity: 5,
    period: "30 seconds",
    children: [Supervisor.worker(StoreNames.store(store.id), member(store)), streamsSup(store)]
  })
