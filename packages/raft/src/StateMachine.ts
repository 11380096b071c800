/**
 * What a group replicates: a deterministic machine that takes committed entries in order.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { LogEntry } from "./LogEntry.js"
import type { ProposeError } from "./RaftError.js"

/**
 * A snapshot could not be written, read or installed. What the machine held before, it still holds.
 *
 * @since 0.1.0
 * @category errors
 */
export class SnapshotError extends Schema.TaggedError<SnapshotError>("@reckon/raft/SnapshotError")("SnapshotError", {
  filename: Schema.String,
  /** `io`: the file system refused; `damaged`: it is no snapshot, or not a whole one; `unsupported`: it is of a newer version; `outdated`: the machine is ahead of it. */
  reason: Schema.Literal("io", "damaged", "unsupported", "outdated"),
  detail: Schema.String
}) {
  get retryable() {
    return this.reason === "io"
  }
  override get message() {
    return `${this.filename}: ${this.detail}`
  }
}

/**
 * What the machine keeps is damaged where the next entry needs it, and the same entry would find it so again. Thrown by `apply` and `persist`: the member then takes no part in
 * its group any more, until it is started anew; or until the entry can be applied after all, of a machine that has a `restore`. Everything else that they throw ends the member's process.
 *
 * @since 0.1.0
 * @category errors
 */
export class MachineDamaged extends Schema.TaggedError<MachineDamaged>("@reckon/raft/MachineDamaged")(
  "MachineDamaged",
  {
    /** What is damaged, and what to do about it. */
    detail: Schema.String
  }
) {
  readonly retryable = false
  override get message() {
    return this.detail
  }
}

/**
 * The lead of one term, lent to the machine for as long as it lasts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Leadership {
  /** The term it leads. Everything of this term is applied after everything older. */
  readonly term: number
  /** Puts a command into the log; `reply` is called once, with what became of it. Never waits. */
  readonly propose: (payload: Uint8Array, reply: (exit: Exit.Exit<Uint8Array, ProposeError>) => void) => void
}

/**
 * The versions of a machine's rules.
 *
 * @since 0.1.0
 * @category models
 */
export interface MachineVersion {
  /** The newest that this member's code knows. */
  readonly supported: number
  /** The one by which entries are applied now, the same on all members at the same index. */
  readonly effective: number
  /** What the next entry asks for where this member's code does not know it: nothing is applied from there on. */
  readonly required?: number
}

/**
 * What is synchronous here runs inside the group's one process, between two inputs. The optional members are for machines that can do without the log's
 * beginning, act on the world while their member leads, or change their rules.
 *
 * @since 0.1.0
 * @category services
 */
export class StateMachine extends Context.Tag("@reckon/raft/StateMachine")<
  StateMachine,
  {
    /**
     * The last entry the machine has taken, kept by the machine atomically with its own data. It may fall back, no further than `persist` has told, where a disk failed: the entries behind it come again.
     */
    readonly appliedIndex: () => number
    /**
     * Takes the entries that follow `appliedIndex`, in their order, and answers one reply for each that it took. It may take only the first of them: a machine
     * with versions stops before an entry of a version that it does not know. Replies to no-ops are not looked at, and a configuration comes as a no-op. Throws {@link MachineDamaged}
     * where no repetition can help, or none at once.
     */
    readonly apply: (entries: ReadonlyArray<LogEntry>) => ReadonlyArray<Uint8Array>
    /**
     * Why the machine could not apply a command, were it committed; `undefined` where it can. The leader asks it of what other members propose, which may be of another release, or broken: a command
     * that nobody can apply ends the group.
     */
    readonly unreadable?: (command: Uint8Array) => string | undefined
    /**
     * Makes what is applied survive a loss of power, and tells how far that is: the log may be cut behind it. It may tell of less, and go on with the rest after it has
     * returned; it is asked again while the log is too long. Throws where that failed.
     */
    readonly persist?: () => number
    /**
     * Of a machine whose damage may pass, as a disk does that was full or away: makes it ready to be given again what follows `appliedIndex`, which may have fallen back. Asked every few seconds from
     * {@link MachineDamaged} on, and may throw that. Once the entry that met the damage can be applied, the member is started anew.
     */
    readonly restore?: () => void
    /** Writes a consistent copy to a new file and tells the index it stands at. Does not hold up `apply` for longer than it takes to make the copy in memory. */
    readonly snapshot?: (filename: string) => Effect.Effect<{ readonly index: number }, SnapshotError>
    /** Replaces everything by the copy in the file, all or nothing; durable when it returns. */
    readonly install?: (filename: string) => Effect.Effect<void, SnapshotError>
    readonly version?: () => MachineVersion
    /** The index up to which the machine says that it needs no entry any more: a hint, which no member follows yet. Its log is cut as `Compaction` says. */
    readonly released?: () => number
    /**
     * Told when this member begins to lead, at any time after its election, and when it ceases to, before anything of a later term is applied. What the machine
     * does to the world it does between the two, and only for entries of that term.
     */
    readonly leading?: (leadership: Leadership | undefined) => void
  }
>() {}
