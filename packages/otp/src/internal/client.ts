/**
 * How calls get into a mailbox and their answers out of it.
 */
import type * as Rpc from "@effect/rpc/Rpc"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { type CallError, CallingSelf, MailboxFull, NoProcess, type ReplacerFailed } from "../CallError.js"
import type { BoundClient, CallOptions, Ref, Self } from "../Client.js"
import { Alias, type PriorityAlias } from "./alias.js"
import type { Kernel, Process } from "./kernel.js"
import { type Address, describe, find } from "./place.js"
import { Pending } from "./request.js"
import { Call, Cast, StateReplacement, StateRequest } from "./server.js"
import { Message, type Pid } from "./signal.js"

const defaultTimeoutMillis = 5_000

/** Puts a request in the mailbox. Its answer, or the reason why there will be none, goes to `resume`, once. */
const submit = (
  resolve: () => Process | undefined,
  label: string,
  Request: typeof Call,
  tag: string,
  payload: unknown,
  limitMillis: number,
  resume: (exit: Exit.Exit<unknown, unknown>) => void
): Call | undefined => {
  const process = resolve()
  if (process === undefined || !process.alive) {
    resume(Exit.fail(new NoProcess({ server: label, request: tag })))
    return undefined
  }
  const caller = Option.getOrUndefined(Fiber.getCurrentFiber())
  // A callback of the server itself would wait for ever. A fiber it has forked may call.
  if (caller !== undefined && caller === process.fiber) {
    resume(Exit.fail(new CallingSelf({ server: label, request: tag })))
    return undefined
  }
  const call = new Request(tag, payload, label, limitMillis, resume, caller)
  if (!process.mailbox.offer(call)) {
    resume(Exit.fail(new MailboxFull({ server: label, request: tag, capacity: process.mailbox.capacity })))
    return undefined
  }
  process.await(call)
  process.kernel.timers.arm(call, limitMillis)
  return call
}

const request = (
  resolve: () => Process | undefined,
  label: string,
  Request: typeof Call,
  tag: string,
  payload: unknown,
  options: CallOptions | undefined
): Effect.Effect<unknown, unknown> =>
  Effect.async<unknown, unknown>(resume => {
    const limit = options?.timeout === undefined ? defaultTimeoutMillis : Duration.toMillis(options.timeout)
    const call = submit(resolve, label, Request, tag, payload, limit, resume)
    // An interrupted caller's slot settles into nothing when the reply or the time limit comes. Only a call without a limit
    // withdraws its slot itself: an interruption handler on every call would cost three quarters of the throughput.
    return call !== undefined && limit === Number.POSITIVE_INFINITY ? Effect.sync(() => call.retire()) : undefined
  })

export const clientOf = <Rpcs extends Rpc.Any, Info>(
  resolve: () => Process | undefined,
  label: string
): BoundClient<Rpcs, Info> => {
  const unsafeSend = (info: Info): boolean => offer(resolve(), new Message(info))
  const client = {
    label,
    call: (tag: string, payload: unknown, options?: CallOptions) =>
      request(resolve, label, Call, tag, payload, options),
    request: (tag: string, payload: unknown) =>
      Effect.sync(() => {
        const pending = new Pending(label, tag)
        const settle = (exit: Exit.Exit<unknown, unknown>): void => pending.settle(exit)
        pending.call = submit(resolve, label, Call, tag, payload, Number.POSITIVE_INFINITY, settle)
        return pending
      }),
    cast: (tag: string, payload: unknown) => Effect.sync(() => void offer(resolve(), new Cast(tag, payload))),
    send: (info: Info) => Effect.sync(() => void unsafeSend(info)),
    unsafeSend
  }
  // A reply is what the handler of this tag answered, and the handler's type is the protocol's; the mailbox forgets it.
  return client as unknown as BoundClient<Rpcs, Info>
}

export const refOf = <Rpcs extends Rpc.Any, Info>(process: Process): Ref<Rpcs, Info> => ({
  ...clientOf<Rpcs, Info>(() => process, process.pid.label),
  pid: process.pid
})

export const selfOf = <Info>(process: Process): Self<Info> => new OwnAddress(process)

class OwnAddress<Info> implements Self<Info> {
  constructor(private readonly process: Process) {}

  get pid(): Pid {
    return this.process.pid
  }

  get priorityAlias(): Effect.Effect<PriorityAlias<Info>> {
    return Effect.sync(() => new Alias(this.process))
  }

  readonly unsafeSend = (info: Info): boolean => offer(this.process, new Message(info))
  readonly send = (info: Info): Effect.Effect<void> => Effect.sync(() => void this.unsafeSend(info))
}

const offer = (process: Process | undefined, message: Cast | Message): boolean =>
  process?.alive === true && process.mailbox.offer(message)

/** A server's state, in its turn. Only a `CallError` can be the answer otherwise: no handler of the protocol is asked. */
export const stateOf = (
  kernel: Kernel,
  address: Address,
  options: CallOptions | undefined
): Effect.Effect<unknown, CallError> =>
  request(() => find(kernel, address), describe(address), StateRequest, "state", undefined, options) as Effect.Effect<
    unknown,
    CallError
  >

/** Puts another state in the server's place for it, in its turn. */
export const replaceStateOf = (
  kernel: Kernel,
  address: Address,
  replacer: (state: unknown) => unknown,
  options: CallOptions | undefined
): Effect.Effect<unknown, CallError | ReplacerFailed> =>
  request(
    () => find(kernel, address),
    describe(address),
    StateReplacement,
    "replace state",
    replacer,
    options
  ) as Effect.Effect<unknown, CallError | ReplacerFailed>
