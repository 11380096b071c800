/**
 * The node's own account of what happens to its processes, for observers. Without any it costs a test of one field.
 */

import type * as ExitReason from "../ExitReason.js"
import type { ErrorReport, ProgressReport } from "../Report.js"
import type { Kind, Pid } from "./signal.js"

/**
 * One change of the process tree, in the order in which they happened.
 *
 * @since 0.1.0
 * @category models
 */
export type Change =
  | {
      readonly _tag: "Spawned"
      readonly pid: Pid
      readonly kind: Kind
      readonly name: string | undefined
      readonly parent: Pid | undefined
    }
  | { readonly _tag: "Exited"; readonly pid: Pid; readonly reason: ExitReason.ExitReason }
  /** A process got a name after its start, or lost it while it lives. */
  | { readonly _tag: "Renamed"; readonly pid: Pid; readonly name: string | undefined }
  /** A supervisor started or lost a child. */
  | { readonly _tag: "Reported"; readonly report: ErrorReport | ProgressReport }

export class Changes {
  private readonly listeners = new Set<(change: Change) => void>()

  get wanted(): boolean {
    return this.listeners.size > 0
  }

  publish(change: Change): void {
    for (const listener of this.listeners) listener(change)
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }
}
