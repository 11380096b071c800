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
export type Next<Info = never> = {
  /**
   * Run the `continue` callback with this token right away, before anything that waits in the mailbox. A timeout beside it is set
   * at the same time and stands, but comes after it, unless the outcome of `continue` sets another.
   */
  readonly continue?: unknown
} & (IdleTimeout | TimedMessage<Info>)

/**
 * Deliver a `Timeout` to `info` if no message comes in time: `{reply, Reply, State, Timeout}`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export interface IdleTimeout {
  /** Any message cancels it; introspection does not. Zero fires only if the mailbox is empty. */
  readonly timeout?: Duration.DurationInput | undefined
  readonly message?: never
}

/**
 * Deliver this message to `info` if no other comes in time: the timed message of OTP 29, `{timeout, Time, Message}`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export interface TimedMessage<out Info> {
  /** Any message cancels it; introspection does not. Zero is not cancelled: it goes before anything that waits in the mailbox. */
  readonly timeout: Duration.DurationInput
  readonly message: Info
}

/**
 * Answer the caller and go on.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Reply<State, out A, out Info = never> extends Effectable.Class<Reply<State, A, Info>> {
  readonly _tag = "Reply"
  constructor(
    readonly value: A,
    readonly state: State,
    readonly next: Next<Info> | undefined
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
export class Fail<State, out E, out Info = never> extends Effectable.Class<Fail<State, E, Info>> {
  readonly _tag = "Fail"
  constructor(
    readonly error: E,
    readonly state: State,
    readonly next: Next<Info> | undefined
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
export class NoReply<State, out Info = never> extends Effectable.Class<NoReply<State, Info>> {
  readonly _tag = "NoReply"
  constructor(
    readonly state: State,
    readonly next: Next<Info> | undefined
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
 * What a callback may decide. `Info` is what it may set a time for.
 *
 * @since 0.1.0
 * @category outcomes
 */
export type Outcome<State, A = never, E = never, Info = never> =
  | Reply<State, A, Info>
  | Fail<State, E, Info>
  | NoReply<State, Info>
  | Stop<State, A, E>

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
 * `init` decided that the server cannot run, and the process ends with the reason.
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
 * `init` decided that the server cannot run: the start fails with the reason and the process ends normally.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class InitFail extends Effectable.Class<InitFail> {
  readonly _tag = "InitFail"
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
export class InitNext<out State, out Info = never> extends Effectable.Class<InitNext<State, Info>> {
  readonly _tag = "InitNext"
  constructor(
    readonly state: State,
    readonly next: Next<Info>
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
export type InitOutcome<State, Info = never> = Ignore | InitStop | InitFail | InitNext<State, Info>

/** An outcome of any server. */
export type AnyOutcome = Outcome<unknown, unknown, unknown, unknown>

/** The outcome an effect already is, if it need not be run. */
export const immediate = (effect: Effect.Effect<AnyOutcome, unknown, unknown>): AnyOutcome | undefined => {
  if (isOutcome(effect)) return effect
  return Exit.isExit(effect) && Exit.isSuccess(effect) && isOutcome(effect.value) ? effect.value : undefined
}

export const isOutcome = (u: unknown): u is AnyOutcome =>
  u instanceof Reply || u instanceof NoReply || u instanceof Fail || u instanceof Stop
