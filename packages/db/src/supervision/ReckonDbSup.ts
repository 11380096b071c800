/**
 * `reckon_db_sup`: the top of the tree, with one `system_sup` for each store.
 *
 * ```
 * reckon_db_sup                      one_for_one
 * └─ system (per store)              rest_for_one
 *    ├─ core_sup                     one_for_all
 *    │  ├─ persistence_sup           one_for_one
 *    │  │  ├─ store                  the Raft member with log and events
 *    │  │  └─ streams_sup            one_for_one
 *    │  │     ├─ streams_writer      one_for_one, a pool: the writer of each partition, while it is needed
 *    │  │     └─ streams_reader      one_for_one, a pool: readers that take turns, while they are needed
 *    │  ├─ notification_sup          rest_for_one
 *    │  │  ├─ leader_sup             rest_for_one
 *    │  │  │  └─ leader_tracker
 *    │  │  └─ emitter_sup            one_for_one
 *    │  └─ store_mgr
 *    └─ gateway_sup                  one_for_one
 *       └─ gateway_worker
 * ```
 *
 * @since 0.1.0
 */
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import { systemSup } from "./SystemSup.js"

/**
 * @since 0.1.0
 * @category supervisors
 */
export const reckonDbSup = (stores: ReadonlyArray<Store>) => ({
  name: StoreNames.reckonDbSup,
  strategy: "one_for_one" as const,
  intensity: 10,
  period: "60 seconds" as const,
  children: stores.map(systemSup)
})
