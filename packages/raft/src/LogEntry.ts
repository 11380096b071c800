/**
 * One entry of the replicated log.
 *
 * The payload of a command is opaque: nobody between the proposer and the state machine decodes it, and no part of the
 * consensus core looks into it. That of a configuration is the core's own.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Membership from "./Membership.js"

/**
 * What an entry is for. A `noop` is the first entry of a leader's term: it carries nothing, and committing it
 * is what commits everything before it. A `command` goes to the state machine. A `configuration` says who is a member from
 * here on, see {@link Membership}; the one that gives a group its incarnation opens a term as well.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Kind = Schema.Literal("noop", "command", "configuration")

/**
 * @since 0.1.0
 * @category models
 */
export type Kind = typeof Kind.Type

/**
 * A position in the log. The first entry has index 1; 0 means "before the log".
 *
 * @since 0.1.0
 * @category schemas
 */
export const Index = Schema.Int.pipe(Schema.nonNegative())

/**
 * A leader's term. The first election makes term 1; 0 is the term of the empty log.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Term = Schema.Int.pipe(Schema.nonNegative())

/**
 * An entry as it travels and as it is stored. Two entries with the same index and the same term are the same entry,
 * in every log of the group, and so is everything before them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LogEntry = Schema.Struct({
  index: Schema.Int.pipe(Schema.positive()),
  term: Schema.Int.pipe(Schema.positive()),
  kind: Kind,
  payload: Schema.Uint8ArrayFromSelf
}).annotations({ identifier: "LogEntry" })

/**
 * @since 0.1.0
 * @category models
 */
export interface LogEntry extends Schema.Schema.Type<typeof LogEntry> {}

const emptyPayload = new Uint8Array(0)

/**
 * The entry with which a leader opens its term.
 *
 * @since 0.1.0
 * @category constructors
 */
export const noop = (index: number, term: number): LogEntry => ({ index, term, kind: "noop", payload: emptyPayload })

/**
 * An entry that carries a command for the state machine.
 *
 * @since 0.1.0
 * @category constructors
 */
export const command = (index: number, term: number, payload: Uint8Array): LogEntry => ({
  index,
  term,
  kind: "command",
  payload
})

/**
 * An entry that puts a configuration in force.
 *
 * @since 0.1.0
 * @category constructors
 */
export const configuration = (index: number, term: number, next: Membership.Configuration): LogEntry => ({
  index,
  term,
  kind: "configuration",
  payload: Membership.encode(next)
})

/**
 * What an entry without payload weighs in every byte limit. Without it a flood of empty commands would count for
 * nothing and no window would ever fill.
 *
 * @since 0.1.0
 * @category limits
 */
export const overheadBytes = 32

/**
 * What an entry weighs in every byte limit: its payload and {@link overheadBytes}.
 *
 * @since 0.1.0
 * @category getters
 */
export const sizeBytes = (entry: { readonly payload: Uint8Array }): number => entry.payload.byteLength + overheadBytes

/**
 * What several weigh together.
 *
 * @since 0.1.0
 * @category getters
 */
export const totalBytes = (entries: Iterable<{ readonly payload: Uint8Array }>): number => {
  let bytes = 0
  for (const entry of entries) bytes += sizeBytes(entry)
  return bytes
}
