/**
 * The sizes a store accepts, as settings.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"

/**
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Bytes one event may have, see `Event.byteLength`. */
  readonly eventBytesMax: number
  /** Bytes the events of one request may have together. */
  readonly requestBytesMax: number
}

/**
 * 4 MiB an event, 16 MiB a request.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Limits = { eventBytesMax: 4 * 1024 * 1024, requestBytesMax: 16 * 1024 * 1024 }

/**
 * Read from `RECKON_EVENT_BYTES_MAX` and `RECKON_REQUEST_BYTES_MAX`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<Limits> = Config.all({
  eventBytesMax: Config.integer("RECKON_EVENT_BYTES_MAX").pipe(Config.withDefault(defaults.eventBytesMax)),
  requestBytesMax: Config.integer("RECKON_REQUEST_BYTES_MAX").pipe(Config.withDefault(defaults.requestBytesMax))
})
