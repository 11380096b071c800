/**
 * Turns of those who were overtaken. Rivals within one program that all try again at once overtake each other again, and one of them gets on at a time at best: so they line up, and each finds what the one before it has left.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"

/** Whoever has a turn waits for no other one, so that no two can wait for each other. */
const hasTurn = globalValue("@reckon/client/Turns", () => FiberRef.unsafeMake(false))

/** Runs the effect when it is its turn among those of the same name. */
export type InTurn = (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export const make = (): InTurn => {
  const lines = new Map<string, { readonly semaphore: Effect.Semaphore; length: number }>()

  const enter = (name: string) =>
    Effect.sync(() => {
      const line = lines.get(name) ?? { semaphore: Effect.unsafeMakeSemaphore(1), length: 0 }
      lines.set(name, line)
      line.length++
      return line
    })

  return name => effect =>
    Effect.flatMap(FiberRef.get(hasTurn), has =>
      has
        ? effect
        : Effect.acquireUseRelease(
            enter(name),
            ({ semaphore }) => semaphore.withPermits(1)(Effect.locally(effect, hasTurn, true)),
            line =>
              Effect.sync(() => {
                line.length--
                if (line.length === 0) lines.delete(name)
              })
          )
    )
}
