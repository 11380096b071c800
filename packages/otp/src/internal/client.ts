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
import { Call, Cast, StateReplacement, StateRequest } from "./envelope.js"
import type { Kernel, Process } from "./kernel.js"
import { type Address, describe, find } from "./place.js"
import { Pending } from "./request.js"
import { Message, type Pid } from "./signal.js"

const defaultTimeoutMillis = 5_000

/** Puts a request in the mailbox, or settles it with the reason why it cannot. */
const submit = (process: Process | undefined, call: Call): void => {
  const { caller, limitMillis, request, server } = call
  if (process === undefined || !process.alive) {
    call.settle(Exit.fail(new NoProcess({ server, request })))
  } else if (caller !== undefined && caller === process.fiber) {
    // A callback of the server itself would wait for ever. A fiber it has forked may call.
    call.settle(Exit.fail(new CallingSelf({ server, request })))
  } else if (process.mailbox.offer(call)) {
    process.await(call)
    process.kernel.timers.arm(call, limitMillis)
  } else {
    call.settle(Exit.fail(new MailboxFull({ server, request, capacity: process.mailbox.capacity })))
  }
}

const request = (
  resolve: () => Process | undefined,
  label: string,
  Request: typeof Call,
  tag: string,
  payload: unknown,
  options: CallOptions | undefined
): Effect.Effect<unknown, unknown> =>
  Effect.withFiberRuntime<unknown, unknown>(caller => {
    const limitMillis = options?.timeout === undefined ? defaultTimeoutMillis : Duration.toMillis(options.timeout)
    const call = new Request(tag, payload, label, limitMillis, undefined, caller)
    if (limitMillis === Number.POSITIVE_INFINITY) {
      return Effect.async(resume => {
        call.resume = resume
        submit(resolve(), call)
        return Effect.sync(() => call.retire())
      })
    }
    const process = resolve()
    if (process?.server?.serve(call) !== true) submit(process, call)
    else if (call.exit === undefined) process.kernel.timers.arm(call, limitMillis)
    // An interrupted caller's slot settles into nothing when the reply or the time limit comes. Only a call without a limit
    // withdraws its slot itself: an interruption handler on every call would cost three quarters of the throughput.
    return call.awaited
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
        const caller = Option.getOrUndefined(Fiber.getCurrentFiber())
        pending.call = new Call(tag, payload, label, Number.POSITIVE_INFINITY, settle, caller)
        submit(resolve(), pending.call)
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
