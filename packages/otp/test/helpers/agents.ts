import { Cause, Deferred, Effect, Exit, Option } from "effect"
import type * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"

/** What an agent can be sent to do. */
export class Task {
  constructor(readonly effect: Effect.Effect<unknown>) {}
}

/** A process that does what it is told. */
export const agent = (options: { readonly trapExit?: boolean } = {}) =>
  Effect.gen(function* () {
    const pid = yield* Process.spawn(
      Effect.forever(
        Effect.flatMap(Process.receive, signal =>
          signal._tag === "Message" && signal.body instanceof Task ? Effect.exit(signal.body.effect) : Effect.void
        )
      ),
      options
    )
    return {
      pid,
      do: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Process.ProcessTable> =>
        Effect.gen(function* () {
          const answer = yield* Deferred.make<A, E>()
          const context = yield* Effect.context<R>()
          yield* Process.send(pid, new Task(Effect.intoDeferred(Effect.provide(effect, context), answer)))
          return yield* Deferred.await(answer)
        }),
      exit: (reason: ExitReason.ExitReason) =>
        Effect.zipRight(Process.exit(pid, reason), Effect.asVoid(Process.awaitExit(pid)))
    }
  })

/** The words of the defect an effect dies of. */
export const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), exit => {
    const defect = Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()
    return defect._tag === "Some" && defect.value instanceof Error ? defect.value.message : "no defect"
  })
