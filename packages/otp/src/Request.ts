/**
 * Requests whose answers are fetched later: OTP's `gen_server:send_request`, `receive_response`, `wait_response`,
 * `check_response`, collections of request ids, and `multi_call`.
 *
 * `client.request(tag, payload)` puts a request in the server's mailbox at once, in order with the calls and casts around it, and
 * returns a handle. A request has no time limit of its own; whoever waits for it has. An answer that was fetched can be fetched
 * again: it stays with the handle.
 *
 * ```ts
 * const pending = yield* counter.request("Add", { by: 1 })
 * // … other work …
 * const count = yield* Request.receive(pending, { timeout: "1 second" })
 * ```
 *
 * @since 0.1.0
 */
import type * as Rpc from "@effect/rpc/Rpc"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type CallError, CallTimeout } from "./CallError.js"
import type { CallOptions, Client } from "./Client.js"
import type { Pending, Request } from "./internal/request.js"

/**
 * A request that was sent.
 *
 * @since 0.1.0
 * @category models
 */
export type { Request } from "./internal/request.js"

// -----------------------------------------------------------------------------------------------------------------
// one request
// -----------------------------------------------------------------------------------------------------------------

/**
 * Waits for the answer. When the time is up the request is abandoned: its answer will never be seen, though the server may still carry it
 * out. Default: no limit.
 *
 * @since 0.1.0
 * @category responses
 */
export const receive = <A, E>(request: Request<A, E>, options: CallOptions = {}): Effect.Effect<A, E | CallError> =>
  Effect.flatMap(wait(request, options), answer =>
    Option.isSome(answer)
      ? Effect.succeed(answer.value)
      : Effect.suspend(() => {
          const late = Exit.fail(timeoutOf(request, options))
          pendingOf(request).abandon(late)
          return late
        })
  )

/**
 * Waits for the answer; none when the time is up, and the request stands: one can wait again. Default: no limit.
 *
 * @since 0.1.0
 * @category responses
 */
export const wait = <A, E>(
  request: Request<A, E>,
  options: CallOptions = {}
): Effect.Effect<Option.Option<A>, E | CallError> => {
  const pending = pendingOf(request)
  const answered = Effect.async<void>(resume => {
    if (pending.exit !== undefined) {
      resume(Effect.void)
      return
    }
    const forget = pending.onAnswer(() => resume(Effect.void))
    return Effect.sync(forget)
  })
  return Effect.zipRight(within(answered, options), check(request))
}

/**
 * Looks for the answer without waiting.
 *
 * @since 0.1.0
 * @category responses
 */
export const check = <A, E>(request: Request<A, E>): Effect.Effect<Option.Option<A>, E | CallError> =>
  Effect.suspend((): Effect.Effect<Option.Option<A>, E | CallError> => {
    const exit = answerOf(request)
    return exit === undefined ? Effect.succeed(Option.none()) : Effect.map(exit, Option.some)
  })

const pendingOf = (request: Request<unknown, unknown>): Pending => request as Pending

/** The handle's type is the protocol's; the mailbox has forgotten it. */
const answerOf = <A, E>(request: Request<A, E>): Exit.Exit<A, E | CallError> | undefined =>
  pendingOf(request).exit as Exit.Exit<A, E | CallError> | undefined

const timeoutOf = (request: Request<unknown, unknown>, options: CallOptions): CallTimeout =>
  new CallTimeout({
    server: request.server,
    request: request.tag,
    timeoutMillis: Duration.toMillis(options.timeout ?? Duration.infinity)
  })

const within = (answered: Effect.Effect<void>, options: CallOptions): Effect.Effect<unknown> =>
  options.timeout === undefined || !Duration.isFinite(Duration.decode(options.timeout))
    ? answered
    : Effect.timeoutOption(answered, options.timeout)

// -----------------------------------------------------------------------------------------------------------------
// many requests
// -----------------------------------------------------------------------------------------------------------------

/**
 * The request is in the collection already.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyCollected extends Schema.TaggedError<AlreadyCollected>("@reckon/otp/AlreadyCollected")(
  "AlreadyCollected",
  { server: Schema.String, request: Schema.String }
) {
  override get message(): string {
    return `the request "${this.request}" to ${this.server} is in the collection already`
  }
  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

/**
 * Requests that are waited for together, each with a label of the caller's own.
 *
 * @since 0.1.0
 * @category models
 */
export class Collection<L, A, E = never> {
  private readonly labels = new Map<Request<A, E>, L>()

  get size(): number {
    return this.labels.size
  }

  /** The requests with their labels, in the order in which they were added. */
  get entries(): ReadonlyArray<readonly [Request<A, E>, L]> {
    return Array.from(this.labels)
  }

  add(request: Request<A, E>, label: L): Effect.Effect<void, AlreadyCollected> {
    return Effect.suspend(() => {
      if (this.labels.has(request)) {
        return Effect.fail(new AlreadyCollected({ server: request.server, request: request.tag }))
      }
      this.labels.set(request, label)
      return Effect.void
    })
  }

  delete(request: Request<A, E>): boolean {
    return this.labels.delete(request)
  }
}

/**
 * One answer of a collection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response<out L, out A, out E> {
  readonly label: L
  readonly exit: Exit.Exit<A, E | CallError>
}

/**
 * Makes an empty collection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const collection = <L, A, E = never>(): Collection<L, A, E> => new Collection()

/**
 * Waits for the first answer to any request of the collection and takes that request out. None: the collection is empty. When
 * the time is up, all that are left are abandoned and taken out.
 *
 * @since 0.1.0
 * @category responses
 */
export const receiveAny = <L, A, E>(
  requests: Collection<L, A, E>,
  options: CallOptions = {}
): Effect.Effect<Option.Option<Response<L, A, E>>, CallTimeout> =>
  Effect.tapError(waitAny(requests, options), late =>
    Effect.sync(() => {
      for (const [request] of requests.entries) {
        pendingOf(request).abandon(Exit.fail(late))
        requests.delete(request)
      }
    })
  )

/**
 * Like `receiveAny`, but when the time is up the requests stand, and one can wait again.
 *
 * @since 0.1.0
 * @category responses
 */
export const waitAny = <L, A, E>(
  requests: Collection<L, A, E>,
  options: CallOptions = {}
): Effect.Effect<Option.Option<Response<L, A, E>>, CallTimeout> =>
  Effect.suspend(() => {
    const first = requests.entries[0]
    if (first === undefined) return Effect.succeed(Option.none())
    const answered = Effect.async<void>(resume => {
      const wake = (): void => resume(Effect.void)
      if (requests.entries.some(([request]) => answerOf(request) !== undefined)) {
        wake()
        return
      }
      const forget = requests.entries.map(([request]) => pendingOf(request).onAnswer(wake))
      return Effect.sync(() => {
        for (const each of forget) each()
      })
    })
    return Effect.flatMap(within(answered, options), () => {
      for (const [request, label] of requests.entries) {
        const exit = answerOf(request)
        if (exit === undefined) continue
        requests.delete(request)
        return Effect.succeed(Option.some({ label, exit }))
      }
      return Effect.fail(timeoutOf(first[0], options))
    })
  })

/**
 * What `multiCall` brings back: each server is in one of the two, in the order of the call.
 *
 * @since 0.1.0
 * @category models
 */
export interface MultiReply<out C, out A, out E> {
  readonly replies: ReadonlyArray<readonly [client: C, reply: A]>
  readonly failed: ReadonlyArray<readonly [client: C, error: E | CallError]>
}

/** Not the time of day, which can be set. */
const steadyMillis = Effect.map(Clock.currentTimeNanos, nanos => Number(nanos / 1_000_000n))

/**
 * Asks many servers the same and waits for all of them, 5 seconds by default and never longer: who is dead or silent is told apart and
 * does not hold up the others, and late answers are never seen.
 *
 * @since 0.1.0
 * @category requests
 */
export const multiCall = <Rpcs extends Rpc.Any, Info, R, const Tag extends Rpcs["_tag"]>(
  clients: ReadonlyArray<Client<Rpcs, Info, R>>,
  tag: Tag,
  payload: Rpc.PayloadConstructor<Rpc.ExtractTag<Rpcs, Tag>>,
  options: CallOptions = {}
): Effect.Effect<
  MultiReply<Client<Rpcs, Info, R>, Rpc.Success<Rpc.ExtractTag<Rpcs, Tag>>, Rpc.Error<Rpc.ExtractTag<Rpcs, Tag>>>,
  never,
  R
> =>
  Effect.gen(function* () {
    type A = Rpc.Success<Rpc.ExtractTag<Rpcs, Tag>>
    type E = Rpc.Error<Rpc.ExtractTag<Rpcs, Tag>>
    const limitMillis = Duration.toMillis(options.timeout ?? "5 seconds")
    const requests: Array<readonly [Client<Rpcs, Info, R>, Request<A, E>]> = []
    for (const client of clients) requests.push([client, yield* client.request(tag, payload)])
    const deadlineMillis = (yield* steadyMillis) + limitMillis
    const replies: Array<readonly [Client<Rpcs, Info, R>, A]> = []
    const failed: Array<readonly [Client<Rpcs, Info, R>, E | CallError]> = []
    for (const [client, request] of requests) {
      const leftMillis = Math.max(0, deadlineMillis - (yield* steadyMillis))
      const answer = yield* Effect.either(receive(request, { timeout: leftMillis }))
      if (answer._tag === "Right") replies.push([client, answer.right])
      else failed.push([client, answer.left])
    }
    return { replies, failed }
  })
