/**
 * What a server's callback decides. Re-exported by `GenServer`.
 *
 * An outcome is also an effect that succeeds with itself, so a callback that computes nothing asynchronous returns it bare and
 * the server applies it without running anything.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as ExitReason from "../ExitReason.js"

/**
 * What the server does next, after this callback.
 *
 * @since 0.1.0
 * @category outcomes
 */
export interface Next {
  /**
   * Deliver a `Timeout` to `info` if no message comes within this time. Any message cancels it; introspection does
   * not. Zero fires only if the mailbox is empty.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** Run the `continue` callback with this token right away, before anything that waits in the mailbox. */
  readonly continue?: unknown
}

/**
 * Answer the caller and go on.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Reply<State, out A> extends Effectable.Class<Reply<State, A>> {
  readonly _tag = "Reply"
  constructor(
    readonly value: A,
    readonly state: State,
    readonly next: Next | undefined
  ) {
    super()
  }
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * Answer the caller with an error of the protocol and go on.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Fail<State, out E> extends Effectable.Class<Fail<State, E>> {
  readonly _tag = "Fail"
  constructor(
    readonly error: E,
    readonly state: State,
    readonly next: Next | undefined
  ) {
    super()
  }
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * Go on without answering; the caller, if there is one, waits for `GenServer.replyTo`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class NoReply<State> extends Effectable.Class<NoReply<State>> {
  readonly _tag = "NoReply"
  constructor(
    readonly state: State,
    readonly next: Next | undefined
  ) {
    super()
  }
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * Stop the server: `terminate` runs, then the caller is answered if there is an answer, then the process ends.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Stop<State, out A = never, out E = never> extends Effectable.Class<Stop<State, A, E>> {
  readonly _tag = "Stop"
  constructor(
    readonly reason: ExitReason.ExitReason,
    readonly state: State,
    readonly answer: Exit.Exit<A, E> | undefined
  ) {
    super()
  }
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * What a callback may decide.
 *
 * @since 0.1.0
 * @category outcomes
 */
export type Outcome<State, A = never, E = never> = Reply<State, A> | Fail<State, E> | NoReply<State> | Stop<State, A, E>

/**
 * `init` decided that the server is not needed: the start says so and the process ends normally.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Ignore extends Effectable.Class<Ignore> {
  readonly _tag = "InitIgnore"
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * `init` decided that the server cannot run.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class InitStop extends Effectable.Class<InitStop> {
  readonly _tag = "InitStop"
  constructor(readonly reason: ExitReason.ExitReason) {
    super()
  }
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * `init` is through, and something is to happen next.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class InitNext<out State> extends Effectable.Class<InitNext<State>> {
  readonly _tag = "InitNext"
  constructor(
    readonly state: State,
    readonly next: Next
  ) {
    super()
  }
  commit(): Effect.Effect<this> {
    return Effect.succeed(this)
  }
}

/**
 * What `init` may return besides a plain state.
 *
 * @since 0.1.0
 * @category outcomes
 */
export type InitOutcome<State> = Ignore | InitStop | InitNext<State>

/** The outcome an effect already is, if it need not be run. */
export const immediate = (
  effect: Effect.Effect<Outcome<unknown, unknown, unknown>, unknown, unknown>
): Outcome<unknown, unknown, unknown> | undefined => {
  if (isOutcome(effect)) return effect
  return Exit.isExit(effect) && Exit.isSuccess(effect) && isOutcome(effect.value) ? effect.value : undefined
}

export const isOutcome = (u: unknown): u is Outcome<unknown, unknown, unknown> =>
  u instanceof Reply || u instanceof NoReply || u instanceof Fail || u instanceof Stop

export const timeoutMillis = (next: Next | undefined): number | undefined =>
  next?.timeout === undefined ? undefined : Duration.toMillis(next.timeout)
