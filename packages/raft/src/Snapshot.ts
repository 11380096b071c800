/**
 * What stands in for the beginning of a log once its entries are gone.
 *
 * A snapshot is the state machine as it was after an entry, in bytes of the machine's own, together with what the log
 * knew there: the entry's index and term, and who belonged to the group. The consensus core sees this description only:
 * the bytes are made, sent in pieces, checked and kept by whoever drives it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Index, Term } from "./LogEntry.js"
import * as Membership from "./Membership.js"

/**
 * Characters of a checksum.
 *
 * @since 0.1.0
 * @category limits
 */
export const checksumMax = 128

/**
 * `index` and `term` are those of the last entry whose effect is in the bytes. `configuration` is the one in force at
 * that entry, with the index of its own, and not one that came later: an install puts exactly this one in force.
 * `machineVersion` is the version of the bytes' format; whoever cannot read it does not install. `checksum` is taken
 * over the bytes as they are stored and sent, never over a second encoding of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Snapshot = Schema.Struct({
  index: Index.pipe(Schema.positive()),
  term: Term.pipe(Schema.positive()),
  configuration: Membership.Placed,
  machineVersion: Schema.NonNegativeInt,
  checksum: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(checksumMax))
})
  .pipe(
    Schema.filter(({ configuration, index }) =>
      configuration.index <= index ? true : `a configuration of ${configuration.index} is not in force at ${index}`
    )
  )
  .annotations({ identifier: "Snapshot" })

/**
 * @since 0.1.0
 * @category models
 */
export interface Snapshot extends Schema.Schema.Type<typeof Snapshot> {}

/**
 * What a log begins after: nothing, with index 0 and term 0, or the last entry that was cut off or never came. Every
 * snapshot is a base as well.
 *
 * @since 0.1.0
 * @category models
 */
export interface Base {
  readonly index: number
  readonly term: number
  /** The configuration in force at `index`; the founding one in a new log. */
  readonly configuration: Membership.Placed
}

/**
 * The base of a log from its first entry on.
 *
 * @since 0.1.0
 * @category constructors
 */
export const founding = (configuration: Membership.Configuration): Base => ({
  index: 0,
  term: 0,
  configuration: { index: 0, configuration }
})
