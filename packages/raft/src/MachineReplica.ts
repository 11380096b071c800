/**
 * One member's copy of a replicated machine: the {@link StateMachine} that its Raft process drives.
 *
 * The state is in memory. A restart goes on from the file, where one was named, and from the log behind it. `persist` writes the whole state to it, as `snapshot` does to
 * another, so both cost what the state measures; they take it in slices, between which others get their turn and commands go on, see `Machine.inParts`. The state as it is now can be read at any time; after `RaftClient.readBarrier` such a read is linearizable.
 *
 * It is the server side of `ra_machine`.
 *
 * @since 0.1.0
 */
import { awaitExit, type ProcessTable, whereis } from "@reckon/otp/Process"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as File from "./internal/machine/file.js"
import * as Image from "./internal/machine/image.js"
import * as Leader from "./internal/machine/leader.js"
import { Replicated } from "./internal/machine/replicated.js"
import type { Machine } from "./Machine.js"
import type { DownReason, Subject } from "./MachineEffect.js"
import { SnapshotError, StateMachine } from "./StateMachine.js"

/**
 * A {@link StateMachine} that has all the optional members, and whose state can be read.
 *
 * @since 0.1.0
 * @category models
 */
export interface MachineReplica<out State>
  extends Required<Omit<Context.Tag.Service<StateMachine>, "restore" | "unreadable">> {
  /** As the newest version sees it, and as of `appliedIndex`. */
  readonly state: () => State
  /** The replicated time as of `appliedIndex`, in milliseconds since 1970. */
  readonly timeMillis: () => number
}

/**
 * What a member's node does for the machine while the member leads.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Notification, R> {
  /** Where `persist` keeps the state. Without a file nothing outlives the process but the log, so `persist` answers 0. */
  readonly filename?: string
  /** Carries notifications out, one at a time, in the order of the log. A failure is logged; what waits behind it goes on. Without it they are dropped. */
  readonly notify?: (notification: Notification) => Effect.Effect<unknown, unknown, R>
  /** Ends with the reason once the subject is down, or at once if it is not there; interrupted where the machine demonitors. The default knows no subject: all are lost. */
  readonly monitor?: (subject: Subject) => Effect.Effect<DownReason, never, R>
}

/**
 * A member's copy, as the file has it, or as the machine begins. For `Raft.startLink`'s `open`: it lives as long as the member's process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <State, Command, Reply, Notification, R = never>(
  machine: Machine<State, Command, Reply, Notification>,
  options: Options<Notification, R> = {}
): Effect.Effect<MachineReplica<State>, SnapshotError, NoInfer<R> | Scope.Scope> =>
  Effect.gen(function* () {
    const leader = yield* Leader.make<State, Notification, R>({
      notify: options.notify ?? (() => Effect.void),
      monitor: options.monitor ?? (() => Effect.succeed("NoConnection"))
    })
    const kept = options.filename === undefined ? undefined : yield* readFile(options.filename)
    let replicated =
      options.filename === undefined || kept === undefined
        ? new Replicated(machine.version, machine.initial)
        : yield* Image.decode(machine, options.filename, kept)
    let persistedIndex = replicated.index

    /** Writing of the machine's own file, and why that failed. */
    const writing = yield* FiberHandle.make<void>()
    const startWriting = yield* FiberHandle.runtime(writing)()
    let isWriting = false
    let failure: { readonly cause: unknown } | undefined

    const writingEnds = Effect.sync(() => {
      isWriting = false
    })

    const persist = () => {
      if (failure !== undefined) throw failure.cause
      if (options.filename === undefined || isWriting || persistedIndex === replicated.index) return persistedIndex
      isWriting = true
      const { index } = replicated
      const written = Effect.matchCause(File.write(options.filename, Image.capture(replicated)), {
        onSuccess: () => {
          persistedIndex = index
        },
        onFailure: cause => {
          if (!Cause.isInterruptedOnly(cause)) failure = { cause: Cause.squash(cause) }
        }
      })
      startWriting(Effect.ensuring(written, writingEnds))
      return persistedIndex
    }

    /** From here on nothing waits, so that no entry comes between. */
    const replace = (filename: string, installed: Replicated<State, Notification>) => {
      if (installed.index < replicated.index) {
        throw new SnapshotError({
          filename,
          reason: "outdated",
          detail: `stands at ${installed.index}, the machine at ${replicated.index}`
        })
      }
      if (options.filename !== undefined) {
        File.commit(options.filename)
        persistedIndex = installed.index
      }
      replicated = installed
    }

    const replica: MachineReplica<State> = {
      ...StateMachine.of({
        appliedIndex: () => replicated.index,
        apply: entries => {
          const answers: Array<Uint8Array> = []
          for (const entry of entries) {
            const taken = replicated.take(entry)
            if (Option.isNone(taken)) break
            leader.taken(entry.term, taken.value)
            answers.push(taken.value.answer)
          }
          leader.settle(replicated)
          return answers
        }
      }),
      persist,
      snapshot: filename =>
        Effect.gen(function* () {
          const { index } = replicated
          yield* Effect.mapError(File.write(filename, Image.capture(replicated)), fileError(filename))
          return { index }
        }),
      install: filename =>
        Effect.gen(function* () {
          const bytes = yield* readFile(filename)
          if (bytes === undefined) {
            return yield* new SnapshotError({ filename, reason: "damaged", detail: "is not there" })
          }
          const installed = yield* Image.decode(machine, filename, bytes)
          // What is being written is of an older state.
          yield* FiberHandle.clear(writing)
          isWriting = true
          yield* Effect.gen(function* () {
            if (options.filename !== undefined) yield* File.prepare(options.filename, [bytes])
            yield* Effect.try({ try: () => replace(filename, installed), catch: cause => cause })
          }).pipe(Effect.mapError(fileError(filename)), Effect.ensuring(writingEnds))
        }),
      version: () => ({
        supported: machine.version,
        effective: replicated.instance.version,
        ...(replicated.required === undefined ? {} : { required: replicated.required })
      }),
      released: () => replicated.releasedIndex,
      leading: leadership => leader.lead(leadership, replicated),
      state: () => replicated.instance.view(),
      timeMillis: () => replicated.timeMillis
    }
    return replica
  })

const fileError =
  (filename: string) =>
  (cause: unknown): SnapshotError =>
    cause instanceof SnapshotError
      ? cause
      : new SnapshotError({ filename, reason: "io", detail: cause instanceof Error ? cause.message : String(cause) })

const readFile = (filename: string) => Effect.mapError(File.read(filename), fileError(filename))

/**
 * Watches processes of this node by their names, among those of the table in the environment. Other nodes, and processes there, are lost to it; this node never is.
 *
 * @since 0.1.0
 * @category monitoring
 */
export const monitorLocal =
  (node: string) =>
  (subject: Subject): Effect.Effect<DownReason, never, ProcessTable> => {
    if (subject.node !== node) return Effect.succeed("NoConnection")
    if (subject._tag === "Node") return Effect.never
    return Effect.flatMap(whereis(subject.name), pid =>
      Option.isNone(pid) ? Effect.succeed("NoProc" as const) : Effect.map(awaitExit(pid.value), reason => reason._tag)
    )
  }
