/**
 * The store's engine as the state machine of a Raft group: log entries in, replies out.
 *
 * @since 0.1.0
 */
import { MachineDamaged, SnapshotError, StateMachine } from "@reckon/raft/StateMachine"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Command from "./Command.js"
import type { CommitSignal } from "./CommitSignal.js"
import { type Service as Engine, type Entry, StoreFileDamaged, type StoreFileRefused } from "./StoreEngine.js"

const noReply = new Uint8Array(0)

const reasons = {
  damaged: "damaged",
  unreadable: "io",
  foreign: "damaged",
  newer: "unsupported",
  in_use: "io",
  inaccessible: "io"
} as const

const snapshotError = ({ detail, filename, reason }: StoreFileRefused) =>
  new SnapshotError({ filename, reason: reasons[reason], detail })

/** A start of the store's process would meet the same page again, unless it can be read by then. */
const unlessDamaged = <A>(use: () => A): A => {
  try {
    return use()
  } catch (cause) {
    throw cause instanceof StoreFileDamaged ? new MachineDamaged({ detail: cause.message }) : cause
  }
}

/** The log has checked its bytes: whoever wrote it meant something by it. */
const unreadableAt = (index: number, { message }: Command.UnreadableBytes) =>
  new MachineDamaged({
    detail: `entry ${index} of the log is ${message}. Most likely a later release wrote it, on a node that leads: install that one here as well`
  })

/** The streams to which something may have been done. */
const streamsOf = Command.Operation.$match({
  Append: ({ appends }) => appends.map(({ streamId }) => streamId),
  DeleteStream: ({ streamId }) => [streamId],
  SetStreamMetadata: ({ streamId }) => [streamId],
  SaveSnapshot: (): ReadonlyArray<string> => [],
  DeleteSnapshots: (): ReadonlyArray<string> => []
})

/**
 * A committed entry that cannot be decoded keeps the member out of its group, with what was committed before it applied: it can only come from a newer program, and skipping it would make
 * this replica differ from the others.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (engine: Engine, signal: CommitSignal): Context.Tag.Service<StateMachine> => {
  signal.wakeAll()
  return StateMachine.of({
    appliedIndex: engine.appliedIndex,
    persist: () => unlessDamaged(engine.checkpoint),
    restore: () => unlessDamaged(engine.restore),
    unreadable: payload =>
      Either.match(Command.decodeForeign(payload), { onLeft: ({ message }) => message, onRight: () => undefined }),
    snapshot: file => Effect.mapError(engine.snapshot(file), snapshotError),
    install: file => Effect.map(Effect.mapError(engine.install(file), snapshotError), signal.wakeAll),
    apply: entries => {
      const decoded: Array<Entry> = []
      let unreadable: MachineDamaged | undefined
      for (const { index, kind, payload, term } of entries) {
        const command = kind === "noop" ? Either.right(null) : Command.decode(payload)
        if (Either.isLeft(command)) {
          unreadable = unreadableAt(index, command.left)
          break
        }
        decoded.push({ index, term, command: command.right })
      }
      const replies = unlessDamaged(() => engine.apply(decoded))
      signal.notify(() => decoded.flatMap(({ command }) => command?.operations.flatMap(streamsOf) ?? []))
      if (unreadable !== undefined) throw unreadable
      return replies.map(reply => (reply === null ? noReply : Command.encodeReply(reply)))
    }
  })
}
