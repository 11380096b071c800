/**
 * The start of a server: synchronous for the starter, and without leftovers if it does not succeed.
 */
import type * as Rpc from "@effect/rpc/Rpc"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Ref, Self } from "../Client.js"
import type * as ExitReason from "../ExitReason.js"
import {
  AlreadyStarted,
  type StartError,
  StartFailed,
  StartIgnored,
  type StartOptions,
  StartTimeout
} from "../StartError.js"
import { refOf, selfOf } from "./client.js"
import { isOrphan, type Kernel, type Process } from "./kernel.js"
import { labelOf } from "./place.js"
import { type Ack, type Definition, Loop } from "./server.js"
import type { Kind } from "./signal.js"
import { spawn } from "./spawn.js"

/** What of a server's definition its start needs. */
export interface Startable<Info> {
  readonly trapExit: boolean
  readonly mailboxCapacity: number | undefined
  readonly definition: (self: Self<Info>) => Definition
}

/**
 * What a killed supervisor leaves behind still has its names while it ends. Who is to take them waits so long for each, the time that a child has to end, and only then
 * finds the name taken: else a successor's few restarts would be used up within that moment.
 */
const orphanMillis = 5_000

export const startOn = <Rpcs extends Rpc.Any, Info, R = never>(
  kernel: Kernel,
  server: Startable<Info>,
  options: StartOptions,
  link: boolean,
  kind: Kind,
  onCreated?: (process: Process) => void
): Effect.Effect<Ref<Rpcs, Info>, StartError, R> =>
  Effect.uninterruptibleMask(restore => {
    const ack: Ack = { failure: undefined, started: () => {} }
    const spawned = spawn(
      kernel,
      process => new Loop(process, server.definition(selfOf(process)), ack).live() as Effect.Effect<void, unknown, R>,
      {
        name: options.name,
        trapExit: server.trapExit,
        capacity: options.mailboxCapacity ?? server.mailboxCapacity,
        link,
        kind,
        onCreated,
        starting: true
      }
    )
    const placed: typeof spawned = Effect.catchAll(spawned, pid => {
      const holder = kernel.lookup(pid)
      if (holder === undefined || !isOrphan(holder)) return Effect.fail(pid)
      return Effect.flatMap(restore(kernel.awaitDeathWithin(holder, orphanMillis)), reason =>
        reason === undefined ? Effect.fail(pid) : placed
      )
    })
    const named = Effect.mapError(placed, pid => new AlreadyStarted({ name: labelOf(options.name ?? ""), pid }))
    return Effect.flatMap(named, process => {
      const acknowledged = Effect.async<void, StartIgnored | StartFailed>(resume => {
        const died = (reason: ExitReason.ExitReason): void =>
          resume(
            Effect.fail(
              ack.failure === "ignore" ? new StartIgnored() : new StartFailed({ reason: ack.failure ?? reason })
            )
          )
        if (process.exitReason !== undefined) died(process.exitReason)
        else if (!process.starting) resume(Effect.void)
        else {
          const forget = process.onDeath(died)
          ack.started = () => {
            forget()
            resume(Effect.void)
          }
        }
      })
      const limited =
        options.timeout === undefined
          ? acknowledged
          : Effect.timeoutFail(acknowledged, {
              duration: options.timeout,
              onTimeout: () => new StartTimeout({ timeoutMillis: Duration.toMillis(options.timeout ?? 0) })
            })
      return restore(limited).pipe(
        // A starter that gives up leaves nothing behind.
        Effect.tapErrorCause(() => Effect.sync(() => kernel.kill(process))),
        Effect.as(refOf<Rpcs, Info>(process))
      )
    })
  })
