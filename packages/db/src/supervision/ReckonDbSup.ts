/**
 * `reckon_db_sup`: the top of the tree, with one `system_sup` for each store, which come and go while it runs. one_for_one: no store has a part in another's life.
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
 *       └─ gateway_worker            as many as the store's settings say
 * ```
 *
 * @since 0.1.0
 */
import * as StoreNames from "../StoreNames.js"

/**
 * Without stores: see `Stores.start`.
 *
 * @since 0.1.0
 * @category supervisors
 */
export const reckonDbSup = {
  name: StoreNames.reckonDbSup,
  strategy: "one_for_one",
  intensity: 10,
  period: "60 seconds",
  children: []
} as const
