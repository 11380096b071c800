/**
 * What can go wrong between a caller and a server, whatever the protocol. Each error says whether the request may have been
 * carried out (`maybeExecuted`), and whether the same call may succeed later without anything being changed
 * (`retryable`). A request that may have been carried out must not be repeated blindly.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as ExitReason from "./ExitReason.js"

/** What every call error tells: whom was called, with what. */
const details = {
  /** The label of the server, or its name. */
  server: Schema.String,
  /** The tag of the request. */
  request: Schema.String
}

/**
 * No reply came in time. The server may still carry the request out; its late reply goes nowhere.
 *
 * @since 0.1.0
 * @category errors
 */
export class CallTimeout extends Schema.TaggedError<CallTimeout>("@reckon/otp/CallTimeout")("CallTimeout", {
  ...details,
  timeoutMillis: Schema.Number
}) {
  override get message(): string {
    return `${this.server} did not answer "${this.request}" within ${this.timeoutMillis} ms`
  }
  get maybeExecuted(): boolean {
    return true
  }
  get retryable(): boolean {
    return true
  }
}

/**
 * There is no living process under the pid or name. A restarted one may take the name.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoProcess extends Schema.TaggedError<NoProcess>("@reckon/otp/NoProcess")("NoProcess", details) {
  override get message(): string {
    return `there is no process ${this.server} to ask "${this.request}"`
  }
  get maybeExecuted(): boolean {
    return false
  }
  get retryable(): boolean {
    return true
  }
}

/**
 * The server ended before it answered.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServerExited extends Schema.TaggedError<ServerExited>("@reckon/otp/ServerExited")("ServerExited", {
  ...details,
  reason: ExitReason.ExitReason
}) {
  override get message(): string {
    return `${this.server} ended before it answered "${this.request}": ${ExitReason.format(this.reason)}`
  }
  get maybeExecuted(): boolean {
    return true
  }
  get retryable(): boolean {
    return true
  }
}

/**
 * A server called itself from its own callback and would have waited for ever.
 *
 * @since 0.1.0
 * @category errors
 */
export class CallingSelf extends Schema.TaggedError<CallingSelf>("@reckon/otp/CallingSelf")("CallingSelf", details) {
  override get message(): string {
    return `${this.server} called itself with "${this.request}"`
  }
  get maybeExecuted(): boolean {
    return false
  }
  get retryable(): boolean {
    return false
  }
}

/**
 * The server's mailbox has no room: it is slower than its callers. The request was not taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class MailboxFull extends Schema.TaggedError<MailboxFull>("@reckon/otp/MailboxFull")("MailboxFull", {
  ...details,
  /** How many messages may wait. */
  capacity: Schema.Number
}) {
  override get message(): string {
    return `${this.server} has ${this.capacity} messages waiting and did not take "${this.request}"`
  }
  get maybeExecuted(): boolean {
    return false
  }
  get retryable(): boolean {
    return true
  }
}

/**
 * The function that was to replace a server's state threw. The old state stands.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReplacerFailed extends Schema.TaggedError<ReplacerFailed>("@reckon/otp/ReplacerFailed")("ReplacerFailed", {
  ...details,
  defect: Schema.Defect
}) {
  override get message(): string {
    return `the state of ${this.server} was not replaced: ${String(this.defect)}`
  }
  get maybeExecuted(): boolean {
    return false
  }
  get retryable(): boolean {
    return false
  }
}

/**
 * Any way in which a call can fail that is not the protocol's own error.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CallError = Schema.Union(CallTimeout, NoProcess, ServerExited, CallingSelf, MailboxFull)

/**
 * Any way in which a call can fail that is not the protocol's own error.
 *
 * @since 0.1.0
 * @category models
 */
export type CallError = typeof CallError.Type
