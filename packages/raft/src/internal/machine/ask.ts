/**
 * One envelope into the log, and its answer.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Machine } from "../../Machine.js"
import { CommandRefused, ReplyUnreadable } from "../../MachineError.js"
import type { RaftClient } from "../../RaftClient.js"
import type { ProposeError } from "../../RaftError.js"
import * as Answer from "./answer.js"
import * as Envelope from "./envelope.js"

/** What is needed of a group, and of a machine, to ask it something. */
export type Group = Pick<RaftClient, "propose">
export type Language<Command, Reply> = Pick<Machine<unknown, Command, Reply, unknown>, "version" | "command" | "reply">

/** The time is read here, before the log, so that all members have the same. */
export const ask = (
  group: Group,
  envelope: (timeMillis: number) => Envelope.Envelope
): Effect.Effect<Answer.Answer, ProposeError | ReplyUnreadable> =>
  Clock.currentTimeMillis.pipe(
    Effect.flatMap(now => group.propose(Envelope.encode(envelope(now)))),
    Effect.flatMap(bytes => Either.mapLeft(Answer.decode(bytes), detail => new ReplyUnreadable({ detail })))
  )

export const unexpected = (answer: Answer.Answer): ReplyUnreadable =>
  new ReplyUnreadable({ detail: `"${answer._tag}" is no answer to this request` })

export const encodeCommand = <Command, Reply>(
  machine: Language<Command, Reply>,
  command: Command
): Either.Either<Uint8Array, CommandRefused> =>
  machine.command.keep(command).pipe(
    Either.mapLeft(({ message }) => new CommandRefused({ reason: "unreadable", detail: message })),
    Either.filterOrLeft(
      body => body.length <= Envelope.commandBytesMax,
      () => new CommandRefused({ reason: "command_too_large" })
    )
  )

/** The answers to a command that do not depend on a session. */
export const readReply = <Command, Reply>(
  machine: Language<Command, Reply>,
  answer: Answer.Answer
): Either.Either<Reply, CommandRefused | ReplyUnreadable> => {
  switch (answer._tag) {
    case "Replied":
      return Either.mapLeft(
        machine.reply.decode(answer.reply),
        ({ message }) => new ReplyUnreadable({ detail: message })
      )
    case "Refused":
      return Either.left(new CommandRefused({ reason: answer.reason }))
    default:
      return Either.left(unexpected(answer))
  }
}
