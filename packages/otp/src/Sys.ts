/**
 * Looking at servers from outside: OTP's `sys`. Nothing here counts as a message, so no timeout a server waits for is disturbed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { type CallError, NoProcess, type ReplacerFailed } from "./CallError.js"
import type { CallOptions } from "./Client.js"
import { replaceStateOf, stateOf } from "./internal/client.js"
import { type Address, describe, find } from "./internal/place.js"
import type { Kind } from "./internal/signal.js"
import { type Pid, ProcessTable } from "./Process.js"

/**
 * What is to be seen of a process from outside.
 *
 * @since 0.1.0
 * @category introspection
 */
export interface Status {
  readonly pid: Pid
  readonly name: string | undefined
  readonly kind: Kind
  readonly trapExit: boolean
  /** Messages and signals that wait. */
  readonly waiting: number
  readonly capacity: number
  /** Messages refused because the mailbox was full, ever. */
  readonly refused: number
  readonly links: ReadonlyArray<Pid>
  readonly monitoredBy: number
}

/**
 * Looks at a server from outside; it does not notice.
 *
 * @since 0.1.0
 * @category introspection
 */
export const status = (server: Address): Effect.Effect<Status, NoProcess, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel => {
    const process = find(kernel, server)
    if (process === undefined) return Effect.fail(new NoProcess({ server: describe(server), request: "status" }))
    return Effect.succeed({
      pid: process.pid,
      name: process.name,
      kind: process.kind,
      trapExit: process.trapExit,
      waiting: process.mailbox.length,
      capacity: process.mailbox.capacity,
      refused: process.mailbox.refused,
      links: Array.from(process.links ?? [], other => other.pid),
      monitoredBy: process.watchers?.size ?? 0
    })
  })

/**
 * Reads a server's state, in its turn among the messages.
 *
 * @since 0.1.0
 * @category introspection
 */
export const getState = (server: Address, options?: CallOptions): Effect.Effect<unknown, CallError, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel => stateOf(kernel, server, options))

/**
 * Puts another state in the place of a server's, in its turn among the messages, and returns it. For debugging and repair: nothing
 * checks that the new state is one the server understands. A function that throws leaves the old state.
 *
 * @since 0.1.0
 * @category introspection
 */
export const replaceState = (
  server: Address,
  replacer: (state: unknown) => unknown,
  options?: CallOptions
): Effect.Effect<unknown, CallError | ReplacerFailed, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel => replaceStateOf(kernel, server, replacer, options))
