/**
 * How a process comes to life and goes: one fiber, one scope, one death.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { currentProcess, Kernel, type Process } from "./kernel.js"
import { claim, labelOf, type Name } from "./place.js"
import type { Kind, Pid } from "./signal.js"

export interface SpawnSettings {
  readonly name?: Name | undefined
  readonly label?: string | undefined
  readonly trapExit?: boolean | undefined
  readonly capacity?: number | undefined
  /** Link the new process to the one that spawns it, in the same step. */
  readonly link?: boolean | undefined
  /** The process is not yet in service: a linked spawner hears of a failed start from the start itself. */
  readonly starting?: boolean | undefined
  readonly kind?: Kind | undefined
  /** Called in the step that makes the process, before its fiber can run. */
  readonly onCreated?: ((process: Process) => void) | undefined
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
        const label = settings.label ?? (settings.name === undefined ? undefined : labelOf(settings.name))
        const process = kernel.create({
          scope,
          trapExit: settings.trapExit ?? false,
          capacity: settings.capacity ?? defaultCapacity,
          label
        })
        if (settings.kind !== undefined) process.kind = settings.kind
        if (settings.name !== undefined) {
          const holder = claim(kernel, settings.name, process)
          if (holder !== undefined) {
            kernel.processes.delete(process.pid.id)
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
        if (kernel.changes.wanted) {
          const { kind, name, pid } = process
          kernel.changes.publish({ _tag: "Spawned", pid, kind, name, parent: process.parent?.pid })
        }
        return Effect.as(Effect.forkDaemon(living(kernel, process, scope, body)), process)
      })
    )
  )

/**
 * The whole of the process's fiber. The fiber is the process for good, so its process and its scope are set in the fiber
 * itself; wrapping the body in effects that put the old values back would cost a kilobyte per process.
 */
const living = <R>(
  kernel: Kernel,
  process: Process,
  scope: Scope.CloseableScope,
  body: (process: Process) => Effect.Effect<unknown, unknown, R>
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.withFiberRuntime<void, never, Exclude<R, Scope.Scope>>(fiber => {
    process.fiber = fiber
    const over = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
      Effect.flatMap(Effect.exit(Scope.close(scope, exit)), closed => {
        const reason = Kernel.verdict(process, exit, closed)
        kernel.die(process, reason)
        // A crash the process was to end with is another's, come along a link, or a server's, which has reported it.
        return reason._tag === "Crash" && !Equal.equals(reason, process.ending)
          ? Effect.annotateLogs(Effect.logError("process crashed", reason.cause), { pid: process.pid.label })
          : Effect.void
      })
    // The end may have been decided between the spawn and this first step.
    if (process.ending !== undefined) return over(Exit.interrupt(fiber.id()))
    const context = Context.add(fiber.getFiberRef(FiberRef.currentContext), Scope.Scope, scope)
    return Effect.updateFiberRefs((id, refs) => {
      const locals = new Map(refs.locals)
      // Who set what before is of use to a fiber that is joined, and nobody joins this one. Along a chain of processes, each
      // started by the one before, it would grow with every link.
      for (const [ref, stack] of locals) if (stack.length > 1) locals.set(ref, [[id, stack[0][1]]])
      locals.set(currentProcess, [[id, process]])
      locals.set(FiberRef.currentContext, [[id, context]])
      // A scheduler of the program's own stands.
      if (fiber.getFiberRef(FiberRef.currentScheduler) === Scheduler.defaultScheduler) {
        locals.set(FiberRef.currentScheduler, [[id, kernel.eventLoop]])
      }
      return FiberRefs.unsafeMake(locals)
    }).pipe(
      Effect.zipRight(
        Effect.matchCauseEffect(Effect.interruptible(withScope(body(process))), {
          onFailure: cause => over(Exit.failCause(cause)),
          onSuccess: value => over(Exit.succeed(value))
        })
      )
    )
  })

/** Says to the compiler what `living` has just done: the fiber's context has the scope. */
const withScope = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  effect as Effect.Effect<A, E, Exclude<R, Scope.Scope>>
