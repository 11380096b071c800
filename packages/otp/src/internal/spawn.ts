/**
 * How a process comes to life and goes: one fiber, one scope, one death.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as ExitReason from "../ExitReason.js"
import { currentProcess, Kernel, type Process } from "./kernel.js"
import type { Pid } from "./signal.js"

export interface SpawnSettings {
  readonly name?: string | undefined
  readonly label?: string | undefined
  readonly trapExit?: boolean | undefined
  readonly capacity?: number | undefined
  /** Link the new process to the one that spawns it, in the same step. */
  readonly link?: boolean | undefined
  /** The process is not yet in service: a linked spawner hears of a failed start from the start itself. */
  readonly starting?: boolean | undefined
  readonly kind?: Process["kind"] | undefined
  /** Called in the step that makes the process, before its fiber can run. */
  readonly onCreated?: ((process: Process) => void) | undefined
  /** The process reports its own crash, better than the kernel could. */
  readonly reportsItself?: boolean | undefined
}

/** How many messages may wait in a mailbox unless its owner says otherwise. */
export const defaultCapacity = 65_536

/**
 * Starts a process on a fiber of its own, inside nobody's scope. Fails with the holder's pid when the name is taken.
 * The effect may be interrupted; its finalizers run before the process dies, unless it is killed.
 */
export const spawn = <R>(
  kernel: Kernel,
  body: (process: Process) => Effect.Effect<unknown, unknown, R>,
  settings: SpawnSettings
): Effect.Effect<Process, Pid, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptible(
    Effect.flatMap(Scope.make(), scope =>
      Effect.withFiberRuntime(spawner => {
        const process = kernel.create({
          scope,
          trapExit: settings.trapExit ?? false,
          capacity: settings.capacity ?? defaultCapacity,
          label: settings.label ?? settings.name
        })
        if (settings.kind !== undefined) process.kind = settings.kind
        if (settings.name !== undefined) {
          const holder = kernel.claim(settings.name, process)
          if (holder !== undefined) {
            kernel.die(process, ExitReason.normal)
            return Effect.fail(holder.pid)
          }
        }
        process.starting = settings.starting ?? false
        const parent = spawner.getFiberRef(currentProcess)
        if (settings.link === true && parent !== undefined) {
          process.parent = parent
          kernel.link(process, parent)
        }
        settings.onCreated?.(process)
        return Effect.as(Effect.forkDaemon(living(kernel, process, scope, body, settings)), process)
      })
    )
  )

const living = <R>(
  kernel: Kernel,
  process: Process,
  scope: Scope.CloseableScope,
  body: (process: Process) => Effect.Effect<unknown, unknown, R>,
  settings: SpawnSettings
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.withFiberRuntime<Exit.Exit<unknown, unknown>, never, Exclude<R, Scope.Scope>>(fiber => {
    process.fiber = fiber
    // The end may have been decided between the spawn and this first step.
    if (process.ending !== undefined) return Effect.succeed(Exit.interrupt(fiber.id()))
    return Effect.exit(Scope.extend(Effect.interruptible(body(process)), scope))
  }).pipe(
    Effect.flatMap(exit =>
      Effect.flatMap(Effect.exit(Scope.close(scope, exit)), closed => {
        const reason = Kernel.verdict(process, exit, closed)
        kernel.die(process, reason)
        return reason._tag === "Crash" && settings.reportsItself !== true
          ? Effect.annotateLogs(Effect.logError("process crashed", reason.cause), { pid: process.pid.label })
          : Effect.void
      })
    ),
    Effect.locally(currentProcess, process)
  )
