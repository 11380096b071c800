/**
 * The store's engine as the state machine of a Raft group: log entries in, replies out.
 *
 * @since 0.1.0
 */
import { StateMachine } from "@reckon/raft/StateMachine"
import type * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as Command from "./Command.js"
import type { CommitSignal } from "./CommitSignal.js"
import type { Service as Engine } from "./StoreEngine.js"

const noReply = new Uint8Array(0)

/**
 * A committed entry that cannot be decoded is a defect, not an error: it can only mean damage or a log of a newer program, and skipping it would make
 * this replica differ from the others.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (engine: Engine, signal: CommitSignal): Context.Tag.Service<StateMachine> => {
  signal.notify(engine.lastPosition())
  return StateMachine.of({
    appliedIndex: engine.appliedIndex,
    apply: entries => {
      const replies = engine.apply(
        entries.map(({ index, kind, payload, term }) => ({
          index,
          term,
          command: kind === "noop" ? null : Either.getOrThrowWith(Command.decode(payload), error => error)
        }))
      )
      signal.notify(engine.lastPosition())
      return replies.map(reply => (reply === null ? noReply : Command.encodeReply(reply)))
    }
  })
}
