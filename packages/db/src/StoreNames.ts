/**
 * The names under which the processes of a store are registered, as the original has them.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category names
 */
export const reckonDbSup = "reckon_db_sup"

const named = (role: string) => (store: string) => `reckon_db_${role}_${store}`

/**
 * @since 0.1.0
 * @category names
 */
export const systemSup = named("system")

/**
 * @since 0.1.0
 * @category names
 */
export const coreSup = named("core_sup")

/**
 * @since 0.1.0
 * @category names
 */
export const persistenceSup = named("persistence_sup")

/**
 * The store's member of its Raft group.
 *
 * @since 0.1.0
 * @category names
 */
export const store = named("store")

/**
 * @since 0.1.0
 * @category names
 */
export const streamsSup = named("streams_sup")

/**
 * The pool of the store's writers.
 *
 * @since 0.1.0
 * @category names
 */
export const streamsWriter = named("streams_writer")

/**
 * The pool of the store's readers.
 *
 * @since 0.1.0
 * @category names
 */
export const streamsReader = named("streams_reader")

/**
 * @since 0.1.0
 * @category names
 */
export const notificationSup = named("notification_sup")

/**
 * @since 0.1.0
 * @category names
 */
export const leaderSup = named("leader_sup")

/**
 * @since 0.1.0
 * @category names
 */
export const leaderTracker = named("leader_tracker")

/**
 * @since 0.1.0
 * @category names
 */
export const emitterSup = named("emitter_sup")

/**
 * @since 0.1.0
 * @category names
 */
export const storeMgr = named("store_mgr")

/**
 * @since 0.1.0
 * @category names
 */
export const gatewaySup = named("gateway_sup")

/**
 * @since 0.1.0
 * @category names
 */
export const gatewayWorker = (store: string, number: number): string => `reckon_db_gateway_worker_${store}_${number}`
