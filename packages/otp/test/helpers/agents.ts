import { Cause, Effect, Exit, Option } from "effect"
import type * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import { actor } from "../conformance/processes.js"

/** An actor that can be made to end. */
export const agent = (options: { readonly trapExit?: boolean } = {}) =>
  Effect.map(actor("agent", options), agent => ({
    ...agent,
    exit: (reason: ExitReason.ExitReason) =>
      Effect.zipRight(Process.exit(agent.pid, reason), Effect.asVoid(Process.awaitExit(agent.pid)))
  }))

/** The words of the defect an effect dies of. */
export const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), exit => {
    const defect = Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()
    return defect._tag === "Some" && defect.value instanceof Error ? defect.value.message : "no defect"
  })
