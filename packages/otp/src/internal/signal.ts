/**
 * What travels between processes. Re-exported by `Process`; kept apart so that the kernel need not import it.
 */
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import type * as ExitReason from "../ExitReason.js"

/**
 * The identity of a process: opaque, never used twice in the life of its `ProcessTable`, and worth nothing in another
 * one. Two pids are equal only if they are the same object.
 *
 * @since 0.1.0
 * @category models
 */
export class Pid extends Inspectable.Class {
  /**
   * @param id the number of the process in its table, from 1; 0 stands for code outside any process
   * @param label the number and what the process was called at its start, for people and logs
   */
  constructor(
    readonly id: number,
    readonly label: string
  ) {
    super()
  }

  override toString(): string {
    return this.label
  }

  override toJSON(): unknown {
    return { _id: "Pid", id: this.id, label: this.label }
  }
}

/**
 * What a process is, for people and the observer.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind = "process" | "server" | "supervisor"

/**
 * One monitor. Each `monitor` call makes its own, and each is answered by exactly one `Down` unless it is removed first.
 *
 * @since 0.1.0
 * @category models
 */
export class MonitorRef {
  /**
   * @param id the number of the monitor in its table
   * @param pid the process that is monitored
   * @param owner the process that monitors and gets the `Down`
   * @param name what the monitored process was called by, if it was monitored by name
   */
  constructor(
    readonly id: number,
    readonly pid: Pid,
    readonly owner: Pid,
    readonly name: string | undefined
  ) {}
}

/**
 * The exit signal of another process, as a process that traps exits finds it in its mailbox.
 *
 * @since 0.1.0
 * @category signals
 */
export class ExitSignal extends Data.TaggedClass("ExitSignal")<{
  readonly from: Pid
  readonly reason: ExitReason.ExitReason
}> {}

/**
 * The news that a monitored process is gone. It comes after every message that process sent before it died, unless the monitor has
 * priority.
 *
 * @since 0.1.0
 * @category signals
 */
export class Down extends Data.TaggedClass("Down")<{
  readonly ref: MonitorRef
  readonly pid: Pid
  readonly reason: ExitReason.ExitReason
}> {}

/**
 * A plain message from one process to another.
 *
 * @since 0.1.0
 * @category signals
 */
export class Message {
  readonly _tag = "Message"
  constructor(readonly body: unknown) {}
}
