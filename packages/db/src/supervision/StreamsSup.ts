/**
 * `streams_sup`: the processes that write to the store's streams and read from them, two pools.
 *
 * @since 0.1.0
 */
import * as Pool from "@reckon/otp/Pool"
import * as Supervisor from "@reckon/otp/Supervisor"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"

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
      Pool.supervisor(StoreNames.streamsWriter(store.id), store.writers, { name: StoreNames.streamsWriter(store.id) }),
      Pool.supervisor(StoreNames.streamsReader(store.id), store.readers, { name: StoreNames.streamsReader(store.id) })
    ]
  })
