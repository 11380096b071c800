/**
 * How calls get into a mailbox and their answers out of it.
 */
import type * as Rpc from "@effect/rpc/Rpc"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type CallError, CallingSelf, MailboxFull, NoProcess } from "../CallError.js"
import type { BoundClient, CallOptions, Ref, Self } from "../Client.js"
import type { Kernel, Process } from "./kernel.js"
import { Call, Cast, StateRequest } from "./server.js"
import { Message, type Pid } from "./signal.js"

const defaultTimeoutMillis = 5_000

export const request = (
  resolve: () => Process | undefined,
  label: string,
  Request: typeof Call,
  tag: string,
  payload: unknown,
  options: CallOptions | undefined
): Effect.Effect<unknown, unknown> =>
  Effect.async<unknown, unknown>(resume => {
    const process = resolve()
    if (process === undefined || !process.alive) {
      resume(Effect.fail(new NoProcess({ server: label, request: tag })))
      return
    }
    if (isRunning(process)) {
      resume(Effect.fail(new CallingSelf({ server: label, request: tag })))
      return
    }
    const limit = options?.timeout === undefined ? defaultTimeoutMillis : Duration.toMillis(options.timeout)
    const call = new Request(tag, payload, label, limit, resume)
    if (!process.mailbox.offer(call)) {
      resume(Effect.fail(new MailboxFull({ server: label, request: tag, capacity: process.mailbox.capacity })))
      return
    }
    process.await(call)
    process.kernel.timers.arm(call, limit)
    // An interrupted caller's slot settles into nothing when the reply or the time limit comes. Only a call without a limit
    // withdraws its slot itself: an interruption handler on every call would cost three quarters of the throughput.
    return limit === Number.POSITIVE_INFINITY ? Effect.sync(() => call.retire()) : undefined
  })

/** Whether the code that runs now is a callback of this very process. A fiber forked by it may call it. */
const isRunning = (process: Process): boolean => {
  const running = Fiber.getCurrentFiber()
  return running._tag === "Some" && running.value === process.fiber
}

export const clientOf = <Rpcs extends Rpc.Any, Info>(
  resolve: () => Process | undefined,
  label: string
): BoundClient<Rpcs, Info> => {
  const unsafeSend = (info: Info): boolean => offer(resolve(), new Message(info))
  const client = {
    label,
    call: (tag: string, payload: unknown, options?: CallOptions) =>
      request(resolve, label, Call, tag, payload, options),
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

export const selfOf = <Info>(process: Process): Self<Info> => {
  const unsafeSend = (info: Info): boolean => offer(process, new Message(info))
  return { pid: process.pid, unsafeSend, send: info => Effect.sync(() => void unsafeSend(info)) }
}

const offer = (process: Process | undefined, message: Cast | Message): boolean =>
  process?.alive === true && process.mailbox.offer(message)

/** A server's state, in its turn. Only a `CallError` can be the answer otherwise: no handler of the protocol is asked. */
export const stateOf = (
  kernel: Kernel,
  pid: Pid,
  options: CallOptions | undefined
): Effect.Effect<unknown, CallError> =>
  request(() => kernel.lookup(pid), pid.label, StateRequest, "state", undefined, options) as Effect.Effect<
    unknown,
    CallError
  >
