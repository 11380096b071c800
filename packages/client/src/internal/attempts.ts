/**
 * What may be repeated, where, and for how long; and what to say when the time is up.
 */
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import type * as Endpoint from "../Endpoint.js"
import { NoQuorum, OutcomeUnknown, Overloaded, Unreachable } from "../StoreError.js"
import type { Connections, StoreClient } from "./connections.js"
import { explain, Lost } from "./lost.js"

/** What the attempts of one request have met so far. */
export interface History {
  tries: number
  defects: number
  /** Why it is unknown whether one of the attempts took effect. */
  uncertain: string | undefined
  answer: NoQuorum | Overloaded | undefined
  /** How long the node took for that answer. */
  answerMillis: number
  lost: string | undefined
}

export const history = (): History => ({
  tries: 0,
  defects: 0,
  uncertain: undefined,
  answer: undefined,
  answerMillis: 0,
  lost: undefined
})

export type Verdict = NoQuorum | Overloaded | OutcomeUnknown | Unreachable

export type Call<A, E> = (rpc: StoreClient) => Effect.Effect<A, E | RpcClientError>

/** What all public errors have. */
export interface Failure {
  readonly _tag: string
  readonly retryable: boolean
}

export interface Attempts {
  readonly connections: Connections
  readonly timeoutMillis: number
  readonly attemptTimeoutMillis: number
  /** One attempt at one endpoint. */
  readonly once: <A, E extends Failure>(
    endpoint: Endpoint.Endpoint,
    call: Call<A, E>,
    timeoutMillis: number
  ) => Effect.Effect<A, E | Lost>
  /** Attempts until one ends the matter or the deadline (milliseconds on `Clock`) has come, keeping book in `history`. */
  readonly until: <A, E extends Failure>(
    call: Call<A, E>,
    options: { readonly deadline: number; readonly history: History; readonly writes: boolean }
  ) => Effect.Effect<A, E | Verdict>
  /** {@link until} for a read that begins now. */
  readonly read: <A, E extends Failure>(call: Call<A, E>) => Effect.Effect<A, E | Verdict>
  readonly verdict: (history: History) => Verdict
}

const pauseMillisMin = 20
const pauseMillisMax = 1000

/** The pause before another try: doubling from 20 ms to 1 s, each between half and one and a half of that, so that clients do not come back in step. */
export const pauseMillis = (tries: number): Effect.Effect<number> =>
  Effect.map(
    Random.nextRange(0.5, 1.5),
    factor => factor * Math.min(pauseMillisMax, pauseMillisMin * 2 ** Math.min(tries - 1, 10))
  )

/** A node that breaks on a request twice would break on it again. */
export const defectsMax = 2

/** Enters a failed attempt into the book; false where it ends the matter. */
export const note = (history: History, error: Failure | Lost, writes: boolean): boolean => {
  if (error instanceof Lost) {
    history.lost = error.detail
    if (error.sent && writes) history.uncertain = error.detail
    if (error.defect) history.defects++
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
export const wouldBlur = (history: History, leftMillis: number): boolean =>
  history.answer !== undefined && history.uncertain === undefined && leftMillis < history.answerMillis

export const make = (options: {
  readonly connections: Connections
  readonly timeoutMillis: number
  readonly attemptTimeoutMillis: number
}): Attempts => {
  const { connections } = options

  const once: Attempts["once"] = (endpoint, call, timeoutMillis) =>
    Effect.scoped(
      Effect.flatMap(connections.acquire(endpoint), connection => {
        const silent = Effect.suspend(
          () =>
            new Lost({
              endpoint: connection.endpoint,
              detail: `${connection.endpoint} gave no answer within ${Math.round(timeoutMillis)} ms`,
              sent: connection.opened(),
              defect: false
            })
        )
        return call(connection.rpc).pipe(
          // Disconnected, for telling a silent node that its answer is no longer wanted can take a second.
          Effect.disconnect,
          Effect.catchAllCause(cause => explain(connection, cause)),
          Effect.timeoutTo({ duration: timeoutMillis, onSuccess: Effect.succeed, onTimeout: () => silent }),
          Effect.flatten,
          Effect.tapError(error => (error instanceof Lost ? connections.retire(connection) : Effect.void))
        )
      })
    )

  /** What requests of this client met lately, for those whose time is up before they have met anything themselves. */
  let lately: History = history()

  const verdict: Attempts["verdict"] = book => {
    if (book.uncertain !== undefined) return new OutcomeUnknown({ detail: book.uncertain })
    const met = book.tries > 0 ? book : lately
    return (
      met.answer ??
      new Unreachable({
        endpoints: connections.endpoints,
        detail: met.lost ?? "the time was up before the request could be sent"
      })
    )
  }

  const until = <A, E extends Failure>(
    call: Call<A, E>,
    { deadline, history: book, writes }: { deadline: number; history: History; writes: boolean }
  ): Effect.Effect<A, E | Verdict> =>
    Effect.gen(function* () {
      while (true) {
        const left = deadline - (yield* Clock.currentTimeMillis)
        if (left <= 0 || book.defects >= defectsMax || (writes && wouldBlur(book, left))) {
          return yield* Effect.fail(verdict(book))
        }
        const index = connections.preferred()
        const began = yield* Clock.currentTimeMillis
        const outcome = yield* Effect.either(
          once(connections.at(index), call, Math.min(left, options.attemptTimeoutMillis))
        )
        if (Either.isRight(outcome)) {
          lately = history()
          return outcome.right
        }
        const error = outcome.left
        if (error instanceof NoQuorum || error instanceof Overloaded) {
          book.answerMillis = (yield* Clock.currentTimeMillis) - began
        }
        if (!note(book, error, writes) && !(error instanceof Lost)) {
          // That this attempt had no effect says nothing of an earlier one whose answer was lost.
          return yield* Effect.fail(book.uncertain === undefined ? error : verdict(book))
        }
        connections.avoid(index)
        book.tries++
        lately = book
        const pause = yield* pauseMillis(book.tries)
        yield* Effect.sleep(Math.max(0, Math.min(pause, deadline - (yield* Clock.currentTimeMillis))))
      }
    })

  return {
    ...options,
    once,
    until,
    verdict,
    read: call =>
      Effect.flatMap(Clock.currentTimeMillis, now =>
        until(call, { deadline: now + options.timeoutMillis, history: history(), writes: false })
      )
  }
}
