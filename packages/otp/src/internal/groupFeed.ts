/**
 * Where the changes of a scope go: to the mailbox of a process, or to the reader of a stream. Re-exported by `ProcessGroup`.
 */
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NoProcess } from "../CallError.js"
import type { Groups, Member } from "./groupTable.js"
import type { Process } from "./kernel.js"
import { Message, type Pid } from "./signal.js"

/**
 * One subscription to a scope or a group. Equal only to itself.
 *
 * @since 0.1.0
 * @category models
 */
export class GroupMonitorRef {
  constructor(
    readonly scope: string,
    /** Undefined: all groups of the scope. */
    readonly group: string | undefined,
    /** The process that subscribed; undefined for a stream. */
    readonly pid: Pid | undefined
  ) {}
}

/**
 * Members have joined or left a group. One is listed as often as it joined or left.
 *
 * @since 0.1.0
 * @category models
 */
export class GroupChange extends Data.TaggedClass("GroupChange")<{
  readonly ref: GroupMonitorRef
  readonly kind: "join" | "leave"
  readonly group: string
  readonly members: ReadonlyArray<Member>
}> {}

/**
 * All there is at this moment; every change up to it is included, and none after it. A group without members is not there.
 *
 * @since 0.1.0
 * @category models
 */
export class GroupSnapshot extends Data.TaggedClass("GroupSnapshot")<{
  readonly ref: GroupMonitorRef
  readonly groups: Groups
}> {}

/**
 * The subscription is over, because the scope process has ended or the subscriber's mailbox had no room for a change. Whoever wants
 * to know more monitors again and starts from the new snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export class MonitorLost extends Data.TaggedClass("MonitorLost")<{ readonly ref: GroupMonitorRef }> {}

/** Hears of the changes of a scope, or of one group. */
export interface Subscriber {
  readonly ref: GroupMonitorRef
  /** False: there is no room for it, and the subscription must end, because what follows would not fit what it knows. */
  readonly change: (kind: GroupChange["kind"], group: string, members: ReadonlyArray<Member>) => boolean
  /** The subscription is over. */
  readonly lost: () => void
}

export class MailboxSubscriber implements Subscriber {
  constructor(
    readonly ref: GroupMonitorRef,
    readonly process: Process
  ) {}

  change(kind: GroupChange["kind"], group: string, members: ReadonlyArray<Member>): boolean {
    const { mailbox } = this.process
    return mailbox.offer(new Message(new GroupChange({ ref: this.ref, kind, group, members })))
  }

  /** Past the capacity: it is the last one. */
  lost(): void {
    if (this.process.alive) this.process.mailbox.push(new Message(new MonitorLost({ ref: this.ref })))
  }
}

/** Takes what a subscription has put in the mailbox out again. */
export const flush = (process: Process, ref: GroupMonitorRef): void => {
  const isNotice = (body: unknown): boolean =>
    (body instanceof GroupChange || body instanceof MonitorLost) && body.ref === ref
  while (process.mailbox.extract(signal => signal._tag === "Message" && isNotice(signal.body)) !== undefined) {}
}

/** A bounded buffer with one reader. When it overflows, or before it was read, a snapshot stands for what is not in it. */
export class Feed implements Subscriber {
  private buffer: Array<GroupChange> = []
  private stale = true
  private open = true
  private wake: (() => void) | undefined = undefined

  constructor(
    readonly ref: GroupMonitorRef,
    private readonly capacity: number,
    private readonly snapshot: () => Groups
  ) {}

  change(kind: GroupChange["kind"], group: string, members: ReadonlyArray<Member>): boolean {
    if (this.stale) return true
    if (this.buffer.length < this.capacity) {
      this.buffer.push(new GroupChange({ ref: this.ref, kind, group, members }))
    } else {
      this.buffer = []
      this.stale = true
    }
    this.wake?.()
    return true
  }

  lost(): void {
    this.open = false
    this.wake?.()
  }

  /** All that waits, or the next there is. */
  readonly pull: Effect.Effect<Chunk.Chunk<GroupSnapshot | GroupChange>, Option.Option<NoProcess>> = Effect.async(
    resume => {
      // Looking and lying down to wait are one step: between two, a change could come and wake nobody.
      const look = (): void => {
        const found = this.next()
        this.wake = found === undefined ? look : undefined
        if (found !== undefined) resume(found)
      }
      look()
      return Effect.sync(() => {
        this.wake = undefined
      })
    }
  )

  private next(): Effect.Effect<Chunk.Chunk<GroupSnapshot | GroupChange>, Option.Option<NoProcess>> | undefined {
    if (this.open && this.stale) {
      this.stale = false
      return Effect.succeed(Chunk.of(new GroupSnapshot({ ref: this.ref, groups: this.snapshot() })))
    }
    if (this.buffer.length > 0) {
      const waiting = this.buffer
      this.buffer = []
      return Effect.succeed(Chunk.unsafeFromArray(waiting))
    }
    if (this.open) return undefined
    return Effect.fail(Option.some(new NoProcess({ server: this.ref.scope, request: "changes" })))
  }
}
