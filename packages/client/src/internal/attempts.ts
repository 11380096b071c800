/**
 * What may be repeated, where, and for how long; and what to say when the time is up.
 *
 * A request can be repeated at will where that changes nothing: a *read*, and an *append*, whose events carry their ids from the start (see `conclude.ts` for
 * what its answers mean). Any other *write* is repeated only while every attempt surely had no effect. Deleting a stream once more, or saving a snapshot once more, would undo
 * what somebody else did in between, and its answer would speak of their work: so where an attempt may have taken effect, the caller is told so, and decides.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { NoQuorum, OutcomeUnknown, Overloaded, type RequestTooLarge, Unreachable } from "../StoreError.js"
import { Lost } from "./lost.js"
import type { Call, Failure, Peers } from "./peers.js"
import * as Steady from "./steady.js"

/** What the attempts of one request have met so far. */
export interface History {
  tries: number
  defects: number
  /** The peers that have another secret. */
  readonly strangers: Set<string>
  /** Why it is unknown whether one of the attempts took effect. */
  uncertain: string | undefined
  answer: NoQuorum | Overloaded | undefined
  /** How long the node took for that answer. */
  answerMillis: number
  lost: string | undefined
}

export const emptyHistory = (): History => ({
  tries: 0,
  defects: 0,
  strangers: new Set(),
  uncertain: undefined,
  answer: undefined,
  answerMillis: 0,
  lost: undefined
})

const untroubled = emptyHistory()

export type Verdict = NoQuorum | Overloaded | OutcomeUnknown | Unreachable

/** How a request fails: what a node says of it, the verdict on all attempts, or that none can be made. */
export type Ending<E> = E | Verdict | RequestTooLarge

export type Kind = "read" | "append" | "write"

export interface Attempts {
  readonly peers: Peers
  readonly timeoutMillis: number
  readonly attemptTimeoutMillis: number
  /** Attempts until one ends the matter or the deadline (`Steady.millis`) has come. What they meet is entered into `history`. */
  readonly until: <A, E extends Failure>(
    call: Call<A, E>,
    options: { readonly deadline: number; readonly history: History; readonly kind: Kind }
  ) => Effect.Effect<A, Ending<E>>
  /** {@link until} for a request that begins now. */
  readonly now: <A, E extends Failure>(call: Call<A, E>, kind: Kind, history?: History) => Effect.Effect<A, Ending<E>>
  readonly verdict: (history: History) => Verdict
}

const pauseMillisMin = 20
const pauseMillisMax = 1000

/**
 * The pause before another try: doubling from 20 ms to 1 s each time that all peers have been tried, for the next one may well serve; and each between half and one and a half of that, so that clients
 * do not come back in step.
 */
export const pauseMillis = (tries: number, peers: number): Effect.Effect<number> =>
  Effect.map(Random.nextRange(0.5, 1.5), factor =>
    Math.round(factor * Math.min(pauseMillisMax, pauseMillisMin * 2 ** Math.min(Math.floor((tries - 1) / peers), 10)))
  )

/** A node that breaks on a request twice would break on it again. */
const defectsMax = 2

/** Whether it is known what would come of further attempts. */
export const isHopeless = ({ defects, strangers }: History, peers: Pick<Peers, "names">): boolean =>
  defects >= defectsMax || peers.names.every(name => strangers.has(name))

/** Enters a failed attempt into the history; false where it ends the matter. */
export const note = (history: History, error: Failure | Lost, kind: Kind): boolean => {
  const writes = kind !== "read"
  if (error instanceof Lost) {
    // The deadline cuts the last attempt short, and its silence says less than what was met before.
    if (!error.silent || history.lost === undefined) history.lost = error.detail
    if (error.sent && writes) history.uncertain = error.detail
    if (error.defect) history.defects++
    if (error.hasOtherSecret === true) history.strangers.add(error.endpoint)
    return true
  }
  if (error instanceof OutcomeUnknown) {
    if (writes) history.uncertain = error.detail
    else history.lost = error.detail
  } else if (error instanceof NoQuorum || (error instanceof Overloaded && !(history.answer instanceof NoQuorum))) {
    history.answer = error
  }
  return error.retryable
}

/**
 * Whether another attempt could only blur what is known: a node has said that nothing happened, and the time left is less than it took to say so. A write that the
 * deadline then cuts short would have to be reported as unknown.
 */
const wouldBlur = (history: History, leftMillis: number): boolean =>
  history.answer !== undefined && history.uncertain === undefined && leftMillis < history.answerMillis

export const make = (options: {
  readonly peers: Peers
  readonly timeoutMillis: number
  readonly attemptTimeoutMillis: number
}): Attempts => {
  const { attemptTimeoutMillis, peers, timeoutMillis } = options

  /** What requests met lately, for those whose time is up before they have met anything themselves. */
  let lately: History = untroubled

  const verdict: Attempts["verdict"] = history => {
    if (history.uncertain !== undefined) return new OutcomeUnknown({ detail: history.uncertain })
    const met = history.tries > 0 ? history : lately
    return (
      met.answer ??
      new Unreachable({
        endpoints: peers.names,
        detail: met.lost ?? "the time was up before the request could be sent"
      })
    )
  }

  const until: Attempts["until"] = (call, options) =>
    Effect.clockWith(clock => attempt(call, options, clock, Steady.millisOn(clock)))

  const attempt = <A, E extends Failure>(
    call: Call<A, E>,
    options: { readonly deadline: number; readonly history: History; readonly kind: Kind },
    clock: Clock.Clock,
    began: number
  ): Effect.Effect<A, Ending<E>> => {
    const { deadline, history, kind } = options
    const left = deadline - began
    if (left <= 0 || isHopeless(history, peers) || (kind !== "read" && wouldBlur(history, left))) {
      return Effect.fail(verdict(history))
    }
    const index = peers.preferred()
    return Effect.matchEffect(peers.ask(index, call, Math.min(left, attemptTimeoutMillis)), {
      onSuccess: answer => {
        lately = untroubled
        return Effect.succeed(answer)
      },
      onFailure: error =>
        Effect.zipRight(
          failed(error, { ...options, index, tookMillis: Steady.millisOn(clock) - began }),
          until(call, options)
        )
    })
  }

  /** Enters what became of an attempt and waits until it is time for another one; fails where there is none. */
  const failed = <E extends Failure>(
    error: E | Lost | RequestTooLarge,
    attempt: {
      readonly deadline: number
      readonly history: History
      readonly kind: Kind
      readonly index: number
      readonly tookMillis: number
    }
  ): Effect.Effect<void, Ending<E>> =>
    Effect.gen(function* () {
      const { deadline, history, index, kind, tookMillis } = attempt
      if (error instanceof NoQuorum || error instanceof Overloaded) history.answerMillis = tookMillis
      if (!note(history, error, kind) && !(error instanceof Lost)) {
        // That this attempt had no effect says nothing of an earlier one whose answer was lost.
        return yield* Effect.fail(history.uncertain === undefined ? error : verdict(history))
      }
      peers.avoid(index)
      history.tries++
      lately = history
      if (kind === "write" && history.uncertain !== undefined) return yield* Effect.fail(verdict(history))
      const pause = yield* pauseMillis(history.tries, peers.names.length)
      yield* Effect.sleep(Math.max(0, Math.min(pause, deadline - (yield* Steady.millis))))
    })

  return {
    ...options,
    until,
    verdict,
    now: (call, kind, history = emptyHistory()) =>
      Effect.clockWith(clock => {
        const began = Steady.millisOn(clock)
        return attempt(call, { deadline: began + timeoutMillis, history, kind }, clock, began)
      })
  }
}
