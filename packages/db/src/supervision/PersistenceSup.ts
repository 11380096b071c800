/**
 * `persistence_sup`: the store itself, as a member of its Raft group, and the streams' writers and readers.
 *
 * @since 0.1.0
 */

import * as path from "node:path"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Raft from "@reckon/raft/Raft"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as Effect from "effect/Effect"
import * as SqliteStoreEngine from "../SqliteStoreEngine.js"
import { raftGroup, type Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import * as StoreStateMachine from "../StoreStateMachine.js"
import { streamsSup } from "./StreamsSup.js"

/** The log and the events lie in two files, because only the log has to be synced: it replays what a crash takes from the events. */
const open = (store: Store) =>
  Effect.gen(function* () {
    const log = yield* RaftLog.make({ filename: path.join(store.dataDir, "raft.sqlite") })
    const engine = yield* SqliteStoreEngine.make({ filename: path.join(store.dataDir, "events.sqlite") })
    yield* store.engine.provide(engine)
    return { log, machine: StoreStateMachine.make(engine, store.signal) }
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
    children: [
      Supervisor.worker(
        StoreNames.store(store.id),
        Raft.startLink({
          group: raftGroup(store.id),
          self: store.node,
          voters: store.voters,
          processName: StoreNames.store(store.id),
          open: open(store),
          onRoleChanged: store.onRoleChanged,
          compaction: store.compaction
        })
      ),
      streamsSup(store)
    ]
  })
