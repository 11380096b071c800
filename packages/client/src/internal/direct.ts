/**
 * Appends that leave at once: for a store in this process, which gathers them itself.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AppendFailure } from "../EventStore.js"
import * as Limits from "../Limits.js"
import type { Append, Appended } from "../StoreRpcs.js"
import { admit } from "./admit.js"
import { type Attempts, emptyHistory } from "./attempts.js"
import { conclude } from "./conclude.js"
import type { Appends } from "./service.js"

type Result = Either.Either<Appended, AppendFailure>

export const make = (options: {
  readonly attempts: Attempts
  readonly store: string
  readonly limits: Limits.Limits
}): Appends => {
  const { attempts, limits, store } = options

  /** One request with all of them. */
  const send = (appends: ReadonlyArray<Append>) => {
    const history = emptyHistory()
    return Effect.map(
      attempts.now(rpc => rpc.Append({ store, appends }), "append", history),
      answers =>
        (append: Append, index: number): Result =>
          conclude([append], answers[index], history)
    )
  }

  return {
    append: Effect.fnUntraced(function* (one) {
      const { append } = yield* admit(one, limits)
      const answerTo = yield* send([append])
      return yield* answerTo(append, 0)
    }),
    appendAll: Effect.fnUntraced(function* (appends) {
      const results: Array<Result> = []
      let waiting: Array<{ readonly append: Append; readonly place: number }> = []
      let bytes = 0
      let events = 0

      const flush = Effect.suspend(() => {
        const sent = waiting
        waiting = []
        bytes = 0
        events = 0
        return Effect.map(Effect.either(send(sent.map(({ append }) => append))), outcome => {
          sent.forEach(({ append, place }, index) => {
            // What fails as a whole fails for each of them.
            results[place] = Either.flatMap(outcome, answerTo => answerTo(append, index))
          })
        })
      })

      for (const [place, one] of appends.entries()) {
        const admitted = admit(one, limits)
        if (Either.isLeft(admitted)) {
          results[place] = Either.left(admitted.left)
          continue
        }
        const { append, bytes: size } = admitted.right
        const full =
          waiting.length >= Limits.appendsMax ||
          events + Limits.eventsIn(append) > Limits.eventsMax ||
          bytes + size > limits.requestBytesMax
        if (full) yield* flush
        waiting.push({ append, place })
        bytes += size
        events += Limits.eventsIn(append)
      }
      if (waiting.length > 0) yield* flush
      return results
    })
  }
}
