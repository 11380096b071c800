/**
 * What a supervisor answers when it cannot do what it was asked to do.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { CallError } from "./CallError.js"
import type { InvalidSpec } from "./ChildSpec.js"
import * as ExitReason from "./ExitReason.js"
import { Pid } from "./Process.js"

/**
 * A child of this id runs already.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChildAlreadyStarted extends Schema.TaggedError<ChildAlreadyStarted>("@reckon/otp/ChildAlreadyStarted")(
  "ChildAlreadyStarted",
  { id: Schema.String, pid: Schema.instanceOf(Pid) }
) {
  override get message(): string {
    return `child "${this.id}" is running already, as ${this.pid.label}`
  }
  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

/**
 * The child is not in the state the operation needs.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChildStateError extends Schema.TaggedError<ChildStateError>("@reckon/otp/ChildStateError")(
  "ChildStateError",
  {
    /** The child's id, or the label of its process; empty if the question was about no child in particular. */
    id: Schema.String,
    /**
     * `already_present`: known, but stopped or being restarted. `simple_one_for_one`: a dynamic supervisor knows its children by
     * their processes only, and makes them from its own template; `not_simple_one_for_one`: the reverse. `max_children`: a
     * dynamic supervisor has as many as it may.
     */
    state: Schema.Literal(
      "already_present",
      "running",
      "restarting",
      "not_found",
      "simple_one_for_one",
      "not_simple_one_for_one",
      "max_children"
    )
  }
) {
  override get message(): string {
    return this.id === "" ? `supervisor: ${this.state}` : `child "${this.id}": ${this.state}`
  }
  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return this.state === "restarting" || this.state === "max_children"
  }
}

/**
 * The child's start failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChildStartFailed extends Schema.TaggedError<ChildStartFailed>("@reckon/otp/ChildStartFailed")(
  "ChildStartFailed",
  { id: Schema.String, reason: ExitReason.ExitReason }
) {
  override get message(): string {
    return `child "${this.id}" did not start: ${ExitReason.format(this.reason)}`
  }
  /** Whether the same call can succeed later without anything being changed: it depends on what went wrong. */
  get retryable(): boolean {
    return true
  }
}

/**
 * The supervisor's `init`, run again, failed. The supervisor goes on as it was.
 *
 * @since 0.1.0
 * @category errors
 */
export class InitFailed extends Schema.TaggedError<InitFailed>("@reckon/otp/InitFailed")("InitFailed", {
  reason: ExitReason.ExitReason
}) {
  override get message(): string {
    return `the supervisor's init failed: ${ExitReason.format(this.reason)}`
  }
  /** Whether the same call can succeed later without anything being changed: it depends on what went wrong. */
  get retryable(): boolean {
    return true
  }
}

/**
 * Any way in which a reconfiguration can fail; nothing has changed then.
 *
 * @since 0.1.0
 * @category errors
 */
export type ReconfigureError = ChildStateError | InvalidSpec | InitFailed | CallError
