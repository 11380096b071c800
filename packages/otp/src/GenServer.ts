/**
 * A process that keeps a state and serves a typed protocol, one message at a time.
 *
 * The protocol is an `RpcGroup` of unary Rpcs: payload, success and error types come from it. Local calls carry the values
 * as they are; nothing is encoded. Every callback returns an *outcome* that says what to answer, what the state is now
 * and whether to go on. A callback that fails, with a typed error or a defect, crashes the server: errors that belong
 * to the caller are answered with `GenServer.fail`, and the server lives on.
 *
 * ```ts
 * const Counter = RpcGroup.make(
 *   Rpc.make("Add", { payload: { by: Schema.Number }, success: Schema.Number }),
 *   Rpc.make("Get", { success: Schema.Number })
 * )
 *
 * const counter = GenServer.make(Counter, {
 *   init: () => Effect.succeed(0),
 *   handlers: {
 *     Add: ({ by }, count) => GenServer.reply(count + by, count + by),
 *     Get: (_, count) => GenServer.reply(count, count)
 *   }
 * })
 * ```
 *
 * @since 0.1.0
 */
import type * as Rpc from "@effect/rpc/Rpc"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { CallingSelf, CallTimeout, NoProcess } from "./CallError.js"
import type { BoundClient, From, NamedRef, Ref, Self } from "./Client.js"
import * as ExitReason from "./ExitReason.js"
import { clientOf } from "./internal/client.js"
import { monitoring } from "./internal/current.js"
import { StopRequest, Timeout } from "./internal/envelope.js"
import type { Kernel } from "./internal/kernel.js"
import * as outcomes from "./internal/outcome.js"
import { type Address, describe, find, labelOf, lookup, type Name } from "./internal/place.js"
import { type Definition, define } from "./internal/server.js"
import { startOn } from "./internal/start.js"
import { type Down, type ExitSignal, type MonitorRef, ProcessTable } from "./Process.js"
import type { StartError, StartOptions } from "./StartError.js"

/**
 * Ways of addressing a server, see `Client`.
 *
 * @since 0.1.0
 * @category models
 */
export type { BoundClient, CallOptions, Client, From, NamedRef, Ref, Self } from "./Client.js"
/**
 * What a callback decides.
 *
 * @since 0.1.0
 * @category outcomes
 */
export type {
  Fail,
  IdleTimeout,
  Ignore,
  InitFail,
  InitNext,
  InitOutcome,
  InitStop,
  Next,
  NoReply,
  Outcome,
  Reply,
  Stop,
  TimedMessage
} from "./internal/outcome.js"
/**
 * How a start goes and fails, see `StartError`.
 *
 * @since 0.1.0
 * @category errors
 */
export {
  AlreadyStarted,
  type StartError,
  StartFailed,
  StartIgnored,
  type StartOptions,
  StartTimeout
} from "./StartError.js"
/**
 * What `info` gets when the time asked for in an outcome has passed without a message.
 *
 * @since 0.1.0
 * @category models
 */
export { Timeout }

// -----------------------------------------------------------------------------------------------------------------
// outcomes
// -----------------------------------------------------------------------------------------------------------------

/**
 * Answer the caller and go on with the state.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const reply = <A, State, const Info = never>(
  value: A,
  state: State,
  next?: outcomes.Next<Info>
): outcomes.Reply<State, A, Info> => new outcomes.Reply(value, state, next)

/**
 * Answer the caller with an error of the protocol; the server lives on.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const fail = <E, State, const Info = never>(
  error: E,
  state: State,
  next?: outcomes.Next<Info>
): outcomes.Fail<State, E, Info> => new outcomes.Fail(error, state, next)

/**
 * Go on without an answer. A caller waits until `replyTo` is used on its `from`, or its time is up.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const noReply = <State, const Info = never>(
  state: State,
  next?: outcomes.Next<Info>
): outcomes.NoReply<State, Info> => new outcomes.NoReply(state, next)

/**
 * Stop with this reason: `terminate` runs, then the process ends. A waiting caller fails with `ServerExited`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const stop = <State>(reason: ExitReason.ExitReason, state: State): outcomes.Stop<State> =>
  new outcomes.Stop<State>(reason, state, undefined)

/**
 * Stop with this reason and answer the caller, after `terminate` has run.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const stopReply = <A, State>(reason: ExitReason.ExitReason, value: A, state: State): outcomes.Stop<State, A> =>
  new outcomes.Stop<State, A>(reason, state, Exit.succeed(value))

/**
 * From `init`: this server is not needed. The start fails with `StartIgnored`, which a supervisor takes as success
 * without a process.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const ignore: outcomes.Ignore = new outcomes.Ignore()

/**
 * From `init`: this server cannot run. The start fails and the process ends with this reason.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const initStop = (reason: ExitReason.ExitReason): outcomes.InitStop => new outcomes.InitStop(reason)

/**
 * From `init`: this server cannot run, which is no crash. The start fails with this reason as with `initStop`, but the process ends
 * normally: nothing is reported, and whoever is linked to it lives on. OTP 26's `{error, Reason}`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const initFail = (reason: ExitReason.ExitReason): outcomes.InitFail => new outcomes.InitFail(reason)

/**
 * From `init`: started; run `continue` with the token before the first message.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const initContinue = <State>(state: State, token: unknown): outcomes.InitNext<State> =>
  new outcomes.InitNext(state, { continue: token })

/**
 * From `init`: started; deliver a `Timeout` to `info` if no message comes within the time.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const initTimeout = <State>(state: State, timeout: Duration.DurationInput): outcomes.InitNext<State> =>
  new outcomes.InitNext(state, { timeout })

/**
 * From `init`: started; then whatever a callback's outcome may ask for. A timed message of zero goes before what came during `init`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const initNext = <State, const Info = never>(
  state: State,
  next: outcomes.Next<Info>
): outcomes.InitNext<State, Info> => new outcomes.InitNext(state, next)

// -----------------------------------------------------------------------------------------------------------------
// definition
// -----------------------------------------------------------------------------------------------------------------

/**
 * One handler per Rpc of the protocol. `Info` is what they may set a time for, see `TimedMessage`.
 *
 * @since 0.1.0
 * @category models
 */
export type Handlers<Rpcs extends Rpc.Any, State, Info = never> = {
  readonly [Current in Rpcs as Current["_tag"]]: (
    payload: Rpc.Payload<Current>,
    state: State,
    from: From<Rpc.Success<Current>, Rpc.Error<Current>>
  ) => Effect.Effect<outcomes.Outcome<State, Rpc.Success<Current>, Rpc.Error<Current>, Info>, unknown, unknown>
}

/**
 * What the handlers need from their environment.
 *
 * @since 0.1.0
 * @category models
 */
export type HandlersContext<H> = H[keyof H] extends infer Handler
  ? Handler extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R>
    ? R
    : never
  : never

/**
 * A server that can be started, any number of times.
 *
 * @since 0.1.0
 * @category models
 */
export interface GenServer<Rpcs extends Rpc.Any, in out Info, out R> {
  readonly protocol: RpcGroup.RpcGroup<Rpcs>
  readonly trapExit: boolean
  /** How many messages may wait. More calls fail with `MailboxFull`, more casts and infos are dropped and counted. */
  readonly mailboxCapacity: number | undefined
  /** The callbacks, with their types erased. */
  readonly definition: (self: Self<Info>) => Definition
  readonly _R: (_: never) => R
}

/**
 * Defines a server. The callbacks' environment `R` is captured when the server is started; a `Scope` among it is the
 * process's own, closed when the process ends. In an object literal write `init` first: the state's type comes from it.
 *
 * A handler's own code may run in the step of its caller; the effects that it returns run in the server's process, and `Process.self` is the server's there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  Rpcs extends Rpc.Any,
  State,
  const H extends Handlers<Rpcs, State, Info>,
  Info = never,
  EInit = never,
  RInit = never,
  EInfo = never,
  RInfo = never,
  EContinue = never,
  RContinue = never,
  ETerminate = never,
  RTerminate = never
>(
  protocol: RpcGroup.RpcGroup<Rpcs>,
  options: {
    /** Makes the first state. The start returns when it is through; if it fails, the start fails. */
    readonly init: (self: Self<Info>) => Effect.Effect<State | outcomes.InitOutcome<State, NoInfer<Info>>, EInit, RInit>
    readonly handlers: H
    /** Messages that are not of the protocol: the server's own, exits (if it traps them), downs, timeouts. */
    readonly info?: (
      message: Info | ExitSignal | Down | Timeout,
      state: State
    ) => Effect.Effect<outcomes.Outcome<State, never, never, NoInfer<Info>>, EInfo, RInfo>
    /** Work that another callback put right behind itself, before anything in the mailbox. */
    readonly continue?: (
      token: unknown,
      state: State
    ) => Effect.Effect<outcomes.Outcome<State, never, never, NoInfer<Info>>, EContinue, RContinue>
    /**
     * Runs when the server stops or crashes, or its parent asks it to go while it traps exits. Not when it is killed,
     * not on an exit signal it does not trap, not after an `init` that did not succeed. If it fails, that is the exit reason.
     */
    readonly terminate?: (reason: ExitReason.ExitReason, state: State) => Effect.Effect<unknown, ETerminate, RTerminate>
    /** Receive exit signals in `info`; the parent's stops the server through `terminate`. Default false. */
    readonly trapExit?: boolean
    /** How many messages may wait, 65,536 by default. */
    readonly mailboxCapacity?: number
  }
): GenServer<
  Rpcs,
  Info,
  Exclude<HandlersContext<H> | RInit | NoInfer<RInfo> | NoInfer<RContinue> | NoInfer<RTerminate>, Scope.Scope>
> => ({
  protocol,
  trapExit: options.trapExit ?? false,
  mailboxCapacity: options.mailboxCapacity,
  definition: self => define(options, self),
  _R: _ => _
})

// -----------------------------------------------------------------------------------------------------------------
// start
// -----------------------------------------------------------------------------------------------------------------

/**
 * Starts a server as a child of nobody. Returns when `init` is through; if that did not succeed, the process is dead
 * and its name free when this fails.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <Rpcs extends Rpc.Any, Info, R>(
  server: GenServer<Rpcs, Info, R>,
  options: StartOptions = {}
): Effect.Effect<Ref<Rpcs, Info>, StartError, ProcessTable | R> => startWith(server, options, false)

/**
 * Starts a server linked to the calling process, which becomes its parent, in one step. Outside a process there is nobody to
 * link to and this is `start`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <Rpcs extends Rpc.Any, Info, R>(
  server: GenServer<Rpcs, Info, R>,
  options: StartOptions = {}
): Effect.Effect<Ref<Rpcs, Info>, StartError, ProcessTable | R> => startWith(server, options, true)

const startWith = <Rpcs extends Rpc.Any, Info, R>(
  server: GenServer<Rpcs, Info, R>,
  options: StartOptions,
  link: boolean
): Effect.Effect<Ref<Rpcs, Info>, StartError, ProcessTable | R> =>
  Effect.flatMap(ProcessTable, kernel => startOn<Rpcs, Info, R>(kernel, server, options, link, "server"))

/**
 * Starts a server as a child of nobody and monitors it from the calling process in the same step. A start that fails leaves no
 * `Down` behind.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startMonitor = <Rpcs extends Rpc.Any, Info, R>(
  server: GenServer<Rpcs, Info, R>,
  options: StartOptions = {}
): Effect.Effect<readonly [Ref<Rpcs, Info>, MonitorRef], StartError, ProcessTable | R> =>
  Effect.flatMap(ProcessTable, kernel =>
    monitoring((onCreated, forget) =>
      startOn<Rpcs, Info, R>(kernel, server, options, false, "server", onCreated).pipe(
        Effect.tapErrorCause(() => forget)
      )
    )
  )

// -----------------------------------------------------------------------------------------------------------------
// talking to a server
// -----------------------------------------------------------------------------------------------------------------

/**
 * Addresses whatever server has the name at the time of each call. Takes the server's definition or just its protocol;
 * that the process of this name speaks it is the program's promise.
 *
 * @since 0.1.0
 * @category constructors
 */
export const named: {
  <Rpcs extends Rpc.Any, Info, R>(server: GenServer<Rpcs, Info, R>, name: Name): NamedRef<Rpcs, Info>
  <Rpcs extends Rpc.Any>(protocol: RpcGroup.RpcGroup<Rpcs>, name: Name): NamedRef<Rpcs>
} = <Rpcs extends Rpc.Any, Info>(_: unknown, name: Name): NamedRef<Rpcs, Info> => {
  const label = labelOf(name)
  const bound = (kernel: Kernel): BoundClient<Rpcs, Info> => clientOf(() => lookup(kernel, name), label)
  return {
    name,
    label,
    bind: Effect.map(ProcessTable, bound),
    call: (tag, ...args) => Effect.flatMap(ProcessTable, kernel => bound(kernel).call(tag, ...args)),
    cast: (tag, ...args) => Effect.flatMap(ProcessTable, kernel => bound(kernel).cast(tag, ...args)),
    request: (tag, ...args) => Effect.flatMap(ProcessTable, kernel => bound(kernel).request(tag, ...args)),
    send: info => Effect.flatMap(ProcessTable, kernel => bound(kernel).send(info))
  }
}

/**
 * Answers a call from anywhere: with an `Exit`, or with a value. Only the first answer counts, and only while the caller
 * waits.
 *
 * @since 0.1.0
 * @category replies
 */
export const replyTo = <A, E>(from: From<A, E>, answer: Exit.Exit<A, E> | A): Effect.Effect<void> =>
  Effect.sync(() => from.settle(Exit.isExit(answer) ? answer : Exit.succeed(answer)))

/**
 * The server did not end with the reason it was asked to end with.
 *
 * @since 0.1.0
 * @category errors
 */
export class StopFailed extends Schema.TaggedError<StopFailed>("@reckon/otp/StopFailed")("StopFailed", {
  server: Schema.String,
  reason: ExitReason.ExitReason
}) {
  override get message(): string {
    return `${this.server} ended with another reason than asked: ${ExitReason.format(this.reason)}`
  }
  /** It is dead already; there is nothing to repeat. */
  get retryable(): boolean {
    return false
  }
}

/**
 * Asks a server to stop, in its turn, and waits until it is dead. `terminate` runs. When the time is up the request
 * stands, but nobody waits for it.
 *
 * @since 0.1.0
 * @category destructors
 */
export const stopServer = (
  server: Address,
  reason: ExitReason.ExitReason = ExitReason.normal,
  timeout: Duration.DurationInput = Duration.infinity
): Effect.Effect<void, NoProcess | CallingSelf | CallTimeout | StopFailed, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel =>
    Effect.withFiberRuntime(fiber => {
      const process = find(kernel, server)
      const details = { server: describe(server), request: "stop" }
      if (process === undefined) return Effect.fail(new NoProcess(details))
      if (process.fiber === fiber) return Effect.fail(new CallingSelf(details))
      const millis = Duration.toMillis(timeout)
      process.mailbox.push(new StopRequest(reason))
      const dead = kernel.awaitDeath(process)
      const waited =
        millis === Number.POSITIVE_INFINITY
          ? dead
          : Effect.timeoutFail(dead, {
              duration: timeout,
              onTimeout: () => new CallTimeout({ ...details, timeoutMillis: millis })
            })
      return Effect.flatMap(waited, actual =>
        Equal.equals(actual, reason)
          ? Effect.void
          : Effect.fail(new StopFailed({ server: details.server, reason: actual }))
      )
    })
  )
