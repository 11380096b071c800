/**
 * What a group replicates: a deterministic machine that takes committed entries in order.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { LogEntry } from "./LogEntry.js"

/**
 * Everything here is synchronous: it runs inside the group's one process, between two inputs.
 *
 * @since 0.1.0
 * @category services
 */
export class StateMachine extends Context.Tag("@reckon/raft/StateMachine")<
  StateMachine,
  {
    /** The last entry the machine has taken, kept by the machine atomically with its own data. */
    readonly appliedIndex: () => number
    /** Takes the entries that follow `appliedIndex`, all or none, and answers one reply for each. Replies to no-ops are not looked at, and a configuration comes as a no-op. */
    readonly apply: (entries: ReadonlyArray<LogEntry>) => ReadonlyArray<Uint8Array>
  }
>() {}
