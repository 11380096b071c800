/**
 * When the core's time goes on: a tick at a time, but for a member that is alone and has nothing under way. Nothing comes of time there, and whoever tests with a clock of their own would have to wait for each tick.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** How long a member rests at most. Nothing waits for it; a machine may fall back where a disk fails, though, and the next tick applies again what it has lost. */
const restMax = Duration.minutes(1)

export interface Pace {
  /** Ends a rest: there is something again that may depend on time. */
  readonly stir: () => void
  /** Runs the ticks. */
  readonly run: Effect.Effect<never>
}

export const make = (options: {
  readonly tick: Duration.DurationInput
  readonly onTick: () => void
  /** Whether nothing depends on time just now. */
  readonly isQuiet: () => boolean
}): Pace => {
  const { isQuiet, onTick, tick } = options
  let stir: (() => void) | undefined
  const rest = Effect.async<void>(resume => {
    stir = () => resume(Effect.void)
    return Effect.sync(() => {
      stir = undefined
    })
  }).pipe(
    Effect.timeoutOption(restMax),
    Effect.ensuring(
      Effect.sync(() => {
        stir = undefined
      })
    )
  )
  return {
    stir: () => stir?.(),
    run: Effect.suspend(() => (isQuiet() ? rest : Effect.void)).pipe(
      Effect.zipRight(Effect.sleep(tick)),
      Effect.zipRight(Effect.sync(onTick)),
      Effect.forever
    )
  }
}
