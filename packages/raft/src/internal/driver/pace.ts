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
  /** Since it was last looked whether all is quiet: a rest begins a little after that. */
  let isStirred = false
  let wake: (() => void) | undefined
  const forgetWaking = Effect.sync(() => {
    wake = undefined
  })
  const rest = Effect.async<void>(resume => {
    if (isStirred) return resume(Effect.void)
    wake = () => resume(Effect.void)
    return forgetWaking
  }).pipe(Effect.timeoutOption(restMax), Effect.ensuring(forgetWaking))
  return {
    stir: () => {
      isStirred = true
      wake?.()
    },
    run: Effect.suspend(() => {
      isStirred = false
      return isQuiet() ? rest : Effect.void
    }).pipe(Effect.zipRight(Effect.sleep(tick)), Effect.zipRight(Effect.sync(onTick)), Effect.forever)
  }
}
