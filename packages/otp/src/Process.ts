/**
 * Processes: fibers with an identity, a mailbox, a scope, and relations to each other.
 *
 * A process is one fiber that others can name, link to, monitor and kill. Signals of all kinds (messages, exits,
 * downs) go through one FIFO per receiver, so what one process sends to another arrives in the order it was sent.
 * Only what the receiver itself has opted in to goes ahead: see `priorityAlias` and the `priority` of a monitor.
 * Death is one synchronous step: first the name is released, then links and monitors are told, so whoever hears of a
 * death can take the name at once.
 *
 * What the runtime cannot do: a synchronous loop in JavaScript cannot be interrupted, by anybody. A killed process
 * counts as dead at once, but such a loop, or an uninterruptible region, runs on as a ghost until it ends by itself.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ExitReason from "./ExitReason.js"
import { Alias, type PriorityAlias } from "./internal/alias.js"
import { current, monitoring } from "./internal/current.js"
import { currentProcess, Kernel, type Process } from "./internal/kernel.js"
import * as place from "./internal/place.js"
import { Down, ExitSignal, Message, MonitorRef, Pid } from "./internal/signal.js"
import * as spawning from "./internal/spawn.js"

/**
 * An address at which messages do not wait, see `priorityAlias`.
 *
 * @since 0.1.0
 * @category models
 */
export type { PriorityAlias } from "./internal/alias.js"
/**
 * What a process can be called by, see `internal/place`.
 *
 * @since 0.1.0
 * @category names
 */
export type { Name, Via } from "./internal/place.js"
/**
 * A process's identity, and what can arrive in its mailbox.
 *
 * @since 0.1.0
 * @category models
 */
export { Down, ExitSignal, Message, MonitorRef, Pid }

type Name = place.Name

/**
 * The name belongs to a living process already.
 *
 * @since 0.1.0
 * @category errors
 */
export class NameTaken extends Schema.TaggedError<NameTaken>("@reckon/otp/NameTaken")("NameTaken", {
  name: Schema.String,
  /** The holder's label. */
  holder: Schema.String
}) {
  override get message(): string {
    return `the name "${this.name}" belongs to ${this.holder}`
  }

  /** Whether the same call can succeed later without anything being changed: only if the holder goes. */
  get retryable(): boolean {
    return false
  }
}

/**
 * The processes and names of one node. Opaque: use the functions of this module.
 *
 * @since 0.1.0
 * @category context
 */
export class ProcessTable extends Context.Tag("@reckon/otp/ProcessTable")<ProcessTable, Kernel>() {}

/** How long processes may take to end by themselves when their table closes, before they are killed. */
const closingLimit = "5 seconds"

/**
 * A node's process table. Nothing is shared between two of them. When the layer is released, processes that are
 * still alive are asked to shut down, all at once, and killed after five seconds. Time is that of the `Clock` the layer
 * was built with.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ProcessTable> = Layer.scoped(
  ProcessTable,
  Effect.acquireRelease(
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const runtime = yield* Effect.runtime<never>()
      return new Kernel(clock, runtime)
    }),
    kernel =>
      Effect.suspend(() => {
        const left = Array.from(kernel.processes.values())
        for (const process of left) kernel.end(process, ExitReason.shutdown())
        return Effect.forEach(left, process => kernel.awaitDeath(process), { concurrency: "unbounded", discard: true })
      }).pipe(
        Effect.timeoutOption(closingLimit),
        Effect.interruptible,
        Effect.zipRight(
          Effect.sync(() => {
            for (const process of Array.from(kernel.processes.values())) kernel.kill(process)
          })
        ),
        Effect.zipRight(kernel.timers.close())
      )
  )
)

/**
 * How a process is spawned.
 *
 * @since 0.1.0
 * @category models
 */
export interface SpawnOptions {
  /** Link the new process to the calling one, in the same step. Without effect outside a process. */
  readonly link?: boolean | undefined
  /** Registered before the effect begins. */
  readonly name?: Name | undefined
  /** Receive exit signals as messages instead of dying of them. */
  readonly trapExit?: boolean | undefined
  /** For people and logs. */
  readonly label?: string | undefined
  /** How many messages may wait; more are refused. Signals are never refused. Default 65,536. */
  readonly mailboxCapacity?: number | undefined
}

/**
 * Runs an effect as a process. It is given a `Scope` of its own, which is closed when it ends, before its death is
 * announced; a killed process is announced first and closes its scope when it can.
 *
 * @since 0.1.0
 * @category constructors
 */
export function spawn<A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: SpawnOptions & { readonly name: Name }
): Effect.Effect<Pid, NameTaken, ProcessTable | Exclude<R, Scope.Scope>>
export function spawn<A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: SpawnOptions & { readonly name?: undefined }
): Effect.Effect<Pid, never, ProcessTable | Exclude<R, Scope.Scope>>
export function spawn<A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: SpawnOptions = {}
): Effect.Effect<Pid, NameTaken, ProcessTable | Exclude<R, Scope.Scope>> {
  return Effect.map(spawnProcess(effect, options), process => process.pid)
}

const spawnProcess = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: SpawnOptions,
  onCreated?: (process: Process) => void
): Effect.Effect<Process, NameTaken, ProcessTable | Exclude<R, Scope.Scope>> =>
  Effect.flatMap(ProcessTable, kernel =>
    spawning
      .spawn(kernel, () => effect, { ...options, capacity: options.mailboxCapacity, onCreated })
      .pipe(Effect.mapError(holder => new NameTaken({ name: place.labelOf(options.name ?? ""), holder: holder.label })))
  )

/**
 * Like `spawn`, and monitors the new process from the calling one in the same step.
 *
 * @since 0.1.0
 * @category constructors
 */
export const spawnMonitor = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: SpawnOptions = {}
): Effect.Effect<readonly [Pid, MonitorRef], NameTaken, ProcessTable | Exclude<R, Scope.Scope>> =>
  monitoring(onCreated => Effect.map(spawnProcess(effect, options, onCreated), process => process.pid))

/**
 * The pid of the process the calling fiber belongs to, if it does.
 *
 * @since 0.1.0
 * @category accessors
 */
export const self: Effect.Effect<Option.Option<Pid>> = Effect.withFiberRuntime(fiber =>
  Effect.succeed(Option.map(Option.fromNullable(fiber.getFiberRef(currentProcess)), process => process.pid))
)

/**
 * Whether the process has not died yet. One that is still closing its scope lives.
 *
 * @since 0.1.0
 * @category accessors
 */
export const isAlive = (pid: Pid): Effect.Effect<boolean, never, ProcessTable> =>
  Effect.map(ProcessTable, kernel => kernel.lookup(pid) !== undefined)

/**
 * Every living process, oldest first.
 *
 * @since 0.1.0
 * @category accessors
 */
export const list: Effect.Effect<ReadonlyArray<Pid>, never, ProcessTable> = Effect.map(ProcessTable, kernel =>
  Array.from(kernel.processes.values(), process => process.pid)
)

/**
 * Sends an exit signal. It is asynchronous: the target may look alive for a while; monitor it to be sure.
 *
 * `Killed` cannot be trapped: the process is dead when this returns, its links get `Killed` as an ordinary reason, and
 * its finalizers run in the background. Any other reason becomes a message to a process that traps exits, and
 * otherwise ends it after its finalizers. `Normal` is ignored by a process that does not trap, except from itself.
 *
 * @since 0.1.0
 * @category signals
 */
export const exit = (pid: Pid, reason: ExitReason.ExitReason): Effect.Effect<void, never, ProcessTable> =>
  Effect.withFiberRuntime<void, never, ProcessTable>(fiber =>
    Effect.map(ProcessTable, kernel => {
      const target = kernel.lookup(pid)
      if (target !== undefined) kernel.sendExit(target, fiber.getFiberRef(currentProcess)?.pid ?? kernel.host, reason)
    })
  )

/**
 * Waits until the process is dead, from inside a process or not; `NoProc` if it is dead already.
 *
 * @since 0.1.0
 * @category accessors
 */
export const awaitExit = (pid: Pid): Effect.Effect<ExitReason.ExitReason, never, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel => {
    const process = kernel.lookup(pid)
    return process === undefined ? Effect.succeed(ExitReason.noProc) : kernel.awaitDeath(process)
  })

/**
 * Links the calling process with another: each gets the other's exit signal. At most one link per pair. Linking to a
 * dead process brings its exit signal, `NoProc`.
 *
 * @since 0.1.0
 * @category signals
 */
export const link = (pid: Pid): Effect.Effect<void, never, ProcessTable> =>
  Effect.zipWith(ProcessTable, current, (kernel, process) => {
    const other = kernel.lookup(pid)
    if (other === undefined) kernel.deliverExit(process, pid, ExitReason.noProc)
    else kernel.link(process, other)
  })

/**
 * Removes the link. No exit signal from it arrives later; one that is in the mailbox already stays there.
 *
 * @since 0.1.0
 * @category signals
 */
export const unlink = (pid: Pid): Effect.Effect<void, never, ProcessTable> =>
  Effect.zipWith(ProcessTable, current, (kernel, process) => {
    const other = kernel.lookup(pid)
    if (other !== undefined) kernel.unlink(process, other)
  })

/**
 * How a process is monitored.
 *
 * @since 0.1.0
 * @category models
 */
export interface MonitorOptions {
  /** The `Down` goes ahead of the ordinary messages in the mailbox, also of those the dead process had sent. Default false. */
  readonly priority?: boolean | undefined
}

/**
 * Asks for one `Down` when the process dies; at once, with `NoProc`, if it is dead already. Monitors stack.
 *
 * @since 0.1.0
 * @category signals
 */
export const monitor = (pid: Pid, options: MonitorOptions = {}): Effect.Effect<MonitorRef, never, ProcessTable> =>
  Effect.zipWith(ProcessTable, current, (kernel, process) => kernel.monitor(process, pid, undefined, options.priority))

/**
 * Like `monitor`, of whoever has the name now: it stays with that process when the name goes to another. Nobody having the
 * name is `NoProc` at once. The `Down` tells the name.
 *
 * @since 0.1.0
 * @category signals
 */
export const monitorName = (name: Name, options: MonitorOptions = {}): Effect.Effect<MonitorRef, never, ProcessTable> =>
  Effect.zipWith(ProcessTable, current, (kernel, process) => {
    const target = place.lookup(kernel, name)
    return kernel.monitor(process, target?.pid ?? kernel.nobody, place.labelOf(name), options.priority)
  })

/**
 * Removes a monitor. True: it was active, and no `Down` will ever come. False: the `Down` is in the mailbox or was
 * read, or the monitor was removed before. With `flush` a `Down` still in the mailbox is taken out. Only the process
 * that monitors can remove a monitor; the attempt of another is a defect.
 *
 * @since 0.1.0
 * @category signals
 */
export const demonitor = (
  ref: MonitorRef,
  options: { readonly flush?: boolean | undefined } = {}
): Effect.Effect<boolean, never, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel =>
    Effect.flatMap(current, process => {
      if (ref.owner !== process.pid) {
        return Effect.dieMessage(`${process.pid.label} cannot remove a monitor of ${ref.owner.label}`)
      }
      const active = kernel.demonitor(process, ref)
      if (!active && options.flush === true) {
        process.mailbox.extract(signal => signal._tag === "Down" && signal.ref === ref)
      }
      return Effect.succeed(active)
    })
  )

/**
 * Sets whether the calling process gets exit signals as messages, and returns what was set before.
 *
 * @since 0.1.0
 * @category signals
 */
export const trapExit = (trap: boolean): Effect.Effect<boolean> =>
  Effect.map(current, process => {
    const before = process.trapExit
    process.trapExit = trap
    return before
  })

/**
 * Sends a plain message; false if nobody will read it, because the process is dead or its mailbox is full.
 *
 * @since 0.1.0
 * @category signals
 */
export const send = (pid: Pid, body: unknown): Effect.Effect<boolean, never, ProcessTable> =>
  Effect.map(ProcessTable, kernel => kernel.lookup(pid)?.mailbox.offer(new Message(body)) ?? false)

/**
 * Sends a plain message to whoever has the name; fails if nobody has it, and is false if the mailbox is full.
 *
 * @since 0.1.0
 * @category signals
 */
export const sendName = (name: Name, body: unknown): Effect.Effect<boolean, NameNotRegistered, ProcessTable> =>
  Effect.flatMap(ProcessTable, kernel => {
    const target = place.lookup(kernel, name)
    return target === undefined
      ? Effect.fail(new NameNotRegistered({ name: place.labelOf(name) }))
      : Effect.succeed(target.mailbox.offer(new Message(body)))
  })

/**
 * Makes an address of the calling process at which messages and exit signals do not wait behind the ordinary ones. Each time it is
 * another one. A server makes typed ones with `self.priorityAlias`.
 *
 * @since 0.1.0
 * @category signals
 */
export const priorityAlias: Effect.Effect<PriorityAlias> = Effect.map(current, process => new Alias(process))

/**
 * Takes back an alias of the calling process: what is sent to it from now on is dropped; what is in the mailbox already stays there.
 * False if it was taken back before, or is another's, whose it stays.
 *
 * @since 0.1.0
 * @category signals
 */
export const unalias = (alias: PriorityAlias<never>): Effect.Effect<boolean> =>
  Effect.map(current, process => alias instanceof Alias && alias.revoke(process))

/**
 * Takes the next signal out of the calling process's mailbox, waiting for one: those with priority first. For processes made by
 * `spawn`; a server's mailbox is read by the server.
 *
 * @since 0.1.0
 * @category signals
 */
export const receive: Effect.Effect<Message | ExitSignal | Down> = Effect.suspend(() =>
  Effect.flatMap(current, process => {
    const signal = process.mailbox.shift()
    if (signal === undefined) {
      const parked = Effect.async<void>(resume => {
        process.mailbox.park(() => resume(Effect.void))
        return Effect.sync(() => process.mailbox.unpark())
      })
      return Effect.zipRight(parked, receive)
    }
    // A call to something that is no server is never answered; the caller's time limit tells it.
    return signal._tag === "Envelope" ? receive : Effect.succeed(signal)
  })
)

/**
 * Registers a living process under a name. A process has at most one name.
 *
 * @since 0.1.0
 * @category names
 */
export const register = (name: string, pid: Pid): Effect.Effect<void, NameTaken | NotRegistrable, ProcessTable> =>
  Effect.flatMap(ProcessTable, (kernel): Effect.Effect<void, NameTaken | NotRegistrable> => {
    const process = kernel.lookup(pid)
    if (process === undefined) return Effect.fail(new NotRegistrable({ name, why: `${pid.label} is dead` }))
    if (process.name === name) return Effect.void
    if (process.name !== undefined) {
      return Effect.fail(new NotRegistrable({ name, why: `${pid.label} is called "${process.name}" already` }))
    }
    const holder = kernel.claim(name, process)
    if (holder !== undefined) return Effect.fail(new NameTaken({ name, holder: holder.pid.label }))
    if (kernel.changes.wanted) kernel.changes.publish({ _tag: "Renamed", pid, name })
    return Effect.void
  })

/**
 * A process that is dead, or has another name, cannot be registered.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotRegistrable extends Schema.TaggedError<NotRegistrable>("@reckon/otp/NotRegistrable")("NotRegistrable", {
  name: Schema.String,
  why: Schema.String
}) {
  override get message(): string {
    return `cannot register "${this.name}": ${this.why}`
  }

  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

/**
 * Nobody has the name.
 *
 * @since 0.1.0
 * @category errors
 */
export class NameNotRegistered extends Schema.TaggedError<NameNotRegistered>("@reckon/otp/NameNotRegistered")(
  "NameNotRegistered",
  { name: Schema.String }
) {
  override get message(): string {
    return `nobody is called "${this.name}"`
  }

  /** Whether the same call can succeed later without anything being changed: a process may take the name. */
  get retryable(): boolean {
    return true
  }
}

/**
 * Who has the name now.
 *
 * @since 0.1.0
 * @category names
 */
export const whereis = (name: Name): Effect.Effect<Option.Option<Pid>, never, ProcessTable> =>
  Effect.map(ProcessTable, kernel =>
    Option.map(Option.fromNullable(place.lookup(kernel, name)), process => process.pid)
  )

/**
 * Frees a name; false if nobody had it.
 *
 * @since 0.1.0
 * @category names
 */
export const unregister = (name: string): Effect.Effect<boolean, never, ProcessTable> =>
  Effect.map(ProcessTable, kernel => {
    const holder = kernel.names.get(name)
    if (holder === undefined) return false
    kernel.release(holder)
    if (kernel.changes.wanted) kernel.changes.publish({ _tag: "Renamed", pid: holder.pid, name: undefined })
    return true
  })
