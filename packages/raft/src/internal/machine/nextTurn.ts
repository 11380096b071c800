import * as Effect from "effect/Effect"

/** Lets the event loop go round: sockets and timers get their turn, and with them all other processes. */
export const nextTurn: Effect.Effect<void> = Effect.async(resume => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})
