/**
 * Keeps a client at the node that leads. Any node serves every request, but one that does not lead has to hand on what is written and to ask before it answers what is read,
 * which costs all of them more than the request itself does.
 *
 * It looks now and then, and only while requests are served: whoever serves is asked whether it leads, and only if it does not the others are. A node that still believes that it leads
 * is told by its term, which is lower than that of the others; one that cannot be reached from here is left alone, whatever it is to the others.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { NodeStatus } from "../StoreRpcs.js"
import * as Steady from "./steady.js"

/** How long a look is good for. */
const goodForMillis = 3_000

export interface Leading {
  /** A request was served. */
  readonly served: () => void
}

export const make = (options: {
  readonly count: number
  readonly preferred: () => number
  readonly prefer: (index: number) => void
  /** How a node sees itself; null where it does not say. */
  readonly status: (index: number) => Effect.Effect<Pick<NodeStatus, "role" | "term"> | null>
  readonly clock: Pick<Clock.Clock, "unsafeCurrentTimeNanos">
  readonly run: (look: Effect.Effect<void>) => void
}): Leading => {
  const { clock, count, prefer, preferred, run, status } = options
  let isLooking = false
  let nextMillis = Number.NEGATIVE_INFINITY

  const look = Effect.gen(function* () {
    const serving = preferred()
    const known = yield* status(serving)
    if (known === null || known.role === "leader") return
    for (let other = 0; other < count; other++) {
      if (other === serving) continue
      const found = yield* status(other)
      if (found?.role !== "leader" || found.term < known.term) continue
      // Who serves may have failed meanwhile, and was left.
      if (preferred() === serving) prefer(other)
      return
    }
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        isLooking = false
        nextMillis = Steady.millisOn(clock) + goodForMillis
      })
    )
  )

  return {
    served: () => {
      if (isLooking || count < 2 || Steady.millisOn(clock) < nextMillis) return
      isLooking = true
      run(look)
    }
  }
}
