/**
 * `streams_sup`: the processes that write to the store's streams.
 *
 * @since 0.1.0
 */
import * as Supervisor from "@reckon/otp/Supervisor"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import * as StoreWriter from "../StoreWriter.js"

/**
 * @since 0.1.0
 * @category supervisors
 */
export const streamsSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.streamsSup(store.id), {
    name: StoreNames.streamsSup(store.id),
    strategy: "one_for_one",
    intensity: 10,
    period: "60 seconds",
    children: [
      Supervisor.worker(
        StoreNames.streamsWriter(store.id),
        StoreWriter.startLink({
          store: store.id,
          processName: StoreNames.streamsWriter(store.id),
          raft: store.raft
        })
      )
    ]
  })
