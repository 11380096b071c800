/**
 * How a server is started, and how that can fail. Whatever it was, the process is dead and its name free when the start fails.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as ExitReason from "./ExitReason.js"
import { type Name, Pid } from "./Process.js"

/**
 * The name belongs to a living process; the newcomer's `init` did not run.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyStarted extends Schema.TaggedError<AlreadyStarted>("@reckon/otp/AlreadyStarted")("AlreadyStarted", {
  name: Schema.String,
  pid: Schema.instanceOf(Pid)
}) {
  override get message(): string {
    return `"${this.name}" is running already, as ${this.pid.label}`
  }
  /** Whether the same start may succeed later without anything being changed: only if the holder goes. */
  get retryable(): boolean {
    return false
  }
}

/**
 * `init` decided that the server is not needed. No harm done.
 *
 * @since 0.1.0
 * @category errors
 */
export class StartIgnored extends Schema.TaggedError<StartIgnored>("@reckon/otp/StartIgnored")("StartIgnored", {}) {
  override get message(): string {
    return "init decided that the server is not needed"
  }
  /** Whether the same start may succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

/**
 * `init` did not succeed, or the process was ended before it did. The process is dead and its name free.
 *
 * @since 0.1.0
 * @category errors
 */
export class StartFailed extends Schema.TaggedError<StartFailed>("@reckon/otp/StartFailed")("StartFailed", {
  reason: ExitReason.ExitReason
}) {
  override get message(): string {
    return `the process did not start: ${ExitReason.format(this.reason)}`
  }
  /** Whether the same start may succeed later without anything being changed: it depends on what went wrong. */
  get retryable(): boolean {
    return true
  }
}

/**
 * `init` took too long; the process was killed.
 *
 * @since 0.1.0
 * @category errors
 */
export class StartTimeout extends Schema.TaggedError<StartTimeout>("@reckon/otp/StartTimeout")("StartTimeout", {
  timeoutMillis: Schema.Number
}) {
  override get message(): string {
    return `init was not through after ${this.timeoutMillis} ms`
  }
  /** Whether the same start may succeed later without anything being changed. */
  get retryable(): boolean {
    return true
  }
}

/**
 * Any way in which a start can fail.
 *
 * @since 0.1.0
 * @category errors
 */
export type StartError = AlreadyStarted | StartIgnored | StartFailed | StartTimeout

/**
 * How a server is started.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions {
  /** Registered before `init` runs. */
  readonly name?: Name | undefined
  /** Overrides the definition's. */
  readonly mailboxCapacity?: number | undefined
  /** How long `init` may take; no limit by default. */
  readonly timeout?: Duration.DurationInput | undefined
}
