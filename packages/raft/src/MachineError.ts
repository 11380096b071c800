/**
 * How a request to a replicated machine can fail, beside the ways of every proposal (`RaftError`). That a machine says no is not among them: that is a reply.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ProposeError } from "./RaftError.js"

/**
 * What was wrong with a command:
 *
 * - `unreadable`: it does not pass the schema of the version in force;
 * - `command_too_large`, `reply_too_large`: it, or the reply to it, is above its limit;
 * - `effects_exceeded`, `timers_exceeded`, `monitors_exceeded`: with its effects there would be more than the limit allows;
 * - `invalid_effect`: a name is too long or no UTF-16, or a timer's time is no number.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RefusalReason = Schema.Literal(
  "unreadable",
  "command_too_large",
  "reply_too_large",
  "effects_exceeded",
  "timers_exceeded",
  "monitors_exceeded",
  "invalid_effect"
)

/**
 * @since 0.1.0
 * @category models
 */
export type RefusalReason = typeof RefusalReason.Type

/**
 * The command was not carried out, on any member, and changed nothing.
 *
 * @since 0.1.0
 * @category errors
 */
export class CommandRefused extends Schema.TaggedError<CommandRefused>("@reckon/raft/CommandRefused")(
  "CommandRefused",
  {
    reason: RefusalReason,
    /** What is wrong with a command that does not pass the schema here, or is nothing that JSON can hold. Of one that the members refuse they say the reason only. */
    detail: Schema.optional(Schema.String)
  }
) {
  readonly retryable = false
  override get message() {
    return `the command was refused: ${this.reason}${this.detail === undefined ? "" : `: ${this.detail}`}`
  }
}

/**
 * The command was applied, but its reply cannot be read: it is of another machine, or of a version that this code does not know.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReplyUnreadable extends Schema.TaggedError<ReplyUnreadable>("@reckon/raft/ReplyUnreadable")(
  "ReplyUnreadable",
  { detail: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `the reply cannot be read: ${this.detail}`
  }
}

/**
 * The machine works by another version than the upgrade says it goes out from, or by the wanted one already.
 *
 * @since 0.1.0
 * @category errors
 */
export class VersionConflict extends Schema.TaggedError<VersionConflict>("@reckon/raft/VersionConflict")(
  "VersionConflict",
  { from: Schema.Int, to: Schema.Int, effective: Schema.Int }
) {
  readonly retryable = false
  override get message() {
    return `no upgrade from version ${this.from} to ${this.to}: version ${this.effective} is in force`
  }
}

/**
 * This code does not know the wanted version, so it does not ask for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class VersionUnsupported extends Schema.TaggedError<VersionUnsupported>("@reckon/raft/VersionUnsupported")(
  "VersionUnsupported",
  { version: Schema.Int, supported: Schema.Int }
) {
  readonly retryable = false
  override get message() {
    return `version ${this.version} is not known here, the newest is ${this.supported}`
  }
}

/**
 * There are as many sessions as there may be.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionsExhausted extends Schema.TaggedError<SessionsExhausted>("@reckon/raft/SessionsExhausted")(
  "SessionsExhausted",
  {}
) {
  readonly retryable = true
  override get message() {
    return "there are as many client sessions as the group keeps"
  }
}

/**
 * The session is not known any more: it was closed, or nothing was heard of it for longer than its time-out. `outcome` tells of the request: an earlier attempt of it
 * may have been applied before the session ended (`unknown`), or there was none (`not_applied`).
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionExpired extends Schema.TaggedError<SessionExpired>("@reckon/raft/SessionExpired")(
  "SessionExpired",
  {
    session: Schema.Int,
    outcome: Schema.Literal("not_applied", "unknown")
  }
) {
  readonly retryable = false
  override get message() {
    return `session ${this.session} is not known any more`
  }
}

/**
 * The session's client has said that it has the answer to this request, or gave up waiting for it: it is neither applied nor answered again.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionOutdated extends Schema.TaggedError<SessionOutdated>("@reckon/raft/SessionOutdated")(
  "SessionOutdated",
  { session: Schema.Int, sequence: Schema.Int }
) {
  readonly retryable = false
  override get message() {
    return `request ${this.sequence} of session ${this.session} is over`
  }
}

/**
 * The session, or all sessions together, have too many answers that their clients have not confirmed. The request was not applied.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionOverloaded extends Schema.TaggedError<SessionOverloaded>("@reckon/raft/SessionOverloaded")(
  "SessionOverloaded",
  { session: Schema.Int }
) {
  readonly retryable = true
  override get message() {
    return `session ${this.session} has too many answers waiting to be confirmed`
  }
}

/**
 * How a command without a session can fail.
 *
 * @since 0.1.0
 * @category errors
 */
export const CommandError = Schema.Union(ProposeError, CommandRefused, ReplyUnreadable)

/**
 * @since 0.1.0
 * @category errors
 */
export type CommandError = typeof CommandError.Type

/**
 * How a command of a session can fail.
 *
 * @since 0.1.0
 * @category errors
 */
export const SessionError = Schema.Union(CommandError, SessionExpired, SessionOutdated, SessionOverloaded)

/**
 * @since 0.1.0
 * @category errors
 */
export type SessionError = typeof SessionError.Type
