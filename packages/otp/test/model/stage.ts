/**
 * Where a history is played on real supervisors: children that write down what they do, and a way to see what came of each move.
 */
import { RpcGroup } from "@effect/rpc"
import { Clock, Deferred, Duration, Effect, Fiber, Stream, TestClock } from "effect"
import * as CallError from "../../src/CallError.js"
import * as ChildSpec from "../../src/ChildSpec.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Observer from "../../src/Observer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import type { Real } from "./property.js"
import {
  type Move,
  type Observation,
  type Outcome,
  type OwnReason,
  type Reason,
  type Shutdown,
  showSpec,
  slowMillis
} from "./vocabulary.js"

/** Waits until all fibers have run as far as they can. No time passes, on the test clock or for the test. */
export const settle: Effect.Effect<void> = Effect.async(resume => {
  setImmediate(() => resume(Effect.void))
})

const reasonOf = (reason: ExitReason.ExitReason): Reason => {
  switch (reason._tag) {
    case "Shutdown":
      if (reason.term === undefined) return "shutdown"
      return reason.term instanceof Supervisor.FailedToStartChild
        ? `shutdown(failed ${reason.term.id}: ${reasonOf(reason.term.reason)})`
        : `shutdown(${reason.term})`
    case "Crash":
      return "crash"
    default:
      return reason._tag.toLowerCase()
  }
}

const exitReasons: Record<OwnReason, ExitReason.ExitReason> = {
  normal: ExitReason.normal,
  shutdown: ExitReason.shutdown(),
  "shutdown(moved)": ExitReason.shutdown("moved"),
  crash: ExitReason.crashWith("boom"),
  killed: ExitReason.killed
}

/** What a child's start returns: more than its process, so that it can be seen to come back. */
export interface Started {
  readonly pid: Process.Pid
  readonly tag: string
}

/** Tells a worker to end by itself. */
class Leave {
  readonly _tag = "Leave"
  constructor(readonly reason: OwnReason) {}
}

/** What a kind of supervisor brings to the stage. */
export interface Kind<Spec, Call> {
  /** Starts the root and tells the process. */
  readonly start: (spec: Spec) => Effect.Effect<string, unknown, Process.ProcessTable>
  readonly call: (to: string, call: Call) => Effect.Effect<string, unknown, Process.ProcessTable>
  /** Makes the supervisor run a start that leaves no trace. */
  readonly plug: (
    to: string,
    start: Effect.Effect<Started, GenServer.StartIgnored>
  ) => Effect.Effect<unknown, unknown, Process.ProcessTable>
  /** What the supervisors say that are expected to answer now. */
  readonly listing: () => Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable>
  /** Lets everybody end who still can, and tells what is left. */
  readonly close: Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable>
}

export class Stage {
  private readonly journal: Array<string> = []
  private readonly answers: Array<string> = []
  private readonly ends: Array<readonly [Process.Pid, ExitReason.ExitReason]> = []
  private readonly starts = new Map<string, number>()
  private readonly faults = new Map<string, Array<Outcome>>()
  private readonly pids = new Map<string, Process.Pid>()
  private readonly latest = new Map<string, Process.Pid>()
  private readonly tags = new Map<Process.Pid, string>()
  private readonly supervisors = new Set<string>()
  /** Workers that were told to end by themselves; these are never slow. */
  private readonly leaving = new Set<string>()
  /** Workers that were started and not stopped. */
  private readonly running = new Set<string>()
  private readonly gates = new Map<string, Deferred.Deferred<void>>()
  private calls = 0

  /** @param startedMillis what the clock showed when the history began: all that is written down counts from there */
  constructor(private readonly startedMillis: number) {}

  private readonly observe = Stream.runForEach(Observer.changes, change =>
    Effect.sync(() => {
      if (change._tag === "Exited") this.ends.push([change.pid, change.reason])
    })
  )

  pid(tag: string): Process.Pid {
    const pid = this.pids.get(tag)
    if (pid === undefined) throw new Error(`${tag} was never started`)
    return pid
  }

  /** The newest process of a place, dead or alive. */
  newest(path: string): Process.Pid {
    const pid = this.latest.get(path)
    if (pid === undefined) throw new Error(`nothing was ever started as ${path}`)
    return pid
  }

  tag(pid: Process.Pid): string {
    return this.tags.get(pid) ?? pid.label
  }

  /** Gives everybody who was left to himself the time to end, and tells who does not. */
  readonly leftovers: Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable> = Effect.gen(
    this,
    function* () {
      yield* settle
      const left = yield* Process.list
      if (left.length > 0 || this.running.size > 0) yield* pass(60_000)
      return [...(yield* Process.list).map(pid => this.tag(pid)), ...this.running]
    }
  )

  // ---------------------------------------------------------------------------------------------------------------
  // children
  // ---------------------------------------------------------------------------------------------------------------

  worker(path: string, isSlow: boolean): Effect.Effect<Started, GenServer.StartError, Process.ProcessTable> {
    return this.started(path, (tag, outcome) => {
      const server = GenServer.make(RpcGroup.make(), {
        init: (_: GenServer.Self<Leave>) => {
          if (outcome === "fail") return Effect.fail("told to fail")
          if (outcome === "die") return Effect.die("told to die")
          if (outcome === "ignore") return Effect.succeed(GenServer.ignore)
          this.running.add(tag)
          const release = Effect.suspend(() => {
            this.running.delete(tag)
            const isPrompt = !isSlow || this.leaving.has(tag)
            return Effect.zipRight(this.note(`-${tag}`), isPrompt ? Effect.void : Effect.sleep(slowMillis))
          })
          return Effect.acquireRelease(this.note(`+${tag}`), () => release)
        },
        handlers: {},
        info: (message, state) => {
          if (message._tag !== "Leave") return GenServer.noReply(state)
          return message.reason === "crash" ? Effect.die("boom") : GenServer.stop(exitReasons[message.reason], state)
        }
      })
      return GenServer.startLink(server)
    })
  }

  supervisor<E>(
    path: string,
    start: Effect.Effect<{ readonly pid: Process.Pid }, E, Process.ProcessTable>
  ): Effect.Effect<Started, E | GenServer.StartError | string, Process.ProcessTable> {
    return this.started<E | GenServer.StartError | string>(path, (tag, outcome) => {
      this.supervisors.add(tag)
      if (outcome === "fail") return Effect.fail("told to fail")
      if (outcome === "die") return Effect.die("told to die")
      return outcome === "ignore" ? Effect.fail(new GenServer.StartIgnored()) : start
    })
  }

  private started<E>(
    path: string,
    start: (
      tag: string,
      outcome: Outcome | undefined
    ) => Effect.Effect<{ readonly pid: Process.Pid }, E, Process.ProcessTable>
  ): Effect.Effect<Started, E | GenServer.AlreadyStarted, Process.ProcessTable> {
    return Effect.suspend(() => {
      const count = (this.starts.get(path) ?? 0) + 1
      this.starts.set(path, count)
      const tag = `${path}#${count}`
      const outcome = this.faults.get(path)?.shift()
      const noted = outcome === undefined ? Effect.void : this.note(`${outcome === "ignore" ? "~" : "!"}${tag}`)
      const attempt: Effect.Effect<{ readonly pid: Process.Pid }, E | GenServer.AlreadyStarted, Process.ProcessTable> =
        outcome === "taken"
          ? Effect.flatMap(elsewhere, pid => Effect.fail(new GenServer.AlreadyStarted({ name: path, pid })))
          : start(tag, outcome)
      return Effect.map(Effect.zipRight(noted, attempt), ({ pid }) => {
        this.pids.set(tag, pid)
        this.latest.set(path, pid)
        this.tags.set(pid, tag)
        return { pid, tag }
      })
    })
  }

  private readonly sinceStart = Effect.map(Clock.currentTimeMillis, now => now - this.startedMillis)

  private note(line: string): Effect.Effect<void> {
    return Effect.map(this.sinceStart, millis => void this.journal.push(`${line} at ${millis}`))
  }

  // ---------------------------------------------------------------------------------------------------------------
  // moves
  // ---------------------------------------------------------------------------------------------------------------

  /** What plays the moves of a history on supervisors of this kind. */
  playing<Spec, Call>(kind: Kind<Spec, Call>): Real<Move<Spec, Call>> {
    return { observe: this.observe, play: (move, millis) => this.play(kind, move, millis), close: kind.close }
  }

  /** Plays one move, gives what it leads to its time, and asks the supervisors how they are. */
  private play<Spec, Call>(
    kind: Kind<Spec, Call>,
    move: Move<Spec, Call>,
    millis: number
  ): Effect.Effect<Observation, never, Process.ProcessTable> {
    return Effect.gen(this, function* () {
      yield* this.begin(kind, move)
      yield* pass(millis)
      const ends = this.ends.splice(0).flatMap(([pid, reason]) => {
        const tag = this.tags.get(pid)
        return tag === undefined ? [] : [`${tag}: ${reasonOf(reason)}`]
      })
      const journal = this.journal.splice(0).map(line => [line])
      return { answers: this.answers.splice(0), journal, ends, listing: yield* soon(kind.listing()) }
    })
  }

  private begin<Spec, Call>(
    kind: Kind<Spec, Call>,
    move: Move<Spec, Call>
  ): Effect.Effect<void, never, Process.ProcessTable> {
    switch (move._) {
      case "Start":
        return this.ask(kind.start(move.spec))
      case "Exit":
        return this.exit(move.instance, move.reason)
      case "Call":
        return this.ask(kind.call(move.to, move.call))
      case "Fault":
        return Effect.sync(() => void this.faults.set(move.path, [...move.outcomes]))
      case "Pass":
        return Effect.void
      case "Hold":
        return this.hold(kind, move.to)
      case "Release":
        return this.release(move.to)
    }
  }

  /** A worker ends by itself, unless it is killed; a supervisor gets the exit signal of a stranger. */
  private exit(tag: string, reason: OwnReason): Effect.Effect<void, never, Process.ProcessTable> {
    const pid = this.pid(tag)
    this.leaving.add(tag)
    return reason === "killed" || this.supervisors.has(tag)
      ? Process.exit(pid, exitReasons[reason])
      : Effect.asVoid(Process.send(pid, new Leave(reason)))
  }

  /** Any answer as text, an error by what tells it from the others. */
  answer<R>(asked: Effect.Effect<string, unknown, R>): Effect.Effect<string, never, R> {
    return Effect.catchAll(asked, error => Effect.succeed(this.errorText(error)))
  }

  private errorText(error: unknown): string {
    if (error instanceof Supervisor.ChildAlreadyStarted) return `already_started ${this.tag(error.pid)}`
    if (error instanceof Supervisor.ChildStateError) return error.state
    if (error instanceof GenServer.AlreadyStarted) return "already_started elsewhere"
    if (error instanceof ChildSpec.InvalidSpec) return error.problem
    if (error instanceof CallError.NoProcess) return "noproc"
    if (error instanceof CallError.ServerExited || error instanceof GenServer.StopFailed) {
      return `exited: ${reasonOf(error.reason)}`
    }
    if (error instanceof Supervisor.ChildStartFailed || error instanceof GenServer.StartFailed) {
      return `${error._tag}: ${reasonOf(error.reason)}`
    }
    return String(error)
  }

  /** Asks in the background; the answer is written down with its time when it is there. */
  private ask(
    question: Effect.Effect<string, unknown, Process.ProcessTable>
  ): Effect.Effect<void, never, Process.ProcessTable> {
    const number = this.calls++
    const asked = Effect.flatMap(this.answer(question), answer =>
      Effect.map(this.sinceStart, millis => void this.answers.push(`${number} at ${millis}: ${answer}`))
    )
    return Effect.asVoid(Effect.forkDaemon(asked))
  }

  /** Makes a supervisor deaf: it is busy with a start that ends only when the gate opens, and then was not needed. */
  private hold<Spec, Call>(kind: Kind<Spec, Call>, path: string): Effect.Effect<void, never, Process.ProcessTable> {
    return Effect.gen(this, function* () {
      const gate = yield* Deferred.make<void>()
      this.gates.set(path, gate)
      const start = Effect.zipRight(Deferred.await(gate), Effect.fail(new GenServer.StartIgnored()))
      yield* Effect.forkDaemon(Effect.exit(kind.plug(path, start)))
    })
  }

  private release(path: string): Effect.Effect<void> {
    const gate = this.gates.get(path)
    this.gates.delete(path)
    return gate === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(gate, undefined))
  }
}

/** The process that a listing tells, by its instance. */
export const pidText = (stage: Stage, pid: ChildSpec.ChildInfo["pid"]): string =>
  pid === undefined ? "stopped" : pid === "restarting" ? pid : stage.tag(pid)

export const specText = (spec: ChildSpec.Normalised): string =>
  showSpec({ ...spec, shutdown: shutdownOf(spec.shutdown) })

const shutdownOf = (shutdown: ChildSpec.Shutdown): Shutdown =>
  shutdown === "brutal_kill" || shutdown === "infinity" ? shutdown : Duration.toMillis(shutdown)

/** Lets everything happen that is to happen within the time. */
const pass = (millis: number): Effect.Effect<void> =>
  millis === 0 ? settle : Effect.zipRight(settle, TestClock.adjust(millis))

/** The listing, unless somebody does not answer at once. */
const soon = <R>(listing: Effect.Effect<ReadonlyArray<string>, never, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(listing)
    yield* settle
    if ((yield* Fiber.poll(fiber))._tag === "Some") return yield* Fiber.join(fiber)
    yield* Fiber.interruptFork(fiber)
    return ["no answer"]
  })

const elsewhere = Process.spawn(Effect.void)
