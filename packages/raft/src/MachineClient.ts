/**
 * A replicated machine as its users see it: commands and replies by their schemas, through a `RaftClient`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ask, encodeCommand, readReply, unexpected } from "./internal/machine/ask.js"
import type { Machine } from "./Machine.js"
import {
  type CommandError,
  type ReplyUnreadable,
  type SessionsExhausted,
  VersionConflict,
  VersionUnsupported
} from "./MachineError.js"
import type { RaftClient } from "./RaftClient.js"
import type { ProposeError } from "./RaftError.js"
import * as Session from "./Session.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface MachineClient<in Command, out Reply> {
  /**
   * The machine's reply, once the command is committed and applied. A command whose outcome is unknown may have taken effect or may yet do so: asking again would be
   * a second command. Where that must not happen, use a session.
   */
  readonly propose: (command: Command) => Effect.Effect<Reply, CommandError>
  /** A session of the group, kept alive and closed with the scope: what is asked in it takes effect at most once, however often it has to be sent. */
  readonly openSession: (
    options?: Session.Options
  ) => Effect.Effect<Session.Session<Command, Reply>, ProposeError | SessionsExhausted | ReplyUnreadable, Scope.Scope>
  /**
   * Puts version `to` in force, if `from` is. Members whose code does not know it apply nothing from there on until they run newer code: first bring it to all of them.
   */
  readonly upgrade: (versions: {
    readonly from: number
    readonly to: number
  }) => Effect.Effect<void, ProposeError | VersionConflict | VersionUnsupported | ReplyUnreadable>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <State, Command, Reply, Notification>(
  machine: Machine<State, Command, Reply, Notification>,
  group: Pick<RaftClient, "propose">
): MachineClient<Command, Reply> => ({
  propose: command =>
    Effect.gen(function* () {
      const body = yield* encodeCommand(machine, command)
      const answer = yield* ask(group, timeMillis => ({ _tag: "Command", timeMillis, body }))
      return yield* readReply(machine, answer)
    }),
  openSession: options => Session.open(machine, group, options),
  upgrade: ({ from, to }) =>
    Effect.gen(function* () {
      if (to > machine.version) return yield* new VersionUnsupported({ version: to, supported: machine.version })
      const answer = yield* ask(group, timeMillis => ({ _tag: "Upgrade", timeMillis, from, to }))
      if (answer._tag === "VersionConflict")
        return yield* new VersionConflict({ from, to, effective: answer.effective })
      if (answer._tag !== "Done") return yield* unexpected(answer)
    })
})
