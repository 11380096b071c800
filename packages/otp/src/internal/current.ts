/**
 * The process the running fiber belongs to.
 */
import * as Effect from "effect/Effect"
import { currentProcess, type Process } from "./kernel.js"
import type { MonitorRef } from "./signal.js"

export const current: Effect.Effect<Process> = Effect.withFiberRuntime(fiber => {
  const process = fiber.getFiberRef(currentProcess)
  return process === undefined
    ? Effect.dieMessage("this must run inside a process: links, monitors and receive belong to one")
    : Effect.succeed(process)
})

/**
 * Runs a start that calls `onCreated` in the step in which it makes a process, and monitors that process from the current one in
 * the same step. `forget` takes the monitor back, and its `Down` if that came already.
 */
export const monitoring = <A, E, R>(
  start: (onCreated: (process: Process) => void, forget: Effect.Effect<void>) => Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, MonitorRef], E, R> =>
  Effect.flatMap(current, watcher => {
    let ref: MonitorRef | undefined
    const onCreated = (process: Process): void => {
      ref = watcher.kernel.monitor(watcher, process.pid)
    }
    const forget = Effect.sync(() => {
      if (ref === undefined || watcher.kernel.demonitor(watcher, ref)) return
      watcher.mailbox.extract(signal => signal._tag === "Down" && signal.ref === ref)
    })
    return Effect.flatMap(start(onCreated, forget), started =>
      ref === undefined
        ? Effect.dieMessage("a started process was not monitored")
        : Effect.succeed([started, ref] as const)
    )
  })
